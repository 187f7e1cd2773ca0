"""What an engine says of itself: counts and sums, never a text."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.sequence import FinishReason, Timings, Usage


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all sequences that have ended: how many, their tokens, and their milliseconds."""

    finished: int = 0
    cancelled: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    computed_tokens: int = 0
    generated_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    waiting_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0

    def plus(self, reason: FinishReason, usage: Usage, timings: Timings) -> Totals:
        return Totals(
            self.finished + (reason in ("stop", "length")),
            self.cancelled + (reason == "cancelled"),
            self.failed + (reason == "error"),
            self.prompt_tokens + usage.prompt,
            self.reused_tokens + usage.reused,
            self.computed_tokens + usage.computed,
            self.generated_tokens + usage.generated,
            self.drafted_tokens + usage.drafted,
            self.accepted_tokens + usage.accepted,
            self.waiting_ms + timings.waiting,
            self.prefill_ms + timings.prefill,
            self.decode_ms + timings.decode,
        )


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Counts for a person who asks how the engine is doing."""

    running: int
    waiting: int
    num_blocks: int
    used_blocks: int
    held_blocks: int  # with keys and values that may be reused, in use or not
    memory_documents: int
    memory_tokens: int
    totals: Totals = field(default_factory=Totals)
    error: str | None = None
