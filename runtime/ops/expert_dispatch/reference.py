"""What ExpertDispatch computes, in NumPy: the definition that the kernels are tested against.

`activations="int8"` follows the kernels operation by operation in single precision: activations
rounded to int8 with one scale a block, exact integer products, scales applied block after block.
The kernels do nothing else and fuse nothing: they must agree to the last bit.
`activations="float"` is the mathematics itself in double precision on the dequantized weights; what
the kernels lose against it is the rounding of activations, bounded by FLOAT_TOLERANCE.

Numbers that are not finite: a token with NaN or infinity in `x`, or whose products overflow,
becomes NaN in every element; so does one whose logits hold NaN or +infinity, or only -infinity.
Other tokens are untouched.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from runtime.ops.expert_dispatch.pack import Attributes, Quantized, unpack_down, unpack_gate_up

# Root mean square of the difference to the float reference, relative to that of the output.
FLOAT_TOLERANCE = 2e-2
# The same for bits 32, where activations stay float.
FLOAT32_TOLERANCE = 1e-5

Floats = NDArray[np.float32]


def expert_dispatch(
    x: Floats,
    router_logits: Floats,
    gate_up: NDArray[np.uint8],
    down: NDArray[np.uint8],
    *,
    attributes: Attributes,
    activations: Literal["float", "int8"],
) -> Floats:
    """y [T, H] from x [T, H], router_logits [T, E] and packed weights [E, bytes].

    y[t] = sum of weight_e * down_e(silu(gate_e x) * up_e x) over the chosen experts e, by index.
    """
    if attributes.bits == 32 and activations == "int8":
        raise ValueError("float32 weights are multiplied by float activations")
    choose = route if activations == "int8" else _route_exactly
    expert = _expert_int8 if activations == "int8" else _expert_float
    chosen, weights = choose(router_logits, attributes.k, bool(attributes.normalize))
    y = np.zeros(x.shape, np.float32 if activations == "int8" else np.float64)
    with np.errstate(all="ignore"):
        for e in range(attributes.num_experts):
            tokens, ranks = np.nonzero(chosen == e)
            if len(tokens):
                gate, up = unpack_gate_up(
                    gate_up[e : e + 1],
                    attributes.bits,
                    attributes.block_size,
                    attributes.hidden_size,
                )
                lower = unpack_down(
                    down[e : e + 1],
                    attributes.bits,
                    attributes.block_size,
                    attributes.intermediate_size,
                )
                out = expert(x[tokens], gate, up, lower)
                y[tokens] = y[tokens] + weights[tokens, ranks][:, None] * out
        return y.astype(np.float32)


def route(logits: Floats, k: int, normalize: bool) -> tuple[NDArray[np.int64], Floats]:
    """Chosen experts and their weights, [T, k] each.

    Softmax over all experts, then the k largest, ties to the lower index.
    """
    largest = logits.max(axis=1, keepdims=True)
    valid = (logits < np.inf).all(axis=1) & (largest[:, 0] > -np.inf)
    with np.errstate(all="ignore"):
        powers = exponential(logits - largest)
        probabilities = powers / np.cumsum(powers, axis=1, dtype=np.float32)[:, -1:]
        chosen = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
        weights = np.take_along_axis(probabilities, chosen, axis=1)
        if normalize:
            weights = weights / np.cumsum(weights, axis=1, dtype=np.float32)[:, -1:]
    chosen[~valid] = np.arange(k)
    weights[~valid] = np.nan
    return chosen, weights


def exponential(x: Floats) -> Floats:
    """e^x in single precision as in elementwise.h: 0 below -87, infinity above 88."""
    f = np.float32
    clamped = np.clip(x, f(-87), f(88))
    n = np.rint(clamped * f(1.442695))
    r = (clamped - n * f(0.693359375)) - n * f(-2.1219444e-4)
    p = np.full_like(r, 0.0013814599)
    for coefficient in (0.008368717, 0.04166839, 0.16666521, 0.49999994):
        p = p * r + f(coefficient)
    p = (p * (r * r) + r) + f(1)
    exponent = np.where(np.isnan(n), f(0), n).astype(np.int32) + 127
    value = p * (exponent << 23).view(np.float32)
    value = np.where(x > 88, f(np.inf), np.where(x < -87, f(0), value))
    return np.where(np.isnan(x), x, value)


def encode(x: Floats, block_size: int) -> tuple[NDArray[np.int8], Floats]:
    """int8 values [T, K] and scales [T, K / block_size] of activations [T, K].

    A block with NaN or infinity gets a NaN scale; one that stays below 2^-100 counts as zero.
    """
    blocks = x.reshape(x.shape[0], -1, block_size)
    largest = np.abs(blocks).max(axis=2)
    finite, normal = np.isfinite(largest), largest >= np.float32(2.0**-100)
    with np.errstate(all="ignore"):
        factor = np.where(finite & normal, np.float32(127) / largest, np.float32(0))
        values = np.where((finite & normal)[..., None], np.rint(blocks * factor[..., None]), 0)
        scales = np.where(finite, np.where(normal, largest / np.float32(127), 0), np.nan)
    return values.astype(np.int8).reshape(x.shape), scales.astype(np.float32)


def swiglu(gate: Floats, up: Floats) -> Floats:
    return gate / (np.float32(1) + exponential(-gate)) * up


def multiply(x: Floats, weights: Quantized) -> Floats:
    """[T, N] from x [T, K] and quantized [1, N, K], with x rounded to int8."""
    block = weights.block_size
    values, x_scales = encode(x, block)
    rows, columns = weights.values.shape[1:]
    # Sums of 64 products below 2^14 are below 2^24: exact in single precision, in any order.
    by_block = values.reshape(len(x), -1, block).transpose(1, 0, 2).astype(np.float32)
    matrices = weights.values[0].reshape(rows, -1, block).transpose(1, 2, 0).astype(np.float32)
    sums = np.matmul(by_block, matrices)
    scales = weights.scales[0].astype(np.float32)
    out = np.zeros((len(x), rows), np.float32)
    for b in range(columns // block):
        out = out + sums[b] * (scales[:, b] * x_scales[:, b, None])
    return out


def _expert_int8(x: Floats, gate: Quantized, up: Quantized, down: Quantized) -> Floats:
    return multiply(swiglu(multiply(x, gate), multiply(x, up)), down)


def _expert_float(
    x: Floats, gate: Quantized, up: Quantized, down: Quantized
) -> NDArray[np.float64]:
    wide = x.astype(np.float64)
    g = wide @ gate.dequantize()[0].T.astype(np.float64)
    u = wide @ up.dequantize()[0].T.astype(np.float64)
    hidden = g / (1 + np.exp(-g)) * u
    return np.asarray(hidden @ down.dequantize()[0].T.astype(np.float64))


def _route_exactly(
    logits: Floats, k: int, normalize: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    chosen = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    weights = np.take_along_axis(probabilities, chosen, axis=1)
    return chosen, weights / weights.sum(axis=1, keepdims=True) if normalize else weights
