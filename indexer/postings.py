"""Which owners (files, or chunks) hold which terms: an inverted index that is changed in place.

Additions are collected, sorted into segments, and segments are merged eight at a time up to a
size. Each addition does a little of that, a millisecond at most, and a query looks into few
segments. This is the log-structured merge of O'Neil and others ("The Log-Structured Merge-Tree",
1996), in memory.
An entry is a term's number and a value of 32 bits: the owner, shifted, and what is noted with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.segments import SHIFT, STEP, Merge, Segment, segment_of

RUN = 2_048
"""Entries that are collected before they become a segment."""
FANOUT, LEVELS = 8, 2
"""So many segments of a level make one of the next; those of the last level are merged no more."""
LARGE = RUN * FANOUT**LEVELS // 2
"""Entries from which on a segment is not put together with what cleaning leaves of others."""
CLEAN_FROM = 2_048
"""Dead owners from which on their entries are thrown out, if they are a quarter of all."""


class Postings:
    """Entries of owners, which are numbered here; the low `bits` of a value are a note."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._collected: list[NDArray[np.uint64]] = []
        self._collected_count = 0
        self._run: Segment | None = None  # what was collected, sorted because somebody asked
        self._segments: list[Segment] = []
        self._alive = np.zeros(64, np.bool_)
        self._owner_count = 0
        self._free: list[int] = []
        self._dead: list[int] = []
        self._leaving: list[int] = []  # dead owners whose entries are being thrown out
        self._unclean: list[Segment] = []  # segments that may hold entries of those
        self._merge: Merge | None = None  # under way; what it merges is held until it is done

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
            self._tidy_a_little()

    def add(self, terms: NDArray[np.int32], values: NDArray[np.uint32]) -> None:
        """Adds entries: a term's number and a value each, the owner shifted by the bits."""
        if not len(terms):
            return
        self._collected.append((terms.astype(np.uint64) << SHIFT) | values)
        self._collected_count += len(terms)
        if self._collected_count + (len(self._run.values) if self._run else 0) >= RUN:
            self._close_run()
        for _ in range(1 + 4 * len(terms) // STEP):  # as fast as entries come
            self._tidy_a_little()

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
            held = np.flatnonzero(segment.terms[places] == wanted)
            lows = segment.starts[places[held]].tolist()
            highs = segment.starts[places[held] + 1].tolist()
            pieces += [segment.values[low:high] for low, high in zip(lows, highs, strict=True)]
            whose += held.tolist()
        if not pieces:
            return np.empty(0, np.uint32), np.empty(0, np.int64)
        values = np.concatenate(pieces)
        positions = np.repeat(np.array(whose, np.int64), list(map(len, pieces)))
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

    def _all(self) -> list[Segment]:
        """Segments that together hold every entry."""
        if self._collected:
            held = [self._run.keys()] if self._run else []
            self._run = segment_of(0, *held, *self._collected)
            self._collected, self._collected_count = [], 0
        return [*self._unclean, *self._segments, *([self._run] if self._run else [])]

    def _close_run(self) -> None:
        """Makes a segment of the run; a larger one of small ones is made a little at a time."""
        self._all()
        if self._run is None:
            return
        self._segments.append(self._run)
        self._run = None
        self._merge = self._merge or self._next_merge()

    def _next_merge(self) -> Merge | None:
        """Of as many segments as make one of the next level, or of what cleaning left of two."""
        for level in range(LEVELS):
            same = [one for one in self._segments if one.level == level]
            if len(same) >= FANOUT:
                return Merge(level + 1, same[:FANOUT])
        first = self._segments[:2]
        if len(first) == 2 and all(one.level == LEVELS for one in first):
            return Merge(LEVELS, first) if len(first[1].values) < LARGE else None
        return None

    def _tidy_a_little(self) -> None:
        """A step of a merge, or else of cleaning: what makes queries fast, in small pieces."""
        if self._merge is None:
            self._clean_a_little()
        elif (whole := self._merge.step()) is not None:
            merged = self._merge.segments
            first = next(at for at, one in enumerate(self._segments) if one is merged[0])
            self._segments[first : first + len(merged)] = [whole]
            self._merge = self._next_merge()

    def _clean_a_little(self) -> None:
        """Throws entries of dead owners out of one segment; after the last, numbers are free."""
        if not self._leaving:
            if len(self._dead) < max(CLEAN_FROM, self._owner_count // 4):
                return
            self._close_run()
            if self._merge is not None:  # which would lose its segments
                return
            self._unclean, self._segments = self._segments, []
            self._leaving, self._dead = self._dead, []
        if self._unclean:
            segment = self._unclean.pop()
            cleaned = segment.only(self._alive[segment.values >> self._bits])
            if len(cleaned.values):
                self._segments.insert(0, replace(cleaned, level=LEVELS))
                self._merge = self._next_merge()
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
