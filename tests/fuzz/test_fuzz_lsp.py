"""Whatever a client sends, the server goes on: afterwards it answers a sane request sanely."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsp_server.wire import frame
from tests.support.client import Client, ErrorReply, InProcess

URI = "file:///a.py"
METHODS = [
    "initialize",
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/didSave",
    "textDocument/didClose",
    "textDocument/inlineCompletion",
    "textDocument/completion",
    "workspace/didChangeConfiguration",
    "workspace/didChangeWatchedFiles",
    "workspace/didChangeWorkspaceFolders",
    "workspace/executeCommand",
    "workspace/configuration",
    "$/cancelRequest",
    "$/setTrace",
    "window/workDoneProgress/cancel",
    "notebookDocument/didOpen",
    "sopilka/explainCompletion",
    "sopilka/status",
    "no/such/method",
    "",
]
KEYS = [
    "textDocument", "uri", "languageId", "version", "text", "contentChanges", "range", "start",
    "end", "line", "character", "position", "context", "triggerKind", "selectedCompletionInfo",
    "settings", "sopilka", "completion", "changes", "type", "event", "added", "removed", "command",
    "arguments", "id", "token", "capabilities", "general", "positionEncodings", "rootUri", "items",
]  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 40)
    | st.sampled_from([2**31, 2**70, -(2**70), 1.5, float("nan"), float("inf")])
    | st.sampled_from([URI, "", "x", "\ud800", "é😀", "file://", "C:\\x", "utf-8", "utf-99"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)
messages = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "2.0", "1.0", None])},
    optional={
        "id": st.sampled_from([1, 7, "a", 1.5, None, [], {}]),
        "method": st.sampled_from(METHODS) | scalars,
        "params": values,
        "result": values,
        "error": values,
    },
)
positions = st.fixed_dictionaries({"line": st.integers(0, 4), "character": st.integers(0, 12)})
changes = st.lists(
    st.fixed_dictionaries(
        {"text": st.text("ab\n\ré😀(", max_size=6)},
        optional={"range": st.fixed_dictionaries({"start": positions, "end": positions})},
    ),
    max_size=3,
)
edits = st.builds(
    lambda made, version: {
        "jsonrpc": "2.0",
        "method": "textDocument/didChange",
        "params": {"textDocument": {"uri": URI, "version": version}, "contentChanges": made},
    },
    changes,
    st.integers(0, 9),
)
requests = st.builds(
    lambda place, identifier: {
        "jsonrpc": "2.0",
        "id": identifier,
        "method": "textDocument/inlineCompletion",
        "params": {
            "textDocument": {"uri": URI},
            "position": place,
            "context": {"triggerKind": 1},
        },
    },
    positions,
    st.integers(100, 110),
)
anything = st.lists(messages | edits | requests, max_size=12)
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def start() -> tuple[InProcess, Client]:
    process = InProcess()
    await process.client.request("initialize", {"processId": None, "capabilities": {}})
    process.client.open(URI, "def f():\n    x = 1\n")
    return process, process.client


async def check_alive(client: Client) -> None:
    """A sane request gets its reply, and the document can be opened and changed."""
    client.open("file:///sane.py", "x = 1\n")
    client.type("file:///sane.py", 0, 5, "2")
    status = await client.request("sopilka/status", {})
    assert status["documents"] >= 1
    try:
        assert await client.inline("file:///sane.py", 0, 6) == []
    except ErrorReply as error:
        raise AssertionError(error) from error


@many
@given(anything)
def test_any_messages(sent: list[dict[str, Any]]) -> None:
    async def run() -> None:
        process, client = await start()
        async with process:
            for message in sent:
                client.send_bytes(frame(json.dumps(message).encode("utf-8", "surrogatepass")))
            await check_alive(client)

    asyncio.run(run())


bodies = st.binary(max_size=40) | st.sampled_from(
    [b"{", b"[]", b"[1]", b"7", b"null", b'"text"', b"{}", b"\xff\xfe", b"[" * 5000, b"1" * 6000,
     b'{"jsonrpc": "2.0", "method": 5}', b'{"jsonrpc": "2.0", "id": {}, "method": "initialize"}']
)  # fmt: skip


@many
@given(st.lists(bodies, max_size=6))
def test_any_bodies(sent: list[bytes]) -> None:
    async def run() -> None:
        process, client = await start()
        async with process:
            for body in sent:
                client.send_bytes(frame(body))
            await check_alive(client)
            assert all("error" in stray for stray in client.strays)

    asyncio.run(run())


@many
@given(
    st.lists(
        st.sampled_from(
            [
                b"Content-Length: x\r\n\r\n",
                b"Content-Length: 999999999999999\r\n\r\n",
                b"Content-Length: -1\r\n\r\n{}",
                b"Content-Length: 3\r\n\r\n{}",
                b"Content-Length: 1\r\n\r\n{}",
                b"garbage\r\n\r\n",
                b"X" * 10_000,
                b"\r\n\r\n",
                b"\x00\x01\x02\n",
            ]
        )
        | st.binary(max_size=30),
        max_size=5,
    )
)
def test_any_bytes_between_messages(noise: list[bytes]) -> None:
    """Bad framing may cost the messages next to it, never the session."""

    async def run() -> None:
        process, client = await start()
        async with process:
            for piece in noise:
                client.send_bytes(piece)
            # A length that was too large may still swallow this much.
            client.send_bytes(frame(b'{"jsonrpc": "2.0", "method": "$/nothing"}') * 40)
            await check_alive(client)

    asyncio.run(run())
