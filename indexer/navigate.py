"""Where a name is defined, and where else the same thing is named.

Candidates for references come from the index of terms by name; each is resolved in its own file and
kept if it means the same definition, kept as uncertain if nothing tells what it means, and dropped
if it means something else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import tree_sitter

from indexer import syntax
from indexer.bindings import Local
from indexer.document import Document
from indexer.facts import CONTAINERS, ROLE_NUMBER, FileFacts, Kind, Role, Symbol
from indexer.files import closeness
from indexer.language import languages
from indexer.meaning import LocalName, Meaning, Meanings, Source
from indexer.named import module_at, name_at, places_of
from indexer.repository import Repository
from indexer.resolve import Module

MAX_CANDIDATES = 30
"""Definitions of a name that are offered where nothing tells which is meant."""
MEMBERS = frozenset({Kind.METHOD, Kind.FIELD, Kind.CONSTANT})
CALLABLE = frozenset({Kind.FUNCTION, Kind.METHOD, Kind.CLASS, Kind.MACRO})
IMPORT_ROLE, TYPE_ROLE = ROLE_NUMBER[Role.IMPORT], ROLE_NUMBER[Role.TYPE]


@dataclass(frozen=True, slots=True)
class Target:
    """A place that a name leads to: a definition, or a whole file where all offsets are 0."""

    path: str
    start: int
    end: int
    name_start: int
    name_end: int
    symbol: Symbol | None  # None for variables of functions and for files
    certain: bool = True  # False where it is one of several definitions of the name


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place where something is named."""

    path: str
    start: int
    end: int
    role: str  # "definition", "write", "read", "call", "type" or "import"
    certain: bool


