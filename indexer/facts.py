"""What is known about one file: frozen values that workers make, pack and send.

The columns are packed bytes rather than objects: a repository holds millions of references, and
bytes are compact, compare exactly and cross a process boundary at the speed of memcpy. Objects
(symbols, imports, chunks, strings) are made when somebody asks for them.
Offsets are UTF-8 bytes, lines count from 0, ends are exclusive.
Strings of a file are packed one after another, each ended by a NUL: valid UTF-8, no NUL inside.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    KEY = "key"  # of a data file; an index of a table
    SECTION = "section"  # of a document, named by its heading
    STYLE = "style"  # a class, an id, an animation or a layer of a style sheet
    ELEMENT = "element"  # of a page, named by its id


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
CONTAINERS = TYPES | {Kind.MODULE, Kind.EXTENSION, Kind.KEY, Kind.SECTION}
DATA = frozenset({Kind.KEY, Kind.SECTION, Kind.STYLE, Kind.ELEMENT})
"""Kinds of things that are not code: in a search by name they stand behind those that are."""

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
    """All facts about one text, in packed columns; the properties unpack them.

    Names are numbered in the order of their first use: by symbols, then by references, then by
    the terms of chunks. So the first `defined_count` of them are the names that the file defines.
    """

    path: str
    language: str
    digest: bytes  # of the text that the facts were taken from
    size: int
    packed_names: bytes  # packed strings
    symbol_rows: bytes  # int32 [symbols, WIDTH]
    packed_details: bytes  # packed strings, one a symbol
    owner_rows: bytes  # int32 [owners]: symbols defined outside of the type they belong to
    packed_owners: bytes  # packed strings: those types
    reference_rows: bytes  # int32 [references, 3]: name, start, role; by start
    import_rows: bytes  # int32 [imports, 5]: start, end, level, star, count of names
    packed_imports: bytes  # packed strings, an import: module, binds, then two a name
    chunk_rows: bytes  # int32 [chunks, 6]: start, end, start_line, end_line, first_term, last_term
    chunk_terms: bytes  # int32 [terms, 2]: name, how often (at most 255)
    secrets: tuple[tuple[int, int], ...]  # byte ranges of key material, to be masked
    has_errors: bool

    def to_row(self) -> tuple[Any, ...]:
        """All fields in their order: plain str, bytes, int, bool and tuples of int."""
        row: tuple[Any, ...] = _ROW(self)
        return row

    @classmethod
    def from_row(cls, row: Iterable[Any]) -> FileFacts:
        """The facts of `to_row`, also where tuples have become lists on the way."""
        *columns, secrets, has_errors = row
        pairs = tuple((start, end) for start, end in secrets) if secrets else ()
        fields: tuple[Any, ...] = (*columns, pairs, has_errors)
        return cls(*fields)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that symbols, references and chunks have numbers of."""
        return unpacked(self.packed_names)

    @property
    def details(self) -> tuple[str, ...]:
        """One a symbol."""
        return unpacked(self.packed_details)

    @property
    def owners(self) -> tuple[tuple[int, str], ...]:
        """Symbols defined outside of the type they belong to, with its name."""
        return _owners(self.owner_rows, self.packed_owners)

    @property
    def imports(self) -> tuple[Import, ...]:
        return unpacked_imports(self.import_rows, self.packed_imports)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        return tuple(map(self.chunk, range(self.chunk_count)))

    @property
    def table(self) -> NDArray[np.int32]:
        """Symbols as int32 [symbols, WIDTH]."""
        return _matrix(self.symbol_rows, WIDTH)

    @property
    def uses(self) -> NDArray[np.int32]:
        """References as int32 [references, 3]."""
        return _matrix(self.reference_rows, 3)

    @property
    def pieces(self) -> NDArray[np.int32]:
        """Chunks as int32 [chunks, 6]; `terms` first_term to last_term are those of one."""
        return _matrix(self.chunk_rows, 6)

    @property
    def terms(self) -> NDArray[np.int32]:
        """Terms of all chunks as int32 [terms, 2]."""
        return _matrix(self.chunk_terms, 2)

    @property
    def symbol_count(self) -> int:
        return len(self.symbol_rows) // (4 * WIDTH)

    @property
    def reference_count(self) -> int:
        return len(self.reference_rows) // 12

    @property
    def defined_count(self) -> int:
        """How many names the file defines; they are the first ones in `names`."""
        return int(self.table[:, NAME].max()) + 1 if self.symbol_rows else 0

    @property
    def used_count(self) -> int:
        """How many names the file defines or refers to; they stand before those of chunks only."""
        return self.name_counts[1]

    @property
    def name_counts(self) -> tuple[int, int]:
        """`defined_count` and `used_count`."""
        uses, defined = self.uses, self.defined_count
        return defined, max(defined, int(uses[:, 0].max()) + 1 if len(uses) else 0)

    @property
    def chunk_count(self) -> int:
        return len(self.chunk_rows) // 24

    def chunk(self, index: int) -> Chunk:
        """One of `chunks`."""
        start, end, start_line, end_line, first, last = self.pieces[index].tolist()
        names, terms = self.names, self.terms[first:last].tolist()
        used = tuple(names[number] for number, _ in terms)
        counts = bytes(count for _, count in terms)
        return Chunk(start, end, start_line, end_line, used, counts)

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
            # What is assigned to a table or an object inside of a function is no part of that.
            if not owner or KINDS[table[parent, KIND]] not in (Kind.FUNCTION, Kind.METHOD):
                parts.append(self.names[table[parent, NAME]])
                if around := self.owner_of(parent):
                    parts.append(around)
            parent = int(table[parent, PARENT])
        return ".".join(reversed(parts))

    def owner_of(self, index: int) -> str:
        """The type that a symbol belongs to without being inside of it, "" for all others."""
        if not self.owner_rows:
            return ""
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
        wanted = name.encode("utf-8", "surrogatepass") + b"\0"
        position = self.packed_names.find(wanted)
        while position > 0 and self.packed_names[position - 1]:
            position = self.packed_names.find(wanted, position + 1)
        return self.packed_names.count(b"\0", 0, position) if position >= 0 else -1

    def symbols_named(self, name: str) -> list[Symbol]:
        number = self.name_number(name)
        if number < 0:
            return []
        table = self.table
        hits: list[int] = (table[:, NAME] == number).nonzero()[0].tolist()
        return [self._symbol(table, index) for index in hits]

    def references_named(self, name: str) -> list[Reference]:
        number = self.name_number(name)
        if number < 0:
            return []
        uses = self.uses
        rows: list[list[int]] = uses[uses[:, 0] == number].tolist()
        return [self._reference(*row) for row in rows]

    def defined_names(self) -> frozenset[str]:
        defined = self.packed_names.split(b"\0", self.defined_count)[: self.defined_count]
        return frozenset(name.decode() for name in defined)

    def owned_by(self, name: str) -> Iterator[Symbol]:
        """Symbols that belong to the type `name` without being inside of it."""
        return (self.symbol(index) for index, owner in self.owners if owner == name)

    def members_of(self, parent: int, name: str | None = None) -> Iterator[Symbol]:
        """Symbols directly inside the one at `parent` (-1: top level), all or those of a name."""
        table = self.table
        chosen = table[:, PARENT] == parent
        if name is not None:
            chosen = chosen & (table[:, NAME] == self.name_number(name))
        hits: list[int] = chosen.nonzero()[0].tolist()
        return (self._symbol(table, index) for index in hits)


