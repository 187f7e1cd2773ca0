"""An engine in another process, found or started: the same interface as one in this process.

When the host dies, what was under way fails with EngineClosed and the next request starts a new
one; whoever fills the memory is told, since a new host remembers nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from runtime import errors
from runtime.config import EngineConfig
from runtime.driver import Delivery, EngineDriver, Generation
from runtime.endpoint import address_of, connect, host_name, runtime_directory
from runtime.errors import EngineClosed, EngineError
from runtime.frames import PROTOCOL_VERSION, BadFrame, field_of, frame, read_frame, value_of
from runtime.host_process import IDLE_SECONDS, start
from runtime.sequence import Output, Result
from runtime.status import EngineStatus

if TYPE_CHECKING:
    from runtime.tokenizer import Tokenizer

log = logging.getLogger(__name__)
ATTEMPTS = 40
RETRY_SECONDS = 0.05
LOST = "the engine host ended; the next request starts it again"


class HostLost(EngineClosed):
    """The connection to the host ended by itself."""


class EngineClient(EngineDriver):
    """Drives an engine in the host's process. Belongs to the loop that it was opened in."""

    def __init__(
        self,
        bundle: Path,
        config: EngineConfig,
        tokenizer: Tokenizer,
        *,
        name: str = "client",
        workspace: str = "",
        idle: float = IDLE_SECONDS,
        keep: Path | None = None,
    ) -> None:
        """Use `open`."""
        super().__init__()
        self._bundle, self._config, self._idle, self._keep = bundle, config, idle, keep
        self._tokenizer, self._name, self._workspace = tokenizer, name, workspace
        # Called after a host was lost and another one found: its memory has to be filled again.
        self.on_restart: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._generations: dict[int, Generation] = {}
        self._starting: dict[int, asyncio.Future[None]] = {}
        self._last_id = 0
        self._is_closed = False
        # What the host said when it welcomed us.
        self._vocab_size, self._max_context, self._has_memory = 0, 0, False

    @classmethod
    async def open(cls, bundle: Path, config: EngineConfig, **options: Any) -> EngineClient:
        """Connects to the host of a bundle, which is started if need be.

        Raises BundleError and ModelLoadError, as loading the bundle here would.
        """
        from runtime.bundle import Bundle
        from runtime.tokenizer import Tokenizer

        checked = await asyncio.to_thread(Bundle.open, bundle, verify=False)
        tokenizer = await asyncio.to_thread(Tokenizer.from_file, checked.tokenizer_path)
        client = cls(bundle.resolve(), config, tokenizer, **options)
        await client._connected()
        return client

    @property
    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    @property
    def max_context(self) -> int:
        return self._max_context

    @property
    def has_memory(self) -> bool:
        return self._has_memory

    @property
    def status(self) -> EngineStatus:
        """As the host told it last."""
        if self._is_closed:
            return replace(self._status, error="the engine is closed")
        return self._status if self._writer is not None else replace(self._status, error=LOST)

    async def aclose(self) -> None:
        """Leaves the host, which others may go on using."""
        self._is_closed = True
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        self._lose(EngineClosed("the engine was closed"))

    async def _start(self, generation: Generation) -> int:
        try:
            return await self._ask(generation)
        except HostLost:
            # It died unnoticed since the last request: nothing was said yet, so nothing is lost.
            return await self._ask(generation)

    async def _ask(self, generation: Generation) -> int:
        """Sends a request and returns its number once the host has taken it."""
        if self._is_closed:
            raise EngineClosed("the engine is closed")
        await self._connected()
        self._last_id += 1
        number = self._last_id
        self._generations[number] = generation
        self._starting[number] = self._loop.create_future()
        self._send("generate", id=number, request=generation.request)
        try:
            await self._starting[number]
        except BaseException:
            self._leave(number)
            raise
        finally:
            self._starting.pop(number, None)
        return number

    def _cancel(self, sequence_id: int) -> None:
        self._send("cancel", id=sequence_id)

    def _leave(self, sequence_id: int) -> None:
        if self._generations.pop(sequence_id, None) is not None:
            self._cancel(sequence_id)

    async def _next(self, generation: Generation) -> Delivery:
        return await generation._deliveries.get()

    def _change_memory(self, store: str, key: str, tokens: NDArray[np.int32] | None) -> None:
        # The host knows one store for each workspace, and which one is ours.
        if tokens is None:
            self._send("drop", key=key)
        else:
            self._send("put", key=key, tokens=tokens)

    def _send(self, kind: str, **values: Any) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(kind, **values))

    # The connection

    async def _connected(self) -> None:
        """Returns with a connection, whatever it takes. Raises EngineError where none can be."""
        async with self._connecting:
            if self._writer is not None:
                return
            is_first = self._reading is None
            name = host_name(self._bundle, self._config)
            address = address_of(runtime_directory(), name)
            for _ in range(ATTEMPTS):
                stream = await connect(address)
                if stream is None:
                    options = (self._bundle, self._config, self._idle, self._keep)
                    await asyncio.to_thread(start, *options)
                elif await self._greet(*stream):
                    break
                else:  # It was about to leave, or died with our connection in its queue.
                    await asyncio.sleep(RETRY_SECONDS)
            else:
                raise EngineClosed("the engine host ends before it answers: see its log")
        if not is_first:
            log.info("the engine host was found again")
            self.on_restart()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Introduces us. False: the host closed without an answer."""
        writer.write(
            frame("hello", version=PROTOCOL_VERSION, name=self._name, workspace=self._workspace)
        )
        try:
            welcome = await asyncio.wait_for(read_frame(reader), timeout=30)
            if welcome is None or welcome["kind"] == "closing":
                writer.close()
                return False
            if welcome["kind"] != "welcome":
                raise EngineClosed(f"the engine host says: {welcome.get('message')}")
            self._vocab_size = field_of(welcome, "vocab_size", int)
            self._max_context = field_of(welcome, "max_context", int)
            self._has_memory = field_of(welcome, "has_memory", bool)
            self._status = value_of(welcome, "status", EngineStatus)
        except BadFrame as error:
            raise EngineClosed(f"the engine host is not understood: {error}") from error
        self._writer = writer
        self._reading = self._loop.create_task(self._read(reader))
        return True

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (message := await read_frame(reader)) is not None:
                self._take(message)
        except BadFrame as error:
            log.error("the engine host is not understood: %s", error)
        finally:
            if not self._is_closed:
                self._lose(HostLost(LOST))

    def _take(self, message: dict[str, Any]) -> None:
        if message["kind"] == "status":
            self._status = value_of(message, "status", EngineStatus)
            return
        if message["kind"] == "refused":
            log.error("the engine host says: %s", message.get("message"))
            return
        if message["kind"] not in ("started", "output", "failed"):
            return  # of a later version
        number = field_of(message, "id", int)
        starting = self._starting.get(number)
        if message["kind"] == "failed":
            error = _error_of(message)
            if starting is not None and not starting.done():
                starting.set_exception(error)
            elif (generation := self._generations.pop(number, None)) is not None:
                generation._deliver(error if isinstance(error, EngineError) else EngineError(error))
        elif message["kind"] == "started":
            if starting is not None and not starting.done():
                starting.set_result(None)
        elif (generation := self._generations.get(number)) is not None:
            output = value_of(message, "output", Output)
            result = value_of(message, "result", Result) if "result" in message else None
            if result is not None:
                del self._generations[number]
            generation._deliver((output, result))

    def _lose(self, error: EngineClosed) -> None:
        """The connection is gone, and with it all that was under way."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        for starting in self._starting.values():
            if not starting.done():
                starting.set_exception(error)
        generations, self._generations = self._generations, {}
        for number, generation in generations.items():
            if number not in self._starting:
                generation._deliver(error)


def _error_of(message: dict[str, Any]) -> Exception:
    """The error of ours that the host names, or ValueError."""
    kind = getattr(errors, field_of(message, "type", str), None)
    text = field_of(message, "message", str)
    if isinstance(kind, type) and issubclass(kind, EngineError):
        return kind(text)
    return ValueError(text)
