"""What is known about one file: frozen values that workers make, pickle and send.

The columns are packed bytes rather than objects: a repository holds millions of references, and
bytes are compact, compare exactly and cross a process boundary at the speed of memcpy.
Offsets are UTF-8 bytes, lines count from 0, ends are exclusive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Kind(StrEnum):
    """What a symbol is, in words common to all languages."""

    FUNCTION = "function"
    METHOD = "method"
    CLASS = "class"
    INTERFACE = "interface"
    ENUM = "enum"
    TYPE = "type"
    VARIABLE = "variable"
    CONSTANT = "constant"
    FIELD = "field"
    MODULE = "module"
    MACRO = "macro"
    EXTENSION = "extension"  # more members of a type that is defined elsewhere: Rust's impl


class Role(StrEnum):
    """How an identifier is used. Of two roles of one identifier the later one here counts."""

    NAME = "name"
    ATTRIBUTE = "attribute"
    TYPE = "type"
    CALL = "call"
    IMPORT = "import"


KINDS = tuple(Kind)
ROLES = tuple(Role)
KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
ROLE_NUMBER = {role: number for number, role in enumerate(ROLES)}
TYPES = frozenset({Kind.CLASS, Kind.INTERFACE, Kind.ENUM, Kind.TYPE})
CONTAINERS = TYPES | {Kind.MODULE, Kind.EXTENSION}

# The columns of a symbol, int32 each. All but `name`, `kind` and `parent` are offsets or lines.
SYMBOL_COLUMNS = (
    "name",  # index into FileFacts.names
    "kind",  # index into KINDS
    "parent",  # index of the symbol around it, -1 at the top
    "start",  # with decorators and export keywords
    "end",
    "name_start",
    "name_end",
    "signature_start",  # without decorators
    "signature_end",  # where the body starts, spaces before it left out
    "docstring_start",  # equal to docstring_end when there is none
    "docstring_end",
    "start_line",
    "end_line",  # the line of the last byte
)
NAME, KIND, PARENT, START, END, NAME_START, NAME_END = range(7)
SIGNATURE_START, SIGNATURE_END, DOCSTRING_START, DOCSTRING_END, START_LINE, END_LINE = range(7, 13)
WIDTH = len(SYMBOL_COLUMNS)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition in a file."""

    path: str
    name: str
    kind: Kind
    container: str  # qualified name of what it belongs to, "" at the top: "Outer.Inner"
    detail: str  # bases of a class; declared, constructed or returned type of anything else
    start: int
    end: int
    name_start: int
    name_end: int
    signature_start: int
    signature_end: int
    docstring_start: int
    docstring_end: int
    start_line: int
    end_line: int
    index: int  # position in the file's symbols
    parent: int  # position of the container in the file's symbols, -1 at the top

    @property
    def qualified_name(self) -> str:
        return f"{self.container}.{self.name}" if self.container else self.name


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of an identifier."""

    path: str
    name: str
    role: Role
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement, or one clause of it, as written."""

    module: str  # without the leading dots of a relative Python import
    names: tuple[tuple[str, str], ...]  # (name there, name here)
    binds: str  # the local name of the module itself, "" if none
    level: int  # leading dots of a relative Python import
    star: bool  # everything public becomes visible
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of 20 to 40 lines that starts and ends at definitions where it can."""

    start: int
    end: int
    start_line: int
    end_line: int  # exclusive
    terms: tuple[str, ...]  # distinct identifiers, in order of first use
    counts: bytes  # how often each occurs, at most 255


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All facts about one text."""

    path: str
    language: str
    digest: bytes  # of the text that the facts were taken from
    size: int
    names: tuple[str, ...]
    symbol_rows: bytes  # int32 [symbols, WIDTH]
    details: tuple[str, ...]  # one a symbol
    owners: tuple[tuple[int, str], ...]  # symbols defined outside of the type they belong to
    reference_rows: bytes  # int32 [references, 3]: name, start, role; by start
    imports: tuple[Import, ...]
    chunks: tuple[Chunk, ...]
    secrets: tuple[tuple[int, int], ...]  # byte ranges of key material, to be masked
    has_errors: bool

    @property
    def table(self) -> NDArray[np.int32]:
        """Symbols as int32 [symbols, WIDTH]."""
        return np.frombuffer(self.symbol_rows, np.int32).reshape(-1, WIDTH)

    @property
    def uses(self) -> NDArray[np.int32]:
        """References as int32 [references, 3]."""
        return np.frombuffer(self.reference_rows, np.int32).reshape(-1, 3)

    def symbol(self, index: int) -> Symbol:
        return self._symbol(self.table, index)

    def _symbol(self, table: NDArray[np.int32], index: int) -> Symbol:
        row: list[int] = table[index].tolist()
        return Symbol(
            self.path,
            self.names[row[NAME]],
            KINDS[row[KIND]],
            self._container(table, row[PARENT], self.owner_of(index)),
            self.details[index],
            row[START],
            row[END],
            row[NAME_START],
            row[NAME_END],
            row[SIGNATURE_START],
            row[SIGNATURE_END],
            row[DOCSTRING_START],
            row[DOCSTRING_END],
            row[START_LINE],
            row[END_LINE],
            index,
            row[PARENT],
        )

    def _container(self, table: NDArray[np.int32], parent: int, owner: str) -> str:
        parts = [owner] if owner else []
        while parent >= 0:
            parts.append(self.names[table[parent, NAME]])
            parent = int(table[parent, PARENT])
        return ".".join(reversed(parts))

    def owner_of(self, index: int) -> str:
        """The type that a symbol belongs to without being inside of it, "" for all others."""
        return next((owner for number, owner in self.owners if number == index), "")

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        table = self.table
        return tuple(self._symbol(table, index) for index in range(len(table)))

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(self._reference(name, start, role) for name, start, role in self.uses.tolist())

    def _reference(self, name: int, start: int, role: int) -> Reference:
        text = self.names[name]
        return Reference(self.path, text, ROLES[role], start, start + len(text.encode()))

    def name_number(self, name: str) -> int:
        """Index of a name in `names`, -1 when the file does not use it."""
        try:
            return self.names.index(name)
        except ValueError:
            return -1

    def symbols_named(self, name: str) -> list[Symbol]:
        number = self.name_number(name)
        if number < 0:
            return []
        table = self.table
        hits: list[int] = np.flatnonzero(table[:, NAME] == number).tolist()
        return [self._symbol(table, index) for index in hits]

    def references_named(self, name: str) -> list[Reference]:
        number = self.name_number(name)
        if number < 0:
            return []
        uses = self.uses
        rows: list[list[int]] = uses[uses[:, 0] == number].tolist()
        return [self._reference(*row) for row in rows]

    def defined_names(self) -> frozenset[str]:
        return frozenset(self.names[number] for number in self.table[:, NAME].tolist())

    def owned_by(self, name: str) -> Iterator[Symbol]:
        """Symbols that belong to the type `name` without being inside of it."""
        return (self.symbol(index) for index, owner in self.owners if owner == name)

    def members_of(self, parent: int, name: str | None = None) -> Iterator[Symbol]:
        """Symbols directly inside the one at `parent` (-1: top level), all or those of a name."""
        table = self.table
        chosen = table[:, PARENT] == parent
        if name is not None:
            chosen = chosen & (table[:, NAME] == self.name_number(name))
        hits: list[int] = np.flatnonzero(chosen).tolist()
        return (self._symbol(table, index) for index in hits)
