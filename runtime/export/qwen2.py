"""Qwen2 (Yang et al., arXiv 2407.10671) and Qwen2.5-Coder (Hui et al., arXiv 2409.12186).

Dense layers; queries, keys and values have biases.
"""

from __future__ import annotations

from runtime.config import ModelConfig
from runtime.export.config_json import (
    ConfigJson,
    decoder_fields,
    head_dim_by_division,
    sliding_window,
)


def read(raw: ConfigJson) -> ModelConfig:
    """Return the shape. Raises ExportError for what the graph cannot express."""
    fields = decoder_fields(raw)
    slides = raw.integer("max_window_layers", 28) < fields["num_hidden_layers"]
    return ModelConfig(
        **fields,
        head_dim=head_dim_by_division(raw),
        intermediate_size=raw.integer("intermediate_size"),
        qkv_bias=True,
        use_qk_norm=False,
        sliding_window=sliding_window(raw, slides),
    )