class Navigator:
    """Answers questions about one state of the index."""

    def __init__(
        self, repository: Repository, document_of: Callable[[str], Document | None]
    ) -> None:
        self._repository = repository
        self._document_of = document_of
        self._sources: dict[str, Source | None] = {}
        self.resolver = repository.resolver()
        self.meanings = Meanings(self.resolver)

    def source(self, path: str) -> Source | None:
        """A text with its tree: the document's own, or the file parsed for this query."""
        if path not in self._sources:
            self._sources[path] = self._read(path)
        return self._sources[path]

    def _read(self, path: str) -> Source | None:
        facts = self._repository.table.facts(path)
        document = self._document_of(path)
        if document is not None:
            tree, language = document.readable_tree, document.language
            facts = facts or document.facts
            if tree is None or language is None or facts is None:
                return None
            return Source(path, language, document.text, tree, facts)
        text = self._repository.current_text(path) if facts is not None else None
        language = languages().get(facts.language) if facts is not None else None
        if text is None or language is None or facts is None:
            return None
        return Source(path, language, text, language.parse(text), facts)

    def definitions(self, path: str, offset: int) -> list[Target]:
        """What the name at an offset means, the likeliest first; empty where no name is."""
        source = self.source(path)
        if source is None:
            return []
        node = self._node(source, offset)
        if node is None:
            return self._module_of_string(source, offset) or self._by_facts(source, offset)
        meaning = self.meanings.of_name(source, node)
        if meaning is not None:
            return self._targets(meaning)
        argument = self._parameter(source, node)
        return [argument] if argument is not None else self._candidates(source, node)

    def _node(self, source: Source, offset: int) -> tree_sitter.Node | None:
        word = syntax.word_at(source.text, offset)
        return syntax.name_node(source.root, *word) if word is not None else None

    def _targets(self, meaning: Meaning) -> list[Target]:
        if isinstance(meaning, Symbol):
            return [_target(meaning, True)]
        if isinstance(meaning, Module):
            return [Target(meaning.path, 0, 0, 0, 0, None)]
        first = meaning.local.bindings[0]
        return [Target(meaning.path, first.start, first.end, first.start, first.end, None)]

    def _module_of_string(self, source: Source, offset: int) -> list[Target]:
        """The file that an import names in quotes."""
        for clause in source.facts.imports:
            if clause.start <= offset < clause.end:
                place = max(clause.start, offset - 1)
                node = source.root.descendant_for_byte_range(place, place)
                quoted = node is not None and (
                    syntax.TEXT_NODE.search(node.type)
                    or (node.parent is not None and syntax.TEXT_NODE.search(node.parent.type))
                )
                if quoted:
                    modules = self.resolver.modules(source.path, clause)
                    return [Target(module, 0, 0, 0, 0, None) for module in modules[:1]]
        return []

    def _by_facts(self, source: Source, offset: int) -> list[Target]:
        """What a name means that is none to the grammar, or the file that is named there."""
        facts = source.facts
        number = module_at(facts, source.text, offset)
        if number is not None:
            modules = self.resolver.modules(source.path, facts.imports[number])
            return [Target(module, 0, 0, 0, 0, None) for module in modules[:1]]
        name = name_at(facts, offset)
        if name is None:
            return []
        meaning = self.resolver.name(source.path, name)
        if isinstance(meaning, Symbol):
            return [_target(meaning, True)]
        found = self._repository.table.definitions_of(name)
        near = sorted(found, key=lambda symbol: (closeness(symbol.path, source.path), symbol.start))
        return [_target(symbol, False) for symbol in near[:MAX_CANDIDATES]]

    def _places_by_facts(self, source: Source, offset: int, everywhere: bool) -> list[Occurrence]:
        """Where such a name stands, in the same file or in all; none of them is certain."""
        name = name_at(source.facts, offset)
        if name is None:
            return []
        paths = self._repository.table.paths_using(name) | {source.path} if everywhere else ()
        others = sorted(set(paths) - {source.path}, key=lambda other: closeness(other, source.path))
        found: list[Occurrence] = []
        for path in (source.path, *others):
            facts = self._repository.table.facts(path)
            if facts is None or (path != source.path and not languages()[facts.language].is_data):
                continue
            for start, end, role in places_of(facts, name):
                found.append(Occurrence(path, start, end, role, path == source.path))
        return found

    def _parameter(self, source: Source, node: tree_sitter.Node) -> Target | None:
        """The parameter that a keyword argument names."""
        if not syntax.is_keyword(node):
            return None
        call = node.parent
        while call is not None and not syntax.CALL_NODE.search(call.type):
            call = call.parent
        callee = syntax.callee_of(call) if call is not None else None
        last = syntax.last_name(callee) if callee is not None else None
        symbol = self.meanings.of_name(source, last) if last is not None else None
        if not isinstance(symbol, Symbol):
            return None
        if symbol.kind is Kind.CLASS:
            symbol = self.resolver.member(symbol, "__init__") or symbol
        return self._in_signature(symbol, syntax.text_of(node))

    def _in_signature(self, symbol: Symbol, name: str) -> Target | None:
        source = self.source(symbol.path)
        if source is None:
            return None
        bindings = source.bindings_of(symbol.start, symbol.end)
        local = bindings.lookup(name, symbol.end - 1)
        if local is None or local.bindings[0].start >= symbol.signature_end:
            return None
        first = local.bindings[0]
        return Target(symbol.path, first.start, first.end, first.start, first.end, None)

    def _candidates(self, source: Source, node: tree_sitter.Node) -> list[Target]:
        """All definitions of a name, those that fit its place and lie close first."""
        is_member = syntax.receiver_of(node) is not None or syntax.is_member_name(node)
        is_call = syntax.is_call_of(node)

        def rank(symbol: Symbol) -> tuple[object, ...]:
            fits = (symbol.kind in MEMBERS) == is_member
            misses = (not fits) + (is_call and symbol.kind not in CALLABLE)
            foreign = symbol.path != source.path
            return misses, foreign, closeness(symbol.path, source.path), symbol.start

        found = self._repository.table.definitions_of(syntax.text_of(node))
        usable = [symbol for symbol in found if is_member or symbol.kind is not Kind.EXTENSION]
        return [_target(symbol, False) for symbol in sorted(usable, key=rank)[:MAX_CANDIDATES]]

    def occurrences(self, path: str, offset: int) -> list[Occurrence]:
        """Where the file itself names what is named at an offset, in the order of the text."""
        source = self.source(path)
        node = self._node(source, offset) if source is not None else None
        if source is None or node is None or source.language.is_data:
            return self._places_by_facts(source, offset, False) if source is not None else []
        wanted = self._wanted(source, node)
        return self._in_source(source, wanted)

    def references(
        self, path: str, offset: int, include_definition: bool, deadline: float | None
    ) -> Iterator[list[Occurrence]]:
        """Where the workspace names what is named at an offset: this file first, then others.

        A list for each file that was looked at, so that the caller may do other things in between.
        """
        source = self.source(path)
        node = self._node(source, offset) if source is not None else None
        if source is None or node is None or source.language.is_data:
            places = self._places_by_facts(source, offset, True) if source is not None else []
            yield [one for one in places if include_definition or one.role != "definition"]
            return
        wanted = self._wanted(source, node)
        for other in self._paths(source.path, wanted):
            if deadline is not None and time.monotonic() > deadline and other != path:
                break
            there = self.source(other)
            found = self._in_source(there, wanted) if there is not None else []
            if other != path:
                self._sources.pop(other, None)  # trees are large
            yield [one for one in found if include_definition or one.role != "definition"]

    def _wanted(self, source: Source, node: tree_sitter.Node) -> Wanted:
        meaning = self.meanings.of_name(source, node)
        name = syntax.text_of(node)
        is_member = syntax.receiver_of(node) is not None or syntax.is_member_name(node)
        if isinstance(meaning, Symbol):
            name = meaning.name  # not the alias that it was imported as
            is_member = meaning.kind in MEMBERS and meaning.parent >= 0
        if isinstance(meaning, Module):
            name = meaning.name
        return Wanted(name, meaning, is_member)

    def _paths(self, path: str, wanted: Wanted) -> list[str]:
        """Files that may name the same thing: the asking one, the defining one, the closest."""
        meaning = wanted.meaning
        if isinstance(meaning, LocalName):
            return [path]
        home = path
        if isinstance(meaning, Symbol):
            home = meaning.path
            facts = self._repository.table.facts(home)
            if meaning.parent >= 0 and facts is not None:
                around = facts.symbol(meaning.parent)
                if around.kind not in CONTAINERS:  # a function's own function
                    return [home]
        others = self._repository.table.paths_using(wanted.name) | {home}
        language = self._repository.table.facts(path)
        family = languages()[language.language].imports_of if language is not None else ""

        def rank(other: str) -> tuple[object, ...]:
            return other != path, other != home, closeness(other, home)

        return sorted((other for other in others if self._speaks(other, family)), key=rank)

    def _speaks(self, path: str, family: str) -> bool:
        """Whether a file's language can import from another's."""
        facts = self._repository.table.facts(path)
        return facts is not None and languages()[facts.language].imports_of == family

    def _in_source(self, source: Source, wanted: Wanted) -> list[Occurrence]:
        """The places of a file that name what is wanted, in the order of the text."""
        found: list[Occurrence] = []
        for name in self._names_in(source, wanted):
            pattern = re.compile(
                rb"(?<![\w$\x80-\xff])" + re.escape(name.encode()) + rb"(?![\w$\x80-\xff])"
            )
            low, high = 0, len(source.text)
            if isinstance(wanted.meaning, LocalName):
                low, high = wanted.meaning.local.scope.start, wanted.meaning.local.scope.end
            for match in pattern.finditer(source.text, low, high):
                occurrence = self._verified(source, match.start(), match.end(), wanted)
                if occurrence is not None:
                    found.append(occurrence)
        return sorted(found, key=lambda one: one.start)

    def _names_in(self, source: Source, wanted: Wanted) -> list[str]:
        """The name itself, and the names that imports of the file give it."""
        if isinstance(wanted.meaning, LocalName) or wanted.is_member:
            return [wanted.name]
        aliases = [
            here
            for clause in source.facts.imports
            for there, here in clause.names
            if there == wanted.name and here != wanted.name
        ]
        if isinstance(wanted.meaning, Module):
            aliases += [
                clause.binds
                for clause in source.facts.imports
                if clause.binds and clause.binds != wanted.name
            ]
        return list(dict.fromkeys([wanted.name, *aliases]))

    def _verified(self, source: Source, start: int, end: int, wanted: Wanted) -> Occurrence | None:
        node = syntax.name_node(source.root, start, end)
        if node is None:
            return None
        if isinstance(wanted.meaning, LocalName):
            return self._of_local(source, node, wanted.meaning.local)
        meaning = self.meanings.of_name(source, node)
        if meaning is None:
            has_dot = syntax.receiver_of(node) is not None or syntax.is_member_name(node)
            if has_dot != wanted.is_member:
                return None
            return Occurrence(source.path, start, end, self._role(source, node, None), False)
        if wanted.meaning is None or not _same(meaning, wanted.meaning):
            return None
        return Occurrence(source.path, start, end, self._role(source, node, meaning), True)

    def _of_local(self, source: Source, node: tree_sitter.Node, wanted: Local) -> Occurrence | None:
        start = node.start_byte
        if syntax.receiver_of(node) is not None or syntax.is_member_name(node):
            return None
        local = source.local(wanted.name, start)
        if not wanted.same_as(local):
            return None
        role = self._role(source, node, None)
        if start == wanted.bindings[0].start:
            role = "definition"
        return Occurrence(source.path, start, node.end_byte, role, True)

    def _role(self, source: Source, node: tree_sitter.Node, meaning: Meaning | None) -> str:
        start = node.start_byte
        if isinstance(meaning, Symbol) and meaning.path == source.path:
            if meaning.name_start == start:
                return "definition"
        elif meaning is None and source.defined_at(start) is not None:
            return "definition"
        if any(clause.start <= start < clause.end for clause in source.facts.imports):
            return "import"
        bindings = source.bindings_at(start)
        if (bindings is not None and start in bindings.writes) or syntax.is_assigned(node):
            return "write"
        if syntax.is_call_of(node):
            return "call"
        return "type" if self._is_type(source.facts, start) else "read"

    def _is_type(self, facts: FileFacts, start: int) -> bool:
        uses = facts.uses
        row = int(uses[:, 1].searchsorted(start))
        return row < len(uses) and int(uses[row, 1]) == start and int(uses[row, 2]) == TYPE_ROLE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What references are searched for."""

    name: str
    meaning: Meaning | None
    is_member: bool


def _target(symbol: Symbol, certain: bool) -> Target:
    return Target(
        symbol.path,
        symbol.start,
        symbol.end,
        symbol.name_start,
        symbol.name_end,
        symbol,
        certain,
    )


def _same(one: Meaning, other: Meaning) -> bool:
    if isinstance(one, Symbol) and isinstance(other, Symbol):
        return one.path == other.path and one.index == other.index
    if isinstance(one, LocalName) and isinstance(other, LocalName):
        return one.path == other.path and one.local.same_as(other.local)
    return isinstance(one, Module) and isinstance(other, Module) and one.path == other.path
