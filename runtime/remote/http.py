"""HTTP/1.1 as a client: one request on a connection, its answer in pieces.

Written for hostile and for broken servers alike: every length is bounded, and what breaks the
protocol ends the connection (RFC 9112).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

MAX_LINE = 16 * 1024
MAX_HEADERS = 100
MAX_BODY = 8 * 1024 * 1024
READ_SIZE = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class ProtocolError(Exception):
    """The server does not speak HTTP as it should; the message says in which way."""


class ConnectionLost(ProtocolError):
    """The connection ended before the answer did. `is_fresh`: nothing of it had come."""

    def __init__(self, message: str, is_fresh: bool = False) -> None:
        super().__init__(message)
        self.is_fresh = is_fresh


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header fields of an answer; names are in lower case, the first of each counts."""

    status: int
    fields: Mapping[str, str]

    @property
    def content_type(self) -> str:
        return self.fields.get("content-type", "").partition(";")[0].strip().lower()


class Connection:
    """A connection that is open, for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The reader's limit must be MAX_LINE."""
        self._reader, self._writer = reader, writer
        # Whether a further request may follow: the answer has ended, and the server stays.
        self.is_idle = True
        self._keeps = False
        self._remaining = MAX_BODY

    @property
    def is_usable(self) -> bool:
        return self.is_idle and not self._reader.at_eof() and not self._writer.is_closing()

    def abort(self) -> None:
        """Close at once; what was not sent yet is not sent."""
        self.is_idle = False
        self._writer.transport.abort()

    async def send(self, method: str, target: str, fields: Mapping[str, str], body: bytes) -> Head:
        """Send a request and wait for the head of its answer. Raises ProtocolError."""
        self.is_idle = False
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
        lines += [f"Content-Length: {len(body)}", "", ""]
        try:
            self._writer.write("\r\n".join(lines).encode("latin-1") + body)
            await self._writer.drain()
            return await self._head()
        except OSError as error:
            raise ConnectionLost("the connection was reset", is_fresh=True) from error

    async def body(self, head: Head) -> AsyncGenerator[bytes]:
        """The answer's body in pieces as they come. Raises ProtocolError."""
        self._remaining = MAX_BODY
        coding = head.fields.get("transfer-encoding", "").lower()
        length = head.fields.get("content-length")
        if head.fields.get("content-encoding", "identity").lower() != "identity":
            raise ProtocolError("the answer is compressed, though that was not asked for")
        try:
            if coding:
                if coding != "chunked":
                    raise ProtocolError("the answer has an unknown transfer coding")
                async for piece in self._chunks():
                    yield piece
                # Both lengths at once is how requests are smuggled: no further one follows.
                self._keeps = self._keeps and length is None
            elif length is not None:
                async for piece in self._exactly(_length_of(length)):
                    yield piece
            else:
                self._keeps = False
                while piece := await self._reader.read(READ_SIZE):
                    self._count(len(piece))
                    yield piece
        except OSError as error:
            raise ConnectionLost("the connection was reset in the middle of the answer") from error
        self.is_idle = self._keeps

    async def _head(self) -> Head:
        while True:
            line = await self._line(is_first=True)
            match = _STATUS.fullmatch(line)
            if match is None:
                raise ProtocolError("what answers does not speak HTTP/1.1")
            status, fields = int(match[2]), await self._fields()
            if status == 101:
                raise ProtocolError("the server wants to speak another protocol")
            if status >= 200:
                break
        connection = fields.get("connection", "").lower()
        self._keeps = match[1] == b"1" and "close" not in connection
        if status in (204, 304):
            fields = {**fields, "content-length": "0"}
        return Head(status, fields)

    async def _fields(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for _ in range(MAX_HEADERS + 1):
            line = await self._line()
            if not line:
                return fields
            match = _FIELD.fullmatch(line)
            if match is None:
                raise ProtocolError("the answer has a malformed header")
            name, value = match[1].decode("ascii").lower(), match[2].decode("latin-1")
            if name == "content-length" and fields.get(name, value) != value:
                raise ProtocolError("the answer says two lengths")
            fields.setdefault(name, value)
        raise ProtocolError(f"the answer has more than {MAX_HEADERS} headers")

    async def _line(self, is_first: bool = False) -> bytes:
        try:
            line = await self._reader.readline()
        except ValueError as error:
            raise ProtocolError("the answer has a line that does not end") from error
        if not line.endswith(b"\n"):
            raise ConnectionLost("the connection was closed", is_fresh=is_first and not line)
        return line.rstrip(b"\r\n")

    async def _chunks(self) -> AsyncGenerator[bytes]:
        while True:
            match = _CHUNK.fullmatch(await self._line())
            if match is None:
                raise ProtocolError("the answer has a malformed chunk")
            size = int(match[1], 16)
            if size == 0:
                await self._fields()
                return
            async for piece in self._exactly(size):
                yield piece
            if await self._line():
                raise ProtocolError("the answer has a chunk that is longer than it says")

    async def _exactly(self, size: int) -> AsyncGenerator[bytes]:
        self._count(size)
        while size:
            piece = await self._reader.read(min(size, READ_SIZE))
            if not piece:
                raise ConnectionLost("the connection was closed in the middle of the answer")
            size -= len(piece)
            yield piece

    def _count(self, size: int) -> None:
        self._remaining -= size
        if self._remaining < 0:
            raise ProtocolError(f"the answer has more than {MAX_BODY} bytes")


def _length_of(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ProtocolError("the answer has a malformed length")
    return int(text)
