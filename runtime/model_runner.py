"""Runs a bundle's graph in ONNX Runtime: tokens in, logits out, keys and values kept in blocks.

Only this file and the operators know ONNX Runtime, which is imported when a model is loaded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.drafter import prior_costs
from runtime.errors import EngineClosed, EngineError, ModelLoadError
from runtime.ops import cancel_flag, import_onnxruntime, library_path
from runtime.ops.paged_attention import BLOCK, block_bytes

if TYPE_CHECKING:
    from runtime.bundle import Bundle
    from runtime.config import EngineConfig, ModelConfig

MAX_DEFAULT_THREADS = 4


class Cancelled(Exception):
    """A run was stopped by `cancel`; what its chunks would have stored is undefined."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One sequence's share of a step.

    `tokens` int64 [T] are new, after the `past` positions that `blocks` int32, the sequence's
    blocks of the pool in order, hold already: a smaller past than last time rewinds. Logits of the
    last `num_logits` tokens are wanted, none while prefilling.
    """

    blocks: NDArray[np.int32]
    tokens: NDArray[np.int64]
    past: int
    num_logits: int


class ModelRunner(Protocol):
    """The seam at the very bottom of the engine."""

    vocab_size: int
    max_context: int
    num_blocks: int
    block_size: int
    # What a step of 1, 2, ... tokens costs, relative to one, as far as the model's shape tells.
    step_costs: tuple[float, ...]

    def run(self, chunks: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Compute the chunks together; return float32 [num_logits, vocab_size] for each.

        No two chunks may write to one block. Raises Cancelled, ValueError for a chunk that cannot
        be, EngineError where the model fails; then positions beyond each `past` are undefined.
        """
        ...

    def copy_block(self, source: int, target: int) -> None:
        """Let a block of the pool hold what another one holds."""
        ...

    def read_block(self, index: int) -> bytes:
        """Return what a block holds, of all layers."""
        ...

    def write_block(self, index: int, content: bytes) -> None:
        """Let a block hold what `read_block` returned. ValueError for another number of bytes."""
        ...

    def cancel(self) -> None:
        """From any thread: let a `run` that is under way raise Cancelled soon; else do nothing."""
        ...

    def close(self) -> None:
        """Give back the model's memory. A later `run` raises EngineClosed."""
        ...


