"""Runs a bundle's graph in ONNX Runtime: tokens in, logits out, keys and values kept in slots.

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

from runtime.errors import EngineClosed, EngineError, ModelLoadError
from runtime.ops import cancel_flag, import_onnxruntime, library_path

if TYPE_CHECKING:
    from runtime.bundle import Bundle
    from runtime.config import EngineConfig, ModelConfig

MAX_DEFAULT_THREADS = 4


class Cancelled(Exception):
    """A run was stopped by `cancel`; what its unfinished chunk would have stored is undefined."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One sequence's share of a step.

    `tokens` int64 [T] are new, in `slot`, after the `past` tokens there that stay valid: a smaller
    past than last time rewinds. Logits of the last `num_logits` of them are wanted, none while
    prefilling.
    """

    slot: int
    tokens: NDArray[np.int64]
    past: int
    num_logits: int


class ModelRunner(Protocol):
    """The seam at the very bottom of the engine."""

    vocab_size: int
    max_context: int
    num_slots: int

    def run(self, chunks: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Compute the chunks in order; return float32 [num_logits, vocab_size] for each.

        Raises Cancelled, ValueError for a chunk that cannot be, EngineError where the model fails.
        Chunks before the one that was interrupted are stored whole.
        """
        ...

    def cancel(self) -> None:
        """From any thread: let a `run` that is under way raise Cancelled soon; else do nothing."""
        ...

    def close(self) -> None:
        """Give back the model's memory. A later `run` raises EngineClosed."""
        ...


class OrtModelRunner:
    """A model in an ONNX Runtime session on the CPU. One thread runs it; any may cancel.

    Weights stay in the memory-mapped file. Each slot has, for each layer, one buffer of the whole
    context for keys and one for values, bound as input and output alike: new positions are written
    in place and a rewind costs nothing. The system gives memory to a buffer as it fills.
    """

    def __init__(
        self, session: Any, ort: Any, config: ModelConfig, context: int, slots: int
    ) -> None:
        """Use `load`. `session` is an InferenceSession, `ort` the onnxruntime module."""
        self.vocab_size = config.vocab_size
        self.max_context = context
        self.num_slots = slots
        self._session = session
        self._flag = cancel_flag()
        self._handle = np.array([self._flag.handle], dtype=np.int64)
        self._options = ort.RunOptions()
        self._bindings = [_bind_slot(session, ort, config, context) for _ in range(slots)]
        self._filled = [0] * slots
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
            return cls(session, ort, bundle.config, bundle.context, config.num_slots)
        except ModelLoadError:
            raise
        except Exception as error:  # The classes of ONNX Runtime's errors have no public base.
            raise ModelLoadError(f"ONNX Runtime cannot load {path}: {_one_line(error)}") from error

    def run(self, chunks: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Compute the chunks in order; see `ModelRunner.run`."""
        if self._session is None:
            raise EngineClosed("the model was closed")
        with self._lock:
            self._is_running = True
        try:
            filled = list(self._filled)
            for chunk in chunks:
                self._check(chunk, filled)
                filled[chunk.slot] = chunk.past + len(chunk.tokens)
            return [self._run_chunk(chunk) for chunk in chunks]
        finally:
            with self._lock:
                self._is_running = self._is_cancelled = self._options.terminate = False
                self._flag.clear()

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
            self._bindings = []
            self._flag.close()

    def _check(self, chunk: Chunk, filled: Sequence[int]) -> None:
        tokens, past = chunk.tokens, chunk.past
        if not 0 <= chunk.slot < self.num_slots:
            raise ValueError(f"slot {chunk.slot} does not exist: there are {self.num_slots}")
        if tokens.ndim != 1 or tokens.dtype != np.int64 or not len(tokens):
            raise ValueError("tokens must be a vector of int64 that is not empty")
        if tokens.min() < 0 or tokens.max() >= self.vocab_size:
            raise ValueError(f"a token is outside of 0..{self.vocab_size - 1}")
        if not 0 <= past <= filled[chunk.slot]:
            held = filled[chunk.slot]
            raise ValueError(f"past is {past}, but slot {chunk.slot} holds {held} tokens")
        if past + len(tokens) > self.max_context:
            raise ValueError(
                f"{past} + {len(tokens)} tokens do not fit the context of {self.max_context}"
            )
        if not 0 <= chunk.num_logits <= len(tokens):
            raise ValueError(f"num_logits must be from 0 to {len(tokens)}, not {chunk.num_logits}")

    def _run_chunk(self, chunk: Chunk) -> NDArray[np.float32]:
        new, end = len(chunk.tokens), chunk.past + len(chunk.tokens)
        inputs = {
            "input_ids": np.ascontiguousarray(chunk.tokens)[None, :],
            "logits_from": np.array([new - chunk.num_logits], dtype=np.int64),
            "seqlens_k": np.array([end - 1], dtype=np.int32),
            "total_sequence_length": np.array([end], dtype=np.int32),
            "cancel": self._handle,
        }
        binding = self._bindings[chunk.slot]
        for name, value in inputs.items():
            binding.bind_cpu_input(name, value)
        binding.bind_output("logits")  # Anew each time, because its shape changes.
        self._filled[chunk.slot] = chunk.past
        try:
            if self._is_cancelled:
                raise Cancelled
            self._session.run_with_iobinding(binding, self._options)
        except Cancelled:
            raise
        except Exception as error:  # As in `load`.
            if self._is_cancelled:
                raise Cancelled from None
            raise EngineError(f"the model failed: {_one_line(error)}") from error
        self._filled[chunk.slot] = end
        logits: NDArray[np.float32] = binding.get_outputs()[-1].numpy()[0]
        return logits


def _bind_slot(session: Any, ort: Any, config: ModelConfig, context: int) -> Any:
    """Return a binding with a slot's buffers as past and present; `logits` is its last output."""
    binding = session.io_binding()
    shape = [1, config.num_key_value_heads, context, config.head_dim]
    for layer in range(config.num_hidden_layers):
        for kind in ("key", "value"):
            buffer = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, "cpu", 0)
            binding.bind_ortvalue_input(f"past.{layer}.{kind}", buffer)
            binding.bind_ortvalue_output(f"present.{layer}.{kind}", buffer)
    binding.bind_output("logits")
    return binding


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
