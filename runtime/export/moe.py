"""The experts of a layer, as one `ExpertDispatch` node over weights packed for its kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig
from runtime.export.graph import MICROSOFT, PAGE, GraphBuilder
from runtime.export.linear import Scheme
from runtime.export.quantize import ErrorMeter
from runtime.ops import DOMAIN
from runtime.ops.expert_dispatch.pack import (
    Attributes,
    Quantized,
    pack_down,
    pack_gate_up,
)

# (expert, "gate" | "up" | "down") -> its matrix [out, in], and that matrix [1, out, in] quantized
RoundExpert = Callable[[int, str], tuple[NDArray[np.float32], Quantized]]


def write_experts(
    graph: GraphBuilder,
    name: str,
    round_expert: RoundExpert,
    config: ModelConfig,
    meter: ErrorMeter,
) -> None:
    """Write a layer's experts as `name`.gate_up and `name`.down, uint8 [experts, bytes].

    They are read, quantized and written one after the other.
    """

    def rounded(expert: int, part: str) -> Quantized:
        weight, quantized = round_expert(expert, part)
        meter.add(weight, quantized.dequantize()[0])
        return quantized

    def gate_up(expert: int) -> NDArray[np.uint8]:
        return pack_gate_up(rounded(expert, "gate"), rounded(expert, "up"))

    def down(expert: int) -> NDArray[np.uint8]:
        return pack_down(rounded(expert, "down"))

    write_packed(graph, f"{name}.gate_up", gate_up, config.num_experts)
    write_packed(graph, f"{name}.down", down, config.num_experts)


def write_packed(
    graph: GraphBuilder, name: str, pack: Callable[[int], NDArray[np.uint8]], experts: int
) -> None:
    """Write uint8 [experts, bytes], one expert after the other."""
    first = pack(0)
    with graph.stream(name, np.dtype(np.uint8), (experts, first.shape[1]), PAGE) as file:
        file.write(first.tobytes())
        for expert in range(1, experts):
            file.write(pack(expert).tobytes())


def mixture_of_experts(
    graph: GraphBuilder,
    name: str,
    x: str,
    router: NDArray[np.float32],
    config: ModelConfig,
    scheme: Scheme,
    cancel: str,
) -> str:
    """Return the weighted sum of the chosen experts, written as `name`, for `x` [1, T, hidden].

    `router` [experts, hidden] stays float32: a token sent to another expert is a large error.
    """
    weight = graph.weight(f"{name}.router.weight", router)
    logits = graph.node("FusedMatMul", [x, weight], f"{name}.router", domain=MICROSOFT, transB=1)
    attributes = Attributes(
        k=config.num_experts_per_tok,
        hidden_size=config.hidden_size,
        intermediate_size=config.moe_intermediate_size,
        num_experts=config.num_experts,
        bits=scheme.bits,
        block_size=scheme.block,
        normalize=int(config.norm_topk_prob),
    )
    inputs = [x, logits, f"{name}.gate_up", f"{name}.down", cancel]
    numbers: dict[str, Any] = attributes.as_dict()
    return graph.node("ExpertDispatch", inputs, name, domain=DOMAIN, **numbers)
