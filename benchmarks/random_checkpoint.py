"""Writes a GGUF file of random weights in the shape of a Qwen3-MoE model, to import it.

    python benchmarks/random_checkpoint.py MODEL.gguf --preset qwen3-30b-a3b [--layers 4]

Matrices are Q4_0, the head Q8_0, norms and routers float32, as in published files. The blocks are
random; a stretch of them is repeated, but each copy has bytes of its own in the file. Written
tensor by tensor: 30B take 17 GB of disk and little memory. The tokenizer is the default model's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import random_bundle
from runtime.bundle import TOKENIZER, default_bundle_path
from runtime.config import ModelConfig

PRESETS = {name: random_bundle.PRESETS[name] for name in ("qwen3-30b-a3b", "qwen3-480b-a35b")}
F32, Q4_0, Q8_0 = (GGMLQuantizationType[name] for name in ("F32", "Q4_0", "Q8_0"))
BLOCK_BYTES = {Q4_0: 18, Q8_0: 34}
REPEATED_BLOCKS = 1 << 18
Shape = tuple[int, ...]


def tensors_of(config: ModelConfig) -> Iterator[tuple[str, Shape, GGMLQuantizationType]]:
    """Name, shape and type of every tensor, in the order of published files."""
    hidden, inner, size = config.hidden_size, config.moe_intermediate_size, config.head_dim
    heads, kv_heads = config.num_attention_heads * size, config.num_key_value_heads * size
    yield "token_embd.weight", (config.vocab_size, hidden), Q4_0
    for layer in range(config.num_hidden_layers):
        parts: dict[str, tuple[Shape, GGMLQuantizationType]] = {
            "attn_norm": ((hidden,), F32),
            "attn_q": ((heads, hidden), Q4_0),
            "attn_k": ((kv_heads, hidden), Q4_0),
            "attn_v": ((kv_heads, hidden), Q4_0),
            "attn_q_norm": ((size,), F32),
            "attn_k_norm": ((size,), F32),
            "attn_output": ((hidden, heads), Q4_0),
            "ffn_norm": ((hidden,), F32),
            "ffn_gate_inp": ((config.num_experts, hidden), F32),
            "ffn_gate_exps": ((config.num_experts, inner, hidden), Q4_0),
            "ffn_up_exps": ((config.num_experts, inner, hidden), Q4_0),
            "ffn_down_exps": ((config.num_experts, hidden, inner), Q4_0),
        }
        for part, (shape, kind) in parts.items():
            yield f"blk.{layer}.{part}.weight", shape, kind
    yield "output_norm.weight", (hidden,), F32
    yield "output.weight", (config.vocab_size, hidden), Q8_0


def write(path: Path, config: ModelConfig) -> None:
    """Write the file."""
    writer = GGUFWriter(path, "qwen3moe")
    _write_metadata(writer, config)
    listed = list(tensors_of(config))
    for name, shape, kind in listed:
        count = int(np.prod(shape))
        size = 4 * count if kind == F32 else count // 32 * BLOCK_BYTES[kind]
        row = shape if kind == F32 else (*shape[:-1], shape[-1] // 32 * BLOCK_BYTES[kind])
        dtype = np.dtype(np.float32 if kind == F32 else np.uint8)
        writer.add_tensor_info(name, row, dtype, size, raw_dtype=None if kind == F32 else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    rng = np.random.default_rng(0)
    stretches = {kind: _blocks(rng, kind) for kind in (Q4_0, Q8_0)}
    for name, shape, kind in listed:
        if kind == F32:
            values = rng.standard_normal(shape, np.float32) * np.float32(shape[-1] ** -0.5)
            writer.write_tensor_data(np.ones(shape, np.float32) if len(shape) == 1 else values)
            continue
        size = int(np.prod(shape)) // 32 * BLOCK_BYTES[kind]
        writer.write_tensor_data(np.resize(stretches[kind], size))
        print(f"\r{name:40}", end="", file=sys.stderr)
    writer.close()
    print(file=sys.stderr)


def _write_metadata(writer: GGUFWriter, config: ModelConfig) -> None:
    for key, value in (
        ("embedding_length", config.hidden_size),
        ("block_count", config.num_hidden_layers),
        ("attention.head_count", config.num_attention_heads),
        ("attention.head_count_kv", config.num_key_value_heads),
        ("attention.key_length", config.head_dim),
        ("context_length", config.max_position_embeddings),
        ("expert_count", config.num_experts),
        ("expert_used_count", config.num_experts_per_tok),
        ("expert_feed_forward_length", config.moe_intermediate_size),
    ):
        writer.add_uint32(f"qwen3moe.{key}", value)
    writer.add_float32("qwen3moe.attention.layer_norm_rms_epsilon", config.rms_norm_eps)
    writer.add_float32("qwen3moe.rope.freq_base", config.rope_theta)
    definition = json.loads((default_bundle_path() / TOKENIZER).read_bytes())
    tokens = [f"[PAD{index}]" for index in range(config.vocab_size)]
    kinds = [5] * config.vocab_size
    for text, index in definition["model"]["vocab"].items():
        tokens[index], kinds[index] = text, 1
    for token in definition["added_tokens"]:
        tokens[token["id"]], kinds[token["id"]] = token["content"], 3 if token["special"] else 4
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = definition["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])


def _blocks(rng: np.random.Generator, kind: GGMLQuantizationType) -> NDArray[np.uint8]:
    """Random blocks whose scales keep products near 1 for a thousand columns."""
    width = BLOCK_BYTES[kind]
    blocks = rng.integers(0, 256, (REPEATED_BLOCKS, width), np.uint8)
    if kind == Q8_0:
        blocks[:, 2:][blocks[:, 2:] == 0x80] = 0x81
    spread = 0.006 if kind == Q4_0 else 0.0004
    scales = rng.uniform(0.5 * spread, spread, REPEATED_BLOCKS).astype("<f2")
    blocks[:, :2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(-1)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="MODEL.gguf")
    parser.add_argument("--preset", choices=PRESETS, default="qwen3-30b-a3b")
    parser.add_argument("--layers", type=int, default=0, help="fewer layers than the model has")
    parser.add_argument("--vocab", type=int, default=0, help="another vocabulary, 8192 or more")
    arguments = parser.parse_args()
    config = PRESETS[arguments.preset]
    config = replace(
        config,
        num_hidden_layers=arguments.layers or config.num_hidden_layers,
        vocab_size=arguments.vocab or config.vocab_size,
    )
    write(arguments.file, config)
    print(f"{arguments.file}: {arguments.file.stat().st_size / 1e9:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