class OrtModelRunner:
    """A model in an ONNX Runtime session on the CPU. One thread runs it; any may cancel.

    Weights stay in the memory-mapped file. Each layer has one pool of blocks for keys and values,
    bound as input and output alike: new positions are written in place and a rewind costs nothing.
    The system gives memory to a pool as it fills. All chunks of a run go through the graph
    together, so that each expert's weights are read once for all of them.
    """

    def __init__(self, session: Any, ort: Any, bundle: Bundle, config: EngineConfig) -> None:
        """Use `load`. `session` is an InferenceSession, `ort` the onnxruntime module."""
        self.vocab_size = bundle.config.vocab_size
        self.block_size = BLOCK
        self.step_costs = prior_costs(bundle.config, 1 + config.max_draft)
        self.num_blocks, self.max_context = pool_size(bundle, config)
        self._session = session
        self._flag = cancel_flag()
        self._handle = np.array([self._flag.handle], dtype=np.int64)
        self._options = ort.RunOptions()
        # What fails is raised, and a cancel is no failure: nothing is written beside that.
        self._options.log_severity_level = 4
        self._binding = session.io_binding()
        shape = [self.num_blocks, block_bytes_of(bundle.config, config.kv_bits)]
        self._pools = [
            ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, "cpu", 0)
            for _ in range(bundle.config.num_hidden_layers)
        ]
        for layer, pool in enumerate(self._pools):
            self._binding.bind_ortvalue_input(f"cache.{layer}", pool)
            self._binding.bind_ortvalue_output(f"cache_out.{layer}", pool)
        self._binding.bind_output("logits")
        self._lock = threading.Lock()  # Guards the two fields below and what they stand for.
        self._is_running = False
        self._is_cancelled = False

    @classmethod
    def load(cls, bundle: Bundle, config: EngineConfig) -> OrtModelRunner:
        """Load a checked bundle.

        Raises OperatorError without our operators, ModelLoadError where ONNX Runtime refuses.
        """
        ort = import_onnxruntime()

        options = ort.SessionOptions()
        options.intra_op_num_threads = config.threads or min(
            MAX_DEFAULT_THREADS, os.cpu_count() or 1
        )
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # Errors only: its warnings are about optimizations.
        # Spinning threads take the cores from the editor between two keystrokes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Shapes change with every run, so patterns of memory would be kept for nothing.
        options.enable_mem_pattern = False
        path = str(bundle.model_path)
        try:
            options.register_custom_ops_library(str(library_path()))
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            return cls(session, ort, bundle, config)
        except ModelLoadError:
            raise
        except Exception as error:  # The classes of ONNX Runtime's errors have no public base.
            raise ModelLoadError(f"ONNX Runtime cannot load {path}: {_one_line(error)}") from error

    def run(self, chunks: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Compute the chunks together; see `ModelRunner.run`."""
        if self._session is None:
            raise EngineClosed("the model was closed")
        with self._lock:
            self._is_running = True
        try:
            self._check(chunks)
            for name, value in _inputs(chunks).items():
                self._binding.bind_cpu_input(name, value)
            self._binding.bind_cpu_input("cancel", self._handle)
            self._binding.bind_output("logits")  # Anew each time, because its shape changes.
            logits = self._run_graph()
        finally:
            with self._lock:
                self._is_running = self._is_cancelled = self._options.terminate = False
                self._flag.clear()
        ends = np.cumsum([chunk.num_logits for chunk in chunks])
        return np.split(logits, ends[:-1])

    def _run_graph(self) -> NDArray[np.float32]:
        """The logits [positions, vocab_size] of what is bound."""
        try:
            if self._is_cancelled:
                raise Cancelled
            self._session.run_with_iobinding(self._binding, self._options)
        except Cancelled:
            raise
        except Exception as error:  # As in `load`.
            if self._is_cancelled:
                raise Cancelled from None
            raise EngineError(f"the model failed: {_one_line(error)}") from error
        logits: NDArray[np.float32] = self._binding.get_outputs()[-1].numpy()[0]
        return logits

    def copy_block(self, source: int, target: int) -> None:
        """Let a block of the pool hold what another one holds, in all layers."""
        for index in (source, target):
            self._check_block(index)
        for pool in self._pools:
            view = pool.numpy()
            view[target] = view[source]

    def read_block(self, index: int) -> bytes:
        """Return what a block holds, of all layers."""
        self._check_block(index)
        return b"".join(pool.numpy()[index].tobytes() for pool in self._pools)

    def write_block(self, index: int, content: bytes) -> None:
        """Let a block hold what `read_block` returned."""
        self._check_block(index)
        rows = [pool.numpy()[index] for pool in self._pools]
        if len(content) != sum(row.nbytes for row in rows):
            raise ValueError(f"a block has {sum(row.nbytes for row in rows)} bytes")
        parts = np.frombuffer(content, np.uint8).reshape(len(rows), -1)
        for row, part in zip(rows, parts, strict=True):
            row[:] = part

    def cancel(self) -> None:
        """Stop a run that is under way, between two nodes or two expert tasks; from any thread."""
        with self._lock:
            if self._is_running:
                self._is_cancelled = self._options.terminate = True
                self._flag.set()

    def close(self) -> None:
        """Give back the memory. Not while `run` is under way."""
        if self._session is not None:
            self._session = None
            self._binding = None
            self._pools = []
            self._flag.close()

    def _check(self, chunks: Sequence[Chunk]) -> None:
        written: set[int] = set()
        for chunk in chunks:
            self._check_chunk(chunk)
            size, end = self.block_size, chunk.past + len(chunk.tokens)
            own = set(chunk.blocks[chunk.past // size : -(-end // size)].tolist())
            if own & written:
                raise ValueError(f"two chunks write to block {min(own & written)}")
            written |= own

    def _check_chunk(self, chunk: Chunk) -> None:
        tokens, past = chunk.tokens, chunk.past
        if tokens.ndim != 1 or tokens.dtype != np.int64 or not len(tokens):
            raise ValueError("tokens must be a vector of int64 that is not empty")
        if tokens.min() < 0 or tokens.max() >= self.vocab_size:
            raise ValueError(f"a token is outside of 0..{self.vocab_size - 1}")
        if past < 0:
            raise ValueError(f"past is {past}, but must not be negative")
        if past + len(tokens) > self.max_context:
            raise ValueError(
                f"{past} + {len(tokens)} tokens do not fit the context of {self.max_context}"
            )
        room = len(chunk.blocks) * self.block_size
        if past + len(tokens) > room:
            raise ValueError(f"{past} + {len(tokens)} tokens do not fit blocks for {room}")
        if not 0 <= chunk.num_logits <= len(tokens):
            raise ValueError(f"num_logits must be from 0 to {len(tokens)}, not {chunk.num_logits}")
        for index in (chunk.blocks.min(), chunk.blocks.max()):
            self._check_block(int(index))

    def _check_block(self, index: int) -> None:
        if not 0 <= index < self.num_blocks:
            raise ValueError(f"block {index} does not exist: there are {self.num_blocks}")


def block_bytes_of(config: ModelConfig, kv_bits: int) -> int:
    """Bytes of one block in one layer."""
    return block_bytes(config.num_key_value_heads, config.head_dim, kv_bits)


def pool_size(bundle: Bundle, config: EngineConfig) -> tuple[int, int]:
    """How many blocks fit the budget, and how many tokens a sequence can have with them.

    Raises ModelLoadError when that is less than one block.
    """
    layers = bundle.config.num_hidden_layers
    each = layers * block_bytes_of(bundle.config, config.kv_bits)
    count = min(config.kv_bytes // each, np.iinfo(np.int32).max)
    if count < 1:
        raise ModelLoadError(
            f"{config.kv_bytes} bytes for keys and values hold not even one block of {BLOCK} "
            f"tokens, which takes {each}: raise kv_bytes"
        )
    return count, min(bundle.context, count * BLOCK)


def _inputs(chunks: Sequence[Chunk]) -> dict[str, NDArray[Any]]:
    """The graph's inputs for some chunks, one after the other."""
    counts = [len(chunk.tokens) for chunk in chunks]
    starts = np.cumsum([0, *counts])
    tables = np.full((len(chunks), max(len(chunk.blocks) for chunk in chunks)), -1, np.int32)
    for row, chunk in zip(tables, chunks, strict=True):
        row[: len(chunk.blocks)] = chunk.blocks
    wanted = [
        np.arange(end - chunk.num_logits, end)
        for chunk, end in zip(chunks, starts[1:], strict=True)
    ]
    return {
        "input_ids": np.concatenate([chunk.tokens for chunk in chunks])[None, :],
        "logits_at": np.concatenate(wanted).astype(np.int64),
        "block_table": tables,
        "starts": starts.astype(np.int32),
        "past": np.array([chunk.past for chunk in chunks], np.int32),
    }


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
