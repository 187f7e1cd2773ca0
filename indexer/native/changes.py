"""What a file's new facts say other than its old ones. See changes.cc."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.native import BUILD, NativeError, load_library

if TYPE_CHECKING:
    from indexer.facts import FileFacts

SYMBOL_BYTES, REFERENCE_BYTES, PIECE_BYTES, TERM_BYTES = 52, 12, 24, 8


class Names(NamedTuple):
    """Where packed names differ: the bytes [start, end) of the new ones are not the old ones."""

    start: int
    end: int
    before: int  # names before the start, which are the same in both
    after: int  # names after the end, which are too


class Span(NamedTuple):
    """Two sequences are equal before the start, and behind their ends."""

    start: int
    old_end: int
    end: int


class FactChanges(NamedTuple):
    """What changed between two readings of a file."""

    names: Span  # of those that are used or defined, with whether they are defined
    chunks: Span  # by their terms
    defined_before: int
    used_before: int
    defined: int
    used: int


def changed_names(old: bytes, new: bytes) -> Names:
    """Compares packed names."""
    found = (ctypes.c_int64 * 4)()
    _declared().sopilka_changed_names(old, len(old), new, len(new), found)
    return Names(*found)


def changed_facts(
    old: FileFacts, before: NDArray[np.int32], new: FileFacts, after: NDArray[np.int32]
) -> FactChanges:
    """Compares facts, whose names have the numbers `before` and `after`: int32 [names]."""
    found = (ctypes.c_int64 * 10)()
    views = _View(old, before), _View(new, after)
    _declared().sopilka_changed_facts(*map(ctypes.byref, views), found)
    defined_before, used_before, defined, used, *spans = found
    return FactChanges(
        Span(*spans[:3]), Span(*spans[3:]), defined_before, used_before, defined, used
    )


class _View(ctypes.Structure):
    _fields_ = (
        ("numbers", ctypes.c_void_p),
        ("symbols", ctypes.c_char_p),
        ("references", ctypes.c_char_p),
        ("pieces", ctypes.c_char_p),
        ("terms", ctypes.c_char_p),
        ("symbol_count", ctypes.c_int64),
        ("reference_count", ctypes.c_int64),
        ("piece_count", ctypes.c_int64),
        ("term_count", ctypes.c_int64),
    )

    def __init__(self, facts: FileFacts, numbers: NDArray[np.int32]) -> None:
        assert numbers.dtype == np.int32 and numbers.flags.c_contiguous
        super().__init__(
            numbers.ctypes.data,
            facts.symbol_rows,
            facts.reference_rows,
            facts.chunk_rows,
            facts.chunk_terms,
            len(facts.symbol_rows) // SYMBOL_BYTES,
            len(facts.reference_rows) // REFERENCE_BYTES,
            len(facts.chunk_rows) // PIECE_BYTES,
            len(facts.chunk_terms) // TERM_BYTES,
        )


@cache
def _declared() -> ctypes.CDLL:
    library = load_library()
    numbers = ctypes.POINTER(ctypes.c_int64)
    names, facts = (ctypes.c_char_p, ctypes.c_int64), ctypes.POINTER(_View)
    try:
        library.sopilka_changed_names.restype = library.sopilka_changed_facts.restype = None
        library.sopilka_changed_names.argtypes = (*names, *names, numbers)
        library.sopilka_changed_facts.argtypes = (facts, facts, numbers)
    except AttributeError as missing:
        message = f"the native library is older than this source ({missing}); build it: {BUILD}"
        raise NativeError(message) from missing
    return library
