"""Typing along a suggestion leaves the rest of it, in the same place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.features.completion import Completion, Receipt
from lsp_server.features.typed_through import still_expected, typed_through

texts = st.text("ab é😀(\n", max_size=12)


def accept(text: bytes, completion: Completion) -> bytes:
    return text[: completion.start] + completion.text.encode() + text[completion.end :]


def made(before: str, suggestion: str, after: str, replaced: int) -> tuple[bytes, Completion]:
    text, start = (before + after).encode(), len(before.encode())
    end = start + len(after[:replaced].encode())
    return text, Completion(suggestion, start, end, 0.5, Receipt("m"))


@given(texts, texts.filter(bool), texts, st.integers(0, 3), st.integers(0, 12))
def test_accepting_the_rest_gives_what_accepting_at_once_gives(
    before: str, suggestion: str, after: str, replaced: int, typed: int
) -> None:
    text, shown = made(before, suggestion, after, replaced)
    written = suggestion[:typed].encode()
    now = text[: shown.start] + written + text[shown.start :]
    rest = typed_through(shown, text, now, shown.start + len(written))
    if typed >= len(suggestion):
        assert rest is None
    else:
        assert rest is not None and rest.start == shown.start + len(written)
        assert accept(now, rest) == accept(text, shown)


@given(texts, texts.filter(bool), texts, texts, st.integers(0, 30))
def test_after_any_other_edit_nothing_is_left(
    before: str, suggestion: str, after: str, other: str, offset: int
) -> None:
    text, shown = made(before, suggestion, after, 0)
    rest = typed_through(shown, text, other.encode(), offset)
    if rest is not None:
        typed = other.encode()[shown.start : offset]
        assert suggestion.encode().startswith(typed)
        assert other.encode() == text[: shown.start] + typed + text[shown.start :]


def test_half_a_character_is_no_beginning() -> None:
    text, shown = made("", "é", "", 0)
    assert typed_through(shown, text, b"\xc3", 1) is None


def test_an_edit_elsewhere_leaves_what_was_expected() -> None:
    text, shown = made("import os\nx = os.pa", "th.join(a, b)", "\n", 0)
    now = b"import os, sys\nx = os.path.j"
    assert still_expected(shown, text, now + b"\n", len(now)) == "oin(a, b)"
    assert still_expected(shown, text, now[:-1] + b"k\n", len(now)) == ""
    other = b"y = os.pa"
    assert still_expected(shown, text, other, len(other)) == ""


@given(texts, texts.filter(bool), texts, texts, st.integers(0, 40))
def test_what_is_expected_is_an_end_of_the_suggestion(
    before: str, suggestion: str, after: str, now: str, offset: int
) -> None:
    text, shown = made(before, suggestion, after, 0)
    rest = still_expected(shown, text, now.encode(), min(offset, len(now.encode())))
    assert suggestion.encode().endswith(rest.encode())
