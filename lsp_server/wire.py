"""Bytes in, message bodies out: the framing of the base protocol, without any input or output.

A client's mistake must not end the session, so a bad header is reported once and reading goes on
at the next header. That place is certain: a header ends in a raw CR LF, and a JSON body cannot hold
one inside a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_HEADER = 8 * 1024
MAX_BODY = 256 * 1024 * 1024

_HEADER_START = re.compile(rb"content-length[ \t]*:[ \t]*\d+[ \t]*\r?\n", re.IGNORECASE)
_HEADER_LINE = re.compile(rb"[A-Za-z0-9-]+[ \t]*:[^\r\n]*")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
# The longest piece of a header's start that may still be incomplete at the end of the buffer.
_KEEP = 64


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes that were no message; `reason` names what was wrong, never what they held."""

    reason: str


def frame(body: bytes) -> bytes:
    """A body as it goes over the wire."""
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class FrameReader:
    """Cuts a stream into bodies, however its bytes are split on the way."""

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._buffer = bytearray()
        self._max_body = max_body
        self._body_length: int | None = None
        self._skipping = False

    @property
    def buffered(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def messages(self) -> Iterator[bytes | BadFrame]:
        """All bodies that are complete, in order."""
        while (item := self._next()) is not None:
            yield item

    def feed_again(self, body: bytes) -> bool:
        """Puts the part of a broken body that looks like a message back, if there is one.

        A Content-Length that is too large swallows the messages behind it: this gives them back,
        when it is called before the next item is taken from `messages`.
        """
        match = _HEADER_START.search(body)
        if match is not None:
            self._buffer[:0] = body[match.start() :]
        return match is not None

    def _next(self) -> bytes | BadFrame | None:
        if self._skipping and not self._skip():
            return None
        if self._body_length is None:
            problem = self._read_header()
            if problem is not None:
                self._skipping = True
                return problem
        if self._body_length is None or len(self._buffer) < self._body_length:
            return None
        body = bytes(self._buffer[: self._body_length])
        del self._buffer[: self._body_length]
        self._body_length = None
        return body

    def _read_header(self) -> BadFrame | None:
        blank = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        del self._buffer[:blank]
        end = _HEADER_END.search(self._buffer, 0, MAX_HEADER)
        if end is None:
            return self._check_incomplete_header()
        lines = bytes(self._buffer[: end.start()]).splitlines()
        if not all(_HEADER_LINE.fullmatch(line) for line in lines):
            return BadFrame("a header line is malformed")
        values = [line.split(b":", 1) for line in lines]
        lengths = [v.strip() for name, v in values if name.strip().lower() == b"content-length"]
        if len(lengths) != 1 or not lengths[0].isdigit():
            return BadFrame("a header has no usable Content-Length")
        # A number with thousands of digits is too large, and Python refuses to read it.
        if len(lengths[0]) > 15 or int(lengths[0]) > self._max_body:
            return BadFrame(f"a message is larger than {self._max_body} bytes")
        del self._buffer[: end.end()]
        self._body_length = int(lengths[0])
        return None

    def _check_incomplete_header(self) -> BadFrame | None:
        if len(self._buffer) >= MAX_HEADER:
            return BadFrame(f"a header is longer than {MAX_HEADER} bytes")
        lines = bytes(self._buffer).split(b"\n")[:-1]
        if any(not _HEADER_LINE.fullmatch(line.rstrip(b"\r")) for line in lines):
            return BadFrame("a header line is malformed")
        return None

    def _skip(self) -> bool:
        """Drops bytes up to the next header; False while none has come."""
        # The header that was refused may stand at the very start: search behind its first byte.
        match = _HEADER_START.search(self._buffer, 1)
        if match is None:
            # What is dropped was searched: only its end may be the start of a header.
            del self._buffer[1 : max(1, len(self._buffer) - _KEEP)]
            return False
        del self._buffer[: match.start()]
        self._skipping = False
        return True
