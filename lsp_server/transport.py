"""Moves bytes between a client and the server: pipes or one TCP connection."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from lsp_server.server import CopilotServer

log = logging.getLogger(__name__)
PIECE = 1 << 16
SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter from the loop's thread: Python's own 5 ms are felt."""


async def serve_stdio(read_from: int, write_to: BinaryIO) -> int:
    """Serves the client at a pair of pipes until it has gone; returns the exit code."""
    server = CopilotServer()
    server.protocol.set_writer(_PipeWriter(write_to, server))
    server.protocol.warm_up()
    loop = asyncio.get_running_loop()
    # A thread, because not every platform can wait for a pipe in an event loop. A daemon, because
    # it cannot be told to stop; and os.read, because it holds no lock that the end could wait for.
    threading.Thread(target=_read_pipe, args=(read_from, loop, server), daemon=True).start()
    return await _until_ended(server)


async def serve_tcp(host: str, port: int, on_listening: Callable[[str, int], None]) -> int:
    """Serves the first client that connects until it has gone; returns the exit code."""
    server = CopilotServer()
    accepted = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if accepted.is_set():
            log.warning("a second client was refused: one server serves one editor")
            writer.close()
            return
        accepted.set()
        server.protocol.set_writer(writer)
        try:
            while data := await reader.read(PIECE):
                server.feed(data)
        except ConnectionError:
            log.warning("the connection broke")
        server.end(1)
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    listener = await asyncio.start_server(connected, host, port)
    on_listening(*listener.sockets[0].getsockname()[:2])
    code = await _until_ended(server)
    listener.close()
    return code


async def _until_ended(server: CopilotServer) -> int:
    loop = asyncio.get_running_loop()
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.end, 128 + number)
    try:
        return await server.ended
    finally:
        await server.aclose()


def _read_pipe(descriptor: int, loop: asyncio.AbstractEventLoop, server: CopilotServer) -> None:
    """Runs in a thread: hands pieces to the loop, which takes them in order."""
    with suppress(RuntimeError):  # The loop was closed: nobody wants the rest.
        while data := _read(descriptor):
            loop.call_soon_threadsafe(server.feed, data)
        loop.call_soon_threadsafe(server.end, 1)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, PIECE)
    except OSError:
        return b""


class _PipeWriter:
    def __init__(self, pipe: BinaryIO, server: CopilotServer) -> None:
        self._pipe = pipe
        self._server = server

    def write(self, data: bytes) -> None:
        try:
            self._pipe.write(data)
            self._pipe.flush()
        except (BrokenPipeError, ValueError):
            self._server.end(1)

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._pipe.close()
