"""The native half of the index: parses, runs the facts query and derives facts, in C++.

One library holds tree-sitter's own core and the passes over what its queries find. Its calls do
not hold the interpreter's lock. In a source checkout one command builds it:

    cmake -S indexer/native -B indexer/native/build && cmake --build indexer/native/build
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tree_sitter

BUILD = (
    "cmake -S indexer/native -B indexer/native/build -DCMAKE_BUILD_TYPE=Release && "
    "cmake --build indexer/native/build"
)
COLUMNS = 11
SLOW = 1


class NativeError(RuntimeError):
    """The library is missing or does not fit; the message says what to do."""


class TooSlow(Exception):
    """A text took longer than it may."""


class Columns(NamedTuple):
    """The packed columns of FileFacts, in its words."""

    packed_names: bytes
    symbol_rows: bytes
    packed_details: bytes
    owner_rows: bytes
    packed_owners: bytes
    reference_rows: bytes
    import_rows: bytes
    packed_imports: bytes
    chunk_rows: bytes
    chunk_terms: bytes


class Suspicion(NamedTuple):
    """Where somebody has to look for secrets before the columns are packed."""

    key_blocks: bool  # whether there may be any
    chunks: tuple[tuple[int, int], ...]  # byte ranges of those that may hold tokens


class _Bytes(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_uint64))

    def take(self) -> bytes:
        return ctypes.string_at(self.data, self.size) if self.size else b""


class Grammar:
    """A grammar with its facts query, compiled. Raises ValueError for a query with mistakes."""

    def __init__(self, pointer: int, source: bytes, settings: bytes) -> None:
        self._library = load_library()
        error = ctypes.create_string_buffer(1000)
        self.handle = self._library.sopilka_grammar_new(
            pointer, source, len(source), settings, len(settings), error, len(error)
        )
        if not self.handle:
            raise ValueError(error.value.decode("utf-8", "replace"))

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self._library.sopilka_grammar_free(self.handle)

    @property
    def is_local(self) -> bool:
        """Whether an edit costs what it changed: all patterns tell the node that they begin with.

        A pattern that begins with `(_` does not.
        """
        return bool(self._library.sopilka_grammar_is_local(self.handle))

    @property
    def is_walked(self) -> bool:
        """Whether the query is asked about few nodes of a whole tree: see walk.h."""
        return bool(self._library.sopilka_grammar_is_walked(self.handle))

    def parse(self, text: bytes) -> bool:
        """Only parses; whether the text has errors."""
        return bool(self._library.sopilka_parse(self.handle, text, len(text)))


class Facts:
    """Facts in native memory; `owner` keeps them alive."""

    def __init__(self, handle: int, text: bytes, has_errors: bool) -> None:
        self._library = load_library()
        self._handle = handle
        self._text = text  # the native side looks at it until the columns are packed
        self.has_errors = has_errors

    def columns(self) -> Columns:
        return Columns(*(column.take() for column in self._all()[0][:-1]))

    def suspicion(self) -> Suspicion | None:
        """What has to be looked at and told to `finish`; None when the columns are ready."""
        columns, key_blocks = self._all()
        size = columns[COLUMNS - 1].size
        if not key_blocks and not size:
            return None
        numbers = columns[COLUMNS - 1].take()
        count = self._library.sopilka_chunk_ranges(self._handle, None, 0)
        pairs = (ctypes.c_int32 * (2 * count))()
        self._library.sopilka_chunk_ranges(self._handle, pairs, count)
        chosen = memoryview(numbers).cast("i")
        return Suspicion(key_blocks, tuple((pairs[2 * n], pairs[2 * n + 1]) for n in chosen))

    def mask_blocks(self, blocks: Sequence[tuple[int, int]]) -> None:
        """Cuts chunks again as if the ranges held asterisks; `suspicion` changes."""
        self._library.sopilka_mask_blocks(self._handle, *_pairs(blocks))

    def finish(self, hidden: Sequence[tuple[int, int]]) -> None:
        """Packs the columns; words in some more ranges are left out."""
        self._library.sopilka_finish(self._handle, *_pairs(hidden))

    def _all(self) -> tuple[Sequence[_Bytes], bool]:
        columns = (_Bytes * COLUMNS)()
        key_blocks = self._library.sopilka_columns(self._handle, columns)
        return tuple(columns), bool(key_blocks)


class Reading(Facts):
    """The facts of a text that is read once."""

    def __init__(self, grammar: Grammar, text: bytes, seconds: float) -> None:
        """Raises TooSlow after so many seconds of processor time; 0 means no limit."""
        library = load_library()
        told = (ctypes.c_int32 * 3)()  # status, has_errors, is_finished
        start = ctypes.addressof(told)
        self._reading = library.sopilka_read(
            grammar.handle, text, len(text), seconds, start, start + 4, start + 8
        )
        if not self._reading:
            if told[0] == SLOW:
                raise TooSlow
            raise MemoryError
        super().__init__(library.sopilka_reading_facts(self._reading), text, bool(told[1]))
        self._is_clean = bool(told[2])

    def suspicion(self) -> Suspicion | None:
        return None if self._is_clean else super().suspicion()

    def columns(self) -> Columns:
        """In one piece, which is cut: each column by itself takes longer than copying all."""
        sizes = (ctypes.c_uint64 * (COLUMNS - 1))()
        start = self._library.sopilka_reading_columns(self._reading, sizes)
        whole = ctypes.string_at(start, sum(sizes))
        ends = tuple(accumulate(sizes))
        return Columns(*map(whole.__getitem__, map(slice, (0, *ends), ends)))

    def __del__(self) -> None:
        if getattr(self, "_reading", None):
            self._library.sopilka_reading_free(self._reading)


class Document:
    """The rows of an open document, which edits move. See document.h."""

    def __init__(self, grammar: Grammar) -> None:
        self._library = load_library()
        self._grammar = grammar
        self._handle = self._library.sopilka_document_new(grammar.handle)
        if not self._handle:
            raise MemoryError

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.sopilka_document_free(self._handle)

    def edit(self, start: int, old_end: int, new_end: int) -> None:
        """Tells that the bytes [start, old_end) were replaced by others that end at new_end."""
        self._library.sopilka_document_edit(self._handle, start, old_end, new_end)

    def update(
        self, good: tree_sitter.Tree | None, tree: tree_sitter.Tree | None, text: bytes, keep: bool
    ) -> tuple[Facts, bool]:
        """The facts of the text, valid until the next call, and whether its tree is good.

        `tree` is None while the text is not parsed to its end; then `good` must be there.

        `good` is the last good tree, with all edits since made on it. With `keep`, rows outside of
        what was edited stay those of the good tree while the new one is more broken.
        """
        is_good = self._library.sopilka_document_update(
            self._handle,
            None if good is None else tree_pointer(good),
            None if tree is None else tree_pointer(tree),
            text,
            len(text),
            keep,
        )
        if is_good < 0:
            raise MemoryError
        handle = self._library.sopilka_document_facts(self._handle)
        return Facts(handle, text, tree is None or tree.root_node.has_error), bool(is_good)


def digest(text: bytes) -> bytes:
    """Eight bytes that tell one text from another; no proof against somebody who looks for two."""
    number: int = load_library().sopilka_digest(text, len(text))
    return number.to_bytes(8, "little")


def tree_pointer(tree: tree_sitter.Tree) -> int:
    """The TSTree in a tree of Python's; `check_trees` has made sure that it is there."""
    pointer = ctypes.c_void_p.from_address(id(tree) + object.__basicsize__).value
    assert pointer
    return pointer


