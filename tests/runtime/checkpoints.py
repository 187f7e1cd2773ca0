"""Writes checkpoints for tests: valid ones, and ones with a single thing wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.architectures import read_config
from runtime.export.tensors import tensor_shapes
from tests.support.tiny_tokenizer import tokenizer_definition

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "vocab_size": 270,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "num_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}


def weights(config: dict[str, Any] | None = None) -> dict[str, NDArray[np.float32]]:
    """Random tensors for a config."""
    rng = np.random.default_rng(0)
    shapes = tensor_shapes(read_config(config or CONFIG))
    return {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


def safetensors(tensors: dict[str, NDArray[Any]], **changes: Any) -> bytes:
    """The bytes of a safetensors file; `changes` replace header entries."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    names = {
        **{"float32": "F32", "float16": "F16", "uint16": "BF16", "int64": "I64", "int32": "I32"},
        "float8_e4m3fn": "F8_E4M3",
    }
    for name, array in tensors.items():
        place = [len(data), len(data) + array.nbytes]
        kind = names[array.dtype.name]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        data += array.tobytes()
    text = json.dumps({**header, **changes}).encode()
    return len(text).to_bytes(8, "little") + text + data


def write_checkpoint(
    path: Path,
    config: dict[str, Any] | None = None,
    tensors: dict[str, NDArray[Any]] | None = None,
) -> Path:
    """Write a checkpoint into the new directory `path`."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config or CONFIG))
    content = safetensors(weights() if tensors is None else tensors)
    (path / "model.safetensors").write_bytes(content)
    (path / "tokenizer.json").write_text(json.dumps(tokenizer_definition()))
    return path
