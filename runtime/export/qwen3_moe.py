"""Qwen3-MoE (Yang et al., arXiv 2505.09388) and Qwen3-Coder: experts instead of one MLP.

Heads of queries and keys are normed. Some layers may be dense.
"""

from __future__ import annotations

from runtime.config import ModelConfig
from runtime.export.config_json import (
    ConfigJson,
    decoder_fields,
    expert_fields,
    head_dim_by_division,
    refuse,
    sliding_window,
)


def read(raw: ConfigJson) -> ModelConfig:
    """Return the shape. Raises ExportError for what the graph cannot express."""
    refuse(raw, {"biases in attention (attention_bias)": raw.flag("attention_bias", False)})
    # The reference implementation writes the number of experts under either name.
    named = "num_experts" if raw.values.get("num_experts") is not None else "num_local_experts"
    experts = named if raw.values.get(named) is not None else "num_experts"
    return ModelConfig(
        **decoder_fields(raw),
        **expert_fields(raw, experts),
        head_dim=head_dim_by_division(raw),
        sliding_window=sliding_window(raw, some_layer_slides=True),
    )
