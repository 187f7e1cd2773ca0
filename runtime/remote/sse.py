"""Server-sent events as they come in, in whatever pieces (WHATWG HTML, "Server-sent events").

Servers are read kindly: line ends of all three kinds, no space after the colon, events that no
blank line ends, a last one that is not ended at all. What is no event is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_LINE_END = re.compile(rb"\r\n|\n|\r")
DONE = "[DONE]"


class EventTooLong(Exception):
    """More bytes without an end than an event may have."""


class EventStream:
    """Bytes in, the data of events out: JSON objects, and None for the end that OpenAI sends."""

    def __init__(self, max_bytes: int = 1 << 20) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._data: list[str] = []
        self._size = 0
        # How many events were no JSON object.
        self.num_garbled = 0

    def feed(self, content: bytes) -> Iterator[dict[str, Any] | None]:
        """Raises EventTooLong."""
        self._pending += content
        if b"\n" in content or b"\r" in content or self._pending[-1:] == b"\r":
            # A carriage return at the end may be half of a line end.
            whole = len(self._pending) - self._pending.endswith(b"\r")
            *lines, rest = _LINE_END.split(bytes(self._pending[:whole]))
            self._pending = bytearray(rest) + self._pending[whole:]
            for line in lines:
                yield from self._line(line)
        if len(self._pending) + self._size > self._max_bytes:
            raise EventTooLong(f"an event has more than {self._max_bytes} bytes")

    def end(self) -> Iterator[dict[str, Any] | None]:
        """What was not ended when no more bytes come."""
        rest, self._pending = bytes(self._pending).rstrip(b"\r"), bytearray()
        yield from self._line(rest)
        yield from self._event()

    def _line(self, line: bytes) -> Iterator[dict[str, Any] | None]:
        if not line:
            yield from self._event()
            return
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        if name != b"data":
            return  # A comment, an id, a name of the event, or garbage.
        if self._is_whole():
            yield from self._event()
        self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        self._size += len(value)

    def _is_whole(self) -> bool:
        """Whether the data so far is an event by itself, though no blank line says so."""
        text = "\n".join(self._data)
        return bool(self._data) and (text.strip() == DONE or _object_of(text) is not None)

    def _event(self) -> Iterator[dict[str, Any] | None]:
        if not self._data:
            return
        text = "\n".join(self._data)
        self._data, self._size = [], 0
        if text.strip() == DONE:
            yield None
            return
        found = _object_of(text)
        if found is None:
            self.num_garbled += 1
        else:
            yield found


def _object_of(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
