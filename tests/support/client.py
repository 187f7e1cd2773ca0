"""A thin LSP client for tests: over pipes, over TCP, or straight into a server in this process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from lsp_server.wire import BadFrame, FrameReader, frame

ROOT = Path(__file__).resolve().parents[2]
CAPS = ROOT / "tests/fixtures/caps"
TIMEOUT = 40.0
# What an editor with ghost text and nothing else says of itself.
PLAIN: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"inlineCompletion": {}},
}


class ErrorReply(Exception):
    """The server answered a request with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]


class Client:
    """Sends through `send_bytes`; whatever the server sends goes into `take`."""

    def __init__(self, send_bytes: Callable[[bytes], None]) -> None:
        self.send_bytes = send_bytes
        self.notifications: list[tuple[str, Any]] = []
        self.requests: list[tuple[str, Any]] = []
        # What is answered to requests of the server, by method; a function gets the parameters.
        self.answers: dict[str, Any] = {}
        # Replies that belong to no request of ours, such as errors about a message without an id.
        self.strays: list[dict[str, Any]] = []
        self.bad_frames: list[str] = []
        self._reader = FrameReader()
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._versions: dict[str, int] = {}

    # The wire

    def take(self, data: bytes) -> None:
        self._reader.feed(data)
        for body in self._reader.messages():
            if isinstance(body, BadFrame):
                self.bad_frames.append(body.reason)
            else:
                self._take_message(json.loads(body))
        self._news.set()

    def _take_message(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            self.requests.append((message["method"], message.get("params")))
            answer = self.answers.get(message["method"])
            result = answer(message.get("params")) if callable(answer) else answer
            if isinstance(result, ErrorReply):
                error = {"code": result.code, "message": str(result)}
                self.send({"id": message["id"], "error": error})
            else:
                self.send({"id": message["id"], "result": result})
        elif "method" in message:
            self.notifications.append((message["method"], message.get("params")))
        elif message.get("id") in self._waiting:
            future = self._waiting.pop(message["id"])
            if future.done():
                return
            if "error" in message:
                future.set_exception(ErrorReply(message["error"]))
            else:
                future.set_result(message.get("result"))
        else:
            self.strays.append(message)

    def send(self, message: dict[str, Any]) -> None:
        self.send_bytes(frame(json.dumps({"jsonrpc": "2.0", **message}).encode()))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything that is sent inside goes over the wire in one piece."""
        send_bytes, pieces = self.send_bytes, list[bytes]()
        self.send_bytes = pieces.append
        try:
            yield
        finally:
            self.send_bytes = send_bytes
            send_bytes(b"".join(pieces))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, "params": params})

    def begin(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """Sends a request and returns its id and the future of its reply."""
        self._last_id += 1
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = future
        self.send({"id": self._last_id, "method": method, "params": params})
        return self._last_id, future

    async def request(self, method: str, params: Any = None) -> Any:
        return await asyncio.wait_for(self.begin(method, params)[1], TIMEOUT)

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Waits for messages until the condition holds."""
        async with asyncio.timeout(TIMEOUT):
            while not (value := condition()):
                self._news.clear()
                await self._news.wait()
        return value

    # What editors do

    async def initialize(
        self, root: Path | None = None, capabilities: Any = None, **more: Any
    ) -> dict[str, Any]:
        reply: dict[str, Any] = await self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root.as_uri() if root else None,
                "capabilities": PLAIN if capabilities is None else capabilities,
                **more,
            },
        )
        self.notify("initialized", {})
        return reply

    async def until_ready(self) -> dict[str, Any]:
        """Waits until nothing is loaded any more; returns the last status."""

        def settled() -> Any:
            now = self.status
            return now if now and not now["busy"] and now["kind"] != "Inactive" else None

        status: dict[str, Any] = await self.until(settled)
        return status

    @property
    def status(self) -> dict[str, Any] | None:
        return next((p for m, p in reversed(self.notifications) if m == "didChangeStatus"), None)

    def open(self, uri: str, text: str, language: str = "python") -> None:
        self._versions[uri] = 1
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, *changes: dict[str, Any]) -> int:
        self._versions[uri] += 1
        document = {"uri": uri, "version": self._versions[uri]}
        params = {"textDocument": document, "contentChanges": list(changes)}
        self.notify("textDocument/didChange", params)
        return self._versions[uri]

    def type(self, uri: str, line: int, character: int, text: str) -> int:
        return self.change(uri, {"range": span(line, character), "text": text})

    def close(self, uri: str) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def begin_inline(self, uri: str, line: int, character: int, **more: Any) -> Any:
        return self.begin("textDocument/inlineCompletion", at(uri, line, character, **more))

    async def inline(self, uri: str, line: int, character: int, **more: Any) -> list[Any]:
        """The items of an inline completion."""
        found = await self.request(
            "textDocument/inlineCompletion", at(uri, line, character, **more)
        )
        items: list[Any] = found["items"]
        return items

    async def shut_down(self) -> None:
        await self.request("shutdown")
        self.notify("exit")


