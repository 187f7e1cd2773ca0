"""Grouped-query attention (Ainslie et al., arXiv 2305.13245), rotary positions, normed heads.

Keys and values live in buffers of the whole context, [1, kv heads, context, head size], which the
runner binds as input and output at once: the operator writes the new positions in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig
from runtime.export.graph import MICROSOFT, GraphBuilder
from runtime.export.linear import Scheme, linear
from runtime.export.norm import rms_norm
from runtime.export.quantize import ErrorMeter


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """The matrices [out, in] and the gains [head size] of one layer."""

    q: NDArray[np.float32]
    k: NDArray[np.float32]
    v: NDArray[np.float32]
    q_norm: NDArray[np.float32]
    k_norm: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AttentionInputs:
    """Values that all layers share."""

    seqlens_k: str
    total_sequence_length: str
    cos: str
    sin: str

    @classmethod
    def declare(cls, graph: GraphBuilder, config: ModelConfig, context: int) -> AttentionInputs:
        """Declare the inputs and write the rotary tables [context, head size / 2].

        The tables are computed in float32, step by step as the reference implementation does.
        """
        halves = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
        frequencies = np.float32(1) / np.float32(config.rope_theta) ** halves
        angles = np.arange(context, dtype=np.float32)[:, None] * frequencies[None, :]
        return cls(
            seqlens_k=graph.input("seqlens_k", np.int32, [1]),
            total_sequence_length=graph.input("total_sequence_length", np.int32, [1]),
            cos=graph.weight("rotary.cos", np.cos(angles)),
            sin=graph.weight("rotary.sin", np.sin(angles)),
        )


def attention(
    graph: GraphBuilder,
    layer: int,
    x: str,
    weights: AttentionWeights,
    inputs: AttentionInputs,
    config: ModelConfig,
    context: int,
    scheme: Scheme,
    meter: ErrorMeter,
) -> str:
    """Return what the heads of a layer read for `x` [1, T, hidden]: [1, T, heads * head size].

    Declares the layer's key-value buffers as `past.N.key` and so on in, `present.N.key` out.
    """
    name = f"layer.{layer}.attention"
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    query = linear(graph, f"{name}.q", x, weights.q, scheme, meter)
    key = linear(graph, f"{name}.k", x, weights.k, scheme, meter)
    value = linear(graph, f"{name}.v", x, weights.v, scheme, meter)
    query = _norm_heads(graph, f"{name}.q_norm", query, weights.q_norm, heads, config)
    key = _norm_heads(graph, f"{name}.k_norm", key, weights.k_norm, kv_heads, config)
    buffer: list[int | str] = [1, kv_heads, context, config.head_dim]
    kinds = ("key", "value")
    past = [graph.input(f"past.{layer}.{kind}", np.float32, buffer) for kind in kinds]
    present = [f"present.{layer}.{kind}" for kind in kinds]
    lengths = [inputs.seqlens_k, inputs.total_sequence_length]
    graph.node(
        "GroupQueryAttention",
        [query, key, value, *past, *lengths, inputs.cos, inputs.sin],
        name,
        outputs=[name, *present],
        domain=MICROSOFT,
        num_heads=heads,
        kv_num_heads=kv_heads,
        do_rotary=1,
    )
    for each in present:
        graph.output(each, np.float32, buffer)
    return name


def _norm_heads(
    graph: GraphBuilder,
    name: str,
    x: str,
    weight: NDArray[np.float32],
    heads: int,
    config: ModelConfig,
) -> str:
    """Normalize each head by itself: the operator's own way of doing so is for GPUs only."""
    split = graph.constant(f"shape.{heads}.heads", [0, 0, heads, config.head_dim])
    merged = graph.constant(f"shape.{heads}.merged", [0, 0, heads * config.head_dim])
    x = graph.node("Reshape", [x, split], f"{name}.split")
    x = rms_norm(graph, name, x, weight, config.rms_norm_eps)
    return graph.node("Reshape", [x, merged], f"{name}.merged")
