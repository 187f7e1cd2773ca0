"""The names that can be written at a place, the nearest first."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.bindings import Bindings
from indexer.facts import CONTAINERS, Import, Kind, Symbol
from indexer.files import FileTable, parent_of
from indexer.meaning import Bases, Meanings, Source, Value
from indexer.overlay import Overlay
from indexer.resolve import Module
from indexer.standard import builtins_of
from indexer.symbol_table import SymbolTable
from indexer.syntax import name_node, receiver_of, word_at

PLACEHOLDER = b"placeholder_"


class Visible:
    """Names in scope, for one state of the index."""

    def __init__(self, meanings: Meanings, table: SymbolTable, files: FileTable) -> None:
        self._meanings = meanings
        self._resolver = meanings.resolver
        self._table = table
        self._files = files

    def names(self, source: Overlay) -> tuple[str, ...]:
        """Names that fit where the overlay has its placeholder: members after a dot, else names."""
        word = word_at(source.text, source.inserted_at)
        node = name_node(source.root, *word) if word is not None else None
        receiver = receiver_of(node) if node is not None else None
        if receiver is not None:
            value = self._meanings.of_value(source, receiver)
            found = self.members(value) if value is not None else iter(())
        else:
            found = self._plain(source, source.inserted_at)
        placeholder = PLACEHOLDER.decode()
        return tuple(name for name in dict.fromkeys(found) if name and placeholder not in name)

    def members(self, value: Value) -> Iterator[str]:
        """Names of the members of a class and its bases, or of what a module offers."""
        if isinstance(value, Module):
            yield from self._of_module(value.path, set())
            return
        if isinstance(value, Bases):
            owners: tuple[Symbol, ...] = self._resolver.bases(value.owner)
        else:
            owner = self._resolver.class_of(value)
            owners = (owner,) if owner is not None else ()
        for owner in owners:
            for cls in self._resolver.with_bases(owner):
                for outline, index in self._resolver.own_places(cls):
                    yield outline.name_of(index)

    def _plain(self, source: Overlay, offset: int) -> Iterator[str]:
        bindings = source.bindings_at(offset)
        if bindings is not None:
            yield from local_names(bindings, offset)
        for position, symbol in enumerate(source.around(offset)):
            if symbol.kind not in CONTAINERS:
                continue
            if source.language.implicit_members and symbol.kind is not Kind.MODULE:
                yield from self.members(symbol)
            elif symbol.kind is Kind.MODULE or (
                position == 0 and source.language.docstring == "inside"
            ):
                yield from (member.name for member in source.facts.members_of(symbol.index))
        yield from self._of_module(source.path, set())
        yield from self._beside(source)
        yield from builtins_of(source.language) or ()

    def _of_module(self, path: str, seen: set[str]) -> Iterator[str]:
        """What a file defines and imports, then what came with `import *`."""
        if path in seen:
            return
        seen.add(path)
        facts = self._table.facts(path)
        if facts is None:
            return
        for symbol in facts.members_of(-1):
            if symbol.kind is not Kind.EXTENSION and not facts.owner_of(symbol.index):
                yield symbol.name
        for clause in facts.imports:
            yield from bound_by(clause)
        for clause in facts.imports:
            if clause.star:
                for module in self._resolver.modules(path, clause):
                    yield from self._of_module(module, seen)

    def _beside(self, source: Source) -> Iterator[str]:
        """Names from other files of a folder, where a folder is one package."""
        if source.language.visible != "directory":
            return
        for other in sorted(self._files.in_folder(parent_of(source.path))):
            facts = self._table.facts(other)
            if facts is not None and facts.language == source.facts.language:
                yield from (symbol.name for symbol in facts.members_of(-1) if _is_own(symbol))


def _is_own(symbol: Symbol) -> bool:
    return symbol.kind is not Kind.EXTENSION


def bound_by(clause: Import) -> list[str]:
    """The names that an import makes visible, those of `import *` left out."""
    names = [here for _, here in clause.names]
    if clause.binds:
        names.append(clause.binds)
    elif not names and clause.module and not clause.star:
        names.append(clause.module.split(".", 1)[0])
        names.append(clause.module.rsplit("/", 1)[-1])
    return names


def local_names(bindings: Bindings, offset: int) -> Iterator[str]:
    """Names of the functions and blocks around an offset, of each scope the closest before it."""
    for scope in bindings.visible_scopes(bindings.scope_at(offset)):
        found: list[tuple[int, str]] = []
        for name in scope.bindings:
            visible = scope.visible(name, offset)
            if visible:
                before = [one.start for one in visible if one.start <= offset]
                distance = offset - max(before) if before else visible[0].start
                found.append((distance if before else 1 << 40, name))
        yield from (name for _, name in sorted(found))
