"""Merging and filtering sorted segments against doing it all at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer import segments
from indexer.segments import Merge, Segment, segment_of

entry = st.tuples(st.integers(0, 9) | st.just(2**32 - 1), st.integers(0, 2**32 - 1))
entries = st.lists(entry, min_size=1, max_size=30)


def keys(pairs: list[tuple[int, int]]) -> NDArray[np.uint64]:
    return np.array([term << 32 | value for term, value in pairs], np.uint64)


def check_same(found: Segment, expected: Segment) -> None:
    assert found.level == expected.level
    for mine, plain in zip(
        (found.terms, found.starts, found.values),
        (expected.terms, expected.starts, expected.values),
        strict=True,
    ):
        assert mine.dtype == plain.dtype and mine.tolist() == plain.tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(entries, min_size=1, max_size=5), st.integers(1, 40))
def test_a_merge_in_steps_is_the_merge_at_once(
    several: list[list[tuple[int, int]]], step: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "STEP", step)
        merge = Merge(2, [segment_of(1, keys(pairs)) for pairs in several])
        steps = 1
        while (whole := merge.step()) is None:
            steps += 1
    count = sum(map(len, several))
    assert steps <= max(1, count // step)
    check_same(whole, segment_of(2, *map(keys, several)))


@settings(max_examples=200, deadline=None)
@given(entries, st.data())
def test_only_what_is_kept_stays(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    whole = segment_of(1, keys(pairs))
    size = len(pairs)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), np.bool_)
    found = whole.only(kept)
    if kept.any():
        check_same(found, segment_of(1, whole.keys()[kept]))
    else:
        assert len(found.values) == len(found.terms) == 0


def test_steps_of_a_large_merge_are_about_even() -> None:
    chance = np.random.default_rng(0)
    parts = []
    for number in range(8):  # names come in the order of first sight: later parts have later ones
        terms = np.minimum(chance.zipf(1.3, 16_000), 50_000 + 10_000 * number).astype(np.uint64)
        parts.append(segment_of(1, terms << segments.SHIFT | np.arange(16_000, dtype=np.uint64)))
    merge, sizes = Merge(2, parts), [0]
    while merge.step() is None:
        sizes.append(sum(len(part.values) for part in merge._made))
    largest_term = max(int(np.bincount(one.all_terms()).max()) for one in parts) * len(parts)
    assert max(np.diff(sizes)) < 2 * segments.STEP + largest_term
