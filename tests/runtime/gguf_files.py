"""Writes GGUF files for tests, with the `gguf` package's own writer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from numpy.typing import NDArray

from tests.support.tiny_tokenizer import tokenizer_definition

F32, Q4_0 = GGMLQuantizationType.F32, GGMLQuantizationType.Q4_0
KINDS = {
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Qwen2MoeForCausalLM": "qwen2moe",
    "Qwen3MoeForCausalLM": "qwen3moe",
}
# Hugging Face's name -> ggml's, as the converters of llama.cpp have it.
_NAMES = (
    (r"model\.embed_tokens\.", "token_embd."),
    (r"model\.norm\.", "output_norm."),
    (r"lm_head\.", "output."),
    (r"model\.layers\.(\d+)\.", r"blk.\1."),
    (r"input_layernorm\.", "attn_norm."),
    (r"post_attention_layernorm\.", "ffn_norm."),
    (r"self_attn\.([qkv])_proj\.", r"attn_\1."),
    (r"self_attn\.o_proj\.", "attn_output."),
    (r"self_attn\.([qk])_norm\.", r"attn_\1_norm."),
    (r"mlp\.shared_expert_gate\.", "ffn_gate_inp_shexp."),
    (r"mlp\.shared_expert\.(gate|up|down)_proj\.", r"ffn_\1_shexp."),
    (r"mlp\.(gate|up|down)_proj\.", r"ffn_\1."),
    (r"mlp\.gate\.", "ffn_gate_inp."),
)
_EXPERT = re.compile(r"model\.layers\.(\d+)\.mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight")
# What each scalar of the metadata is, by the name of ours.
_ENTRIES = {
    "hidden_size": "embedding_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "max_position_embeddings": "context_length",
    "intermediate_size": "feed_forward_length",
    "num_experts": "expert_count",
    "num_experts_per_tok": "expert_used_count",
    "moe_intermediate_size": "expert_feed_forward_length",
}


def ggml_tensors(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Tensors under ggml's names, the experts of a layer stacked."""
    found: dict[str, NDArray[Any]] = {}
    stacks: dict[str, list[NDArray[Any]]] = {}
    for name, array in tensors.items():
        match = _EXPERT.fullmatch(name)
        if match is not None:
            stacks.setdefault(f"blk.{match[1]}.ffn_{match[3]}_exps.weight", []).append(array)
            continue
        for pattern, replacement in _NAMES:
            name = re.sub(pattern, replacement, name)
        found[name] = array
    return found | {name: np.stack(arrays) for name, arrays in stacks.items()}


def write_gguf(
    path: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    kind: GGMLQuantizationType = F32,
    tokenizer: Mapping[str, Any] | None = None,
    split: int = 0,
    extra: Mapping[str, float | str] | None = None,
) -> Path:
    """Write a model; matrices become `kind`, all else stays. `split` tensors go into one part."""
    architecture = KINDS[config["architectures"][0]]
    writer = GGUFWriter(path, architecture, split_max_tensors=split)
    for name, key in _ENTRIES.items():
        if name in config:
            writer.add_uint32(f"{architecture}.{key}", config[name])
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", config["rms_norm_eps"])
    writer.add_float32(f"{architecture}.rope.freq_base", config["rope_theta"])
    for key, value in (extra or {}).items():
        add = writer.add_string if isinstance(value, str) else writer.add_float32
        add(f"{architecture}.{key}", value)
    add_tokenizer(writer, tokenizer or tokenizer_definition(("i n",)), config["vocab_size"])
    for name, array in ggml_tensors(tensors).items():
        is_matrix = array.ndim > 1 and "gate_inp" not in name
        if is_matrix and kind != F32:
            writer.add_tensor(name, quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_tokenizer(writer: GGUFWriter, definition: Mapping[str, Any], rows: int) -> None:
    """Add a tokenizer as the converters do: filled up to the rows of the embedding."""
    tokens = [f"[PAD{index}]" for index in range(rows)]
    kinds = [5] * rows
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
