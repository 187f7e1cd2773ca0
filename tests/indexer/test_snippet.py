"""Signatures and their costs, read in one go, are those of the plain way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import LineIndex, extract, language_of
from indexer.facts import FileFacts
from indexer.files import closeness, closest
from indexer.snippet import (
    Skeleton,
    estimated_tokens,
    line_text,
    rows_of,
    signature_lines,
)
from tests.indexer.samples import SAMPLES

pieces = st.lists(
    st.sampled_from(
        (
            "@wraps\n@other(\n    1,\n)\n",
            "class A(B): x = 1; y = 2\n",
            "class C:\r\n\tdef f(self,\r\n\t\ta): ...\r\n",
            "class D:\n\tdef f(self,\n\t\ta,\n\t\tb,\n\t\tc,\n\t\td,\n\t\te): ...\n",
            "a, b = {\n 1: 2,\n\n 3: 4,\n 5: 6}, 7\n",
            "def g():\n    '''Says é.'''\n    return '" + "🦀" * 200 + "'\n",
            "x = 1\ry = 2\r",
            "\n",
        )
    ),
    max_size=6,
)
budgets = st.integers(0, 30)


def facts_of(name: str, text: str) -> FileFacts:
    language = language_of(name)
    assert language is not None
    return extract(f"/repo/{name}", language, text.encode())


def check_rows(name: str, text: str, order: list[int]) -> None:
    facts, lines = facts_of(name, text), LineIndex(text.encode())
    skeleton = Skeleton(lines, facts)
    symbols = facts.symbols
    for number in order:
        symbol = symbols[number % len(symbols)] if symbols else None
        if symbol is None:
            return
        chosen = [rows_of(lines, facts, symbol, explained=symbol.parent < 0)]
        if symbol.parent >= 0:
            chosen.insert(0, rows_of(lines, facts, symbols[symbol.parent], explained=False))
        for rows, one in zip(reversed(chosen), (symbol, symbols[symbol.parent]), strict=False):
            plain = {line: line_text(lines, line) for line in signature_lines(lines, one)}
            assert rows.shown == plain
        cost = skeleton.cost(chosen, estimated_tokens)
        assert cost == estimated_tokens(skeleton.added(*chosen))
        for rows in chosen:
            skeleton.take(rows)


@settings(max_examples=150, deadline=None)
@given(pieces, st.lists(budgets, max_size=12))
def test_rows_and_costs_of_python(texts: list[str], order: list[int]) -> None:
    check_rows("a.py", "".join(texts), order)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.lists(budgets, min_size=1, max_size=12))
def test_rows_and_costs_of_all_languages(name: str, order: list[int]) -> None:
    check_rows(name, SAMPLES[name], order)


paths = st.lists(st.sampled_from(("a", "b", "ab")), max_size=3).map(
    lambda parts: "/".join(["", *parts, "c"])
)


@given(st.sets(paths), paths, st.integers(0, 12))
def test_the_closest_paths_are_the_first_of_all_sorted(
    found: set[str], near: str, limit: int
) -> None:
    expect = sorted(found, key=lambda path: closeness(path, near))[:limit]
    assert closest(found, near, limit) == expect
