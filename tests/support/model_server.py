"""A server of models for tests: real sockets on loopback, the published wire formats, and faults.

What it answers is a function that writes bytes, so that a test can break the protocol anywhere.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the server read it."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


@dataclass(slots=True)
class Sending:
    """What an answer is written with. `left` is set once the client has closed."""

    writer: asyncio.StreamWriter
    left: asyncio.Event

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    def drop(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()


Answer = Callable[[Asked, Sending], Awaitable[None]]


@dataclass(slots=True)
class ModelServer:
    """`answers` are given one after the other, the last one again and again."""

    answers: Sequence[Answer]
    asked: list[Asked] = field(default_factory=list)
    num_connections: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    scheme: str = "http"
    open: dict[asyncio.StreamWriter, asyncio.Task[Any]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.open[writer] = task
        try:
            while (asked := await read_request(reader)) is not None:
                self.asked.append(asked)
                answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
                watching = asyncio.create_task(self._watch(reader))
                try:
                    await answer(asked, Sending(writer, self.left))
                finally:
                    watching.cancel()
                    await asyncio.gather(watching, return_exceptions=True)
        except OSError:
            pass
        finally:
            del self.open[writer]
            self.left.set()
            writer.transport.abort()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        """Nothing comes while an answer is written, unless the client closes."""
        try:
            while not reader.at_eof():
                await asyncio.sleep(0.005)
        finally:
            if reader.at_eof() or reader.exception() is not None:
                self.left.set()


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, target, headers, content)


@asynccontextmanager
async def model_server(
    *answers: Answer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ModelServer]:
    server = ModelServer(answers, scheme="https" if tls else "http")
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.left.set()
        for writer in server.open:
            writer.transport.abort()
        await asyncio.gather(*server.open.values(), return_exceptions=True)


# Answers


def head(status: int = 200, **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Reason", *lines, "", ""]).encode()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


STREAM = head(content_type="text/event-stream", transfer_encoding="chunked")
END = chunk(b"")
DONE = b"data: [DONE]\n\n"


def stream(events: Iterable[bytes], pause: float = 0.0) -> Answer:
    """Events, each in a chunk of its own."""

    async def answer(asked: Asked, sending: Sending) -> None:
        await sending.send(STREAM)
        for one in events:
            await sending.send(chunk(one))
            await asyncio.sleep(pause)
        await sending.send(END)

    return answer


def raw(*pieces: bytes, close: bool = True) -> Answer:
    """Bytes as they are; then the connection is closed in an orderly way."""

    async def answer(asked: Asked, sending: Sending) -> None:
        for piece in pieces:
            await sending.send(piece)
            await asyncio.sleep(0)
        if close:
            sending.writer.close()

    return answer


def status(code: int, content: bytes = b"", **headers: str) -> Answer:
    headers = {"content_length": str(len(content)), **headers}
    return raw(head(code, **headers) + content, close=False)


def endless(first: bytes = STREAM) -> Answer:
    """Something, and then nothing until the client leaves."""

    async def answer(asked: Asked, sending: Sending) -> None:
        await sending.send(first)
        await sending.left.wait()

    return answer


def reset() -> Answer:
    async def answer(asked: Asked, sending: Sending) -> None:
        sending.drop()

    return answer


# What servers say, in their formats


def completion_events(*texts: str, finish: str = "stop") -> list[bytes]:
    """OpenAI's /v1/completions."""
    made = [
        event({"object": "text_completion", "choices": [{"index": 0, "text": text}]})
        for text in texts
    ]
    last = {"choices": [{"index": 0, "text": "", "finish_reason": finish}]}
    return [*made, event(last), DONE]


def chat_events(*texts: str, finish: str = "stop") -> list[bytes]:
    """OpenAI's /v1/chat/completions."""
    first = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]})
    made = [event({"choices": [{"index": 0, "delta": {"content": text}}]}) for text in texts]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    return [first, *made, event(last), DONE]


def infill_events(*texts: str, **last: Any) -> list[bytes]:
    """llama.cpp's /infill."""
    made = [event({"index": 0, "content": text, "stop": False}) for text in texts]
    ended = {"content": "", "stop": True, "stop_type": "eos", "tokens_evaluated": 12, **last}
    return [*made, event({**ended, "tokens_predicted": len(texts)})]
