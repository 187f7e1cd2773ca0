"""What goes into the engine and what comes out: request, sequence, output, result."""

from __future__ import annotations

from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from runtime.block_manager import BlockTable
from runtime.config import Priority, SamplingParams
from runtime.stop_strings import StopStrings

if TYPE_CHECKING:
    from runtime.matcher import Matcher
    from runtime.tokenizer import IncrementalDecoder

FinishReason = Literal["stop", "length", "cancelled", "error"]
TokenIds = AnySequence[int] | NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class MemoryScope:
    """What the repository memory may use for one request.

    `key` names the open document, whose stored copy is left out because its live text is here:
    all its tokens `before` the cursor (not only those that fit the prompt) and `after` it.
    `store` names the memory to ask, where there are several.
    """

    key: str | None
    before: TokenIds
    after: TokenIds = ()
    store: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to continue. Without a `scope` the repository memory is not asked.

    Clients, told apart by any name, take turns when there is more to do than can run at once.
    `expected` tokens are checked several at a time: they make the answer faster where it begins
    with them, and change nothing about it.
    """

    prompt: tuple[int, ...]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    priority: Priority = Priority.TYPING
    scope: MemoryScope | None = None
    client: str = ""
    expected: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What one step produced for one sequence.

    `text` holds whole characters only, and never a part of a stop string. `logprob` (natural
    logarithm) and `confidence` belong to `token_id`; both are 0 when there is none. `so_far` is
    what the result's confidence would be without this token, told where the token ends a line.
    """

    sequence_id: int
    token_id: int | None = None
    text: str = ""
    logprob: float = 0.0
    confidence: float = 0.0
    so_far: float | None = None
    finish_reason: FinishReason | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts: `reused` were found in KV blocks, `computed` went through the model.

    `drafted` tokens were checked ahead, of which `accepted` were right.
    A sequence that lost its blocks to a more urgent one is computed again, so `reused + computed`
    can exceed `prompt + generated`.
    """

    prompt: int
    reused: int
    computed: int
    generated: int
    drafted: int = 0
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds until the sequence was admitted, until its first token, and until its end."""

    waiting: float
    prefill: float
    decode: float


@dataclass(frozen=True, slots=True)
class Result:
    """A finished sequence.

    `tokens` are all that were chosen, so the stop id or the token that completed a stop string is
    the last of them although `text` ends before it. `confidences` belong to `tokens`, as do
    `logprobs`, which are empty unless the sampling parameters ask for them. `confidence` is the
    calibrated probability that the whole text is what was wanted.
    """

    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    confidences: tuple[float, ...]
    confidence: float
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    error: str | None = None


class Status(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(slots=True, eq=False)
class Sequence:
    """A request on its way through the engine; only the engine's thread touches it.

    `tokens[:length]` is the prompt and what was generated, of which the keys and values of the
    first `computed` are in the blocks of `table`.
    """

    sequence_id: int
    request: Request
    tokens: NDArray[np.int64]
    length: int
    max_length: int
    decoder: IncrementalDecoder
    stop_strings: StopStrings
    added_at: float
    status: Status = Status.WAITING
    table: BlockTable | None = None
    computed: int = 0
    matcher: Matcher | None = None
    # Bytes with which the text must still go on.
    forced: bytes = b""
    text: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    match_lengths: list[int] = field(default_factory=list)
    tokens_reused: int = 0
    tokens_computed: int = 0
    tokens_drafted: int = 0
    tokens_accepted: int = 0
    # How many generated tokens have become text.
    emitted: int = 0
    expected: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    admitted_at: float | None = None
    first_token_at: float | None = None

    @property
    def priority(self) -> Priority:
        return self.request.priority

    @property
    def remaining(self) -> int:
        """How many tokens must be computed before the next one can be chosen."""
        return self.length - self.computed

    @property
    def generated(self) -> NDArray[np.int64]:
        return self.tokens[len(self.request.prompt) : self.length]

    @property
    def next_token(self) -> int:
        """What stands behind the last token: the first of a draft, if there is one."""
        return int(self.tokens[self.length])

    def append(self, token: int) -> None:
        self.tokens[self.length] = token
        self.length += 1
