"""Makes small bundles for tests: real tokenizer, real manifest, a graph that does nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

from runtime.bundle import FORMAT_VERSION
from tests.support.tiny_tokenizer import tokenizer_definition

CONFIG = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}


def graph(location: str = "weights.bin") -> bytes:
    """A serialized model with one tensor in the external file `location`."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    made = helper.make_graph([node], "tiny", [x], [y], [tensor])
    return helper.make_model(
        made, ir_version=10, opset_imports=[helper.make_opsetid("", 21)]
    ).SerializeToString()


def record(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def write_bundle(path: Path, model: bytes | None = None, **changes: Any) -> Path:
    """Write a valid bundle into the new directory `path`, with some manifest entries changed."""
    contents = {
        "model.onnx": graph() if model is None else model,
        "weights.bin": bytes(16),
        "tokenizer.json": json.dumps(tokenizer_definition()).encode(),
    }
    path.mkdir(parents=True)
    for name, content in contents.items():
        (path / name).write_bytes(content)
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": "tiny",
        "created_by": "a test",
        "licence": "Apache-2.0",
        "files": {name: record(content) for name, content in contents.items()},
        "config": CONFIG,
        "context": 64,
        "quantization": {"experts": {"bits": 4, "block_size": 32}},
        "prompt_format": {
            "layout": "fim",
            "tokens": {
                "file_sep": "<|file_sep|>",
                "fim_prefix": "<|fim_prefix|>",
                "fim_suffix": "<|fim_suffix|>",
                "fim_middle": "<|fim_middle|>",
            },
            "stop": ["<|endoftext|>"],
        },
        "sampling": {"max_tokens": 32, "temperature": 0.5},
        "operators": {"ExpertDispatch": 1},
    }
    (path / "bundle.json").write_text(json.dumps({**manifest, **changes}))
    return path
