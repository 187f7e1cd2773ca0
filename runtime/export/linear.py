"""Products with a weight matrix: float32 or quantized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.export.graph import MICROSOFT, GraphBuilder
from runtime.export.quantize import ErrorMeter, quantize_matrix

# MatMulNBits: compute with int8 activations, the only fast level for 8-bit weights on a CPU.
_INT8_ACTIVATIONS = 4
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are stored: 4 or 8 bits, one scale for `block` columns, or 32 for float32.

    `searched` lets the experts' int4 scales be searched for the least error; otherwise they are
    those of the plain grid, as always for matrices. A checkpoint that was trained on the plain
    grid is best left on it.
    """

    bits: int
    block: int
    searched: bool = True

    def as_dict(self) -> dict[str, int]:
        """Return the entry for the manifest."""
        return (
            {"bits": self.bits}
            if self.bits == 32
            else {"bits": self.bits, "block_size": self.block}
        )


def add_matrix(
    graph: GraphBuilder, name: str, weight: NDArray[np.float32], scheme: Scheme, meter: ErrorMeter
) -> None:
    """Write a matrix [rows, columns] as the weight `name`.weight, quantized with `name`.scales."""
    if scheme.bits == 32:
        graph.weight(f"{name}.weight", weight)
        return
    rows, columns = weight.shape
    blocks = columns // scheme.block
    shape = (rows, blocks, scheme.block * scheme.bits // 8)
    scales = np.empty((rows, blocks), dtype=np.float32)
    with graph.stream(f"{name}.weight", np.dtype(np.uint8), shape) as file:
        # In slices of rows: an embedding is large, and each step would copy all of it.
        for start in range(0, rows, _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            quantized = quantize_matrix(weight[part], scheme.bits, scheme.block)
            meter.add(weight[part], quantized.dequantize())
            scales[part] = quantized.scales
            file.write(quantized.values.data)
    graph.weight(f"{name}.scales", scales)


def multiply(
    graph: GraphBuilder, name: str, x: str, matrix: str, shape: tuple[int, int], scheme: Scheme
) -> str:
    """Return x @ W^T for W = the matrix [rows, columns] that `add_matrix` wrote as `matrix`."""
    if scheme.bits == 32:
        return graph.node("FusedMatMul", [x, f"{matrix}.weight"], name, domain=MICROSOFT, transB=1)
    return graph.node(
        "MatMulNBits",
        [x, f"{matrix}.weight", f"{matrix}.scales"],
        name,
        domain=MICROSOFT,
        N=shape[0],
        K=shape[1],
        bits=scheme.bits,
        block_size=scheme.block,
        accuracy_level=_INT8_ACTIVATIONS,
    )


def linear(
    graph: GraphBuilder,
    name: str,
    x: str,
    weight: NDArray[np.float32],
    scheme: Scheme,
    meter: ErrorMeter,
) -> str:
    """Return x @ weight^T for a matrix [rows, columns] that nothing else uses."""
    add_matrix(graph, name, weight, scheme, meter)
    return multiply(graph, name, x, name, (weight.shape[0], weight.shape[1]), scheme)
