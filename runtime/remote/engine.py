"""A model behind a server, driven as an engine is: requests in, text out, piece by piece.

What needs the model's own distribution is not there: no repository memory, no forced beginning, no
probabilities. The confidence of every answer is 1, since nothing is known about it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.chat import Delta, Message, Tool
from runtime.config import SamplingParams
from runtime.driver import Delivery, EngineDriver, Generation
from runtime.errors import EngineBusy, EngineClosed, EngineError, PromptTooLong, RemoteError
from runtime.remote.config import RemoteConfig
from runtime.remote.dial import Dialer
from runtime.remote.fences import FencedCode
from runtime.remote.pieces import PieceTokenizer, parts_of
from runtime.remote.transport import Transport
from runtime.remote.wire import (
    ENDPOINTS,
    FENCE_TOKENS,
    Event,
    chat_body,
    completion_body,
    stop_strings,
)
from runtime.sequence import FinishReason, Output, Result, Timings, Usage
from runtime.status import EngineStatus, Totals
from runtime.stop_strings import StopStrings

MAX_RUNNING = 8


@dataclass(slots=True, eq=False)
class Running:
    """A request under way, and what is known of it so far."""

    generation: Generation
    began: float
    task: asyncio.Task[None] | None = None
    text: list[str] = field(default_factory=list)
    first_at: float | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    cached_tokens: int | None = None

    def note(self, event: Event) -> None:
        """Servers tell numbers in the last event or in each; the last ones are right."""
        for name in ("prompt_tokens", "generated_tokens", "cached_tokens"):
            if (number := getattr(event, name)) is not None:
                setattr(self, name, number)


class RemoteEngine(EngineDriver):
    """Belongs to the loop that it was made in."""

    forces_start = False

    def __init__(
        self,
        config: RemoteConfig,
        dialer: Dialer | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Opens no connection yet. Raises RemoteError for a configuration that cannot work.

        Making a dialer reads files of certificates, so an event loop does that in a thread.
        """
        super().__init__()
        self.config = config
        self._clock = clock
        self._transport = Transport(config, dialer or Dialer(config))
        self._tokenizer = PieceTokenizer()
        self._loop = asyncio.get_running_loop()
        self._running: dict[int, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_id = 0
        self._totals = Totals()
        self._error: str | None = None
        self._is_closed = False

    @property
    def tokenizer(self) -> PieceTokenizer:
        return self._tokenizer

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.vocab_size

    @property
    def max_context(self) -> int:
        return self.config.context

    @property
    def has_memory(self) -> bool:
        return False

    @property
    def status(self) -> EngineStatus:
        """The error, if any, is that of the latest request."""
        error = "the engine is closed" if self._is_closed else self._error
        return EngineStatus(len(self._running), 0, 0, 0, 0, 0, 0, self._totals, error)

    async def aclose(self) -> None:
        self._is_closed = True
        for number in tuple(self._running):
            running = self._stop(number)
            if running is not None:
                running.generation._deliver(EngineClosed("the engine was closed"))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._transport.close()

    async def chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        sampling: SamplingParams | None = None,
    ) -> AsyncGenerator[Delta]:
        """A conversation's next turn as it is written. To be closed with `aclosing`.

        Raises RemoteError. The last delta has a finish reason.
        """
        body = chat_body(self.config, messages, tools, sampling or SamplingParams(max_tokens=1024))
        reason: FinishReason = "stop"
        async with aclosing(self._events(ENDPOINTS["chat"], body)) as events:
            async for event in events:
                reason = event.finish_reason or reason
                if event.text or event.calls:
                    yield Delta(event.text, event.calls)
        yield Delta(finish_reason=reason)

    async def _start(self, generation: Generation) -> int:
        if self._is_closed:
            raise EngineClosed("the engine is closed")
        if len(self._running) >= MAX_RUNNING:
            raise EngineBusy(f"{MAX_RUNNING} requests are under way already; try again later")
        prompt = generation.request.prompt
        if not prompt:
            raise ValueError("the prompt is empty; give it at least one token")
        if len(prompt) + 1 > self.max_context:
            raise PromptTooLong(
                f"the prompt has {len(prompt)} tokens and the context holds {self.max_context}, "
                "one of them for the answer; shorten the prompt"
            )
        self._transport.check_quiet()
        self._last_id += 1
        number, running = self._last_id, Running(generation, self._clock())
        self._running[number] = running
        running.task = self._loop.create_task(self._run(number, running))
        self._tasks.add(running.task)
        running.task.add_done_callback(self._tasks.discard)
        return number

    def _cancel(self, sequence_id: int) -> None:
        running = self._stop(sequence_id)
        if running is not None:
            self._deliver_end(sequence_id, running, "", "cancelled")

    def _leave(self, sequence_id: int) -> None:
        self._stop(sequence_id)

    async def _next(self, generation: Generation) -> Delivery:
        return await generation._deliveries.get()

    def _change_memory(self, store: str, key: str, tokens: NDArray[np.int32] | None) -> None:
        raise AssertionError("there is no memory, and whoever fills it knows that")

    def _stop(self, number: int) -> Running | None:
        """Forget a request; its task closes the connection in the loop's next turn."""
        running = self._running.pop(number, None)
        if running is not None and running.task is not None:
            running.task.cancel()
        return running

    async def _run(self, number: int, running: Running) -> None:
        try:
            text, reason = await self._answer(number, running)
        except EngineError as error:
            self._error = str(error)
            if self._running.pop(number, None) is not None:
                self._totals = self._totals.plus("error", _usage(running), self._timings(running))
                running.generation._deliver(error)
            return
        self._error = None
        if self._running.pop(number, None) is not None:
            self._deliver_end(number, running, text, reason)

    async def _answer(self, number: int, running: Running) -> tuple[str, FinishReason]:
        """Deliver the text as it comes; return the last of it and why it ended."""
        request = running.generation.request
        answer = AnswerText(self.config, request.sampling)
        body = completion_body(self.config, parts_of(request.prompt), answer.asked)
        reason: FinishReason = "stop"
        async with aclosing(self._events(ENDPOINTS[self.config.kind], body)) as events:
            async for event in events:
                running.note(event)
                reason = event.finish_reason or reason
                if text := answer.push(event.text):
                    running.first_at = running.first_at or self._clock()
                    running.text.append(text)
                    running.generation._deliver((Output(number, text=text), None))
                if answer.is_done:
                    return "", "stop"
        rest = answer.flush()
        return rest, "stop" if answer.is_done else reason

    async def _events(self, endpoint: str, body: bytes) -> AsyncGenerator[Event]:
        """The events of an answer, within the times that are allowed."""
        config, now = self.config, self._loop.time()
        whole = now + config.total_seconds
        first: float | None = now + config.connect_seconds + config.first_seconds
        async with aclosing(self._transport.events(endpoint, body)) as events:
            while True:
                deadline = whole if first is None else min(whole, first)
                try:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    late = "has not ended" if first is None else "has not begun"
                    seconds = deadline - now
                    raise RemoteError(
                        f"{config.address.name}: the answer {late} within {seconds:g} s"
                    ) from error
                if event.text or event.calls:
                    first = None
                yield event

    def _deliver_end(self, number: int, running: Running, text: str, reason: FinishReason) -> None:
        running.text.append(text)
        usage, timings = _usage(running), self._timings(running)
        whole = "".join(running.text)
        result = Result(
            text=whole,
            tokens=tuple(self._tokenizer.encode(whole)),
            logprobs=(),
            confidences=(),
            confidence=1.0,
            finish_reason=reason,
            usage=usage,
            timings=timings,
        )
        self._totals = self._totals.plus(reason, usage, timings)
        output = Output(number, text=text, finish_reason=reason)
        running.generation._deliver((output, result))

    def _timings(self, running: Running) -> Timings:
        now = self._clock()
        first = now if running.first_at is None else running.first_at
        return Timings(0.0, (first - running.began) * 1e3, (now - first) * 1e3)


