"""What a GGUF file calls things, in Hugging Face's words: configuration and tensors of Qwen models.

Names: the tables of the `gguf` package; keys: ggml's docs/gguf.md. Qwen's q and k are not permuted,
as Llama's are, so matrices are taken as they lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from runtime.export.errors import ExportError

ARCHITECTURES = {
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen2moe": "Qwen2MoeForCausalLM",
    "qwen3moe": "Qwen3MoeForCausalLM",
}
_WHOLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_IN_LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate_shexp": "mlp.shared_expert.gate_proj",
    "ffn_up_shexp": "mlp.shared_expert.up_proj",
    "ffn_down_shexp": "mlp.shared_expert.down_proj",
    "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
}
_EXPERTS = {
    "ffn_gate_exps": "gate_proj",
    "ffn_up_exps": "up_proj",
    "ffn_down_exps": "down_proj",
}
_NAME = re.compile(r"blk\.(\d{1,5})\.(\w+)\.(weight|bias)")


def names_of(name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, int | None]]:
    """Yield the tensors that a tensor of a file holds: (name, number of the slice or None).

    Yields nothing for one that no Qwen model has.
    """
    if name in _WHOLE:
        yield _WHOLE[name], None
        return
    match = _NAME.fullmatch(name)
    if match is None:
        return
    layer, part, kind = int(match[1]), match[2], match[3]
    if part in _IN_LAYER:
        yield f"model.layers.{layer}.{_IN_LAYER[part]}.{kind}", None
    elif part in _EXPERTS and len(shape) == 3:
        for expert in range(shape[0]):
            yield f"model.layers.{layer}.mlp.experts.{expert}.{_EXPERTS[part]}.{kind}", expert


def config_of(
    metadata: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], where: str
) -> dict[str, Any]:
    """Return the `config.json` that a file's metadata stands for. Raises ExportError."""
    kind = metadata.get("general.architecture")
    if kind not in ARCHITECTURES:
        raise ExportError(
            f"{where}: the architecture is {str(kind)[:40]!r}; supported are "
            f"{', '.join(ARCHITECTURES)}"
        )
    read = _Metadata(metadata, f"{kind}.", where)
    embedding = shapes.get("model.embed_tokens.weight")
    if embedding is None or len(embedding) != 2:
        raise ExportError(f"{where} has no matrix token_embd.weight")
    heads, hidden = read.whole("attention.head_count"), read.whole("embedding_length")
    config: dict[str, Any] = {
        "architectures": [ARCHITECTURES[kind]],
        "vocab_size": embedding[0],
        "hidden_size": hidden,
        "num_hidden_layers": read.whole("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": read.whole("attention.head_count_kv", heads),
        "head_dim": read.whole("attention.key_length", hidden // heads),
        "rms_norm_eps": read.real("attention.layer_norm_rms_epsilon"),
        "rope_theta": read.real("rope.freq_base", 10000.0),
        "max_position_embeddings": read.whole("context_length"),
        "tie_word_embeddings": "lm_head.weight" not in shapes,
        "hidden_act": "silu",
    }
    if f"{kind}.feed_forward_length" in metadata:
        config["intermediate_size"] = read.whole("feed_forward_length")
    if kind.endswith("moe"):
        config |= _experts(read, shapes, is_normed=kind == "qwen3moe")
    scaling = _rope_scaling(read)
    return {**config, "rope_scaling": scaling} if scaling else config


def _experts(
    read: _Metadata, shapes: Mapping[str, tuple[int, ...]], is_normed: bool
) -> dict[str, Any]:
    inner = shapes.get("model.layers.0.mlp.experts.0.gate_proj.weight", (0,))[0]
    shared = shapes.get("model.layers.0.mlp.shared_expert.gate_proj.weight", (0,))[0]
    config = {
        "num_experts": read.whole("expert_count"),
        "num_experts_per_tok": read.whole("expert_used_count"),
        "moe_intermediate_size": read.whole("expert_feed_forward_length", inner or None),
        "norm_topk_prob": bool(read.flag("expert_weights_norm", is_normed)),
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    }
    if shared:
        config["shared_expert_intermediate_size"] = shared
    return config


def _rope_scaling(read: _Metadata) -> dict[str, Any] | None:
    kind = read.text("rope.scaling.type", "none")
    if kind == "none":
        return None
    original = read.whole("rope.scaling.original_context_length")
    return {
        "rope_type": kind,
        "factor": read.real("rope.scaling.factor"),
        "original_max_position_embeddings": original,
    }


class _Metadata:
    """Typed access to the entries of one architecture; one that is missing needs a default."""

    def __init__(self, entries: Mapping[str, Any], prefix: str, where: str) -> None:
        self._entries, self._prefix, self._where = entries, prefix, where

    def whole(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if isinstance(value, np.ndarray) and value.size and (value == value.flat[0]).all():
            value = int(value.flat[0])  # One number for each layer, all the same.
        if type(value) is not int or not 0 < value < 2**31:
            self._refuse(key, value, "a positive whole number")
        return int(value)

    def real(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if type(value) not in (int, float) or not 0 < value < 1e30:
            self._refuse(key, value, "a positive number")
        # Stored as float32: 1e-6 must not become 9.99999997e-07.
        return float(str(np.float32(value)))

    def flag(self, key: str, default: bool) -> bool:
        value = self._get(key, default)
        if type(value) is not bool:
            self._refuse(key, value, "true or false")
        return bool(value)

    def text(self, key: str, default: str) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            self._refuse(key, value, "text")
        return str(value)

    def _get(self, key: str, default: Any) -> Any:
        value = self._entries.get(self._prefix + key, default)
        if value is None:
            raise ExportError(f"{self._where} lacks the entry {self._prefix}{key}")
        return value

    def _refuse(self, key: str, value: Any, wanted: str) -> None:
        shown = str(value)[:40]
        raise ExportError(f"{self._where}: {self._prefix}{key} must be {wanted}, not {shown!r}")