def language_pointer(language: object) -> int:
    """The TSLanguage that a grammar's module gave, as a capsule or as a number."""
    if isinstance(language, int):
        return language
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype = ctypes.c_void_p
    get.argtypes = (ctypes.py_object, ctypes.c_char_p)
    pointer: int = get(language, b"tree_sitter.Language")
    return pointer


def library_path() -> Path:
    """The built library: beside the installed package, else in the source tree's build folder."""
    name = "sopilka_index.dll" if sys.platform == "win32" else "sopilka_index.so"
    installed = [Path(folder, name) for folder in __path__]
    source_tree = Path(__file__).parent / "build"
    for candidate in (*installed, source_tree / name, source_tree / "Release" / name):
        if candidate.is_file():
            return candidate
    raise NativeError(
        f"the library {name} was not found beside {Path(__file__).parent}. Install the package "
        f"(pip install .), or build it: {BUILD}"
    )


@cache
def load_library() -> ctypes.CDLL:
    """The library with its functions declared."""
    path = library_path()
    try:
        library = ctypes.CDLL(os.fspath(path))
    except OSError as error:
        raise NativeError(f"the library {path} cannot be loaded: {error}") from error
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64
    number, numbers = ctypes.c_int32, ctypes.POINTER(ctypes.c_int32)
    signatures: dict[str, tuple[type | None, tuple[object, ...]]] = {
        "sopilka_core_version": (text, ()),
        "sopilka_look": (None, (pointer, ctypes.POINTER(ctypes.c_uint32))),
        "sopilka_tree_digest": (size, (pointer,)),
        "sopilka_text_digest": (size, (pointer, text, size)),
        "sopilka_grammar_new": (pointer, (pointer, text, size, text, size, text, size)),
        "sopilka_grammar_is_local": (number, (pointer,)),
        "sopilka_grammar_is_walked": (number, (pointer,)),
        "sopilka_grammar_free": (None, (pointer,)),
        "sopilka_digest": (size, (text, size)),
        "sopilka_parse": (number, (pointer, text, size)),
        "sopilka_read": (
            pointer,
            (pointer, text, size, ctypes.c_double, pointer, pointer, pointer),
        ),
        "sopilka_reading_columns": (pointer, (pointer, ctypes.POINTER(ctypes.c_uint64))),
        "sopilka_reading_facts": (pointer, (pointer,)),
        "sopilka_reading_free": (None, (pointer,)),
        "sopilka_document_new": (pointer, (pointer,)),
        "sopilka_document_free": (None, (pointer,)),
        "sopilka_document_edit": (None, (pointer, number, number, number)),
        "sopilka_document_update": (
            number,
            (pointer, pointer, pointer, text, size, number),
        ),
        "sopilka_document_facts": (pointer, (pointer,)),
        "sopilka_columns": (number, (pointer, ctypes.POINTER(_Bytes))),
        "sopilka_chunk_ranges": (size, (pointer, numbers, size)),
        "sopilka_mask_blocks": (None, (pointer, numbers, size)),
        "sopilka_finish": (None, (pointer, numbers, size)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name, None)
        if function is None:
            raise NativeError(f"the library {path} is older than this source; build it: {BUILD}")
        function.restype, function.argtypes = result, arguments
    return library


@cache
def check_core() -> str:
    """Makes sure that the library fits the installed tree-sitter, and returns the version."""
    from importlib.metadata import version  # takes longer to load than all else here

    compiled: str = load_library().sopilka_core_version().decode()
    installed = version("tree-sitter")
    if compiled != installed:
        raise NativeError(
            f"the library {library_path()} holds tree-sitter {compiled}, but tree-sitter"
            f" {installed} is installed: pip install tree-sitter=={compiled}, or build the library"
            f" again: {BUILD}"
        )
    return installed


def check_trees(language: tree_sitter.Language, text: bytes) -> None:
    """Makes sure that the trees of the installed tree-sitter can be read natively.

    Who only reads texts needs none of them: the library has a parser of its own.
    """
    import tree_sitter

    installed = check_core()
    tree = tree_sitter.Parser(language).parse(text)
    root = tree.root_node
    seen = (ctypes.c_uint32 * 4)()
    load_library().sopilka_look(tree_pointer(tree), seen)
    if tuple(seen) != (root.start_byte, root.end_byte, root.child_count, root.kind_id):
        raise NativeError(
            f"tree-sitter {installed} for this Python keeps its trees elsewhere than expected:"
            " install the wheel of the version that pyproject.toml names"
        )


def _pairs(ranges: Sequence[tuple[int, int]]) -> tuple[ctypes.Array[ctypes.c_int32], int]:
    flat = [offset for one in ranges for offset in one]
    return (ctypes.c_int32 * len(flat))(*flat), len(ranges)
