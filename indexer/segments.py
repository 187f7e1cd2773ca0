"""Sorted, immutable parts of an inverted index, and merging them a little at a time.

A segment of a hundred thousand entries takes ten milliseconds to make, which is too long for a
thread that others wait for. So large ones are merged by ranges of terms, one range a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHIFT = np.uint64(32)
STEP = 16_384
"""About how many entries one step of a merge takes: some half a millisecond."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Entries by term, and those of a term by value."""

    level: int
    terms: NDArray[np.uint32]  # [distinct terms], ascending
    starts: NDArray[np.int32]  # [distinct terms + 1]: where the values of each begin
    values: NDArray[np.uint32]  # [entries]

    @property
    def nbytes(self) -> int:
        return self.terms.nbytes + self.starts.nbytes + self.values.nbytes

    def all_terms(self) -> NDArray[np.uint32]:
        """The term of each entry."""
        return np.repeat(self.terms, np.diff(self.starts))

    def keys(self) -> NDArray[np.uint64]:
        """Entries as one number each: the term, then the value."""
        return (self.all_terms().astype(np.uint64) << SHIFT) | self.values

    def between(self, low: int, high: int | None) -> Segment:
        """The entries of terms from `low` on and below `high`."""
        first = int(self.terms.searchsorted(np.uint32(low)))
        last = len(self.terms) if high is None else int(self.terms.searchsorted(np.uint32(high)))
        starts = self.starts[first : last + 1]
        values = self.values[starts[0] : starts[-1]]
        return Segment(self.level, self.terms[first:last], starts - starts[0], values)

    def only(self, is_kept: NDArray[np.bool_]) -> Segment:
        """The entries for which a mask is true."""
        before = np.concatenate((np.zeros(1, np.int32), np.cumsum(is_kept, dtype=np.int32)))
        starts = before[self.starts]
        held = starts[1:] != starts[:-1]
        ends = np.concatenate((starts[:1], starts[1:][held]))
        return Segment(self.level, self.terms[held], ends, self.values[is_kept])


def segment_of(level: int, *keys: NDArray[np.uint64]) -> Segment:
    """A segment of entries in no order, each as in `Segment.keys`."""
    ordered = np.sort(np.concatenate(keys))
    terms = (ordered >> SHIFT).astype(np.uint32)
    firsts = np.flatnonzero(terms[1:] != terms[:-1]) + 1
    starts = np.concatenate(([0], firsts, [len(terms)])).astype(np.int32)
    return Segment(level, terms[starts[:-1]], starts, ordered.astype(np.uint32))


class Merge:
    """Makes one segment of several, a range of terms a step."""

    def __init__(self, level: int, segments: Sequence[Segment]) -> None:
        self.segments = tuple(segments)
        self._level = level
        self._bounds = _bounds(self.segments)
        self._made: list[Segment] = []

    def step(self) -> Segment | None:
        """Does a part of the work; the whole segment after the last."""
        part = len(self._made)
        low, high = self._bounds[part : part + 2]
        assert low is not None
        self._made.append(
            segment_of(self._level, *(one.between(low, high).keys() for one in self.segments))
        )
        return self._joined() if part + 2 == len(self._bounds) else None

    def _joined(self) -> Segment:
        sizes = np.cumsum([0, *(len(part.values) for part in self._made)])
        starts = [
            part.starts[:-1] + np.int32(first)
            for part, first in zip(self._made, sizes.tolist(), strict=False)
        ]
        return Segment(
            self._level,
            np.concatenate([part.terms for part in self._made]),
            np.concatenate([*starts, sizes[-1:]]).astype(np.int32),
            np.concatenate([part.values for part in self._made]),
        )


def _bounds(segments: Sequence[Segment]) -> list[int | None]:
    """Terms at which to divide segments, so that each range has some STEP entries."""
    parts = sum(len(one.values) for one in segments) // STEP
    if parts < 2:
        return [0, None]
    sample: list[NDArray[np.uint32]] = []
    for one in segments:
        # The terms at so many even steps through the entries of each.
        entries = np.arange(1, parts) * len(one.values) // parts
        sample.append(one.terms[np.searchsorted(one.starts, entries, side="right") - 1])
    ordered = np.sort(np.concatenate(sample))
    chosen = ordered[:: len(segments)]
    lowest = min(int(one.terms[0]) for one in segments)
    return [0, *np.unique(chosen[chosen > lowest]).tolist(), None]  # no range is empty
