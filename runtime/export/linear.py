"""Products with a weight matrix: float32 or quantized.

Matrices are packed for our `Linear`, which reads them where the file is mapped. An embedding that
is the head too keeps the layout of ONNX Runtime's `MatMulNBits`, whose rows can be looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.graph import MICROSOFT, PAGE, GraphBuilder
from runtime.export.quantize import ErrorMeter, quantize_matrix
from runtime.ops import DOMAIN
from runtime.ops.expert_dispatch.pack import PANEL_ROWS, Quantized
from runtime.ops.linear.pack import Attributes, pack, panel_bytes

# MatMulNBits: compute with int8 activations, the only fast level for 8-bit weights on a CPU.
_INT8_ACTIVATIONS = 4
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are stored: 4 or 8 bits, one scale for `block` columns, or 32 for float32.

    `searched` lets int4 scales be searched for the least error; otherwise they are those of the
    plain grid. A checkpoint that was trained on the plain grid is best left on it.
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


def add_table(
    graph: GraphBuilder, name: str, weight: NDArray[np.float32], scheme: Scheme, meter: ErrorMeter
) -> None:
    """Write a matrix [rows, columns] whose rows can be looked up: `name`.weight and .scales."""
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


def multiply_table(
    graph: GraphBuilder, name: str, x: str, table: str, shape: tuple[int, int], scheme: Scheme
) -> str:
    """Return x @ W^T for W = the matrix [rows, columns] that `add_table` wrote as `table`."""
    if scheme.bits == 32:
        return multiply(graph, [name], x, [table], shape[1], scheme)[0]
    return graph.node(
        "MatMulNBits",
        [x, f"{table}.weight", f"{table}.scales"],
        name,
        domain=MICROSOFT,
        N=shape[0],
        K=shape[1],
        bits=scheme.bits,
        block_size=scheme.block,
        accuracy_level=_INT8_ACTIVATIONS,
    )


# (first row, rows of a matrix) -> the same rows, quantized
RoundRows = Callable[[int, NDArray[np.float32]], Quantized]


def add_matrix(
    graph: GraphBuilder,
    name: str,
    weight: NDArray[np.float32],
    scheme: Scheme,
    meter: ErrorMeter,
    round_rows: RoundRows,
) -> None:
    """Write a matrix [rows, columns], rows a multiple of 16, as the weight `name`.weight."""
    if scheme.bits == 32:
        graph.weight(f"{name}.weight", weight)
        return
    rows, columns = weight.shape
    shape = (rows // PANEL_ROWS, panel_bytes(columns, scheme.bits, scheme.block))
    with graph.stream(f"{name}.weight", np.dtype(np.uint8), shape, PAGE) as file:
        for start in range(0, rows, _ROWS_AT_ONCE):
            part = weight[start : start + _ROWS_AT_ONCE]
            quantized = round_rows(start, part)
            meter.add(part, quantized.dequantize()[0])
            file.write(pack(quantized).data)


def multiply(
    graph: GraphBuilder, names: list[str], x: str, matrices: list[str], columns: int, scheme: Scheme
) -> list[str]:
    """Return x @ W^T, called `names`, for each matrix W [.., columns] that `add_matrix` wrote.

    Up to three matrices; x is rounded to int8 once for all of them.
    """
    weights = [f"{matrix}.weight" for matrix in matrices]
    if scheme.bits == 32:
        for name, weight in zip(names, weights, strict=True):
            graph.node("FusedMatMul", [x, weight], name, domain=MICROSOFT, transB=1)
        return names
    attributes: dict[str, Any] = Attributes(columns, scheme.bits, scheme.block).as_dict()
    graph.node("Linear", [x, *weights], names[0], outputs=names, domain=DOMAIN, **attributes)
    return names
