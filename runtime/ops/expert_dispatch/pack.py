"""Quantizes expert weights and packs them into the bytes that the kernels read: see layout.h.

All functions take the experts as the first axis. Experts share no bytes, so a large layer is packed
expert by expert: pass `weight[e : e + 1]` and concatenate the results.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

LAYOUT_VERSION = 1
PANEL_ROWS = 16
SUB_BLOCK = 32

# Shares of the largest value's natural scale that int4 blocks try: to clip a lone outlier can serve
# the others better.
INT4_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of an ExpertDispatch node, under their names in the graph."""

    k: int
    hidden_size: int
    intermediate_size: int
    num_experts: int
    bits: int
    block_size: int
    normalize: int = 1
    layout_version: int = LAYOUT_VERSION

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Quantized:
    """Weights [E, N, K] as `values * scales`, a scale for each block of `block_size` columns.

    `values` is int8 in [-8, 7] (bits 4) or [-127, 127] (bits 8), `scales` is float16
    [E, N, K / block_size]. With bits 32 `values` is the float32 weight itself, `scales` is empty.
    """

    values: NDArray[np.int8] | NDArray[np.float32]
    scales: NDArray[np.float16]
    bits: int
    block_size: int

    def dequantize(self) -> NDArray[np.float32]:
        values = self.values.astype(np.float32)
        if self.bits == 32:
            return values
        blocks = values.reshape(*self.scales.shape, self.block_size)
        return (blocks * self.scales.astype(np.float32)[..., None]).reshape(values.shape)


def quantize(weight: NDArray[np.float32], bits: int, block_size: int) -> Quantized:
    """Quantizes [E, N, K] symmetrically in blocks of 32 or 64 columns; bits 32 keeps it as it is.

    Raises ValueError for other sizes, and for weights that are not finite or beyond float16 scales.
    """
    if bits not in (4, 8, 32):
        raise ValueError(f"bits must be 4, 8 or 32, not {bits}")
    if block_size not in (32, 64):
        raise ValueError(f"block_size must be 32 or 64, not {block_size}")
    if weight.ndim != 3 or weight.shape[2] % block_size:
        raise ValueError(
            f"weight must be [E, N, K] with K a multiple of {block_size}, not {weight.shape}"
        )
    if not np.isfinite(weight).all():
        raise ValueError("weight holds NaN or infinity")
    if bits == 32:
        no_scales = np.empty((*weight.shape[:2], 0), np.float16)
        return Quantized(weight.astype(np.float32), no_scales, bits, block_size)
    quantize_expert = _quantize_4 if bits == 4 else _quantize_8
    parts = [
        quantize_expert(w.reshape(w.shape[0], -1, block_size).astype(np.float32)) for w in weight
    ]
    values = np.stack([v.reshape(weight.shape[1:]) for v, _ in parts])
    return Quantized(values, np.stack([s for _, s in parts]), bits, block_size)


def pack_gate_up(gate: Quantized, up: Quantized) -> NDArray[np.uint8]:
    """Packs gate and up, each [E, I, H], into uint8 [E, bytes]."""
    if (gate.values.shape, gate.bits, gate.block_size) != (up.values.shape, up.bits, up.block_size):
        raise ValueError("gate and up must have the same shape, bits and block_size")
    _need_rows(gate, 8)
    values, scales = (
        _interleave(g, u) for g, u in ((gate.values, up.values), (gate.scales, up.scales))
    )
    return _pack_panels(values, scales, gate)


