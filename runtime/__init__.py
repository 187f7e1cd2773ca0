"""Local inference: tokens in, tokens out. Knows nothing of code, files of the user, or editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.async_engine import AsyncEngine, InlineEngine
from runtime.config import EngineConfig, Priority, SamplingParams
from runtime.driver import EngineDriver, Generation
from runtime.engine import Engine
from runtime.errors import (
    BundleError,
    EngineBusy,
    EngineClosed,
    EngineError,
    ModelLoadError,
    OperatorError,
    PromptTooLong,
    RemoteError,
)
from runtime.memory import MemoryLimits, RepositoryMemory
from runtime.mixture import MixtureTable
from runtime.sequence import MemoryScope, Output, Request, Result, Timings, Usage
from runtime.status import EngineStatus

if TYPE_CHECKING:
    from runtime.bundle import Bundle

__all__ = [
    "AsyncEngine",
    "BundleError",
    "Engine",
    "EngineBusy",
    "EngineClosed",
    "EngineConfig",
    "EngineDriver",
    "EngineError",
    "EngineStatus",
    "Generation",
    "InlineEngine",
    "MemoryLimits",
    "MemoryScope",
    "MixtureTable",
    "ModelLoadError",
    "OperatorError",
    "Output",
    "Priority",
    "PromptTooLong",
    "RemoteError",
    "RepositoryMemory",
    "Request",
    "Result",
    "SamplingParams",
    "Timings",
    "Usage",
    "build_engine",
    "load_engine",
]


def build_engine(bundle: Bundle, config: EngineConfig) -> Engine:
    """Load the model of a bundle. Raises ModelLoadError.

    Takes as long as the model takes to load, so an event loop calls it in a thread.
    """
    # Imported here, because ONNX Runtime and the tokenizer's library are slow to import.
    from runtime.model_runner import OrtModelRunner
    from runtime.prompt_format import PromptFormat
    from runtime.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(bundle.tokenizer_path)
    prompt_format = PromptFormat.from_manifest(bundle.prompt_format, tokenizer)
    mixture = MixtureTable.from_manifest(bundle.memory)
    runner = OrtModelRunner.load(bundle, config)
    vocab_size = min(runner.vocab_size, tokenizer.vocab_size)
    memory = RepositoryMemory(vocab_size) if config.use_memory else None
    return Engine(runner, tokenizer, config, memory, mixture, prompt_format.stop_ids)


def load_engine(bundle: Bundle, config: EngineConfig) -> AsyncEngine:
    """Load the model of a bundle and start its thread. Raises ModelLoadError."""
    return AsyncEngine(build_engine(bundle, config))
