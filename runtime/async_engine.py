"""The engine for asyncio: a thread that turns the crank, or the caller's own turns for tests.

async with engine.generate(request) as generation:   # leaving the block cancels
    async for output in generation:
        ...
    result = await generation.result()
"""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from runtime.engine import Engine, EngineStatus
from runtime.errors import EngineClosed, EngineError
from runtime.memory import RepositoryMemory
from runtime.sequence import Output, Request, Result, TokenIds

if TYPE_CHECKING:
    from runtime.tokenizer import Tokenizer

IDLE_SECONDS = 0.05  # After this long without work the memory is put in order.
Delivery = tuple[Output, Result | None] | EngineError
logger = logging.getLogger(__name__)


class EngineDriver(ABC):
    """What every way to drive an engine offers. Methods may be called from any thread or loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.memory = MemoryClient(self)

    @property
    def tokenizer(self) -> Tokenizer:
        return self._engine.tokenizer

    @property
    def max_context(self) -> int:
        """Tokens that a prompt and its answer have together."""
        return self._engine.runner.max_context

    @property
    def status(self) -> EngineStatus:
        return self._engine.status()

    def generate(self, request: Request) -> Generation:
        """Return the generation, which begins when it is entered with `async with`."""
        return Generation(self, request)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @abstractmethod
    async def aclose(self) -> None:
        """End all generations with EngineClosed and free the model. May be called again."""

    @abstractmethod
    def _start(self, generation: Generation) -> int: ...

    @abstractmethod
    def _cancel(self, sequence_id: int) -> None: ...

    @abstractmethod
    def _leave(self, sequence_id: int) -> None: ...

    @abstractmethod
    async def _next(self, generation: Generation) -> Delivery: ...

    @abstractmethod
    def _change_memory(self, key: str, tokens: NDArray[np.int32] | None) -> None: ...


class MemoryClient:
    """The engine's repository memory, for whoever fills it; changes apply before the next step.

    Where the engine has no memory they are dropped.
    """

    def __init__(self, driver: EngineDriver) -> None:
        self._driver = driver

    @property
    def is_enabled(self) -> bool:
        return self._driver._engine.memory is not None

    def put(self, key: str, tokens: TokenIds) -> None:
        """Store a document in place of an older one under `key`.

        Raises ValueError for a token outside of the vocabulary. A document that exceeds the
        memory's budget is not kept.
        """
        memory = self._driver._engine.memory
        if memory is not None:
            self._driver._change_memory(key, memory.checked(tokens))

    def drop(self, key: str) -> None:
        """Forget a document, if there is one."""
        if self.is_enabled:
            self._driver._change_memory(key, None)


class Generation:
    """One request under way: an asynchronous iterator over its outputs, ended by a result."""

    def __init__(self, driver: EngineDriver, request: Request) -> None:
        self.request = request
        self._driver = driver
        self._sequence_id: int | None = None
        self._result: Result | None = None
        self._error: EngineError | None = None
        self._is_left = False

    async def __aenter__(self) -> Self:
        """Queue the request. Raises PromptTooLong, EngineBusy, EngineClosed or ValueError."""
        if self._sequence_id is not None:
            raise RuntimeError("a generation can be entered only once")
        self._loop = asyncio.get_running_loop()
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self._sequence_id = self._driver._start(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._sequence_id is not None
        self._is_left = True
        self._driver._leave(self._sequence_id)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Output:
        if self._result is not None:
            raise StopAsyncIteration
        if self._error is not None:
            raise self._error
        if self._sequence_id is None or self._is_left:
            raise RuntimeError("a generation is read inside its `async with` block")
        delivery = await self._driver._next(self)
        if isinstance(delivery, EngineError):
            self._error = delivery
            raise delivery
        output, self._result = delivery
        return output

    def cancel(self) -> None:
        """End the sequence within one step; its last output says `cancelled`."""
        if self._sequence_id is not None:
            self._driver._cancel(self._sequence_id)

    async def result(self) -> Result:
        """Wait for the end and return the whole. Raises EngineClosed when the engine goes first."""
        async for _ in self:
            pass
        assert self._result is not None
        return self._result

    def _deliver(self, delivery: Delivery) -> None:
        """Hand over from any thread. Raises RuntimeError when the reader's loop is gone."""
        self._loop.call_soon_threadsafe(self._deliveries.put_nowait, delivery)