def pack_down(down: Quantized) -> NDArray[np.uint8]:
    """Packs down [E, H, I] into uint8 [E, bytes]."""
    _need_rows(down, PANEL_ROWS)
    experts, rows, _ = down.values.shape
    shape = (experts, rows // PANEL_ROWS, PANEL_ROWS, -1)
    scales = down.scales.reshape(*shape[:3], down.scales.shape[2])
    return _pack_panels(down.values.reshape(shape), scales, down)


def unpack_gate_up(
    packed: NDArray[np.uint8], bits: int, block_size: int, columns: int
) -> tuple[Quantized, Quantized]:
    """The inverse of pack_gate_up; `columns` is H."""
    both = _unpack(packed, bits, block_size, columns)
    experts, rows, _ = both.values.shape

    def half(array: NDArray[np.generic], which: int) -> NDArray[np.generic]:
        panels = array.reshape(experts, rows // PANEL_ROWS, 2, 8, array.shape[2])
        return panels[:, :, which].reshape(experts, rows // 2, array.shape[2])

    gate, up = (
        Quantized(half(both.values, which), half(both.scales, which), bits, block_size)  # type: ignore[arg-type]
        for which in (0, 1)
    )
    return gate, up


def unpack_down(packed: NDArray[np.uint8], bits: int, block_size: int, columns: int) -> Quantized:
    """The inverse of pack_down; `columns` is I."""
    return _unpack(packed, bits, block_size, columns)


def _quantize_8(blocks: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    largest: NDArray[np.float32] = np.abs(blocks).max(axis=-1)
    scales = _half_scales((largest / np.float32(127)).astype(np.float32, copy=False))
    return _round(blocks, scales, -127, 127), scales


def _quantize_4(blocks: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """The scale of least squared error among INT4_SHARES of "the largest value becomes -8".

    A negative scale is fine, so the range's one spare value, -8, always serves the larger side.
    """
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)[..., 0]
    best_scales = _half_scales(largest / np.float32(-8))
    best_values = _round(blocks, best_scales, -8, 7)
    best_error = _squared_error(blocks, best_values, best_scales)
    for share in INT4_SHARES[1:]:
        scales = _half_scales(largest * np.float32(share / -8))
        values = _round(blocks, scales, -8, 7)
        error = _squared_error(blocks, values, scales)
        better = error < best_error
        best_error = np.where(better, error, best_error)
        best_scales = np.where(better, scales, best_scales)
        best_values = np.where(better[..., None], values, best_values)
    return best_values, best_scales


def _half_scales(scales: NDArray[np.float32]) -> NDArray[np.float16]:
    if np.abs(scales).max(initial=0.0) > np.finfo(np.float16).max:
        raise ValueError("weight is too large: a block's scale does not fit float16")
    return scales.astype(np.float16)


def _round(
    blocks: NDArray[np.float32], scales: NDArray[np.float16], low: int, high: int
) -> NDArray[np.int8]:
    """Values for the scales as they are stored; a block whose scale is zero becomes zeros."""
    divisor = scales.astype(np.float32)[..., None]
    quotient = np.divide(blocks, divisor, out=np.zeros_like(blocks), where=divisor != 0)
    return np.clip(np.rint(quotient), low, high).astype(np.int8)


def _squared_error(
    blocks: NDArray[np.float32], values: NDArray[np.int8], scales: NDArray[np.float16]
) -> NDArray[np.float32]:
    difference = blocks - values.astype(np.float32) * scales.astype(np.float32)[..., None]
    return np.asarray((difference * difference).sum(axis=-1))


def _need_rows(weights: Quantized, multiple: int) -> None:
    if weights.values.ndim != 3 or weights.values.shape[1] % multiple:
        raise ValueError(
            f"rows must be a multiple of {multiple}, the weight's shape is {weights.values.shape}"
        )


def _interleave(gate: NDArray[np.generic], up: NDArray[np.generic]) -> NDArray[np.generic]:
    """[E, I, X] twice -> [E, I / 8, 16, X]: eight rows of gate, then the same rows of up."""
    experts, rows, width = gate.shape
    shape = (experts, rows // 8, 8, width)
    return np.concatenate([gate.reshape(shape), up.reshape(shape)], axis=2)


def _pack_panels(
    values: NDArray[np.generic], scales: NDArray[np.generic], weights: Quantized
) -> NDArray[np.uint8]:
    """Values [E, P, 16, K] and scales [E, P, 16, K / block] -> uint8 [E, P * panel bytes]."""
    experts, panels, _, columns = values.shape
    if weights.bits == 32:
        return np.ascontiguousarray(values, dtype="<f4").view(np.uint8).reshape(experts, -1)
    blocks, subs = columns // weights.block_size, weights.block_size // SUB_BLOCK
    front = (experts, panels, 2, 8, blocks, subs)
    if weights.bits == 8:
        codes = (values.astype(np.int16) + 128).astype(np.uint8).reshape(*front, 8, 4)
    else:
        nibbles = (values.astype(np.int8) + 8).astype(np.uint8).reshape(*front, 2, 4, 4)
        codes = nibbles[..., 0, :, :] | (nibbles[..., 1, :, :] << np.uint8(4))
    # From [E, P, half, row, block, sub, i, j] to [E, P, block, sub, i, half, row, j].
    codes = codes.transpose(0, 1, 4, 5, 6, 2, 3, 7).reshape(experts, panels, blocks, -1)
    halves = np.ascontiguousarray(scales.transpose(0, 1, 3, 2), dtype="<f2").view(np.uint8)
    return np.concatenate([halves, codes], axis=-1).reshape(experts, -1)


def _unpack(packed: NDArray[np.uint8], bits: int, block_size: int, columns: int) -> Quantized:
    experts = packed.shape[0]
    packed = np.ascontiguousarray(packed)
    if bits == 32:
        values = packed.view("<f4").reshape(experts, -1, columns)
        return Quantized(values, np.empty((*values.shape[:2], 0), np.float16), bits, block_size)
    blocks, subs = columns // block_size, block_size // SUB_BLOCK
    block_bytes = 2 * PANEL_ROWS + PANEL_ROWS * block_size * bits // 8
    by_block = packed.reshape(experts, -1, blocks, block_bytes)
    panels = by_block.shape[1]
    halves = np.ascontiguousarray(by_block[..., : 2 * PANEL_ROWS]).view("<f2")
    scales = halves.transpose(0, 1, 3, 2).reshape(experts, panels * PANEL_ROWS, blocks)
    # A sub-block of 32 columns is 8 steps of 4 columns; with 4 bits two steps share their bytes.
    steps = 8 if bits == 8 else 4
    codes = by_block[..., 2 * PANEL_ROWS :].reshape(experts, panels, blocks, subs, steps, 2, 8, 4)
    codes = codes.transpose(0, 1, 5, 6, 2, 3, 4, 7)  # [E, P, half, row, block, sub, i, j]
    unsigned = codes if bits == 8 else np.stack([codes & 15, codes >> 4], axis=-3)
    signed = unsigned.astype(np.int16) - (128 if bits == 8 else 8)
    values = signed.astype(np.int8).reshape(experts, panels * PANEL_ROWS, columns)
    return Quantized(values, scales, bits, block_size)