def at(
    uri: str,
    line: int,
    character: int,
    automatic: bool = True,
    version: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    document = {"uri": uri} if version is None else {"uri": uri, "version": version}
    return {
        "textDocument": document,
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2 if automatic else 1, **more},
    }


def span(line: int, start: int, end: int | None = None, end_line: int | None = None) -> Any:
    return {
        "start": {"line": line, "character": start},
        "end": {
            "line": line if end_line is None else end_line,
            "character": start if end is None else end,
        },
    }


def recorded_capabilities(editor: str) -> dict[str, Any]:
    """The capabilities of a real editor, as recorded in tests/fixtures/caps."""
    found = json.loads((CAPS / f"{editor}.json").read_text(encoding="utf-8"))
    capabilities: dict[str, Any] = found.get("capabilities", found)
    return capabilities


@asynccontextmanager
async def over_stdio(*arguments: str, log: Path | None = None) -> AsyncIterator[Any]:
    """A client of a real server process; `client.process` is the process."""
    command = (sys.executable, "-m", "lsp_server", "--stdio", *arguments)
    with (log or Path(os.devnull)).open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            limit=1 << 24,
        )
    assert process.stdin is not None and process.stdout is not None
    client = Client(process.stdin.write)
    client.process = process  # type: ignore[attr-defined]
    pump = asyncio.create_task(_pump(client, process.stdout))
    try:
        yield client
    finally:
        await _end(process, pump)


@asynccontextmanager
async def over_tcp(*arguments: str) -> AsyncIterator[Any]:
    """A client of a real server process that listens on a port of its own choice."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lsp_server", "--tcp", "127.0.0.1:0", *arguments),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), TIMEOUT)
    match = re.search(rb"listening on 127\.0\.0\.1:(\d+)", line)
    assert match, line
    reader, writer = await asyncio.open_connection("127.0.0.1", int(match[1]))
    drain = asyncio.create_task(process.stderr.read())
    client = Client(writer.write)
    client.process = process  # type: ignore[attr-defined]
    pump = asyncio.create_task(_pump(client, reader))
    try:
        yield client
    finally:
        writer.close()
        await _end(process, pump)
        drain.cancel()


async def _pump(client: Client, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(1 << 16):
        client.take(data)


async def _end(process: asyncio.subprocess.Process, pump: asyncio.Task[None]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 20)
    except TimeoutError:
        process.kill()
        await process.wait()
    await pump


class InProcess:
    """A server in this process with the client at its other end; bytes still go through frames."""

    def __init__(self) -> None:
        from lsp_server.server import CopilotServer

        self.server = CopilotServer()
        self.client = Client(self._to_server)
        self.server.protocol.set_writer(self)  # type: ignore[arg-type]

    def _to_server(self, data: bytes) -> None:
        # Later, as it would be on a wire: a reply must not arrive while the request is being sent.
        asyncio.get_running_loop().call_soon(self.server.feed, data)

    def write(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.client.take, data)

    def close(self) -> None:
        pass

    async def __aenter__(self) -> InProcess:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.server.aclose()
