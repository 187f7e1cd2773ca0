"""Products with a weight matrix: float32 or quantized.

Matrices are packed for our `Linear`, which reads them where the file is mapped; our `Embedding`
looks up rows of the same bytes. A vocabulary that fills no whole panels has the layout of ONNX
Runtime's `MatMulNBits` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.export.graph import MICROSOFT, GraphBuilder
from runtime.ops import DOMAIN
from runtime.ops.linear.pack import PANEL_ROWS, Attributes

# MatMulNBits: compute with int8 activations, the only fast level for 8-bit weights on a CPU.
_INT8_ACTIVATIONS = 4


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


def is_packed(rows: int, scheme: Scheme) -> bool:
    """Whether a vocabulary of so many rows is stored as `Linear` reads it."""
    return scheme.bits != 32 and rows % PANEL_ROWS == 0


def look_up(
    graph: GraphBuilder, name: str, ids: str, table: str, shape: tuple[int, int], scheme: Scheme
) -> str:
    """Return the rows `ids` of the matrix [rows, columns] that `WeightWriter.table` wrote."""
    if scheme.bits == 32:
        return graph.node("Gather", [f"{table}.weight", ids], name)
    if is_packed(shape[0], scheme):
        attributes: dict[str, Any] = Attributes(shape[1], scheme.bits, scheme.block).as_dict()
        return graph.node("Embedding", [ids, f"{table}.weight"], name, domain=DOMAIN, **attributes)
    # The head reads the same bytes, block by block.
    flat = (shape[0], shape[1] * scheme.bits // 8)
    rows = graph.alias(f"{table}.table", f"{table}.weight", flat)
    return graph.node(
        "GatherBlockQuantized",
        [rows, ids, f"{table}.scales"],
        name,
        domain=MICROSOFT,
        gather_axis=0,
        quantize_axis=1,
        block_size=scheme.block,
        bits=scheme.bits,
    )


def multiply_table(
    graph: GraphBuilder, name: str, x: str, table: str, shape: tuple[int, int], scheme: Scheme
) -> str:
    """Return x @ W^T for the matrix W [rows, columns] that `WeightWriter.table` wrote."""
    if scheme.bits == 32 or is_packed(shape[0], scheme):
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


def multiply(
    graph: GraphBuilder, names: list[str], x: str, matrices: list[str], columns: int, scheme: Scheme
) -> list[str]:
    """Return x @ W^T, called `names`, for each matrix W [.., columns] of `WeightWriter.matrix`.

    Up to three matrices; x is rounded to int8 once for all of them.
    """
    weights = [f"{matrix}.weight" for matrix in matrices]
    if scheme.bits == 32:
        for name, weight in zip(names, weights, strict=True):
            multiply_exactly(graph, name, x, weight)
        return names
    attributes: dict[str, Any] = Attributes(columns, scheme.bits, scheme.block).as_dict()
    graph.node("Linear", [x, *weights], names[0], outputs=names, domain=DOMAIN, **attributes)
    return names


def multiply_exactly(graph: GraphBuilder, name: str, x: str, weight: str) -> str:
    """Return x @ W^T in float32."""
    return graph.node("FusedMatMul", [x, weight], name, domain=MICROSOFT, transB=1)
