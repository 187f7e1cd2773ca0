"""The graph of references and its ranks."""

from __future__ import annotations

import math
import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import ByteEdit, Edit, Index, IndexConfig, Open
from indexer.reference_graph import (
    DAMPING,
    FOCUS_SHARE,
    IN_TESTS,
    MAX_DEFINERS,
    Graph,
    _worth,
    build,
)
from indexer.symbol_search import TEST_PATH

NAMES = ("alpha", "_beta", "gamma_delta", "EpsilonZeta", "eta", "theta")
FILES = st.dictionaries(
    st.sampled_from(["a.py", "b.py", "c.py", "test_d.py", "e.ts", "f.py"]),
    st.tuples(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES))),
    min_size=1,
)
Files = dict[str, tuple[set[str], set[str]]]


def text_of(path: str, defined: set[str], used: set[str]) -> str:
    word = "def {}(): pass\n" if path.endswith(".py") else "function {}() {{}}\n"
    lines = [word.format(name) for name in sorted(defined)]
    return "".join(lines + [f"{name}\n" for name in sorted(used)])


def index_of(files: Files, order: list[str]) -> Index:
    index = Index(IndexConfig(workers=0), ("/repo",))
    for path in order:
        index.apply(Open(f"/repo/{path}", None, 1, text_of(path, *files[path])))
    index.refresh()
    return index


def edges(graph: Graph) -> dict[tuple[str, str, str], float]:
    return {
        (graph.paths[user], graph.paths[definer], graph.names[name]): weight
        for user, definer, name, weight in zip(
            graph.users.tolist(),
            graph.definers.tolist(),
            graph.through.tolist(),
            graph.weights.tolist(),
            strict=True,
        )
    }


def plain_edges(files: Files) -> dict[tuple[str, str, str], float]:
    """The same by loops over files and names."""
    found: dict[tuple[str, str, str], float] = {}
    for family in (".py", ".ts"):
        mine = {path: one for path, one in files.items() if path.endswith(family)}
        for name in NAMES:
            definers = [path for path, (defined, _) in mine.items() if name in defined]
            outside = [path for path in definers if not TEST_PATH.search(f"/repo/{path}")]
            holders = [path for path, one in mine.items() if name in one[0] | one[1]]
            definers = outside or definers
            if not 0 < len(definers) <= MAX_DEFINERS or len(holders) < 2:
                continue
            users = max(1, len(holders) - len(definers))
            for user in holders:
                for definer in definers:
                    if user != definer:
                        weight = _worth(name) / (math.sqrt(users) * len(definers))
                        if TEST_PATH.search(f"/repo/{definer}"):
                            weight *= IN_TESTS
                        found[f"/repo/{user}", f"/repo/{definer}", name] = weight
    return found


@settings(max_examples=100, deadline=None)
@given(FILES, st.randoms())
def test_edges_are_those_of_plain_loops_in_any_order(files: Files, rng: random.Random) -> None:
    order = sorted(files)
    rng.shuffle(order)
    found = edges(build(index_of(files, order)._table))
    expected = plain_edges(files)
    assert found.keys() == expected.keys()
    for key, weight in expected.items():
        assert found[key] == pytest.approx(weight)


@settings(max_examples=50, deadline=None)
@given(FILES, FILES)
def test_after_edits_the_graph_is_that_of_a_fresh_index(before: Files, after: Files) -> None:
    after = {path: after.get(path, one) for path, one in before.items()}
    index = index_of(before, sorted(before))
    for path, one in after.items():
        old = text_of(path, *before[path])
        new = text_of(path, *one)
        index.apply(Edit(f"/repo/{path}", 2, (ByteEdit(0, len(old.encode()), new),)))
    index.refresh()
    fresh = build(index_of(after, sorted(after))._table)
    assert edges(build(index._table)) == edges(fresh)


@settings(max_examples=60, deadline=None)
@given(FILES, st.sets(st.sampled_from(["a.py", "b.py"])))
def test_ranks_are_a_fixed_point_and_sum_to_one(files: Files, focus: set[str]) -> None:
    graph = build(index_of(files, sorted(files))._table)
    chosen = {f"/repo/{path}" for path in focus}
    ranks = graph.ranks(chosen)
    assert ranks.sum() == pytest.approx(1.0)
    assert (ranks > 0.0).all() or chosen
    assert ranks == pytest.approx(plain_ranks(graph, chosen), rel=0.02)


def plain_ranks(graph: Graph, focus: set[str]) -> list[float]:
    """The stationary distribution of the walk, from its matrix."""
    count = len(graph.paths)
    leaving: dict[int, float] = defaultdict(float)
    for user, weight in zip(graph.users.tolist(), graph.weights.tolist(), strict=True):
        leaving[user] += weight
    usual = sum(leaving.values()) / len(leaving) if leaving else 1.0
    jump = np.full(count, 1.0 / count)
    here = [number for number, path in enumerate(graph.paths) if path in focus]
    if here:
        jump *= 1 - FOCUS_SHARE
        jump[here] += FOCUS_SHARE / len(here)
    matrix = np.tile((1 - DAMPING) * jump[:, None], (1, count))
    handed = np.zeros(count)
    for user, definer, weight in zip(
        graph.users.tolist(), graph.definers.tolist(), graph.weights.tolist(), strict=True
    ):
        share = weight / max(leaving[user], usual)
        matrix[definer, user] += DAMPING * share
        handed[user] += share
    matrix += DAMPING * jump[:, None] * (1 - handed)[None, :]
    rank = jump
    for _ in range(400):
        rank = matrix @ rank
    return [float(one) for one in rank]


def test_what_many_use_is_important_and_the_focus_is_left_out() -> None:
    files: Files = {
        "a.py": ({"gamma_delta"}, set()),
        "b.py": ({"theta"}, {"gamma_delta"}),
        "c.py": (set(), {"gamma_delta"}),
        "f.py": (set(), {"gamma_delta", "theta"}),
    }
    graph = build(index_of(files, sorted(files))._table)
    found = [(graph.paths[file], graph.names[name]) for file, name, _ in graph.definitions(())]
    assert found == [("/repo/a.py", "gamma_delta"), ("/repo/b.py", "theta")]
    found = [(graph.paths[file]) for file, _, _ in graph.definitions({"/repo/a.py"})]
    assert found == ["/repo/b.py"]


def test_an_empty_index_has_an_empty_graph() -> None:
    graph = build(index_of({}, [])._table)
    assert graph.definitions(()) == [] and len(graph.ranks(())) == 0
