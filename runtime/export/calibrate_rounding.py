"""Rounds a matrix so that its products change little, not its weights.

What counts is the second moment H = sum of x x^T over inputs x: a change D of the weights [N, K]
changes the products by trace(D H D^T) in squares. GPTQ (Frantar et al., arXiv 2210.17323) rounds
column after column and lets the columns that are still open make up for each error. With
H^-1 = U^T U, U upper triangular, the whole loss is the sum of ((w_j - q_j) / U_jj)^2 over columns,
where w_j has taken up all earlier errors. So 1 / U_jj^2 says what an error in column j will cost
once the others have made up for it; the scales are searched by these weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.ops.expert_dispatch.pack import Quantized

Floats = NDArray[np.float32]

# Added to the diagonal of H, as a share of its mean: directions that no input took are not free.
DAMPING = 0.01
# Shares of the largest value's natural scale that are tried for int4, with either sign.
SHARES = tuple(float(share) for share in np.arange(0.6, 1.175, 0.025))
# A triangle of at most this size is inverted directly.
_SMALL = 64


@dataclass(frozen=True, slots=True)
class Curvature:
    """What a matrix's inputs say of its columns: H, damped, and U with H^-1 = U^T U."""

    moment: Floats
    factor: Floats

    @classmethod
    def of(cls, moment: NDArray[np.float64]) -> Curvature:
        """From H, float64 [K, K]. Inputs that were all zero leave every column alike."""
        size = len(moment)
        mean = float(np.trace(moment)) / size
        damped = moment / mean if mean > 0 else np.eye(size)
        damped[np.diag_indices(size)] += DAMPING
        # With the order of columns reversed, H = L L^T; then U is L^-1 reversed.
        lower = np.asarray(np.linalg.cholesky(damped[::-1, ::-1]), np.float64)
        factor = invert_lower(lower)[::-1, ::-1]
        return cls(damped.astype(np.float32), np.ascontiguousarray(factor, np.float32))

    def error(self, weight: Floats, rounded: Quantized) -> Floats:
        """What rounding changed in the products of each row, in squares [N]."""
        difference = weight - rounded.dequantize()[0]
        return np.asarray(((difference @ self.moment) * difference).sum(axis=1))


def invert_lower(lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert a lower triangular matrix, half by half."""
    size = len(lower)
    if size <= _SMALL:
        return np.tril(np.linalg.inv(lower))
    half = size // 2
    inverse = np.zeros_like(lower)
    first, second = invert_lower(lower[:half, :half]), invert_lower(lower[half:, half:])
    inverse[:half, :half], inverse[half:, half:] = first, second
    inverse[half:, :half] = -(second @ lower[half:, :half]) @ first
    return inverse


def round_calibrated(weight: Floats, curvature: Curvature, plain: Quantized) -> Quantized:
    """Return weight [N, K] on a grid like that of `plain`, [1, N, K].

    A row that comes out worse than `plain` keeps that.
    """
    found = compensate(weight, curvature.factor, plain.bits, plain.block_size)
    worse = curvature.error(weight, found) > curvature.error(weight, plain)
    values = np.where(worse[:, None], plain.values[0], found.values[0])
    scales = np.where(worse[:, None], plain.scales[0], found.scales[0])
    return Quantized(values[None], scales[None], plain.bits, plain.block_size)


def compensate(weight: Floats, factor: Floats, bits: int, block: int) -> Quantized:
    """GPTQ: round column after column; those to come take up the error of each."""
    rows, columns = weight.shape
    low, high = (-8, 7) if bits == 4 else (-127, 127)
    open_columns = np.array(weight.T, order="C")
    steps = np.empty((columns, rows), np.int8)
    scales = np.empty((columns // block, rows), np.float16)
    for start in range(0, columns, block):
        part = slice(start, start + block)
        current = open_columns[part]
        triangle = factor[part, part]
        cost = np.asarray(np.diag(triangle) ** -2, np.float32)
        chosen = search_scales(current, cost) if bits == 4 else plain_scales(current, high)
        scales[start // block] = chosen
        scale = chosen.astype(np.float32)
        divisor = np.where(scale == 0, np.float32(1), scale)
        errors = np.empty_like(current)
        for index in range(block):
            column = current[index]
            step = np.clip(np.rint(column / divisor), low, high)
            step[scale == 0] = 0
            steps[start + index] = step
            errors[index] = (column - step * scale) / triangle[index, index]
            current[index + 1 :] -= triangle[index, index + 1 :, None] * errors[index]
        open_columns[start + block :] -= factor[part, start + block :].T @ errors
    values = np.ascontiguousarray(steps.T)[None]
    return Quantized(values, np.ascontiguousarray(scales.T)[None], bits, block)


def plain_scales(columns: Floats, high: int) -> NDArray[np.float16]:
    """The scales [N] that let each row of [block, N] just fit."""
    return np.asarray(np.abs(columns).max(axis=0) / np.float32(high), np.float16)


def search_scales(columns: Floats, cost: Floats) -> NDArray[np.float16]:
    """The int4 scales [N] of least error for [block, N]; an error in a column costs `cost`."""
    largest = np.abs(columns).max(axis=0)
    best = np.zeros(largest.shape, np.float16)
    least = np.full(largest.shape, np.inf, np.float32)
    for sign in (-8, 8):
        for share in SHARES:
            scales = (largest * np.float32(share / sign)).astype(np.float16)
            wide = scales.astype(np.float32)
            steps = columns / np.where(wide == 0, np.float32(1), wide)
            np.clip(np.rint(steps, out=steps), -8, 7, out=steps)
            steps *= wide
            steps -= columns
            error = cost @ np.square(steps, out=steps)
            better = error < least
            least[better], best[better] = error[better], scales[better]
    return best
