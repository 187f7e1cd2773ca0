"""Qwen3 (Yang et al., arXiv 2505.09388): dense layers, heads of queries and keys are normed."""

from __future__ import annotations

from runtime.config import ModelConfig
from runtime.export.config_json import ConfigJson, decoder_fields, refuse, sliding_window


def read(raw: ConfigJson) -> ModelConfig:
    """Return the shape. Raises ExportError for what the graph cannot express."""
    refuse(raw, {"biases in attention (attention_bias)": raw.flag("attention_bias", False)})
    fields = decoder_fields(raw)
    slides = raw.integer("max_window_layers", 28) < fields["num_hidden_layers"]
    return ModelConfig(
        **fields,
        head_dim=raw.integer("head_dim", 128),
        intermediate_size=raw.integer("intermediate_size"),
        sliding_window=sliding_window(raw, slides),
    )
