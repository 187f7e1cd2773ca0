"""Which owners (files, or chunks) hold which terms: an inverted index that is changed in place.

Additions are collected, sorted into segments, and segments are merged eight at a time up to a
size: each step takes a few milliseconds at most, and a query looks into few segments. This is the
log-structured merge of O'Neil and others ("The Log-Structured Merge-Tree", 1996), in memory.
An entry is a term's number and a value of 32 bits: the owner, shifted, and what is noted with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN = 2_048
"""Entries that are collected before they become a segment."""
FANOUT, LEVELS = 8, 2
"""So many segments of a level make one of the next; those of the last level are merged no more."""
LARGE = RUN * FANOUT**LEVELS // 2
"""Entries from which on a segment is not put together with what cleaning leaves of others."""
CLEAN_FROM = 2_048
"""Dead owners from which on their entries are thrown out, if they are a quarter of all."""
SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True)
class _Segment:
    level: int
    terms: NDArray[np.uint32]  # [distinct terms], ascending
    starts: NDArray[np.int32]  # [distinct terms + 1]: where the values of each begin
    values: NDArray[np.uint32]  # [entries]

    @property
    def nbytes(self) -> int:
        return self.terms.nbytes + self.starts.nbytes + self.values.nbytes

    def all_terms(self) -> NDArray[np.uint32]:
        return np.repeat(self.terms, np.diff(self.starts))

    def keys(self) -> NDArray[np.uint64]:
        """Entries as one number each: the term, then the value."""
        return (self.all_terms().astype(np.uint64) << SHIFT) | self.values


def _segment(level: int, *keys: NDArray[np.uint64]) -> _Segment:
    ordered = np.sort(np.concatenate(keys))
    terms = (ordered >> SHIFT).astype(np.uint32)
    firsts = np.flatnonzero(terms[1:] != terms[:-1]) + 1
    starts = np.concatenate(([0], firsts, [len(terms)])).astype(np.int32)
    return _Segment(level, terms[starts[:-1]], starts, ordered.astype(np.uint32))


class Postings:
    """Entries of owners, which are numbered here; the low `bits` of a value are a note."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._collected: list[NDArray[np.uint64]] = []
        self._collected_count = 0
        self._run: _Segment | None = None  # what was collected, sorted because somebody asked
        self._segments: list[_Segment] = []
        self._alive = np.zeros(64, np.bool_)
        self._owner_count = 0
        self._free: list[int] = []
        self._dead: list[int] = []
        self._leaving: list[int] = []  # dead owners whose entries are being thrown out
        self._unclean: list[_Segment] = []  # segments that may hold entries of those

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Whether each owner still is: [owners]."""
        return self._alive[: self._owner_count]

    @property
    def nbytes(self) -> int:
        held = sum(segment.nbytes for segment in self._all())
        return held + 8 * self._collected_count + self._alive.nbytes

    def new_owners(self, count: int) -> NDArray[np.int32]:
        """Numbers for `count` owners, int32; those whose former entries are gone are used first."""
        reused = [self._free.pop() for _ in range(min(count, len(self._free)))]
        first = self._owner_count
        self._owner_count += count - len(reused)
        self._alive = grown(self._alive, self._owner_count)
        owners = np.arange(first, self._owner_count, dtype=np.int32)
        if reused:
            owners = np.concatenate((np.array(reused, np.int32), owners))
        self._alive[owners] = True
        return owners

    def retire(self, owners: NDArray[np.int32]) -> None:
        """These owners are no more. Their entries go when there are many."""
        if len(owners):
            self._alive[owners] = False
            self._dead += owners.tolist()
            self._clean_a_little()

    def add(self, terms: NDArray[np.int32], values: NDArray[np.uint32]) -> None:
        """Adds entries: a term's number and a value each, the owner shifted by the bits."""
        if not len(terms):
            return
        self._collected.append((terms.astype(np.uint64) << SHIFT) | values)
        self._collected_count += len(terms)
        if self._collected_count + (len(self._run.values) if self._run else 0) >= RUN:
            self._close_run()
        self._clean_a_little()

    def of(self, term: int) -> NDArray[np.uint32]:
        """The values of a term, of living owners only."""
        if term < 0:
            return np.empty(0, np.uint32)
        wanted = np.uint32(term)
        pieces: list[NDArray[np.uint32]] = []
        for segment in self._all():
            place = int(segment.terms.searchsorted(wanted))
            if place < len(segment.terms) and segment.terms[place] == wanted:
                pieces.append(segment.values[segment.starts[place] : segment.starts[place + 1]])
        if not pieces:
            return np.empty(0, np.uint32)
        values = np.concatenate(pieces)
        if self._dead or self._leaving:
            values = values[self._alive[values >> self._bits]]
        return values

    def of_many(self, terms: NDArray[np.int32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The values of some terms, of living owners only, and for each its position in `terms`."""
        wanted = terms.astype(np.uint32)
        pieces: list[NDArray[np.uint32]] = []
        whose: list[int] = []
        for segment in self._all():
            places = np.searchsorted(segment.terms, wanted)
            places[places == len(segment.terms)] = 0
            for position in np.flatnonzero(segment.terms[places] == wanted).tolist():
                low, high = segment.starts[places[position] : places[position] + 2]
                pieces.append(segment.values[low:high])
                whose.append(position)
        if not pieces:
            return np.empty(0, np.uint32), np.empty(0, np.int64)
        values = np.concatenate(pieces)
        positions = np.repeat(np.array(whose, np.int64), [len(piece) for piece in pieces])
        if self._dead or self._leaving:
            living = self._alive[values >> self._bits]
            values, positions = values[living], positions[living]
        return values, positions

    def entries(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """All entries of living owners: terms and values, in no order."""
        segments = self._all()
        if not segments:
            return np.empty(0, np.uint32), np.empty(0, np.uint32)
        terms = np.concatenate([segment.all_terms() for segment in segments])
        values = np.concatenate([segment.values for segment in segments])
        living = self._alive[values >> self._bits]
        return terms[living], values[living]

    def _all(self) -> list[_Segment]:
        """Segments that together hold every entry."""
        if self._collected:
            held = [self._run.keys()] if self._run else []
            self._run = _segment(0, *held, *self._collected)
            self._collected, self._collected_count = [], 0
        return [*self._unclean, *self._segments, *([self._run] if self._run else [])]

    def _close_run(self) -> None:
        """Makes a segment of the run, and larger segments of small ones."""
        self._all()
        if self._run is None:
            return
        segments = self._segments
        segments.append(self._run)
        self._run = None
        for level in range(LEVELS):
            last = segments[-FANOUT:]
            if len(last) < FANOUT or any(segment.level != level for segment in last):
                return
            segments[-FANOUT:] = [_segment(level + 1, *(segment.keys() for segment in last))]

    def _clean_a_little(self) -> None:
        """Throws entries of dead owners out of one segment; after the last, numbers are free."""
        if not self._leaving:
            if len(self._dead) < max(CLEAN_FROM, self._owner_count // 4):
                return
            self._close_run()
            self._unclean, self._segments = self._segments, []
            self._leaving, self._dead = self._dead, []
        if self._unclean:
            segment = self._unclean.pop()
            keys = segment.keys()[self._alive[segment.values >> self._bits]]
            first = self._segments[0] if self._segments else None
            if first is not None and first.level == LEVELS and len(first.values) < LARGE:
                keys = np.concatenate((keys, self._segments.pop(0).keys()))
            if len(keys):
                self._segments.insert(0, _segment(LEVELS, keys))
        if not self._unclean:
            self._free += self._leaving
            self._leaving = []


def grown(array: NDArray[Any], length: int) -> NDArray[Any]:
    """An array with room for `length` items, at the cost of a copy now and then."""
    if length <= len(array):
        return array
    larger = np.zeros(2 * length, array.dtype)
    larger[: len(array)] = array
    return larger
