"""Stop strings: the same text comes out however it was cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.stop_strings import StopStrings


def check_pieces(pieces: list[str], stops: tuple[str, ...], shown: list[str]) -> None:
    stream, got = StopStrings(stops), []
    for piece in pieces:
        text, is_stopped = stream.push(piece)
        got.append(text)
        if is_stopped:
            break
    else:
        got.append(stream.flush())
    assert got == shown


def test_passes_text_through_without_stops() -> None:
    check_pieces(["a", "b"], (), ["a", "b", ""])


def test_holds_back_what_may_become_a_stop() -> None:
    check_pieces(["x\n", "y"], ("\n\n",), ["x", "\ny", ""])
    check_pieces(["x\n", "\ny"], ("\n\n",), ["x", ""])
    check_pieces(["x\n"], ("\n\n",), ["x", "\n"])


def test_the_stop_that_is_complete_first_decides() -> None:
    check_pieces(["abcd"], ("abcd", "bc"), ["a"])
    check_pieces(["abc", "d"], ("abcd", "bc"), ["a"])


def test_the_longest_of_stops_that_end_together_decides() -> None:
    check_pieces(["xab"], ("b", "ab"), ["x"])


def test_empty_stop_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        StopStrings(("a", ""))


TEXT = st.text("abc", max_size=12)


@given(TEXT, st.lists(st.text("abc", min_size=1, max_size=4), max_size=3).map(tuple), st.data())
def test_pieces_do_not_matter(text: str, stops: tuple[str, ...], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    def shown(parts: list[str]) -> tuple[str, bool]:
        stream, out = StopStrings(stops), ""
        for part in parts:
            piece, is_stopped = stream.push(part)
            out += piece
            if is_stopped:
                return out, True
        return out + stream.flush(), False

    got, is_stopped = shown(pieces)
    assert (got, is_stopped) == shown(list(text))
    assert is_stopped == any(stop in text for stop in stops)
    assert not any(stop in got for stop in stops)
    assert text.startswith(got)
