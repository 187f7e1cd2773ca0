"""How many bytes a model takes and how many of them each token reads, from its shape alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.config import ModelConfig
from runtime.export.tensors import EMBEDDING, HEAD, tensor_shapes
from runtime.ops.expert_dispatch.pack import PANEL_ROWS
from runtime.ops.paged_attention import BLOCK, block_bytes

# The share of the bandwidth that a whole step reached (benchmarks/results/layers.md).
BANDWIDTH_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of all weights, of those that one token reads, and of its keys and values."""

    weights: int
    read_per_token: int
    cache_per_token: int

    def tokens_per_second(self, bandwidth: float, context: int = 0) -> float:
        """Predict the speed of one sequence that has `context` tokens, from bytes a second."""
        return BANDWIDTH_SHARE * bandwidth / (self.read_per_token + context * self.cache_per_token)


def footprint(
    config: ModelConfig, quantization: Mapping[str, Any], cache_bits: int = 32
) -> Footprint:
    """Compute it from a shape and a manifest's `quantization`: bits and block_size by part."""
    total = used = 0.0
    for name, shape in tensor_shapes(config).items():
        size = _bytes_of(name, shape, quantization)
        total += size
        if ".mlp.experts." in name:
            used += size * config.num_experts_per_tok / config.num_experts
        elif name != EMBEDDING or config.tie_word_embeddings:
            used += size
    block = block_bytes(config.num_key_value_heads, config.head_dim, cache_bits)
    return Footprint(int(total), int(used), config.num_hidden_layers * block // BLOCK)


def part_of(name: str) -> str | None:
    """Return the part of the quantization that a tensor belongs to; None is kept in float32."""
    if name in (EMBEDDING, HEAD):
        return "embedding"
    if not name.endswith("_proj.weight"):
        return None
    return "projections" if ".self_attn." in name else "experts"


def _bytes_of(name: str, shape: tuple[int, ...], quantization: Mapping[str, Any]) -> float:
    part, count = part_of(name), math.prod(shape)
    bits = 32 if part is None else quantization[part]["bits"]
    if bits == 32:
        return 4.0 * count
    if part == "experts" and int(name.split(".")[2]) in quantization[part].get("int8_layers", ()):
        bits = 8
    # A vocabulary that fills no whole panels has scales of float32, all else of float16.
    scale = 32 if part == "embedding" and shape[0] % PANEL_ROWS else 16
    return float(count * (bits + scale / quantization[str(part)]["block_size"]) / 8)