_ROW = attrgetter(*FileFacts.__slots__)


def _matrix(rows: bytes, width: int) -> NDArray[np.int32]:
    """Packed rows as int32 [rows, width]."""
    import numpy as np  # Here: a worker packs facts, never looks into them, and starts without.

    return np.frombuffer(rows, np.int32).reshape(-1, width)


def packed(strings: Iterable[str]) -> bytes:
    """Strings as one value; NULs and lone surrogates in them become U+FFFD."""
    return b"".join(
        string.replace("\0", "\ufffd").encode("utf-8", "replace") + b"\0" for string in strings
    )


@lru_cache(maxsize=512)
def unpacked(blob: bytes) -> tuple[str, ...]:
    """The strings of `packed`."""
    return tuple(blob.decode().split("\0")[:-1])


def packed_imports(imports: Iterable[Import]) -> tuple[bytes, bytes]:
    """`import_rows` and `packed_imports` of some imports."""
    rows = array("i")
    strings: list[str] = []
    for one in imports:
        rows.extend((one.start, one.end, one.level, one.star, len(one.names)))
        strings += (one.module, one.binds)
        for pair in one.names:
            strings += pair
    return rows.tobytes(), packed(strings)


@lru_cache(maxsize=1024)
def unpacked_imports(rows: bytes, blob: bytes) -> tuple[Import, ...]:
    """The imports of `packed_imports`."""
    strings = iter(unpacked.__wrapped__(blob))
    found: list[Import] = []
    numbers = iter(memoryview(rows).cast("i"))
    for start, end, level, star, count in zip(*[numbers] * 5, strict=True):
        module, binds = next(strings), next(strings)
        names = tuple((next(strings), next(strings)) for _ in range(count))
        found.append(Import(module, names, binds, level, bool(star), start, end))
    return tuple(found)


@lru_cache(maxsize=512)
def _owners(rows: bytes, blob: bytes) -> tuple[tuple[int, str], ...]:
    numbers = memoryview(rows).cast("i")
    return tuple(zip(numbers, unpacked.__wrapped__(blob), strict=True))
