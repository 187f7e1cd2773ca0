"""The engine: requests in, tokens out, one step at a time.

There is no thread, no event loop and no clock in here that decides anything: whoever calls `step`
turns the crank, and the same calls give the same tokens.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runtime import cache_file
from runtime.block_manager import BlockManager
from runtime.config import EngineConfig
from runtime.drafter import Drafter, StepCosts
from runtime.errors import EngineBusy, PromptTooLong
from runtime.forced_start import TokenTable
from runtime.memory import RepositoryMemory
from runtime.mixture import Mixed, MixtureTable, Signals
from runtime.model_runner import Cancelled, Chunk, ModelRunner
from runtime.sampler import sample
from runtime.scheduler import Scheduler, Share
from runtime.sequence import (
    FinishReason,
    Output,
    Request,
    Result,
    Sequence,
    Status,
    Timings,
    Usage,
)
from runtime.status import EngineStatus, Totals
from runtime.stop_strings import StopStrings

if TYPE_CHECKING:
    from runtime.tokenizer import Tokenizer

MAX_RESULTS = 256
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """The token chosen for a sequence, with its probability under the distribution asked."""

    token: int
    logprob: float
    match_length: int


class Engine:
    """Continues token sequences with a model, mixed with what the repository memory knows.

    One thread calls `step`; `add`, `cancel` and `has_work` may be called from any. A sequence ends
    with an output that carries a finish reason, after which `result` gives the whole. The most
    recent 256 results are kept. With a `memory` there can be further stores of its kind, by name.
    """

    def __init__(
        self,
        runner: ModelRunner,
        tokenizer: Tokenizer,
        config: EngineConfig,
        memory: RepositoryMemory | None = None,
        mixture: MixtureTable | None = None,
        stop_ids: tuple[int, ...] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.runner = runner
        self.tokenizer = tokenizer
        self.config = config
        self.memory = memory
        self._stores: dict[str, RepositoryMemory] = {} if memory is None else {"": memory}
        self.mixture = mixture if mixture is not None else MixtureTable()
        self._stop_ids = frozenset(stop_ids)
        # Models are padded to more rows than there are tokens; those are never chosen.
        self.vocab_size = min(runner.vocab_size, tokenizer.vocab_size)
        self._clock = clock
        blocks = BlockManager(runner.num_blocks, runner.block_size)
        self._drafter = Drafter(config.max_draft, StepCosts(runner.step_costs))
        self._scheduler = Scheduler(
            blocks, config.prefill_chunk, config.max_running, self._drafter.draft
        )
        self._outputs: list[Output] = []
        self._results: OrderedDict[int, Result] = OrderedDict()
        self._totals = Totals()
        # The lock guards what other threads touch.
        self._lock = threading.Lock()
        self._added: deque[Sequence] = deque()
        self._cancelled: set[int] = set()
        self._prefilling: frozenset[int] = frozenset()
        self._unfinished = 0
        self._num_waiting = 0
        self._next_id = 0
        self._table: TokenTable | None = None

    @property
    def has_work(self) -> bool:
        return self._unfinished > 0

    def add(self, request: Request) -> int:
        """Queue a request and return the id of its sequence.

        Raises PromptTooLong, EngineBusy when `max_waiting` requests wait already, or ValueError
        for a prompt that is empty or names a token that the model does not have.
        """
        sequence = self._sequence(request)
        with self._lock:
            if len(self._added) + self._num_waiting >= self.config.max_waiting:
                raise EngineBusy(
                    f"{self.config.max_waiting} requests are waiting already; try again later"
                )
            sequence.sequence_id = self._next_id
            self._next_id += 1
            self._added.append(sequence)
            self._unfinished += 1
        return sequence.sequence_id

    def cancel(self, sequence_id: int) -> None:
        """End a sequence within one step; a prefill that is under way is interrupted.

        A sequence that has ended already is left as it is.
        """
        with self._lock:
            if 0 <= sequence_id < self._next_id:
                self._cancelled.add(sequence_id)
            # Under the lock, so that the interruption cannot hit a later run.
            if sequence_id in self._prefilling:
                self.runner.cancel()

    def step(self) -> list[Output]:
        """Advance the sequences whose turn it is and return what came of it."""
        shares = self.schedule()
        logits = self.run(shares)
        choices = self.sample(shares, logits)
        return self.postprocess(shares, choices)

    def result(self, sequence_id: int) -> Result:
        """Return a finished sequence. KeyError when it is unknown, unfinished or long gone."""
        if sequence_id not in self._results:
            raise KeyError(f"sequence {sequence_id} has no result: unknown, unfinished or too old")
        return self._results[sequence_id]

    def store(self, name: str) -> RepositoryMemory | None:
        """The memory of a name, made when it is first asked for; None if there is no memory."""
        if self.memory is None:
            return None
        if name not in self._stores:
            self._stores[name] = RepositoryMemory(self.memory.vocab_size, self.memory.limits)
        return self._stores[name]

    def stores(self) -> list[RepositoryMemory]:
        return list(self._stores.values())

    def forget_store(self, name: str) -> None:
        """Give back the memory of a name that nobody will ask for."""
        if name:
            self._stores.pop(name, None)

    def status(self) -> EngineStatus:
        stores, blocks = self.stores(), self._scheduler.blocks
        return EngineStatus(
            running=self._scheduler.num_running,
            waiting=self._num_waiting + len(self._added),
            num_blocks=blocks.num_blocks,
            used_blocks=blocks.num_blocks - blocks.num_unused,
            held_blocks=blocks.num_held,
            memory_documents=sum(store.num_documents for store in stores),
            memory_tokens=sum(store.num_tokens for store in stores),
            totals=self._totals,
        )

    def load_cache(self, path: Path, name: str) -> int:
        """Take in keys and values that `save_cache` kept; return how many blocks of them."""
        return cache_file.load(path, name, self._scheduler.blocks, self.runner)

    def save_cache(self, path: Path, name: str, max_bytes: int) -> int:
        """Keep what was used last for the next start; return how many blocks. Raises OSError."""
        return cache_file.save(path, name, self._scheduler.blocks, self.runner, max_bytes)

    def close(self) -> None:
        self.runner.close()

    # The four verbs of a step.

    def schedule(self) -> list[Share]:
        """Take in what was added and cancelled, and decide who computes how many tokens."""
        with self._lock:
            while self._added:
                self._scheduler.add(self._added.popleft())
        self._finish_cancelled()
        shares = self._scheduler.schedule()
        for copy in self._scheduler.take_copies():
            self.runner.copy_block(copy.source, copy.target)
        self._num_waiting = self._scheduler.num_waiting
        return [share for share in shares if self._admit(share.sequence)]

    def run(self, shares: list[Share]) -> list[NDArray[np.float32] | None]:
        """Compute the shares. None stands for a share that was interrupted or has failed."""
        if not shares:
            return []
        try:
            logits = self._run_together(shares)
        except Cancelled:
            return [None] * len(shares)
        except Exception as error:
            if len(shares) == 1:
                self._fail(shares[0].sequence, error)
                return [None]
            # One of them is at fault, so each runs alone; nothing was recorded, so nothing is lost.
            return [self.run([share])[0] for share in shares]
        return list(logits)

    def sample(
        self, shares: list[Share], logits: list[NDArray[np.float32] | None]
    ) -> list[list[Choice]]:
        """Choose the next token of every sequence whose tokens are all computed.

        Where a draft was right, the token after it is chosen too, and so on.
        """
        choices: list[list[Choice]] = []
        for share, rows in zip(shares, logits, strict=True):
            chosen: list[Choice] = []
            if rows is not None:
                try:
                    chosen = self._verify(share, rows)
                except Exception as error:
                    self._fail(share.sequence, error)
            choices.append(chosen)
        return choices

    def postprocess(self, shares: list[Share], choices: list[list[Choice]]) -> list[Output]:
        """Turn the chosen tokens into text, and end what has come to its end."""
        for share, chosen in zip(shares, choices, strict=True):
            for choice in chosen:
                if share.sequence.status is not Status.FINISHED:
                    self._accept(share.sequence, choice)
        self._finish_cancelled()
        outputs, self._outputs = self._outputs, []
        return outputs

    # What the verbs are made of.

    def _sequence(self, request: Request) -> Sequence:
        from runtime.tokenizer import IncrementalDecoder

        prompt = np.array(request.prompt, np.int64)
        limit = self.runner.max_context
        if len(prompt) == 0:
            raise ValueError("the prompt is empty; give it at least one token")
        if len(prompt) + 1 > limit:
            raise PromptTooLong(
                f"the prompt has {len(prompt)} tokens and the model's context holds {limit}, "
                "one of them for the answer; shorten the prompt"
            )
        if prompt.min() < 0 or prompt.max() >= self.vocab_size:
            raise ValueError(
                f"the prompt names a token outside of 0..{self.vocab_size - 1}; "
                "it was made with another tokenizer"
            )
        max_length = min(len(prompt) + request.sampling.max_tokens, limit)
        tokens = np.zeros(max_length, np.int64)
        tokens[: len(prompt)] = prompt
        return Sequence(
            sequence_id=-1,
            request=request,
            tokens=tokens,
            length=len(prompt),
            max_length=max_length,
            decoder=IncrementalDecoder(self.tokenizer),
            stop_strings=StopStrings(request.sampling.stop),
            forced=request.sampling.start.encode(),
            expected=np.array(request.expected, np.int64),
            added_at=self._clock(),
        )

    def _admit(self, sequence: Sequence) -> bool:
        """Prepare a sequence for its first step. Return False where that failed and ended it."""
        if sequence.admitted_at is not None:
            return True
        sequence.admitted_at = self._clock()
        scope = sequence.request.scope
        if scope is None or (memory := self.store(scope.store)) is None:
            return True
        room = sequence.max_length - sequence.length
        try:
            sequence.matcher = memory.matcher(scope.key, scope.before, scope.after, room)
        except Exception as error:
            self._fail(sequence, error)
            return False
        return True

    def _run_together(self, shares: list[Share]) -> list[NDArray[np.float32]]:
        chunks = [_chunk(share) for share in shares]
        with self._lock:
            self._prefilling = frozenset(s.sequence.sequence_id for s in shares if s.count > 1)
        began = self._clock()
        try:
            logits = self.runner.run(chunks)
            if len(shares) == 1 and shares[0].is_complete:
                self._drafter.costs.observe(shares[0].count, self._clock() - began)
            return logits
        finally:
            with self._lock:
                self._prefilling = frozenset()

    def _verify(self, share: Share, rows: NDArray[np.float32]) -> list[Choice]:
        """Choose tokens as long as the draft foresaw them, and the one after; note what is held."""
        sequence, was_complete = share.sequence, share.is_complete
        own = share.count - share.drafted
        chosen: list[Choice] = []
        if was_complete:
            for index, row in enumerate(rows):
                choice = self._choose(sequence, row)
                foreseen = index < share.drafted and choice.token == sequence.next_token
                chosen.append(choice)
                self._extend(sequence, choice.token)
                if not foreseen or sequence.length == sequence.max_length:
                    break
        accepted = max(0, len(chosen) - 1)
        sequence.tokens_computed += share.count
        self._scheduler.advance(sequence, own + accepted)
        if share.draft is not None:
            sequence.tokens_drafted += share.drafted
            sequence.tokens_accepted += accepted
            self._drafter.learn(share.draft, accepted)
        return chosen

    def _extend(self, sequence: Sequence, token: int) -> None:
        """Let a sequence go on with a token, so that the next one can be chosen."""
        sequence.append(token)
        if sequence.forced:
            sequence.forced = sequence.forced[len(self.tokenizer.token_bytes(token)) :]
        if sequence.matcher is not None and sequence.length < sequence.max_length:
            sequence.matcher.extend(token)

    def _choose(self, sequence: Sequence, logits: NDArray[np.float32]) -> Choice:
        mixed = Mixed.of(logits[: self.vocab_size], sequence.matcher, self.mixture)
        if not np.isfinite(mixed.log_normalizer):
            raise ValueError("the model returned logits that are not finite")
        sampling = sequence.request.sampling
        history = sequence.tokens[: sequence.length]
        if sequence.forced:
            mixed = mixed.among(self._token_table().agreeing(sequence.forced))
        token = sample(mixed.logits, sampling, history, len(sequence.generated))
        return Choice(token, mixed.logprob(token), mixed.match_length)

    def _token_table(self) -> TokenTable:
        """Sorting the vocabulary takes a moment, so it is done when it is first needed."""
        if self._table is None:
            self._table = TokenTable(self.tokenizer)
        return self._table

    def _accept(self, sequence: Sequence, choice: Choice) -> None:
        if sequence.first_token_at is None:
            sequence.first_token_at = self._clock()
        sequence.emitted += 1
        sequence.logprobs.append(choice.logprob)
        sequence.confidences.append(float(np.exp(choice.logprob)))
        sequence.match_lengths.append(choice.match_length)
        try:
            text, reason = self._advance_text(sequence, choice.token)
        except Exception as error:
            self._fail(sequence, error)
            return
        self._emit(sequence, choice, text, reason)

    def _advance_text(self, sequence: Sequence, token: int) -> tuple[str, FinishReason | None]:
        """Return the text that the token brings to light, and why the sequence ends, if it does."""
        stops, decoder = sequence.stop_strings, sequence.decoder
        if token in self._stop_ids or token in sequence.request.sampling.stop_ids:
            text, _ = stops.push(decoder.flush())
            return text + stops.flush(), "stop"
        text, is_stopped = stops.push(decoder.push(token))
        if is_stopped:
            return text, "stop"
        if len(sequence.request.prompt) + sequence.emitted == sequence.max_length:
            rest, _ = stops.push(decoder.flush())
            return text + rest + stops.flush(), "length"
        return text, None

    def _emit(
        self, sequence: Sequence, choice: Choice, text: str, reason: FinishReason | None
    ) -> None:
        sequence.text.append(text)
        if reason is not None:
            self._finish(sequence, reason)
        self._outputs.append(
            Output(
                sequence.sequence_id,
                choice.token,
                text,
                choice.logprob,
                sequence.confidences[-1],
                self._so_far(sequence) if "\n" in text else None,
                reason,
            )
        )

    def _so_far(self, sequence: Sequence) -> float:
        """The confidence of all tokens but the last."""
        signals = Signals.of(sequence.logprobs[:-1], sequence.match_lengths[:-1])
        return self.mixture.confidence(signals)

    def _finish_cancelled(self) -> None:
        with self._lock:
            cancelled, self._cancelled = self._cancelled, set()
        if not cancelled:
            return
        for sequence in list(self._scheduler.sequences()):
            if sequence.sequence_id in cancelled:
                cancelled.discard(sequence.sequence_id)
                self._finish(sequence, "cancelled")
                self._outputs.append(
                    Output(sequence.sequence_id, finish_reason="cancelled"),
                )
        with self._lock:
            # What is left was either added a moment ago or has ended.
            waiting = {sequence.sequence_id for sequence in self._added}
            self._cancelled |= cancelled & waiting

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        message = f"{type(error).__name__}: {error}"
        logger.error("sequence %d failed: %s", sequence.sequence_id, type(error).__name__)
        self._finish(sequence, "error", message)
        self._outputs.append(
            Output(sequence.sequence_id, finish_reason="error", error=message),
        )

    def _finish(self, sequence: Sequence, reason: FinishReason, error: str | None = None) -> None:
        assert sequence.status is not Status.FINISHED
        self._scheduler.finish(sequence, keep_blocks=reason != "error")
        result = self._summary(sequence, reason, error)
        self._results[sequence.sequence_id] = result
        self._totals = self._totals.plus(reason, result.usage, result.timings)
        while len(self._results) > MAX_RESULTS:
            self._results.popitem(last=False)
        with self._lock:
            self._unfinished -= 1

    def _summary(self, sequence: Sequence, reason: FinishReason, error: str | None) -> Result:
        signals = Signals.of(sequence.logprobs, sequence.match_lengths)
        return Result(
            text="".join(sequence.text),
            tokens=tuple(int(token) for token in sequence.generated[: sequence.emitted]),
            logprobs=tuple(sequence.logprobs) if sequence.request.sampling.logprobs else (),
            confidences=tuple(sequence.confidences),
            confidence=self.mixture.confidence(signals),
            finish_reason=reason,
            usage=Usage(
                prompt=len(sequence.request.prompt),
                reused=sequence.tokens_reused,
                computed=sequence.tokens_computed,
                generated=sequence.emitted,
                drafted=sequence.tokens_drafted,
                accepted=sequence.tokens_accepted,
            ),
            timings=_timings(sequence, self._clock()),
            error=error,
        )


def _chunk(share: Share) -> Chunk:
    sequence = share.sequence
    assert sequence.table is not None
    start, end = sequence.computed, sequence.computed + share.count
    wanted = 1 + share.drafted if share.is_complete else 0
    return Chunk(
        blocks=np.array(sequence.table.blocks, np.int32),
        tokens=sequence.tokens[start:end],
        past=start,
        num_logits=wanted,
    )


def _timings(sequence: Sequence, now: float) -> Timings:
    admitted = now if sequence.admitted_at is None else sequence.admitted_at
    first = now if sequence.first_token_at is None else sequence.first_token_at
    milliseconds = 1000.0
    return Timings(
        waiting=(admitted - sequence.added_at) * milliseconds,
        prefill=(first - admitted) * milliseconds,
        decode=(now - first) * milliseconds,
    )
