"""Distances, rates and their bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.evaluation.metrics import (
    edit_similarity,
    identifier_match,
    interval,
    percentile,
    sign_test,
)

texts = st.text("ab(_. ", max_size=20)


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [("", "", 1.0), ("abc", "abc", 1.0), ("abc", "", 0.0), ("kitten", "sitting", 1 - 3 / 7)],
)
def test_edit_similarity(one: str, other: str, similarity: float) -> None:
    assert edit_similarity(one, other) == pytest.approx(similarity)


@given(texts, texts)
def test_similarities_are_symmetric_and_bounded(one: str, other: str) -> None:
    for measure in (edit_similarity, identifier_match):
        assert 0 <= measure(one, other) <= 1
        assert measure(one, other) == pytest.approx(measure(other, one))
        assert measure(one, one) == 1


def test_identifiers_count() -> None:
    assert identifier_match("f(a, a)", "f(a)") == pytest.approx(2 * 2 / 5)
    assert identifier_match("1 + 2", "3") == 1
    assert identifier_match("x", "y") == 0


@given(st.integers(0, 200), st.integers(0, 200))
def test_an_interval_holds_its_rate_and_narrows(hits: int, misses: int) -> None:
    n = hits + misses
    low, high = interval(hits, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low - 1e-9 <= hits / n <= high + 1e-9
        wider = interval(hits * 10, n * 10)
        assert wider[1] - wider[0] < high - low


def test_chance() -> None:
    assert sign_test(0, 0) == 1
    assert sign_test(5, 5) == 1
    assert sign_test(10, 0) == pytest.approx(2 / 2**10)
    assert sign_test(0, 10) == sign_test(10, 0)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([], 0.5) == 0
