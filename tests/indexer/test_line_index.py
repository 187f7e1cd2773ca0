from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.line_index import Encoding, LineIndex

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
texts = st.text(alphabet=st.sampled_from("ab\r\n é世🦀\u2028"), max_size=60)


def plain_lines(text: str) -> list[str]:
    """Lines without their ends, split the way LSP says, a character at a time."""
    lines, current, i = [], "", 0
    while i < len(text):
        if text[i] in "\r\n":
            i += 1 if text[i : i + 2] != "\r\n" else 2
            lines.append(current)
            current = ""
        else:
            current += text[i]
            i += 1
    return [*lines, current]


def width(text: str, encoding: Encoding) -> int:
    if encoding == "utf-32":
        return len(text)
    return len(text.encode("utf-8" if encoding == "utf-8" else "utf-16-le")) // (
        1 if encoding == "utf-8" else 2
    )


@given(texts)
def test_lines_are_those_of_lsp(text: str) -> None:
    index = LineIndex(text.encode())
    lines = [
        index.text[index.line_start(line) : index.line_end(line)].decode()
        for line in range(index.line_count)
    ]
    assert lines == plain_lines(text)


@given(texts, st.sampled_from(ENCODINGS))
def test_positions_of_every_character_there_and_back(text: str, encoding: Encoding) -> None:
    index = LineIndex(text.encode())
    for number, line in enumerate(plain_lines(text)):
        for column in range(len(line) + 1):
            character = width(line[:column], encoding)
            offset = index.offset_of(number, character, encoding)
            assert offset == index.line_start(number) + len(line[:column].encode())
            assert index.position_of(offset, encoding) == (number, character)


@given(texts, st.integers(0, 20), st.integers(0, 20), texts)
def test_an_edited_index_equals_a_fresh_one(text: str, start: int, length: int, new: str) -> None:
    start = min(start, len(text))
    end = min(start + length, len(text))
    low, high = len(text[:start].encode()), len(text[:end].encode())
    after = (text[:start] + new + text[end:]).encode()
    edited = LineIndex(text.encode()).edited(low, high, new.encode(), after)
    assert edited.starts.tolist() == LineIndex(after).starts.tolist()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_character_past_the_end_means_the_end(encoding: Encoding) -> None:
    index = LineIndex("né\r\nx".encode())
    assert index.offset_of(0, 99, encoding) == 3
    assert index.offset_of(1, 99, encoding) == 6


def test_half_of_a_surrogate_pair_means_its_start() -> None:
    index = LineIndex("a🦀b".encode())
    assert [index.offset_of(0, character, "utf-16") for character in range(5)] == [0, 1, 1, 5, 6]


def test_a_byte_inside_a_character_means_its_start() -> None:
    index = LineIndex("é世".encode())
    assert [index.offset_of(0, character, "utf-8") for character in range(6)] == [0, 0, 2, 2, 2, 5]


def test_an_offset_inside_a_line_end_means_the_end_of_the_line() -> None:
    assert LineIndex(b"ab\r\nc").position_of(3, "utf-16") == (0, 2)


def test_a_line_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="line 7 is outside the text, which has lines 0 to 1"):
        LineIndex(b"a\nb").offset_of(7, 0, "utf-16")


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(ValueError, match="unknown position encoding 'utf-7'"):
        LineIndex("é".encode()).offset_of(0, 1, "utf-7")  # type: ignore[arg-type]


@given(st.binary(max_size=40))
def test_any_bytes_have_positions(text: bytes) -> None:
    index = LineIndex(text)
    for offset in range(len(text) + 1):
        for encoding in ENCODINGS:
            line, character = index.position_of(offset, encoding)
            assert 0 <= index.offset_of(line, character, encoding) <= len(text)
