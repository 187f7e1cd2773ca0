"""Grouped-query attention (Ainslie et al., arXiv 2305.13245), rotary positions, normed heads.

One operator of ours does all between the projections: norms, rotation, storing keys and values in
blocks, attention. Each layer has a pool of blocks, which the runner binds as input and output at
once: the operator writes the new positions in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.config import ModelConfig
from runtime.export.graph import GraphBuilder
from runtime.export.linear import Scheme, multiply
from runtime.export.rope import write_tables
from runtime.ops import DOMAIN
from runtime.ops.paged_attention import Attributes


@dataclass(frozen=True, slots=True)
class AttentionExtras:
    """Names of weights that not every model has: biases of q, k and v, gains of normed heads."""

    biases: tuple[str, ...] = ()
    q_norm: str = ""
    k_norm: str = ""


@dataclass(frozen=True, slots=True)
class AttentionInputs:
    """Values that all layers share: where each sequence's tokens begin, what it has, and angles."""

    block_table: str
    starts: str
    past: str
    cancel: str
    cos: str
    sin: str

    @classmethod
    def declare(
        cls, graph: GraphBuilder, config: ModelConfig, context: int, cancel: str
    ) -> AttentionInputs:
        """Declare the inputs and write the rotary tables [context, head size / 2]."""
        cos, sin = write_tables(graph, config, context)
        return cls(
            block_table=graph.input("block_table", np.int32, ["sequences", "blocks"]),
            starts=graph.input("starts", np.int32, ["bounds"]),
            past=graph.input("past", np.int32, ["sequences"]),
            cancel=cancel,
            cos=cos,
            sin=sin,
        )


def attention(
    graph: GraphBuilder,
    layer: int,
    x: str,
    extras: AttentionExtras,
    inputs: AttentionInputs,
    config: ModelConfig,
    scheme: Scheme,
) -> str:
    """Return what the heads of a layer read for `x` [1, T, hidden]: [1, T, heads * head size].

    The matrices are written as `layer.N.attention.q`, `.k` and `.v`. Declares the layer's pool of
    blocks as `cache.N` in and `cache_out.N` out, uint8 [blocks, bytes]; their width says how many
    bits a number has.
    """
    name = f"layer.{layer}.attention"
    parts = [f"{name}.{part}" for part in "qkv"]
    heads = multiply(graph, parts, x, parts, config.hidden_size, scheme)
    if extras.biases:
        heads = [
            graph.node("Add", [part, bias], f"{part}.biased")
            for part, bias in zip(heads, extras.biases, strict=True)
        ]
    pool: list[int | str] = ["pool", "pool_bytes"]
    cache = graph.input(f"cache.{layer}", np.uint8, pool)
    attributes = Attributes(
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        scale=config.head_dim**-0.5,
        epsilon=config.rms_norm_eps,
    )
    batch = [inputs.block_table, inputs.starts, inputs.past, inputs.cos, inputs.sin]
    graph.node(
        "PagedAttention",
        [*heads, cache, *batch, extras.q_norm, extras.k_norm, inputs.cancel],
        name,
        outputs=[name, f"cache_out.{layer}"],
        domain=DOMAIN,
        **attributes.as_dict(),
    )
    graph.output(f"cache_out.{layer}", np.uint8, pool)
    return name
