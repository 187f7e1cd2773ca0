"""Framing: any split of the bytes gives the same messages, and bad bytes end no session."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.wire import MAX_HEADER, BadFrame, FrameReader, frame


def read(*pieces: bytes, max_body: int = 1000) -> list[bytes | str]:
    reader = FrameReader(max_body)
    found: list[bytes | str] = []
    for piece in pieces:
        reader.feed(piece)
        for item in reader.messages():
            found.append(item.reason if isinstance(item, BadFrame) else item)
    return found


@given(st.lists(st.binary(max_size=60), max_size=5), st.lists(st.integers(0, 400), max_size=8))
def test_any_split_gives_the_same_bodies(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(body) for body in bodies)
    places = sorted({min(cut, len(stream)) for cut in cuts})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert read(*pieces) == bodies


def test_headers_in_the_forms_that_clients_use() -> None:
    assert read(b"content-length:2\r\n\r\nhi") == [b"hi"]
    assert read(b"Content-Type: a; charset=utf-8\r\nContent-Length: 2\r\n\r\nhi") == [b"hi"]
    assert read(b"Content-Length: 2\n\nhi\r\n\r\nContent-Length: 1\r\n\r\nx") == [b"hi", b"x"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"Content-Length: many\r\n\r\n{}", "a header has no usable Content-Length"),
        (b"Content-Length: -5\r\n\r\n{}", "a header has no usable Content-Length"),
        (b"Content-Type: text\r\n\r\n{}", "a header has no usable Content-Length"),
        (b"Content-Length: 999999999999\r\n\r\n{}", "a message is larger than 1000 bytes"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}", "a message is larger than 1000 bytes"),
        (b"no header at all\r\n\r\n", "a header line is malformed"),
        (b"\x00\xff\xfe\n", "a header line is malformed"),
        (b"X: " + b"x" * MAX_HEADER, f"a header is longer than {MAX_HEADER} bytes"),
    ],
)
def test_a_bad_header_is_reported_once_and_the_next_message_is_read(
    bad: bytes, reason: str
) -> None:
    assert read(bad + frame(b'{"next": 1}')) == [reason, b'{"next": 1}']
    in_bytes = [bytes([byte]) for byte in bad + frame(b'{"next": 1}')]
    assert read(*in_bytes) == [reason, b'{"next": 1}']


def test_a_body_that_is_too_short_is_followed_by_the_next_message() -> None:
    assert read(b"Content-Length: 4\r\n\r\n{}{}{}" + frame(b"[]")) == [
        b"{}{}",
        "a header line is malformed",
        b"[]",
    ]


def test_messages_that_a_too_large_length_swallowed_come_back_in_order() -> None:
    reader = FrameReader()
    reader.feed(b"Content-Length: 44\r\n\r\n{}" + frame(b'"a"') + frame(b'"b"') + frame(b'"c"'))
    found = []
    for item in reader.messages():
        assert isinstance(item, bytes)
        try:
            found.append(json.loads(item))
        except ValueError:
            assert reader.feed_again(item)
    assert found == ["a", "b", "c"]


@given(st.binary(max_size=300))
def test_no_bytes_lose_the_reader(noise: bytes) -> None:
    """Whatever came before: a body is cut short at most, and a later message is read."""
    reader = FrameReader(max_body=1000)
    reader.feed(noise)
    found = list(reader.messages())
    for _ in range(1100):
        reader.feed(frame(b"{}"))
        found += reader.messages()
    assert found[-1] == b"{}"


def test_skipped_bytes_are_not_kept() -> None:
    reader = FrameReader(max_body=1000)
    reader.feed(b"Content-Length: 5000\r\n\r\n")
    for _ in range(500):
        reader.feed(b"x" * 1000)
        list(reader.messages())
    assert reader.buffered < 2000
