"""What may be written at one place: members of a class, names of a module, names beside a file.

All are asked for again with every line that is written, and change with few: they are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from indexer.beside import files_beside, package_of
from indexer.facts import FileFacts, Symbol
from indexer.language import languages
from indexer.repository import Repository
from indexer.resolve import Module, Resolver, Target
from indexer.usage import NameTable

MAX_BASES = 5
Place = tuple[str, int]
"""A path and the index of a symbol in it."""


@dataclass(frozen=True, slots=True)
class Members:
    """Members of classes, those of a base left out where a class before it has its own."""

    classes: tuple[Symbol, ...]
    table: NameTable
    found: dict[str, tuple[str, int, Symbol]]  # the member's path and index, and its class

    def __len__(self) -> int:
        return 2 * len(self.found)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of files, with the symbols where those define them themselves."""

    table: NameTable
    found: dict[str, Place | None]
    private: NDArray[np.bool_]  # [names]: whether a name is not meant for others

    def __len__(self) -> int:
        return 2 * len(self.found)


class Offers:
    """Answers for one query."""

    def __init__(self, repository: Repository, resolver: Resolver) -> None:
        self._repository = repository
        self._resolver = resolver
        nothing = NameTable((), repository.chunks)
        self._no_members = Members((), nothing, {})
        self._no_names = Names(nothing, {}, np.zeros(0, np.bool_))

    def members(self, owner: Symbol, inherited: bool) -> Members:
        """Members of a class and its bases, or of the bases only."""
        key = ("inherited" if inherited else "members", owner.path, owner.index)
        make = partial(self._members, owner, inherited)
        return self._resolver.asking.answer(key, self._no_members, make)

    def _members(self, owner: Symbol, inherited: bool) -> Members:
        resolver = self._resolver
        resolver.asking.read(owner.path)
        classes = tuple(islice(resolver.with_bases(owner), int(inherited), MAX_BASES + 1))
        found: dict[str, tuple[str, int, Symbol]] = {}
        for cls in classes:
            for outline, index in resolver.own_places(cls):
                found.setdefault(outline.name_of(index), (outline.facts.path, index, cls))
        return Members(classes, NameTable(found, self._repository.chunks), found)

    def of_module(self, module: Module) -> Names:
        """Names behind a module."""
        key = ("names", module.path)
        make = partial(self._of_module, module.path)
        return self._resolver.asking.answer(key, self._no_names, make)

    def _of_module(self, path: str) -> Names:
        resolver, repository = self._resolver, self._repository
        outline = resolver.outline(path)
        found: dict[str, Place | None] = {}
        if outline is None:
            return self._names(path, found)
        for part in package_of(repository, path):
            own = resolver.outline(part)
            for name, index in own.tops.items() if own is not None else ():
                found.setdefault(name, (part, index))
        for clause in outline.facts.imports:
            for _, here in clause.names:
                found.setdefault(here)
            for other in resolver.modules(path, clause) if clause.star else ():
                starred = resolver.outline(other)
                for name in starred.tops if starred is not None else ():
                    found.setdefault(name)
        return self._names(path, found)

    def beside(self, facts: FileFacts) -> Names:
        """Names that a file sees without an import."""
        others = tuple(files_beside(self._repository, facts))
        make = partial(self._beside, others)
        return self._resolver.asking.answer(("beside", others), self._no_names, make)

    def _beside(self, others: tuple[str, ...]) -> Names:
        found: dict[str, Place | None] = {}
        for path in others:
            outline = self._resolver.outline(path)
            for name, index in outline.tops.items() if outline is not None else ():
                found.setdefault(name, (path, index))
        return self._names("", found)

    def _names(self, path: str, found: dict[str, Place | None]) -> Names:
        table = NameTable(found, self._repository.chunks)
        firsts = [name[:1] for name in table.names]
        hidden = str.islower if self._by_case(path) else "_".__eq__
        return Names(table, found, np.fromiter(map(hidden, firsts), np.bool_, len(firsts)))

    def _by_case(self, path: str) -> bool:
        """Whether a name says by its first letter if it is meant for others."""
        facts = self._repository.table.facts(path)
        return facts is not None and languages()[facts.language].visible == "directory"

    def target(self, module: Module, name: str, place: Place | None) -> Target | None:
        """What a name of a module means."""
        if place is None:
            return self._resolver.attribute(module, name, module.path)
        return self.symbol(place)

    def symbol(self, place: Place) -> Symbol | None:
        outline = self._repository.outlines.get(place[0])
        return outline.symbol(place[1]) if outline is not None else None
