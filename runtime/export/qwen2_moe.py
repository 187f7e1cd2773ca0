"""Qwen2-MoE (Yang et al., arXiv 2407.10671), Qwen1.5-MoE: experts beside a shared one.

Biases as in Qwen2. The shared expert sees every token; a gate of its own weighs it.
"""

from __future__ import annotations

from runtime.config import ModelConfig
from runtime.export.config_json import (
    ConfigJson,
    decoder_fields,
    expert_fields,
    head_dim_by_division,
    sliding_window,
)


def read(raw: ConfigJson) -> ModelConfig:
    """Return the shape. Raises ExportError for what the graph cannot express."""
    return ModelConfig(
        **decoder_fields(raw),
        **expert_fields(raw),
        head_dim=head_dim_by_division(raw),
        shared_expert_intermediate_size=raw.integer("shared_expert_intermediate_size"),
        qkv_bias=raw.flag("qkv_bias", True),
        use_qk_norm=False,
        sliding_window=sliding_window(raw, raw.integer("max_window_layers", 28) > 0),
    )
