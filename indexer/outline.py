"""The symbols of a file, arranged for questions about names and members; kept between queries.

Facts are packed columns, small but slow to ask one by one. A search asks the same few files
hundreds of times, so their columns are unpacked once and forgotten with the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from indexer.facts import (
    END,
    KIND,
    KIND_NUMBER,
    NAME,
    PARENT,
    START,
    TYPES,
    FileFacts,
    Import,
    Kind,
    Symbol,
)
from indexer.language import languages
from indexer.snippet import Rows

MAX_OUTLINES = 512
TYPE_NUMBER = KIND_NUMBER[Kind.TYPE]
TYPE_NUMBERS = [KIND_NUMBER[kind] for kind in TYPES]
MODULE_NUMBER = KIND_NUMBER[Kind.MODULE]
EXTENSION_NUMBER = KIND_NUMBER[Kind.EXTENSION]


class Outline:
    """Answers what FileFacts answers, each symbol made once."""

    __slots__ = (
        "_by_name",
        "_children",
        "_importing",
        "_made",
        "_name_numbers",
        "_open",
        "_owned",
        "_packages",
        "_parents",
        "_stars",
        "_table",
        "_tops",
        "aliases",
        "facts",
        "language",
        "rows",
    )

    def __init__(self, facts: FileFacts) -> None:
        self.facts = facts
        self.language = languages().get(facts.language)
        self.rows: dict[tuple[int, bool], Rows] = {}  # of symbols shown, with summaries or without
        self._table = facts.table
        self._made: dict[int, Symbol] = {}
        self._by_name: dict[str, list[int]] = {}
        self._children: dict[int, list[int]] = {}
        self._owned: dict[str, list[int]] | None = None
        self._importing: dict[str, list[tuple[Import, str | None]]] | None = None
        self._tops: dict[str, int] | None = None
        self._stars: tuple[Import, ...] | None = None
        self._packages: list[str] | None = None
        self._open: bool | None = None  # whether it may tell of names that it does not write
        names = facts.names
        self._name_numbers: list[int] = self._table[:, NAME].tolist()
        self._parents: list[int] = self._table[:, PARENT].tolist()
        for index, name in enumerate(self._name_numbers):
            self._by_name.setdefault(names[name], []).append(index)
        for index, parent in enumerate(self._parents):
            self._children.setdefault(parent, []).append(index)
        self.aliases = aliases_of(facts)
        for index in self.aliases:  # behind what they are another name of
            same = self._by_name[names[self._name_numbers[index]]]
            same.remove(index)
            same.append(index)

    def symbol(self, index: int) -> Symbol:
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = self.facts.symbol(index)
        return made

    def named(self, name: str) -> list[Symbol]:
        """All symbols of a name, in their order."""
        return [self.symbol(index) for index in self._by_name.get(name, ())]

    def name_of(self, index: int) -> str:
        """The name of the symbol at an index."""
        return self.facts.names[self._name_numbers[index]]

    def members(self, parent: int, name: str | None = None) -> Iterator[Symbol]:
        """Symbols directly inside the one at `parent` (-1: top level), all or those of a name."""
        return map(self.symbol, self.inside(parent, name))

    def inside(self, parent: int, name: str | None = None) -> Sequence[int]:
        """The indexes of `members`."""
        if name is None:
            return self._children.get(parent, ())
        parents = self._parents
        return [index for index in self._by_name.get(name, ()) if parents[index] == parent]

    @property
    def packages(self) -> list[str]:
        """The packages or namespaces that the file declares."""
        if self._packages is None:
            rows = np.flatnonzero(self._table[:, KIND] == MODULE_NUMBER)
            self._packages = [self.name_of(index) for index in rows.tolist()]
        return self._packages

    def may_tell(self, name: str) -> bool:
        """Whether the file has a say in what a name at its top means; most names are local."""
        if self._open is None:
            beyond = self.language is not None and self.language.visible != "file"
            self._open = beyond or bool(self.stars)
        return self._open or name in self._by_name or bool(self.importing(name))

    @property
    def tops(self) -> dict[str, int]:
        """Names defined at the top, or in namespaces there, and the first symbol of each.

        Members of types that are defined elsewhere do not count.
        """
        if self._tops is None:
            names, self._tops = self.facts.names, {}
            kinds: list[int] = self._table[:, KIND].tolist()
            numbers = self._name_numbers
            owned = {index for index, _ in self.facts.owners} if self.facts.owner_rows else ()
            pending = list(reversed(self._children.get(-1, ())))
            while pending:
                index = pending.pop()
                if kinds[index] == MODULE_NUMBER:
                    pending += reversed(self._children.get(index, ()))
                elif not (
                    index in owned or index in self.aliases or kinds[index] == EXTENSION_NUMBER
                ):
                    self._tops.setdefault(names[numbers[index]], index)
        return self._tops

    def around(self, offset: int) -> list[Symbol]:
        """Symbols that a byte offset lies in, the outermost first."""
        table = self._table
        inside = (table[:, START] <= offset) & (table[:, END] >= offset)
        return [self.symbol(index) for index in inside.nonzero()[0].tolist()]

    def owned_by(self, name: str) -> Sequence[int]:
        """Indexes of symbols that belong to the type `name` without being inside of it."""
        if self._owned is None:
            self._owned = {}
            for index, owner in self.facts.owners:
                self._owned.setdefault(owner, []).append(index)
        return self._owned.get(name, ())

    @property
    def stars(self) -> tuple[Import, ...]:
        """Imports of everything that a module has."""
        if self._stars is None:
            self._stars = tuple(clause for clause in self.facts.imports if clause.star)
        return self._stars

    def importing(self, name: str) -> list[tuple[Import, str | None]]:
        """Imports that may give a local name its meaning, in their order.

        With each the name there, or None where the module itself is meant.
        """
        if self._importing is None:
            self._importing = {}
            for clause in self.facts.imports:
                for there, here in clause.names:
                    self._importing.setdefault(here, []).append((clause, there))
                whole = clause.binds
                if not whole and not clause.names:
                    whole = clause.module.split(".", 1)[0]
                if whole:
                    self._importing.setdefault(whole, []).append((clause, None))
        return self._importing.get(name, [])


def aliases_of(facts: FileFacts) -> list[int]:
    """Indexes of second names that are the first: `typedef struct X {...} X`, before or after."""
    table = facts.table
    types = np.flatnonzero(np.isin(table[:, KIND], TYPE_NUMBERS))
    found: list[int] = []
    if not (table[types, KIND] == TYPE_NUMBER).any():
        return found
    names, details = facts.names, facts.details
    numbers = table[types, NAME].tolist()
    kinds = table[types, KIND].tolist()
    defined = {number for number, kind in zip(numbers, kinds, strict=True) if kind != TYPE_NUMBER}
    for index, number, kind in zip(types.tolist(), numbers, kinds, strict=True):
        if kind == TYPE_NUMBER and number in defined and details[index] == names[number]:
            found.append(index)
    return found


def without_aliases(symbols: Iterable[Symbol]) -> list[Symbol]:
    """Symbols of one file without those of `aliases_of`."""
    every = list(symbols)
    bodies = {one.name for one in every if one.kind in TYPES and one.kind is not Kind.TYPE}
    return [
        one
        for one in every
        if one.kind is not Kind.TYPE or one.detail != one.name or one.name not in bodies
    ]


class Outlines:
    """The outlines of the files that were asked about last."""

    def __init__(self, facts_of: Callable[[str], FileFacts | None]) -> None:
        self._facts_of = facts_of
        self._kept: dict[str, Outline] = {}

    def get(self, path: str) -> Outline | None:
        """The outline of a file's current facts."""
        facts = self._facts_of(path)
        if facts is None:
            self._kept.pop(path, None)
            return None
        known = self._kept.pop(path, None)
        if known is None or known.facts is not facts:
            known = Outline(facts)
            if len(self._kept) >= MAX_OUTLINES:
                del self._kept[next(iter(self._kept))]
        self._kept[path] = known  # at the end, as the one used last
        return known
