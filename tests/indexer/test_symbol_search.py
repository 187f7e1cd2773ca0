"""Fuzzy search for symbols."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer import ByteEdit, Edit
from indexer.symbol_search import (
    AT_START,
    AT_WORD,
    EXACT,
    GAP,
    IN_A_ROW,
    LONGER,
    LOWER,
    MATCH,
    PREFIX,
    SAME_CASE,
    WIDTH,
    scores_of,
    word_starts,
)
from tests.support.fixture import index_of, parse

SOURCE = """
-- app/models.py --
class QuerySet:
    def get_or_create(self): ...
    def get(self): ...
    def create(self): ...
class Query:
    def get(self): ...
def get_query_set(): ...
def gather(): ...
HTTPServer = 1
-- app/other.py --
class QuestSettings: ...
def forget(): ...
-- tests/test_app.py --
class QuerySet: ...
"""


def found(query: str, limit: int = 8) -> list[str]:
    index = index_of(parse(SOURCE))
    return [symbol.qualified_name for symbol in index.symbols_matching(query, limit)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("QuerySet", ["QuerySet", "QuerySet", "get_query_set"]),
        ("queryset", ["QuerySet", "QuerySet", "get_query_set"]),
        ("gqs", ["get_query_set"]),
        ("qs", ["QuerySet", "QuestSettings"]),
        ("QS", ["QuerySet", "QuestSettings"]),
        ("goc", ["QuerySet.get_or_create"]),
        ("get", ["QuerySet.get", "Query.get", "get_query_set"]),
        ("Query.get", ["Query.get", "QuerySet.get"]),
        ("other.forg", ["forget"]),
        ("models.gather", ["gather"]),
        ("qset::crea", ["QuerySet.create"]),
        ("hs", ["HTTPServer"]),
        ("zzz", []),
        ("", []),
        (" . ", []),
    ],
)
def test_the_likeliest_symbols_come_first(query: str, first: list[str]) -> None:
    assert found(query)[: len(first)] == first


def test_definitions_in_tests_come_after_others() -> None:
    index = index_of(parse(SOURCE))
    paths = [symbol.path for symbol in index.symbols_matching("QuerySet", 2)]
    assert paths == ["/repo/app/models.py", "/repo/tests/test_app.py"]


def test_no_more_than_the_limit() -> None:
    assert len(found("e", 3)) == 3
    assert found("e", 0) == []


def test_edits_are_seen_by_the_next_search() -> None:
    fixture = parse(SOURCE)
    index = index_of(fixture)
    assert index.symbols_matching("brand_new", 5) == []
    path = "/repo/app/other.py"
    index.apply(Edit(path, 2, (ByteEdit(0, 0, "def brand_new(): ...\n"),)))
    assert [one.name for one in index.symbols_matching("bran", 5)] == ["brand_new"]
    index.apply(Edit(path, 3, (ByteEdit(4, 13, "other_name"),)))
    assert index.symbols_matching("brand_new", 5) == []
    assert [one.name for one in index.symbols_matching("othername", 5)] == ["other_name"]


NAMES = st.text("abAB_1", min_size=1, max_size=9)


def plain_score(name: str, query: str) -> float | None:
    """The best of all ways to place the query in the name, one by one; None if there is none."""
    starts = word_starts(matrix([name]))[:, 0]

    def best(position: int, number: int, last: int | None) -> float | None:
        if number == len(query):
            return 0.0
        values = []
        for place in range(position, len(name)):
            if name[place].lower() != query[number].lower():
                continue
            value = MATCH + AT_WORD * bool(starts[place]) + AT_START * (place == 0)
            value += SAME_CASE * (name[place] == query[number])
            if last is None:
                value -= GAP * place // 4
            elif place == last + 1:
                value += IN_A_ROW
            else:
                value -= GAP * (place - last)
            rest = best(place + 1, number + 1, place)
            if rest is not None:
                values.append(value + rest)
        return max(values, default=None)

    placed = best(0, 0, None)
    if placed is None:
        return None
    prefix = name.lower().startswith(query.lower())
    exact = name.lower() == query.lower()
    return placed + PREFIX * prefix + EXACT * exact - LONGER * (len(name) - len(query))


def matrix(names: list[str]) -> NDArray[np.uint8]:
    blob = b"".join(name.encode().ljust(WIDTH, b"\0") for name in names)
    return np.frombuffer(blob, np.uint8).reshape(-1, WIDTH).T


@settings(max_examples=200, deadline=None)
@given(NAMES, st.text("abAB_1", min_size=1, max_size=4))
def test_the_score_is_that_of_the_best_placement(name: str, query: str) -> None:
    expected = plain_score(name, query)
    text = matrix([name])
    typed = np.frombuffer(query.encode(), np.uint8)
    lengths = np.array([len(name)], np.int32)
    score = float(scores_of(text, LOWER[text], lengths, typed, LOWER[typed])[0])
    if expected is None:
        assert score < 0
    else:
        assert score == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=12, unique=True), st.text("abAB_1", min_size=1))
def test_exactly_the_names_that_hold_the_query_are_found(names: list[str], query: str) -> None:
    source = "".join(f"class {name}: ...\n" for name in names if not name[0].isdigit())
    index = index_of(parse(f"-- a.py --\n{source or 'pass'}\n"))
    wanted = set()
    for name in names:
        rest = iter(name.lower())
        if not name[0].isdigit() and all(letter in rest for letter in query.lower()):
            wanted.add(name)
    assert {symbol.name for symbol in index.symbols_matching(query, 100)} == wanted
