"""An engine in this process: a thread that turns the crank, or the caller's own turns for tests."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runtime.driver import Delivery, EngineDriver, Generation
from runtime.engine import Engine
from runtime.errors import EngineClosed, EngineError
from runtime.sequence import Output
from runtime.status import EngineStatus

if TYPE_CHECKING:
    from runtime.tokenizer import Tokenizer

IDLE_SECONDS = 0.05  # After this long without work the memory is put in order.
# A store, a key, and the tokens to keep under it; None: nothing any more.
Change = tuple[str, str, NDArray[np.int32] | None]
logger = logging.getLogger(__name__)


class LocalDriver(EngineDriver):
    """Drives an engine in this process."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    @property
    def tokenizer(self) -> Tokenizer:
        return self._engine.tokenizer

    @property
    def vocab_size(self) -> int:
        return self._engine.vocab_size

    @property
    def max_context(self) -> int:
        return self._engine.runner.max_context

    @property
    def has_memory(self) -> bool:
        return self._engine.memory is not None

    @property
    def status(self) -> EngineStatus:
        return self._engine.status()


class AsyncEngine(LocalDriver):
    """Drives an engine on a thread of its own."""

    def __init__(self, engine: Engine, at_end: Callable[[Engine], None] = lambda _: None) -> None:
        """`at_end` is called on the engine's thread before the model is freed."""
        super().__init__(engine)
        self._at_end = at_end
        # The condition guards all below; the engine's thread waits on it for work.
        self._condition = threading.Condition()
        self._generations: dict[int, Generation] = {}
        self._memory_changes: deque[Change] = deque()
        self._unwanted: set[str] = set()
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

    async def _start(self, generation: Generation) -> int:
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

    def _change_memory(self, store: str, key: str, tokens: NDArray[np.int32] | None) -> None:
        with self._condition:
            self._memory_changes.append((store, key, tokens))
            self._condition.notify_all()

    def forget_store(self, store: str) -> None:
        """Give back a store of the memory that nobody will ask for."""
        with self._condition:
            self._memory_changes = deque(
                change for change in self._memory_changes if change[0] != store
            )
            self._unwanted.add(store)
            self._condition.notify_all()

    # What runs on the engine's thread.

    def _drive(self) -> None:
        try:
            while self._turn():
                pass
            self._end_all(EngineClosed("the engine was closed"))
            self._at_end(self._engine)
        except BaseException as error:
            logger.critical("the engine's thread died of %s", type(error).__name__)
            with self._condition:
                self._failure = error
            self._end_all(EngineClosed(_obituary(error)))
        finally:
            self._engine.close()

    def _turn(self) -> bool:
        """Do what there is to do. Return False when the engine is to be closed."""
        is_settled = not any(store.needs_settling for store in self._engine.stores())
        with self._condition:
            is_awake = self._condition.wait_for(
                self._has_work, timeout=None if is_settled else IDLE_SECONDS
            )
            if self._is_closing:
                return False
            changes, self._memory_changes = self._memory_changes, deque()
            unwanted, self._unwanted = self._unwanted, set()
        for name in unwanted:
            self._engine.forget_store(name)
        if not is_awake:
            for store in self._engine.stores():
                store.settle()
        for change in changes:
            _apply(self._engine, *change)
        if self._engine.has_work:
            self._dispatch(self._engine.step())
        return True

    def _has_work(self) -> bool:
        waiting = bool(self._memory_changes) or bool(self._unwanted)
        return self._is_closing or self._engine.has_work or waiting

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


class InlineEngine(LocalDriver):
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

    async def _start(self, generation: Generation) -> int:
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

    def _change_memory(self, store: str, key: str, tokens: NDArray[np.int32] | None) -> None:
        _apply(self._engine, store, key, tokens)


def _apply(engine: Engine, store: str, key: str, tokens: NDArray[np.int32] | None) -> None:
    memory = engine.store(store)
    if memory is not None and tokens is None:
        memory.drop(key)
    elif memory is not None and tokens is not None:
        memory.put(key, tokens)


def _obituary(error: BaseException) -> str:
    return f"the engine's thread died: {type(error).__name__}: {error}; start the server again"