class AsyncEngine(EngineDriver):
    """Drives an engine on a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        # The condition guards all below; the engine's thread waits on it for work.
        self._condition = threading.Condition()
        self._generations: dict[int, Generation] = {}
        self._memory_changes: deque[tuple[str, NDArray[np.int32] | None]] = deque()
        self._failure: BaseException | None = None
        self._is_closing = False
        self._thread = threading.Thread(target=self._drive, name="engine", daemon=True)
        self._thread.start()

    @property
    def status(self) -> EngineStatus:
        status = self._engine.status()
        if self._is_closing:
            return replace(status, error="the engine is closed")
        return status if self._failure is None else replace(status, error=_obituary(self._failure))

    async def aclose(self) -> None:
        with self._condition:
            self._is_closing = True
            for sequence_id in self._generations:
                self._engine.cancel(sequence_id)
            self._condition.notify_all()
        await asyncio.to_thread(self._thread.join)

    def _start(self, generation: Generation) -> int:
        with self._condition:
            if self._is_closing:
                raise EngineClosed("the engine is closed")
            if self._failure is not None:
                raise EngineClosed(_obituary(self._failure)) from self._failure
            sequence_id = self._engine.add(generation.request)
            self._generations[sequence_id] = generation
            self._condition.notify_all()
        return sequence_id

    def _cancel(self, sequence_id: int) -> None:
        self._engine.cancel(sequence_id)

    def _leave(self, sequence_id: int) -> None:
        with self._condition:
            if self._generations.pop(sequence_id, None) is not None:
                self._engine.cancel(sequence_id)

    async def _next(self, generation: Generation) -> Delivery:
        return await generation._deliveries.get()

    def _change_memory(self, key: str, tokens: NDArray[np.int32] | None) -> None:
        with self._condition:
            self._memory_changes.append((key, tokens))
            self._condition.notify_all()

    # What runs on the engine's thread.

    def _drive(self) -> None:
        try:
            while self._turn():
                pass
            self._end_all(EngineClosed("the engine was closed"))
        except BaseException as error:
            logger.critical("the engine's thread died of %s", type(error).__name__)
            with self._condition:
                self._failure = error
            self._end_all(EngineClosed(_obituary(error)))
        finally:
            self._engine.close()

    def _turn(self) -> bool:
        """Do what there is to do. Return False when the engine is to be closed."""
        memory = self._engine.memory
        is_settled = memory is None or not memory.needs_settling
        with self._condition:
            is_awake = self._condition.wait_for(
                self._has_work, timeout=None if is_settled else IDLE_SECONDS
            )
            if self._is_closing:
                return False
            changes = list(self._memory_changes)
            self._memory_changes.clear()
        if memory is not None:
            if not is_awake:
                memory.settle()
            for key, tokens in changes:
                _apply(memory, key, tokens)
        if self._engine.has_work:
            self._dispatch(self._engine.step())
        return True

    def _has_work(self) -> bool:
        return self._is_closing or self._engine.has_work or bool(self._memory_changes)

    def _dispatch(self, outputs: list[Output]) -> None:
        with self._condition:
            if self._is_closing:  # All that were cancelled for it learn why, in _end_all.
                return
            for output in outputs:
                sequence_id = output.sequence_id
                generation = self._generations.get(sequence_id)
                if generation is None:
                    continue
                result = None
                if output.finish_reason is not None:
                    result = self._engine.result(sequence_id)
                    del self._generations[sequence_id]
                try:
                    generation._deliver((output, result))
                except RuntimeError:  # The reader's event loop was closed: nobody listens.
                    self._generations.pop(sequence_id, None)
                    self._engine.cancel(sequence_id)

    def _end_all(self, error: EngineError) -> None:
        with self._condition:
            generations = list(self._generations.values())
            self._generations.clear()
        for generation in generations:
            try:
                generation._deliver(error)
            except RuntimeError:
                logger.debug("a generation's event loop was closed before the engine")


class InlineEngine(EngineDriver):
    """Turns the crank whenever a generation is waited for: no thread, so the order is fixed."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._generations: dict[int, Generation] = {}
        self._is_closed = False

    @property
    def status(self) -> EngineStatus:
        status = self._engine.status()
        return replace(status, error="the engine is closed") if self._is_closed else status

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for generation in self._generations.values():
            generation._deliveries.put_nowait(EngineClosed("the engine was closed"))
        self._generations.clear()
        self._engine.close()

    def _start(self, generation: Generation) -> int:
        if self._is_closed:
            raise EngineClosed("the engine is closed")
        sequence_id = self._engine.add(generation.request)
        self._generations[sequence_id] = generation
        return sequence_id

    def _cancel(self, sequence_id: int) -> None:
        self._engine.cancel(sequence_id)

    def _leave(self, sequence_id: int) -> None:
        if self._generations.pop(sequence_id, None) is not None:
            self._engine.cancel(sequence_id)

    async def _next(self, generation: Generation) -> Delivery:
        while generation._deliveries.empty():
            for output in self._engine.step():
                self._deliver(output)
            await asyncio.sleep(0)  # Others get a turn between two steps.
        return generation._deliveries.get_nowait()

    def _deliver(self, output: Output) -> None:
        generation = self._generations.get(output.sequence_id)
        if generation is None:
            return
        result = None
        if output.finish_reason is not None:
            result = self._engine.result(output.sequence_id)
            del self._generations[output.sequence_id]
        generation._deliveries.put_nowait((output, result))

    def _change_memory(self, key: str, tokens: NDArray[np.int32] | None) -> None:
        assert self._engine.memory is not None
        _apply(self._engine.memory, key, tokens)


def _apply(memory: RepositoryMemory, key: str, tokens: NDArray[np.int32] | None) -> None:
    if tokens is None:
        memory.drop(key)
    else:
        memory.put(key, tokens)


def _obituary(error: BaseException) -> str:
    return f"the engine's thread died: {type(error).__name__}: {error}; start the server again"
