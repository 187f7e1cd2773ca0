"""What every way to drive an engine offers: generations to read, and a memory to fill.

async with engine.generate(request) as generation:   # leaving the block cancels
    async for output in generation:
        ...
    result = await generation.result()
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from runtime.errors import EngineError
from runtime.memory import checked_tokens
from runtime.sequence import Output, Request, Result, TokenIds

if TYPE_CHECKING:
    from runtime.chat_template import Encoder
    from runtime.status import EngineStatus

Delivery = tuple[Output, Result | None] | EngineError


class EngineDriver(ABC):
    """An engine, wherever it runs. Methods may be called from any thread or loop."""

    # Whether an answer can be made to begin with a text, and its tokens have probabilities.
    forces_start = True

    def __init__(self) -> None:
        self.memory = MemoryClient(self)

    @property
    @abstractmethod
    def tokenizer(self) -> Encoder: ...

    @property
    @abstractmethod
    def vocab_size(self) -> int: ...

    @property
    @abstractmethod
    def max_context(self) -> int:
        """Tokens that a prompt and its answer have together."""

    @property
    @abstractmethod
    def has_memory(self) -> bool: ...

    @property
    @abstractmethod
    def status(self) -> EngineStatus: ...

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
    async def _start(self, generation: Generation) -> int: ...

    @abstractmethod
    def _cancel(self, sequence_id: int) -> None: ...

    @abstractmethod
    def _leave(self, sequence_id: int) -> None: ...

    @abstractmethod
    async def _next(self, generation: Generation) -> Delivery: ...

    @abstractmethod
    def _change_memory(self, store: str, key: str, tokens: NDArray[np.int32] | None) -> None: ...


class MemoryClient:
    """One store of the engine's repository memory, for whoever fills it.

    Changes apply before the next step. Where the engine has no memory they are dropped.
    """

    def __init__(self, driver: EngineDriver, store: str = "") -> None:
        self._driver = driver
        self._store = store

    @property
    def is_enabled(self) -> bool:
        return self._driver.has_memory

    def put(self, key: str, tokens: TokenIds) -> None:
        """Store a document in place of an older one under `key`.

        Raises ValueError for a token outside of the vocabulary. A document that exceeds the
        memory's budget is not kept.
        """
        if self.is_enabled:
            document = checked_tokens(tokens, self._driver.vocab_size)
            self._driver._change_memory(self._store, key, document)

    def drop(self, key: str) -> None:
        """Forget a document, if there is one."""
        if self.is_enabled:
            self._driver._change_memory(self._store, key, None)


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
        self._sequence_id = await self._driver._start(self)
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
