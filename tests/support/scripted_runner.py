"""A model runner without a model: its logits spell given texts, or are noise that context decides.

It keeps what each KV slot holds and computes its logits from that alone, so an engine that reuses
the wrong slot, or more of it than is valid, gets wrong tokens out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.model_runner import Cancelled, Chunk
from tests.support.byte_tokenizer import END, ByteTokenizer

LogitsFunction = Callable[[Sequence[int]], NDArray[np.float32]]
VOCAB_SIZE = ByteTokenizer.vocab_size
MARGIN = 12.0


def spelling(texts: Mapping[str, str]) -> LogitsFunction:
    """Continue each prompt with its text, then end; anything unknown ends at once."""
    scripts = [[*(prompt + text).encode(), END] for prompt, text in texts.items()]

    def logits(context: Sequence[int]) -> NDArray[np.float32]:
        known = list(context)
        row = np.zeros(VOCAB_SIZE, np.float32)
        matching = [s for s in scripts if len(known) < len(s) and s[: len(known)] == known]
        row[matching[0][len(known)] if matching else END] = MARGIN
        return row

    return logits


def noise(seed: int = 0, scale: float = 2.0, vocab_size: int = VOCAB_SIZE) -> LogitsFunction:
    """Random logits that depend on every token of the context, and never on how it was computed."""

    def logits(context: Sequence[int]) -> NDArray[np.float32]:
        digest = zlib.crc32(np.array(context, np.int64).tobytes(), seed)
        rng = np.random.default_rng(digest)
        return (scale * rng.standard_normal(vocab_size)).astype(np.float32)

    return logits


class ScriptedRunner:
    """Implements `ModelRunner`.

    `before_token` is called before each token that is computed, with the number of tokens in the
    slot; it may call `cancel`, raise, or wait.
    """

    def __init__(
        self,
        logits: LogitsFunction,
        *,
        num_slots: int = 2,
        max_context: int = 4096,
        vocab_size: int = VOCAB_SIZE,
        before_token: Callable[[Chunk, int], None] | None = None,
    ) -> None:
        self.vocab_size = vocab_size
        self.max_context = max_context
        self.num_slots = num_slots
        self.runs: list[list[Chunk]] = []
        self.num_interrupted = 0
        self.is_closed = False
        self._logits = logits
        self._before_token = before_token
        self._slots: list[list[int]] = [[] for _ in range(num_slots)]
        self._is_cancelled = False

    def run(self, chunks: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        assert not self.is_closed
        assert len({chunk.slot for chunk in chunks}) == len(chunks), "two chunks for one slot"
        self._is_cancelled = False
        self.runs.append(list(chunks))
        return [self._run_one(chunk) for chunk in chunks]

    def cancel(self) -> None:
        self._is_cancelled = True

    def close(self) -> None:
        self.is_closed = True

    def _run_one(self, chunk: Chunk) -> NDArray[np.float32]:
        slot = self._slots[chunk.slot]
        assert len(chunk.tokens) > 0, "an empty chunk"
        assert chunk.past <= len(slot), "the engine believes in keys and values that are not there"
        assert chunk.past + len(chunk.tokens) <= self.max_context, "the context overflows"
        # Until the run is complete nothing beyond `past` may be relied on.
        del slot[chunk.past :]
        grown, rows = list(slot), []
        for index, token in enumerate(chunk.tokens.tolist()):
            if self._before_token is not None:
                self._before_token(chunk, len(grown))
            if self._is_cancelled:
                self.num_interrupted += 1
                raise Cancelled
            grown.append(token)
            if index >= len(chunk.tokens) - chunk.num_logits:
                rows.append(self._logits(grown))
        self._slots[chunk.slot] = grown
        return np.array(rows, np.float32).reshape(chunk.num_logits, self.vocab_size)