class AnswerText:
    """The text of an answer: taken out of its fence where it has one, ended by stop strings."""

    def __init__(self, config: RemoteConfig, sampling: SamplingParams) -> None:
        self._fence = FencedCode() if config.kind == "chat" else None
        self._stops = StopStrings(stop_strings(config, sampling))
        self.is_done = False
        # A chat model's lines around the code are not the answer: no stop string may end it there.
        self.asked = sampling
        if self._fence is not None:
            self.asked = SamplingParams(
                max_tokens=sampling.max_tokens + FENCE_TOKENS,
                temperature=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                min_p=sampling.min_p,
                seed=sampling.seed,
            )

    def push(self, text: str) -> str:
        if self.is_done:
            return ""
        if self._fence is not None:
            text = self._fence.push(text)
        shown, is_stopped = self._stops.push(text)
        if is_stopped:
            self.is_done = True
        elif self._fence is not None and self._fence.is_done:
            self.is_done = True
            shown += self._stops.flush()
        return shown

    def flush(self) -> str:
        """What is left when the server has ended the answer."""
        if self.is_done:
            return ""
        shown, self.is_done = self._stops.push("" if self._fence is None else self._fence.flush())
        return shown if self.is_done else shown + self._stops.flush()


def _usage(running: Running) -> Usage:
    """Numbers of the server's, or ours where it tells none."""
    request, text = running.generation.request, "".join(running.text)
    counted = running.prompt_tokens
    prompt = len(request.prompt) if counted is None else counted
    generated = running.generated_tokens
    if generated is None:
        generated = len(PieceTokenizer().encode(text))
    reused = min(running.cached_tokens or 0, prompt)
    return Usage(prompt=prompt, reused=reused, computed=prompt - reused, generated=generated)
