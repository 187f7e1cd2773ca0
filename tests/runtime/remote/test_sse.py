"""Server-sent events in whatever pieces, and what servers make of them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.remote.sse import EventStream, EventTooLong

VALUES = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20), max_size=3)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def read(*pieces: bytes) -> list[Any]:
    stream = EventStream()
    return [event for piece in pieces for event in stream.feed(piece)] + list(stream.end())


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    return [content[low:high] for low, high in pairwise(edges)]


@given(st.lists(VALUES, max_size=4), ENDS, st.lists(st.integers(0, 10_000), max_size=20))
def test_pieces_make_no_difference(values: list[Any], end: str, places: list[int]) -> None:
    text = "".join(
        f": ping{end}event: x{end}data: {json.dumps(value, ensure_ascii=False)}{end}{end}"
        for value in values
    )
    content = f"{text}data: [DONE]{end}{end}".encode()
    assert read(*cut(content, places)) == [*values, None]
    assert read(*(content[place : place + 1] for place in range(len(content)))) == [*values, None]


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (b'data:{"a":1}\n\n', [{"a": 1}]),  # no space
        (b'data: {"a":\ndata: 1}\n\n', [{"a": 1}]),  # one event in two lines
        (b'data: {"a": 1}\ndata: {"a": 2}\n', [{"a": 1}, {"a": 2}]),  # no blank lines
        (b'data: {"a": 1}\ndata: [DONE]\n', [{"a": 1}, None]),
        (b'data: {"a": 1}', [{"a": 1}]),  # not ended at all
        (b'\xef\xbb\xbfdata: {"a": 1}\n\n', [{"a": 1}]),  # a byte order mark
        (b'data: {"a": 1\n\ndata: {"a": 2}\n\n', [{"a": 2}]),  # an event that is cut off
        (b"data: 7\n\ndata: null\n\ndata: \n\n", []),  # JSON, but no object
        (b"<html>\n<body>\n\n{}\n", []),
        (b"id: 1\nretry: 5\n\n\n\n", []),
        (b'data: {"a": "\xff"}\n\n', [{"a": "\N{REPLACEMENT CHARACTER}"}]),
    ],
)
def test_servers_are_read_kindly(content: bytes, events: list[Any]) -> None:
    assert read(content) == events


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_no_bytes_break_it(content: bytes, places: list[int]) -> None:
    assert read(*cut(content, places)) == read(content)


def test_what_is_no_event_is_counted() -> None:
    stream = EventStream()
    assert list(stream.feed(b"data: oops\n\ndata: []\n\n: fine\n\n")) == []
    assert stream.num_garbled == 2


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: " + b"x" * 60 + b"\n"])
def test_an_event_has_a_longest_length(piece: bytes) -> None:
    stream = EventStream(max_bytes=1000)
    with pytest.raises(EventTooLong, match="more than 1000 bytes"):
        for _ in range(50):
            assert not list(stream.feed(piece))


def test_a_deeply_nested_event_is_no_event() -> None:
    assert read(b"data: " + b"[" * 100_000 + b"\n\n") == []
