"""A model runner without a model: its logits spell given texts, or are noise that context decides.

It keeps what each KV block holds, and the prefix that it was computed after, and refuses to go on
from anything else: an engine that reuses a wrong block, or more of it than is valid, is found out.
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

    `before_token` is called before each token that is computed, with the number of tokens before
    it in the sequence; it may call `cancel`, raise, or wait.
    """

    def __init__(
        self,
        logits: LogitsFunction,
        *,
        num_blocks: int | None = None,
        block_size: int = 4,
        max_context: int = 4096,
        vocab_size: int = VOCAB_SIZE,
        before_token: Callable[[Chunk, int], None] | None = None,
    ) -> None:
        self.vocab_size = vocab_size
        self.num_blocks = num_blocks or max(64, 2 * -(-max_context // block_size))
        self.block_size = block_size
        self.step_costs = (1.0,)
        self.max_context = min(max_context, self.num_blocks * block_size)
        self.runs: list[list[Chunk]] = []
        self.num_interrupted = 0
        self.is_closed = False
        self._logits = logits
        self._before_token = before_token
        # At each position the digest of all tokens up to it; 0 where nothing is stored.
        self._pool = np.zeros((self.num_blocks, block_size), np.int64)
        self._is_cancelled = False
        self._contexts: dict[int, tuple[int, ...]] = {0: ()}

    def run(self, chunks: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        assert not self.is_closed
        self._is_cancelled = False
        self.runs.append(list(chunks))
        written: set[int] = set()
        for chunk in chunks:
            own = set(self._written(chunk))
            assert not own & written, "two chunks write to one block"
            written |= own
            self._forget(chunk)
        return [self._run_one(chunk) for chunk in chunks]

    def copy_block(self, source: int, target: int) -> None:
        self._pool[target] = self._pool[source]

    def read_block(self, index: int) -> bytes:
        return self._pool[index].tobytes()

    def write_block(self, index: int, content: bytes) -> None:
        self._pool[index] = np.frombuffer(content, np.int64)

    def cancel(self) -> None:
        self._is_cancelled = True

    def close(self) -> None:
        self.is_closed = True

    def _written(self, chunk: Chunk) -> list[int]:
        first, end = chunk.past // self.block_size, chunk.past + len(chunk.tokens)
        return [int(index) for index in chunk.blocks[first : -(-end // self.block_size)]]

    def _forget(self, chunk: Chunk) -> None:
        """Until the run is complete nothing beyond `past` may be relied on."""
        for position in range(chunk.past, len(chunk.blocks) * self.block_size):
            block = chunk.blocks[position // self.block_size]
            self._pool[block, position % self.block_size] = 0

    def _run_one(self, chunk: Chunk) -> NDArray[np.float32]:
        assert len(chunk.tokens) > 0, "an empty chunk"
        assert chunk.past + len(chunk.tokens) <= self.max_context, "the context overflows"
        assert chunk.past + len(chunk.tokens) <= len(chunk.blocks) * self.block_size, "no room"
        held = self._pool[chunk.blocks].reshape(-1)
        last = int(held[chunk.past - 1]) if chunk.past else 0
        assert last or not chunk.past, "the engine believes in keys and values that are not there"
        context = list(self._contexts[last])
        assert len(context) == chunk.past, "a block was computed after another prefix"
        for length in range(1, chunk.past + 1):
            assert self._contexts[int(held[length - 1])] == tuple(context[:length])
        rows, digests = [], []
        for index, token in enumerate(chunk.tokens.tolist()):
            if self._before_token is not None:
                self._before_token(chunk, len(context))
            if self._is_cancelled:
                self.num_interrupted += 1
                raise Cancelled
            context.append(token)
            digests.append(self._digest(context))
            if index >= len(chunk.tokens) - chunk.num_logits:
                rows.append(self._logits(context))
        for position, digest in enumerate(digests, chunk.past):
            block = chunk.blocks[position // self.block_size]
            self._pool[block, position % self.block_size] = digest
        return np.array(rows, np.float32).reshape(chunk.num_logits, self.vocab_size)

    def _digest(self, context: list[int]) -> int:
        digest = zlib.crc32(np.array(context, np.int64).tobytes()) + 1
        known = self._contexts.setdefault(digest, tuple(context))
        assert known == tuple(context), "two contexts with one digest: choose another test"
        return digest
