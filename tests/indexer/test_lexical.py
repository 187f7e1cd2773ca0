"""BM25 over chunks against its formula."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.facts import Chunk
from indexer.lexical import K1, B
from indexer.tables import Tables
from tests.indexer.made_facts import made_facts

words = st.sampled_from([f"w{n}" for n in range(12)])
bags = st.lists(words, min_size=1, max_size=15)
files = st.sampled_from(["a", "b", "c", "d"])


def put(tables: Tables, path: str, bags: Sequence[Sequence[str]]) -> None:
    """Sets the chunks of a file; none removes it."""
    tables.put(path, made_facts(path, bags=bags) if bags else None)


def plain_scores(
    places: list[tuple[str, Chunk]], query: Counter[str]
) -> dict[tuple[str, int], float]:
    """BM25 as its formula says, a chunk at a time."""
    average = sum(sum(chunk.counts) for _, chunk in places) / len(places)
    scores: dict[tuple[str, int], float] = {}
    for path, piece in places:
        counts = dict(zip(piece.terms, piece.counts, strict=True))
        total = 0.0
        for term, weight in query.items():
            holding = sum(term in other.terms for _, other in places)
            if term in counts:
                rarity = math.log(1 + (len(places) - holding + 0.5) / (holding + 0.5))
                norm = K1 * (1 - B + B * sum(piece.counts) / average)
                total += weight * rarity * counts[term] * (K1 + 1) / (counts[term] + norm)
        if total > 0:
            scores[path, piece.start] = total
    return scores


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(files, st.lists(bags, max_size=4)), min_size=1, max_size=12),
    bags,
)
def test_scores_after_any_changes_are_those_of_the_formula(
    changes: list[tuple[str, list[list[str]]]], asked: list[str]
) -> None:
    tables = Tables()
    now: dict[str, tuple[Chunk, ...]] = {}
    for path, contents in changes:
        put(tables, path, contents)
        now[path] = made_facts(path, bags=contents).chunks
    places = [(path, piece) for path, pieces in now.items() for piece in pieces]
    index = tables.chunks
    assert index.chunk_count == len(places)
    query = Counter(asked)
    hits = index.search(query, 1_000)
    found = {(hit.path, hit.chunk.start): hit.score for hit in hits}
    expect = plain_scores(places, query) if places else {}
    assert found.keys() == expect.keys()
    assert all(math.isclose(found[key], expect[key], rel_tol=1e-4) for key in found)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        assert hit.chunk in now[hit.path]
    for term in {word for _, piece in places for word in piece.terms}:
        holding = [path for path, piece in places if term in piece.terms]
        assert index.paths_with(term) == set(holding)
        assert index.chunk_frequency(term) == len(holding)
    fresh = Tables()
    for path in sorted(now):
        put(fresh, path, dict(changes)[path])
    for limit in (1, 2, 1_000):
        assert fresh.chunks.search(query, limit) == index.search(query, limit)


def test_the_commonest_terms_are_left_out_where_a_search_would_cost_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = Tables()
    put(tables, "a", [["rare", "usual", "common"]])
    put(tables, "b", [["usual", "common"], ["common"], ["other"]])
    every = {"common": 1, "usual": 1, "rare": 1}
    assert len(tables.chunks.search(every, 9)) == 3
    monkeypatch.setattr("indexer.lexical.MAX_ENTRIES", 3)
    assert tables.chunks.search(every, 9) == tables.chunks.search({"usual": 1, "rare": 1}, 9)
    monkeypatch.setattr("indexer.lexical.MAX_ENTRIES", 0)
    assert tables.chunks.search({"common": 1}, 9), "one term is always searched"


def test_what_is_hardly_alike_is_left_out() -> None:
    tables = Tables()
    query = {"a": 2, "b": 1, "c": 1, "d": 1}
    put(tables, "same", [["a", "a", "b", "c", "d"]])
    put(tables, "half", [["a", "b", "x", "y", "z"]])
    put(tables, "little", [["d", "x", "y", "z", "u"]])
    found = {hit.path: hit.score for hit in tables.chunks.search(query, 9)}
    for least, paths in ((0.2, ["same", "half"]), (0.99, ["same"]), (1.01, [])):
        hits = tables.chunks.search(query, 9, least=least)
        assert [hit.path for hit in hits] == paths
        assert all(hit.score == found[hit.path] for hit in hits)


def test_what_many_edits_leave_behind_is_thrown_out() -> None:
    tables = Tables()
    put(tables, "b", [["x", "y"], ["y"]])
    for number in range(20_000):
        put(tables, "a", [[f"w{number % 3_000}", "x"]])
    index = tables.chunks
    assert index.chunk_count == 3 and index.paths_with("x") == {"a", "b"}
    assert index.paths_with("w1") == set() and index.chunk_frequency("w1") == 0
    assert [hit.path for hit in index.search({"w1999": 1}, 5)] == ["a"]
    assert index.nbytes < 1_000_000


def test_skipped_ranges_are_not_found() -> None:
    tables = Tables()
    put(tables, "a", [["x"]] * 5)
    hits = tables.chunks.search({"x": 1}, 10, [("a", 1, 3), ("b", 0, 9)])
    assert [hit.chunk.start for hit in hits] == [0, 3, 4]


def test_of_equal_scores_the_first_paths_are_shown() -> None:
    tables = Tables()
    for path in ("c", "a", "d", "b"):
        put(tables, path, [["x"]])
    assert [hit.path for hit in tables.chunks.search({"x": 1}, 2)] == ["a", "b"]
    assert tables.chunks.search({"x": 1}, 0) == []
