"""Chunks that look like the code at the cursor."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from indexer.chunks import name_parts, terms_of
from indexer.facts import Chunk
from indexer.lexical import K1, B, ChunkIndex
from tests.indexer.checks import check_similar
from tests.support.fixture import index_of, parse


def body(verb: str, count: int = 24) -> str:
    lines = "".join(f"    {verb}_step_{n}(order, invoice, {n})\n" for n in range(count))
    return f"def {verb}_all(order, invoice):\n{lines}"


def test_the_chunk_with_the_rare_words_comes_first() -> None:
    check_similar(
        f"-- main.py --\ndef ship(parcel, customs_form):\n    $0\n"
        f"-- a.py --\n{body('charge')}\n{body('refund')}\n"
        "-- b.py --\ndef send(parcel, customs_form):\n    customs_form.stamp()\n",
        snapshot("b.py:1-2 similar to lines 1-3"),
        limit=1,
    )


def test_the_window_itself_and_near_copies_of_it_are_left_out() -> None:
    check_similar(
        f"-- main.py --\n{body('charge')}    $0\n-- copy.py --\n{body('charge')}\n"
        f"-- other.py --\n{body('charge', 10)}\ndef more(order): ...\n",
        snapshot("other.py:1-13 similar to lines 6-27"),
    )


def test_other_parts_of_the_same_file_count() -> None:
    far = "\n".join("# ..." for n in range(120))
    check_similar(
        f"-- main.py --\n{body('charge')}\n{far}\n\n\ndef again(order, invoice):\n"
        "    charge_step_1(order, invoice, 1)\n    $0\n",
        snapshot("main.py:1-35 similar to lines 131-152"),
        limit=1,
    )


def test_the_best_chunk_comes_with_the_lines_that_follow() -> None:
    fixture = parse(
        "-- main.py --\nparcel.customs_form.stamp()\n$0\n-- a.py --\n"
        + "def f(parcel):\n    parcel.customs_form.stamp()\n"
        + "\n".join(f"    follow_{n}()" for n in range(60))
    )
    (snippet,) = index_of(fixture).similar_chunks(fixture.path, fixture.offset, 1)
    assert "stamp" in snippet.text
    assert snippet.end_line - snippet.start_line > 40


def test_nothing_looks_like_nothing() -> None:
    check_similar("-- main.py --\n$0\n-- a.py --\nx = 1\n", snapshot(""))
    check_similar("-- main.py --\nzebra = 1\n$0\n-- a.py --\nx = 1\n", snapshot(""))


def test_words_of_names() -> None:
    assert [name_parts(name) for name in ("load", "get_user_id", "HTTPServerName", "x2")] == [
        (),
        ("get", "user", "id"),
        ("http", "server", "name"),
        (),
    ]
    assert terms_of(b"get_user(user)") == Counter({"user": 2, "get_user": 1, "get": 1})


words = st.sampled_from([f"w{n}" for n in range(12)])
bags = st.lists(words, min_size=1, max_size=15)
files = st.sampled_from(["a", "b", "c", "d"])


def chunk(bag: list[str], start: int) -> Chunk:
    counts = Counter(bag)
    return Chunk(start, start + 1, start, start + 1, tuple(counts), bytes(counts.values()))


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
    index = ChunkIndex()
    now: dict[str, tuple[Chunk, ...]] = {}
    for path, contents in changes:
        now[path] = tuple(chunk(bag, start) for start, bag in enumerate(contents))
        index.put(path, now[path])
    places = [(path, piece) for path, pieces in now.items() for piece in pieces]
    assert index.chunk_count == len(places)
    query = Counter(asked)
    hits = index.search(query, 1_000)
    found = {(hit.path, hit.chunk.start): hit.score for hit in hits}
    expect = plain_scores(places, query) if places else {}
    assert found.keys() == expect.keys()
    assert all(math.isclose(found[key], expect[key], rel_tol=1e-4) for key in found)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for term in {word for _, piece in places for word in piece.terms}:
        assert index.paths_with(term) == {path for path, piece in places if term in piece.terms}


def test_postings_are_rewritten_when_most_chunks_are_gone() -> None:
    index = ChunkIndex()
    for number in range(3_000):
        index.put("a", (chunk([f"w{number}"], 0),))
    assert index.chunk_count == 1 and index.paths_with("w2999") == {"a"}
    assert index.paths_with("w1") == set() and index.chunk_frequency("w1") == 0
    assert [hit.path for hit in index.search({"w2999": 1}, 5)] == ["a"]


def test_skipped_ranges_are_not_found() -> None:
    index = ChunkIndex()
    index.put("a", tuple(chunk(["x"], start) for start in range(5)))
    hits = index.search({"x": 1}, 10, [("a", 1, 3), ("b", 0, 9)])
    assert [hit.chunk.start for hit in hits] == [0, 3, 4]
