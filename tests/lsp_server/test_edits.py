"""Edits applied at once are the same as one after the other from the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.features.edits import Edit, apply


@given(st.binary(max_size=20), st.lists(st.integers(0, 20), max_size=8), st.binary(max_size=3))
def test_all_at_once_is_one_by_one_from_the_end(text: bytes, cuts: list[int], new: bytes) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts})
    edits = [Edit(a, b, new) for a, b in zip(places[::2], places[1::2], strict=False)]
    expected = text
    for edit in reversed(edits):
        expected = expected[: edit.start] + edit.text + expected[edit.end :]
    assert apply(text, edits) == expected
    assert apply(text, edits[::-1]) == expected


def test_edits_that_touch_keep_their_order() -> None:
    assert apply(b"ab", [Edit(1, 1, b"x"), Edit(1, 1, b"y"), Edit(1, 2, b"z")]) == b"axyz"


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        ([Edit(0, 4, b"")], "outside of a text of 3 bytes"),
        ([Edit(-1, 0, b"")], "outside"),
        ([Edit(2, 1, b"")], "outside"),
        ([Edit(0, 2, b""), Edit(1, 3, b"")], "two edits overlap at byte 1"),
    ],
)
def test_edits_that_do_not_fit_are_named(edits: list[Edit], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        apply(b"abc", edits)
