"""The engine host: a process of its own that holds the model for all of a user's editors.

It is started by the first client that finds none, and leaves when nobody has been connected for a
while. Each connection is one client: its requests end with it, its mistakes end it and nothing
else. What clients of one workspace remember is shared among them, and forgotten after the last.

    python -m runtime.host --help
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.async_engine import AsyncEngine
from runtime.driver import Generation, MemoryClient
from runtime.endpoint import listen
from runtime.errors import EngineError
from runtime.frames import (
    MAX_HANDSHAKE,
    PROTOCOL_VERSION,
    BadFrame,
    field_of,
    frame,
    read_frame,
    tokens_of,
    value_of,
)
from runtime.sequence import Request

STATUS_SECONDS = 0.25
MAX_UNSENT = 8 * 1024 * 1024
"""A client that does not read is disconnected once so much waits for it."""
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Client:
    """One connection."""

    writer: asyncio.StreamWriter
    name: str
    workspace: str
    memory: MemoryClient
    generations: dict[int, Generation] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def send(self, kind: str, **values: Any) -> None:
        if self.writer.is_closing():
            return
        if self.writer.transport.get_write_buffer_size() > MAX_UNSENT:
            log.warning("client %s does not read: it is disconnected", self.name)
            self.writer.transport.abort()
            return
        self.writer.write(frame(kind, **values))


class EngineHost:
    """Serves an engine to any number of clients until it is stopped or nobody is left."""

    def __init__(self, engine: AsyncEngine, description: dict[str, Any], idle: float) -> None:
        self._engine = engine
        self._description = description
        self._idle = idle
        self._clients: set[Client] = set()
        self._connections = 0
        self._last_used = time.monotonic()
        self._stopped = asyncio.Event()
        self._started = time.time()

    async def serve(self, address: str) -> None:
        """Listens until `stop` was asked for or the host has been idle for its time."""
        server = await listen(address, self._guarded)
        watching = asyncio.create_task(self._watch())
        try:
            await self._stopped.wait()
        finally:
            watching.cancel()
            server.close()
            for client in tuple(self._clients):
                client.send("closing")
                client.writer.close()

    def stop(self) -> None:
        self._stopped.set()

    async def _watch(self) -> None:
        """Tells clients of a changed status, and leaves when nobody has come for long enough."""
        told = None
        while True:
            await asyncio.sleep(min(STATUS_SECONDS, self._idle))
            status = self._engine.status
            if status != told:
                told = status
                for client in self._clients:
                    client.send("status", status=status)
            if self._clients:
                self._last_used = time.monotonic()
            elif time.monotonic() - self._last_used > self._idle:
                log.info("nobody was connected for %.0f s: the host leaves", self._idle)
                self.stop()

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            await self._serve(reader, writer)
        except BadFrame as error:
            log.warning("a client was disconnected: %s", error)
            with contextlib.suppress(ConnectionError):
                writer.write(frame("refused", message=str(error)))
        except (ConnectionError, asyncio.CancelledError):
            log.debug("a connection broke")
        except Exception as error:
            log.error("a connection failed: %s", type(error).__name__)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await asyncio.wait_for(read_frame(reader, MAX_HANDSHAKE), timeout=10)
        if hello is None:
            return
        if hello["kind"] == "describe":
            writer.write(frame("description", description=self.describe()))
            return
        if hello["kind"] == "stop":
            self.stop()
            return
        client = self._welcome(hello, writer)
        try:
            while (message := await read_frame(reader)) is not None:
                self._take(client, message)
        finally:
            self._leave(client)

    def describe(self) -> dict[str, Any]:
        """What the host is and does: counts and names, never a text."""
        return {
            **self._description,
            "pid": os.getpid(),
            "seconds": round(time.time() - self._started, 1),
            "connections": self._connections,
            "clients": [
                {"name": client.name, "generations": len(client.generations)}
                for client in sorted(self._clients, key=lambda client: client.name)
            ],
            "engine": self._engine.status,
        }

    def _welcome(self, hello: dict[str, Any], writer: asyncio.StreamWriter) -> Client:
        if hello["kind"] != "hello":
            raise BadFrame(f"a connection begins with `hello`, not `{hello['kind']:.20}`")
        version = field_of(hello, "version", int)
        if version != PROTOCOL_VERSION:
            raise BadFrame(
                f"the client speaks version {version} of the protocol, this host "
                f"{PROTOCOL_VERSION}: update the older one"
            )
        name, workspace = field_of(hello, "name", str), field_of(hello, "workspace", str)
        # The store "" is the engine's own; a client's is never that.
        memory = MemoryClient(self._engine, f"workspace {workspace}")
        client = Client(writer, f"{name} {self._connections}", workspace, memory)
        self._clients.add(client)
        client.send(
            "welcome",
            vocab_size=self._engine.vocab_size,
            max_context=self._engine.max_context,
            has_memory=self._engine.has_memory,
            status=self._engine.status,
        )
        log.info("client %s connected", client.name)
        return client

    def _leave(self, client: Client) -> None:
        self._clients.discard(client)
        for task in client.tasks:
            task.cancel()
        if not any(other.workspace == client.workspace for other in self._clients):
            self._engine.forget_store(f"workspace {client.workspace}")
        self._last_used = time.monotonic()
        log.info("client %s left", client.name)

    def _take(self, client: Client, message: dict[str, Any]) -> None:
        match message["kind"]:
            case "generate":
                number = field_of(message, "id", int)
                if number in client.generations:
                    raise BadFrame(f"`generate` {number} is under way already")
                request = self._of_client(client, value_of(message, "request", Request))
                generation = self._engine.generate(request)
                client.generations[number] = generation
                task = asyncio.create_task(self._generate(client, number, generation))
                client.tasks.add(task)
                task.add_done_callback(client.tasks.discard)
            case "cancel":
                found = client.generations.get(field_of(message, "id", int))
                if found is not None:
                    found.cancel()
            case "put":
                key = field_of(message, "key", str)
                try:
                    client.memory.put(key, tokens_of(message.get("tokens"), "put.tokens"))
                except ValueError as error:
                    raise BadFrame(f"put.tokens: {error}") from error
            case "drop":
                client.memory.drop(field_of(message, "key", str))
            case kind:
                raise BadFrame(f"`{kind:.20}` is no message that a client may send")

    def _of_client(self, client: Client, request: Request) -> Request:
        scope = request.scope
        if scope is not None:
            scope = replace(scope, store=f"workspace {client.workspace}")
        return replace(request, client=client.name, scope=scope)

    async def _generate(self, client: Client, number: int, generation: Generation) -> None:
        try:
            async with generation:
                client.send("started", id=number)
                async for output in generation:
                    if output.finish_reason is None:
                        client.send("output", id=number, output=output)
                        continue
                    result = await generation.result()
                    client.send("output", id=number, output=output, result=result)
        except (EngineError, ValueError) as error:
            client.send("failed", id=number, type=type(error).__name__, message=str(error))
        finally:
            client.generations.pop(number, None)
