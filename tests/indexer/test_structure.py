"""Folding and widening selections: rendered on the text itself, and true of any text."""

from __future__ import annotations

from itertools import pairwise
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from indexer import Document, Index, IndexConfig, Open, folds, selections


def opened(text: str, language: str = "python") -> Document:
    index = Index(IndexConfig(), ())
    index.apply(Open("/repo/file", language, 1, text))
    document = index.document("/repo/file")
    assert document is not None
    return document


def folded(text: str, language: str = "python") -> list[str]:
    """`first-last kind`, lines counted from 1 as people do."""
    return [
        f"{fold.start_line + 1}-{fold.end_line + 1} {fold.kind}"
        for fold in folds(opened(dedent(text), language))
        if fold is not None
    ]


def test_python_folds_blocks_imports_comments_and_docstrings() -> None:
    text = '''\
        """What it is
        for."""
        import os
        import sys

        # One remark
        # on two lines.
        class Cart:
            def total(self, names):
                if names:
                    return [
                        1,
                    ]
                else:
                    return 3

            # region helpers
            def count(self): return 1
            # endregion
        '''
    assert folded(text) == snapshot(
        [
            "1-2 region",
            "3-4 imports",
            "6-7 comment",
            "8-19 region",
            "9-15 region",
            "10-13 region",
            "11-12 region",
            "14-15 region",
            "17-19 region",
        ]
    )


def test_braces_keep_the_closing_line_visible() -> None:
    text = """\
        /* What it
           is for. */
        function total(names) {
          if (names) {
            add({
              tax: 1,
            });
          } else {
            stop();
          }
        }
        """
    assert folded(text, "javascript") == snapshot(
        ["1-2 comment", "3-10 region", "4-7 region", "5-6 region", "8-9 region"]
    )


def test_a_long_document_gives_the_loop_a_chance() -> None:
    document = opened("def f():\n    return 1\n" * 500)
    assert sum(fold is None for fold in folds(document)) > 10


def test_folding_survives_an_edit_in_the_middle() -> None:
    document = opened("def f():\n    return 1\n" * 500)
    found = folds(document)
    first = next(found)
    document.replace(2, "x = 1\n")
    assert first is None
    assert all(fold is None or fold.end_line > fold.start_line for fold in found)


def widened(text: str, language: str = "python") -> list[str]:
    before, after = dedent(text).split("$0")
    document = opened(before + after, language)
    ranges = selections(document, len(before.encode()))
    return [document.text[start:end].decode() for start, end in ranges]


def test_a_selection_grows_from_the_word_to_the_text() -> None:
    assert widened("def f(a):\n    return add(a, fir$0st + 1)\n") == snapshot(
        [
            "first",
            "first + 1",
            "a, first + 1",
            "(a, first + 1)",
            "add(a, first + 1)",
            "return add(a, first + 1)",
            """\
def f(a):
    return add(a, first + 1)\
""",
            """\
def f(a):
    return add(a, first + 1)
""",
        ]
    )


def test_the_inside_of_a_string_comes_before_the_string() -> None:
    assert widened("x = 'one tw$0o three'\n")[:3] == ["two", "one two three", "'one two three'"]


def test_without_a_grammar_there_are_word_line_and_text() -> None:
    assert widened("one\n  two th$0ree\n", "plaintext") == [
        "three",
        "two three",
        "one\n  two three\n",
    ]


TEXTS = st.text(
    st.sampled_from("def f(x):\n    return '\"{}[]#é😀\r\t,=.1 class if else:"), max_size=200
)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(["python", "typescript", "c", "rust", "none"]), st.data())
def test_any_text_folds_and_widens(text: str, language: str, data: st.DataObject) -> None:
    document = opened(text, language)
    lines = document.line_index.line_count
    starts = set()
    for fold in folds(document):
        if fold is not None:
            assert 0 <= fold.start_line < fold.end_line < lines
            assert fold.start_line not in starts
            starts.add(fold.start_line)
    offset = data.draw(st.integers(0, len(document.text)))
    ranges = selections(document, offset)
    assert ranges[-1] == (0, len(document.text))
    for (start, end), (outer_start, outer_end) in pairwise(ranges):
        assert outer_start <= start <= offset <= end <= outer_end
        assert (start, end) != (outer_start, outer_end)


@pytest.mark.parametrize("text", ["", "\n", "\r", "}", "((((", "'''", "x #region\n"])
def test_odd_texts(text: str) -> None:
    assert [fold for fold in folds(opened(text)) if fold is not None] == []
