"""What the crawler remembers of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import FileFacts, extract, language_of
from indexer.known import UNKNOWN, KnownFiles, cost_of, settled_state, state_of

PATHS = st.sampled_from(["/r/a.py", "/r/b/c.py", "/r/b/d.py", "/s/e.py", "/s/b/f.py"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "leave_out", "drop", "doubt", "begin_round", "is_same"]),
        PATHS,
        st.integers(1, 3),
        st.integers(1, 100),
    ),
    max_size=30,
)


@given(STEPS)
def test_as_a_plain_dictionary(steps: list[tuple[str, str, int, int]]) -> None:
    known = KnownFiles()
    plain: dict[str, tuple[int, int, bool]] = {}  # state, cost, seen
    for what, path, state, cost in steps:
        old = plain.get(path)
        match what:
            case "keep":
                known.keep(path, state, cost)
                plain[path] = state, cost, True
            case "leave_out":
                assert known.leave_out(path, state) is (old is not None and old[1] > 0)
                plain[path] = state, 0, True
            case "drop":
                assert known.drop(path) is (old is not None and old[1] > 0)
                plain.pop(path, None)
            case "doubt":
                known.doubt(path)
                plain[path] = UNKNOWN, max(1, old[1] if old else 0), False
            case "begin_round":
                known.begin_round()
                plain = {path: (state, cost, False) for path, (state, cost, _) in plain.items()}
            case _:
                same = old is not None and old[0] == state
                assert known.is_same(path, state) is same
                if same and old is not None:
                    plain[path] = old[0], old[1], True
        assert len(known) == len(plain)
        assert known.cost == sum(cost for _, cost, _ in plain.values())
        for path, (_, cost, _) in plain.items():
            assert known.keeps(path) is (cost > 0)
    known.begin_round()
    assert sorted(known.unseen()) == sorted(plain)
    for heads, wanted in (
        (("/r",), lambda path: path.startswith("/r/")),
        (("/r/b", "/s/e.py"), lambda path: path.startswith("/r/b/") or path == "/s/e.py"),
        (("/",), lambda path: True),
        (("/x",), lambda path: False),
    ):
        expect(known, plain, heads, wanted)


def expect(
    known: KnownFiles,
    plain: dict[str, object],
    heads: tuple[str, ...],
    wanted: Callable[[str], bool],
) -> None:
    inside = {path for path in plain if wanted(path)}
    assert set(known.below(heads)) == inside
    assert set(known.below(heads, is_unseen=True)) == inside
    if not any(head.endswith(".py") for head in heads):
        assert set(known.outside(heads)) == set(plain) - inside


def test_a_state_tells_changes_and_is_unknown_while_a_file_is_young(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x")
    young = path.stat()
    assert settled_state(young) == UNKNOWN
    assert settled_state(None) == UNKNOWN
    os.utime(path, ns=(1, 1_000_000_001))
    assert state_of(path.stat()) != state_of(young) != UNKNOWN


@pytest.mark.parametrize("lines", [1, 100])
def test_larger_facts_cost_more(lines: int) -> None:
    def facts(count: int) -> FileFacts:
        language = language_of("a.py")
        assert language is not None
        text = "".join(f"def name{number}(x): return x.value{number}\n" for number in range(count))
        return extract("a.py", language, text.encode())

    assert cost_of(facts(lines)) < cost_of(facts(3 * lines))
