"""Cuts a text, the plain way, into pieces of 20 to 40 lines for lexical search.

Cuts fall on the starts of definitions where they can: small definitions are put together, long
ones are cut at blank lines. Every line that is not blank belongs to exactly one piece.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from indexer.chunks import MAX_TERMS_BYTES, terms_of
from indexer.facts import (
    CONTAINERS,
    DOCSTRING_END,
    DOCSTRING_START,
    KIND,
    PARENT,
    START_LINE,
    Chunk,
    Kind,
)
from indexer.secrets import mask_ranges, token_ranges

MIN_LINES, MAX_LINES = 20, 40
CUTTING = np.array([kind not in (Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD) for kind in Kind])
HOLDING = np.array([kind in CONTAINERS for kind in Kind])


def chunks_of(
    text: bytes, symbols: NDArray[np.int32], starts: NDArray[np.int64]
) -> tuple[tuple[Chunk, ...], list[tuple[int, int]]]:
    """The chunks of a text, and byte ranges of tokens and passwords, whose words are left out.

    `symbols` is [n, WIDTH], `starts` are the starts of its lines.
    """
    bounds = [*starts.tolist(), len(text)]
    cuts = _cut_lines(symbols, starts)
    chunks: list[Chunk] = []
    secrets: list[tuple[int, int]] = []
    for first, last in _ranges(text, bounds, cuts):
        first, last = _trimmed(text, bounds, first, last)
        if first < last:
            start, end = bounds[first], bounds[last]
            terms, counts, hidden = _read(text[start:end])
            chunks.append(Chunk(start, end, first, last, terms, counts))
            secrets += [(start + low, start + high) for low, high in hidden]
    return tuple(chunks), secrets


def _cut_lines(symbols: NDArray[np.int32], starts: NDArray[np.int64]) -> list[int]:
    """Lines on which a definition starts, its comment included, outside of functions."""
    if not len(symbols):
        return []
    parents = symbols[:, PARENT]
    outside = (parents < 0) | HOLDING[symbols[parents, KIND]]
    chosen = symbols[outside & CUTTING[symbols[:, KIND]]]
    lines = chosen[:, START_LINE]
    above = np.searchsorted(starts, chosen[:, DOCSTRING_START], side="right") - 1
    has_comment = chosen[:, DOCSTRING_START] < chosen[:, DOCSTRING_END]
    lines = np.where(has_comment & (above < lines), above, lines)
    return sorted(set(lines.tolist()))


def _ranges(text: bytes, bounds: list[int], cuts: list[int]) -> Iterator[tuple[int, int]]:
    """Line ranges [first, last) that cover the text."""
    count = len(bounds) - 1
    first = 0
    while first < count:
        last = count
        if count - first > MAX_LINES:
            last = _next_cut(text, bounds, cuts, first)
        yield first, last
        first = last


def _next_cut(text: bytes, bounds: list[int], cuts: list[int], first: int) -> int:
    position = bisect_left(cuts, first + MIN_LINES)
    if position < len(cuts) and cuts[position] <= first + MAX_LINES:
        return cuts[position]
    early = bisect_right(cuts, first + MIN_LINES // 2)
    if early < position:  # a long definition follows: it starts a piece of its own
        return cuts[position - 1]
    for line in range(first + MAX_LINES, first + MIN_LINES, -1):
        if not text[bounds[line - 1] : bounds[line]].strip():
            return line
    return first + MAX_LINES


def _trimmed(text: bytes, bounds: list[int], first: int, last: int) -> tuple[int, int]:
    """A range of lines without blank ones at its ends."""
    while first < last and not text[bounds[first] : bounds[first + 1]].strip():
        first += 1
    while last > first and not text[bounds[last - 1] : bounds[last]].strip():
        last -= 1
    return first, last


@lru_cache(maxsize=4_000)
def _read(text: bytes) -> tuple[tuple[str, ...], bytes, tuple[tuple[int, int], ...]]:
    """Terms, counts and secrets of a chunk; kept because a keystroke changes one chunk of many."""
    hidden = token_ranges(text)
    counts = terms_of(mask_ranges(text, hidden)[:MAX_TERMS_BYTES])
    return tuple(counts), bytes(min(count, 255) for count in counts.values()), hidden
