"""Reads the weights of a decoder one by one, rounds them and writes them for the operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.export.graph import PAGE, GraphBuilder
from runtime.export.linear import Scheme, is_packed
from runtime.export.quantize import (
    ErrorMeter,
    PlainRounding,
    Rounding,
    pack_columns,
    quantize_matrix,
)
from runtime.export.tensors import Tensors
from runtime.ops.expert_dispatch.pack import PANEL_ROWS, Quantized, pack_down, pack_gate_up
from runtime.ops.linear.pack import pack, panel_bytes

_NUMBERS_AT_ONCE = 1 << 19
_LARGEST_BLOCK = 64


class WeightWriter:
    """Writes tensors, named as in the checkpoint, as weights of a graph.

    A matrix that is stored on the grid that is asked for keeps its values; others are rounded.
    What rounding changed is added to a meter. Methods can be replaced with other weights.
    """

    def __init__(
        self, graph: GraphBuilder, tensors: Tensors, rounding: Rounding | None = None
    ) -> None:
        self.graph = graph
        self.tensors = tensors
        self._rounding = rounding or PlainRounding()

    def exact(self, name: str, source: str) -> str:
        """Write a tensor in float32."""
        return self.graph.weight(name, self.tensors.read(source))

    def table(self, name: str, source: str, scheme: Scheme, meter: ErrorMeter) -> None:
        """Write a matrix [rows, columns] whose rows are looked up or are logits.

        As `matrix` does where it can; else `name`.weight has `name`.scales beside it.
        """
        rows, columns = self.tensors.shapes[source]
        if scheme.bits == 32 or is_packed(rows, scheme):
            self.matrix(name, source, scheme, meter)
            return
        blocks = columns // scheme.block
        shape = (rows, blocks, scheme.block * scheme.bits // 8)
        scales = np.empty((rows, blocks), dtype=np.float32)
        with self.graph.stream(f"{name}.weight", np.dtype(np.uint8), shape) as file:
            for part, values, their_scales in self._table_parts(source, scheme, meter):
                file.write(values.data)
                scales[part] = their_scales
        self.graph.weight(f"{name}.scales", scales)

    def matrix(self, name: str, source: str, scheme: Scheme, meter: ErrorMeter) -> None:
        """Write a matrix [rows, columns], rows a multiple of 16, as the weight `name`.weight."""
        if scheme.bits == 32:
            self.exact(f"{name}.weight", source)
            return
        rows, columns = self.tensors.shapes[source]
        shape = (rows // PANEL_ROWS, panel_bytes(columns, scheme.bits, scheme.block))
        with self.graph.stream(f"{name}.weight", np.dtype(np.uint8), shape, PAGE) as file:
            for part in self._matrix_parts(source, scheme, meter):
                file.write(pack(part).data)

    def experts(self, name: str, sources: Sequence[str], scheme: Scheme, meter: ErrorMeter) -> None:
        """Write gated MLPs of one size as `name`.gate_up and `name`.down, uint8 [count, bytes].

        `sources` are the names before `.gate_proj.weight` and so on. They are read, rounded and
        written one after the other, their inner rows filled up with zeros to whole blocks.
        """

        def gate_up(source: str) -> Iterator[NDArray[np.uint8]]:
            gates, ups = (
                self._matrix_parts(f"{source}.{part}_proj.weight", scheme, meter)
                for part in ("gate", "up")
            )
            for gate, up in zip(gates, ups, strict=True):
                # Only the last slice can have rows that fill no block.
                yield pack_gate_up(_more_rows(gate, scheme), _more_rows(up, scheme))

        def down(source: str) -> Iterator[NDArray[np.uint8]]:
            for part in self._matrix_parts(f"{source}.down_proj.weight", scheme, meter):
                yield pack_down(part)

        inner, hidden = self.tensors.shapes[f"{sources[0]}.gate_proj.weight"]
        inner += -inner % scheme.block
        self._write_packed(
            f"{name}.gate_up", sources, gate_up, packed_bytes(2 * inner, hidden, scheme)
        )
        self._write_packed(f"{name}.down", sources, down, packed_bytes(hidden, inner, scheme))

    def _write_packed(
        self,
        name: str,
        sources: Sequence[str],
        pack_one: Callable[[str], Iterator[NDArray[np.uint8]]],
        size: int,
    ) -> None:
        shape = (len(sources), size)
        with self.graph.stream(name, np.dtype(np.uint8), shape, PAGE) as file:
            for source in sources:
                for part in pack_one(source):
                    file.write(part.data)

    def _matrix_parts(self, source: str, scheme: Scheme, meter: ErrorMeter) -> Iterator[Quantized]:
        """A matrix in slices of rows, its columns filled up with zeros to whole blocks.

        A matrix can be large, and each step would copy all of it.
        """
        stored = self._stored(source, scheme)
        if stored is not None:
            for part in _slices(*stored.values.shape[1:]):
                rows = _rows(stored, part)
                _count_exact(rows, meter)
                yield rows
            return
        weight = self.tensors.read(source)
        missing = -weight.shape[1] % scheme.block
        for part in _slices(*weight.shape):
            rows_in = weight[part]
            if missing:
                rows_in = np.pad(rows_in, ((0, 0), (0, missing)))
            quantized = self._rounding.round(source, part.start, rows_in, scheme)
            meter.add(rows_in, quantized.dequantize()[0])
            yield quantized

    def _table_parts(
        self, source: str, scheme: Scheme, meter: ErrorMeter
    ) -> Iterator[tuple[slice, NDArray[np.uint8], NDArray[np.generic]]]:
        """Slices of rows, their values as `MatMulNBits` has them, and their scales."""
        stored = self._stored(source, scheme)
        if stored is not None:
            for part in _slices(*stored.values.shape[1:]):
                rows = _rows(stored, part)
                _count_exact(rows, meter)
                yield part, pack_columns(rows.values[0], scheme.bits, scheme.block), rows.scales[0]
            return
        weight = self.tensors.read(source)
        for part in _slices(*weight.shape):
            quantized = quantize_matrix(weight[part], scheme.bits, scheme.block)
            meter.add(weight[part], quantized.dequantize())
            yield part, quantized.values, quantized.scales

    def _stored(self, source: str, scheme: Scheme) -> Quantized | None:
        if scheme.bits == 32:
            return None
        return self.tensors.read_quantized(source, scheme.bits, scheme.block)


def packed_bytes(rows: int, columns: int, scheme: Scheme) -> int:
    """Return the bytes of a packed matrix of whole panels."""
    if scheme.bits == 32:
        return rows * columns * 4
    return rows // PANEL_ROWS * panel_bytes(columns, scheme.bits, scheme.block)


def _slices(rows: int, columns: int) -> list[slice]:
    """Slices of whole blocks with about as many numbers each, whatever the shape."""
    at_once = max(1, _NUMBERS_AT_ONCE // columns // _LARGEST_BLOCK) * _LARGEST_BLOCK
    return [slice(start, min(start + at_once, rows)) for start in range(0, rows, at_once)]


def _rows(matrix: Quantized, part: slice) -> Quantized:
    values, scales = matrix.values[:, part], matrix.scales[:, part]
    return Quantized(values, scales, matrix.bits, matrix.block_size)


def _more_rows(matrix: Quantized, scheme: Scheme) -> Quantized:
    """Rows [1, rows, columns] with rows of zeros, as many as fill a block.

    Slices of whole blocks are left as they are.
    """
    missing = -matrix.values.shape[1] % scheme.block
    if not missing:
        return matrix
    width = ((0, 0), (0, missing), (0, 0))
    values, scales = np.pad(matrix.values, width), np.pad(matrix.scales, width)
    return Quantized(values, scales, matrix.bits, matrix.block_size)  # type: ignore[arg-type]


def _count_exact(stored: Quantized, meter: ErrorMeter) -> None:
    """Count weights that nothing changed, from steps and scales, which is cheaper."""
    steps = stored.values.reshape(*stored.scales.shape, stored.block_size).astype(np.float32)
    squares = np.einsum("...i,...i", steps, steps).astype(np.float64)
    meter.squared_weight += float(np.sum(squares * stored.scales.astype(np.float64) ** 2))
