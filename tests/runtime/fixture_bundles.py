"""Bundles of the checkpoints in tests/fixtures, exported once a test run, and their references."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.config import EngineConfig
from runtime.export.decoder import Schemes
from runtime.export.linear import Scheme
from runtime.export.write import Options, export_bundle
from runtime.model_runner import Chunk, OrtModelRunner
from runtime.ops.paged_attention import BLOCK
from tests.fixtures.models import MODELS, VARIATIONS

CHECKPOINTS = Path(__file__).parent.parent / "fixtures" / "checkpoints"
CONTEXT = 128
NAMES = tuple(MODELS)
_BITS = {"int4": 4, "int8": 8, "fp32": 32}


@cache
def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes away with the process."""
    return tempfile.TemporaryDirectory(prefix="sopilka-bundles-")


def schemes(experts: str, projections: str, embedding: str, block: int = 32) -> Schemes:
    kinds = (experts, projections, embedding)
    return Schemes(*(Scheme(_BITS[kind], block) for kind in kinds))


@cache
def bundle_of(name: str, experts: str, dense: str, block: int = 32, **config: Any) -> Bundle:
    """The bundle of a checkpoint or variation; `config` entries replace those of config.json."""
    folder = Path(tempfile.mkdtemp(dir=scratch().name))
    base, changes = VARIATIONS.get(name, (name, {}))
    source, config = CHECKPOINTS / base, {**changes, **config}
    if config:
        source = folder / "checkpoint"
        shutil.copytree(CHECKPOINTS / base, source)
        values = json.loads((source / "config.json").read_text())
        (source / "config.json").write_text(json.dumps({**values, **config}))
    embedding = "int8" if dense == "int4" else dense
    options = Options(schemes=schemes(experts, dense, embedding, block), name=name)
    return export_bundle(source, folder / "bundle", options)


def runner_of(bundle: Bundle, threads: int = 1, **config: Any) -> OrtModelRunner:
    return OrtModelRunner.load(bundle, EngineConfig(threads=threads, **config))


def chunk(place: int, tokens: NDArray[np.int64], past: int, num_logits: int) -> Chunk:
    """A chunk of a sequence whose blocks lie at a place of its own, with room for the context."""
    count = CONTEXT // BLOCK
    blocks = np.arange(place * count, (place + 1) * count, dtype=np.int32)[::-1].copy()
    return Chunk(blocks, tokens, past, num_logits)


def reference(name: str, number: int) -> tuple[NDArray[np.int64], int, NDArray[np.float32]]:
    """(prompt and greedy continuation, length of the prompt, logits of the two) by transformers.

    The logits are those of the columns that `columns` gives.
    """
    with np.load(_record(name)) as arrays:
        kinds = ("tokens", "length", "logits")
        tokens, length, logits = (arrays[f"{kind}{number}"] for kind in kinds)
    return tokens, int(length), logits


def columns(name: str) -> slice | NDArray[np.int64]:
    """Which columns of the logits the reference has."""
    with np.load(_record(name)) as arrays:
        found: NDArray[np.int64] | None = arrays.get("columns")
    return slice(None) if found is None else found


def _record(name: str) -> Path:
    base = VARIATIONS[name][0] if name in VARIATIONS else name
    return CHECKPOINTS / base / f"{name if name in VARIATIONS else 'reference'}.npz"
