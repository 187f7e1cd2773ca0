"""Block-wise symmetric quantization: which grid, and what it changed.

`Rounding` decides the values of all matrices that our operators read; `quantize_matrix` serves
tables whose rows are looked up, in the layout of ONNX Runtime's `MatMulNBits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.ops.expert_dispatch.pack import Quantized, quantize

if TYPE_CHECKING:
    from runtime.export.linear import Scheme


class Rounding(Protocol):
    """Chooses the quantized values of matrices, one after the other in the order of the graph."""

    def round(
        self, source: str, start: int, weight: NDArray[np.float32], scheme: Scheme
    ) -> Quantized:
        """Return [1, rows, columns] for `weight`, the rows from `start` on of tensor `source`."""
        ...


class PlainRounding:
    """Rounds each weight by itself; what the model computes plays no part."""

    def round(
        self, source: str, start: int, weight: NDArray[np.float32], scheme: Scheme
    ) -> Quantized:
        return round_plainly(weight, scheme)


def round_plainly(weight: NDArray[np.float32], scheme: Scheme) -> Quantized:
    """Return [1, rows, columns]: int4 scales searched or those of the plain grid, as asked."""
    if scheme.bits != 4 or scheme.searched:
        return quantize(weight[None], scheme.bits, scheme.block)
    steps, scales = round_to_plain_grid(weight, scheme.bits, scheme.block)
    halves = scales.astype(np.float16)
    return Quantized(steps[None], halves[None], scheme.bits, scheme.block)


@dataclass(frozen=True, slots=True)
class QuantizedMatrix:
    """A matrix [rows, columns] on a grid of one scale for each block of columns.

    `values` uint8 [rows, columns / block, block * bits / 8]: value + 2^(bits-1), for 4 bits two to
    a byte with the even column in the low half. `scales` float32 [rows, columns / block].
    """

    values: NDArray[np.uint8]
    scales: NDArray[np.float32]
    bits: int
    block: int

    def dequantize(self) -> NDArray[np.float32]:
        """Return the matrix that the values stand for, float32 [rows, columns]."""
        values = self.values
        if self.bits == 4:
            values = np.stack([values & 15, values >> 4], axis=-1).reshape(*values.shape[:2], -1)
        centred = values.astype(np.float32) - np.float32(2 ** (self.bits - 1))
        return (centred * self.scales[..., None]).reshape(len(values), -1)


def quantize_matrix(weight: NDArray[np.float32], bits: int, block: int) -> QuantizedMatrix:
    """Round a matrix [rows, columns] to its plain grid (see `round_to_plain_grid`)."""
    steps, scales = round_to_plain_grid(weight, bits, block)
    return QuantizedMatrix(pack_columns(steps, bits, block), scales, bits, block)


def pack_columns(steps: NDArray[np.int8], bits: int, block: int) -> NDArray[np.uint8]:
    """Return steps [rows, columns] as the `values` of a QuantizedMatrix."""
    values = (steps.astype(np.int16) + 2 ** (bits - 1)).astype(np.uint8)
    values = values.reshape(len(values), -1, block)
    if bits == 4:
        values = values[..., 0::2] | (values[..., 1::2] << 4)
    return np.ascontiguousarray(values)


def round_to_plain_grid(
    weight: NDArray[np.float32], bits: int, block: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return steps int8 [rows, columns] and scales float32 [rows, columns / block].

    A block's scale is max|w| / (2^(bits-1) - 1): zero stays zero and the grid is symmetric.
    Training with fake quantization uses this grid too.
    """
    rows, columns = weight.shape
    blocks = weight.reshape(rows, columns // block, block)
    top = 2 ** (bits - 1) - 1
    scales = (np.abs(blocks).max(axis=-1) / np.float32(top)).astype(np.float32)
    divisor = np.where(scales == 0, np.float32(1), scales)[..., None]
    steps = np.clip(np.rint(blocks / divisor), -top, top).astype(np.int8)
    return steps.reshape(rows, columns), scales


@dataclass(slots=True)
class ErrorMeter:
    """Adds up what quantization changed, over any number of tensors."""

    squared_error: float = 0.0
    squared_weight: float = 0.0

    def add(self, weight: NDArray[np.float32], rounded: NDArray[np.float32]) -> None:
        """Count one tensor and what became of it."""
        self.squared_error += float(np.sum(np.square(weight - rounded, dtype=np.float64)))
        self.squared_weight += float(np.sum(np.square(weight, dtype=np.float64)))

    def relative_rms(self) -> float:
        """Return rms(error) / rms(weight), to six digits; 0 where all weights are 0."""
        if self.squared_weight == 0:
            return 0.0
        return float(f"{(self.squared_error / self.squared_weight) ** 0.5:.6g}")
