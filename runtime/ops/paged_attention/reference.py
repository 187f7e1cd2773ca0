"""What PagedAttention computes, in NumPy: the definition that the kernels are tested against.

`paged_attention` follows the kernels operation by operation in single precision; they fuse nothing
and sum in the same order, so they must agree to the last bit. `attention` is the mathematics itself
in double precision; what the kernels lose against it is bounded by TOLERANCE, and with a cache of 8
bits by INT8_TOLERANCE.

Numbers that are not finite: a position whose key or value holds NaN or infinity makes NaN of all
that see it, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.ops.expert_dispatch.reference import exponential
from runtime.ops.paged_attention.cache import BLOCK, Attributes, block_bytes

# Root mean square of the difference to the float64 mathematics, relative to that of the output.
TOLERANCE = 1e-5
INT8_TOLERANCE = 2e-2
CHUNK = 256
LANES = 8

Floats = NDArray[np.float32]


def paged_attention(
    query: Floats,
    key: Floats,
    value: Floats,
    cache: NDArray[np.uint8],
    tables: NDArray[np.int32],
    starts: Sequence[int],
    past: Sequence[int],
    cos: Floats,
    sin: Floats,
    q_norm: Floats | None,
    k_norm: Floats | None,
    *,
    attributes: Attributes,
) -> Floats:
    """y [T, heads * D]; writes the new positions into `cache` uint8 [blocks, bytes] in place.

    query [T, heads * D], key and value [T, kv_heads * D]; tokens starts[s] to starts[s + 1] are new
    in sequence s after past[s] positions; tables int32 [S, width]; cos and sin [positions, D / 2].
    """
    a = attributes
    size, group = a.head_dim, a.heads // a.kv_heads
    y = np.zeros(query.shape, np.float32)
    with np.errstate(all="ignore"):
        for s in range(len(past)):
            for token in range(starts[s], starts[s + 1]):
                at = past[s] + token - starts[s]
                for head in range(a.kv_heads):
                    part = slice(head * size, (head + 1) * size)
                    prepared = prepare(
                        key[token, part], k_norm, cos[at], sin[at], np.float32(1), a.epsilon
                    )
                    _store(a, cache[tables[s, at // BLOCK]], head, at, prepared, value[token, part])
            for token in range(starts[s], starts[s + 1]):
                at = past[s] + token - starts[s]
                for head in range(a.heads):
                    part = slice(head * size, (head + 1) * size)
                    scale = np.float32(a.scale)
                    row = prepare(query[token, part], q_norm, cos[at], sin[at], scale, a.epsilon)
                    keys, values = _read(a, cache, tables[s], head // group, at + 1)
                    y[token, part] = attend(row, keys, values)
    return y


def prepare(
    x: Floats, gain: Floats | None, cos: Floats, sin: Floats, scale: np.float32, epsilon: float
) -> Floats:
    """One head [D], normed if there is a gain, rotated and scaled."""
    if gain is not None:
        lanes = np.zeros(LANES, np.float32)
        for eight in x.reshape(-1, LANES):
            lanes = lanes + eight * eight
        mean = sum_of_lanes(lanes) / np.float32(len(x))
        x = x * (np.float32(1) / np.sqrt(mean + np.float32(epsilon))) * gain
    low, high = x[: len(x) // 2], x[len(x) // 2 :]
    rotated = np.concatenate([low * cos - high * sin, high * cos + low * sin])
    return rotated * scale


def sum_of_lanes(lanes: Floats) -> np.float32:
    a, b, c, d, e, f, g, h = lanes
    return np.float32(((a + e) + (c + g)) + ((b + f) + (d + h)))


Stored = tuple[Floats, Floats | None]
"""Numbers [positions, D] and, with 8 bits, their scales [positions]."""


def attend(row: Floats, keys: Stored, values: Stored) -> Floats:
    """softmax(row . keys) . values over chunks of CHUNK positions with a running maximum."""
    largest, total = np.float32(-np.inf), np.float32(0)
    out = np.zeros(len(row), np.float32)
    for first in range(0, len(keys[0]), CHUNK):
        chunk = slice(first, first + CHUNK)
        scores = np.zeros(len(keys[0][chunk]), np.float32)
        for i in range(len(row)):
            scores = scores + row[i] * keys[0][chunk, i]
        if keys[1] is not None:
            scores = scores * keys[1][chunk]
        before, largest = largest, np.fmax(largest, np.fmax.reduce(scores))
        fade = exponential(np.array([before - largest]))[0]
        weights = exponential(scores - largest)
        lanes = np.zeros(LANES, np.float32)
        for eight in np.pad(weights, (0, -len(weights) % LANES)).reshape(-1, LANES):
            lanes = lanes + eight
        total = total * fade + sum_of_lanes(lanes)
        out = out * fade
        if values[1] is not None:
            weights = weights * values[1][chunk]
        for j in range(len(weights)):
            out = out + weights[j] * values[0][first + j]
    return out / total


def attention(query: Floats, key: Floats, value: Floats, scale: float) -> NDArray[np.float64]:
    """[T, D] of one head whose queries [T, D] are the last of positions [P, D], in float64."""
    q, k, v = (x.astype(np.float64) for x in (query, key, value))
    scores = q @ k.T * scale
    first = len(k) - len(q)
    scores[np.arange(len(k))[None, :] > np.arange(first, len(k))[:, None]] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True) @ v)


def encode(x: Floats) -> tuple[NDArray[np.int8], np.float32]:
    """int8 values and their scale; NaN for one that is not finite, 0 for one below 2^-100."""
    largest = np.abs(x).max()
    if not np.isfinite(largest):
        return np.zeros(len(x), np.int8), np.float32(np.nan)
    if largest < np.float32(2.0**-100):
        return np.zeros(len(x), np.int8), np.float32(0)
    values = np.rint(x * (np.float32(127) / largest)).astype(np.int8)
    return values, np.float32(largest / np.float32(127))


def _store(
    a: Attributes, block: NDArray[np.uint8], head: int, at: int, key: Floats, value: Floats
) -> None:
    keys, values, scales = _views(a, block, head)
    at %= BLOCK
    if scales is None:
        keys[:, at], values[at] = key, value
    else:
        keys[:, at], scales[0, at] = encode(key)
        values[at], scales[1, at] = encode(value)


def _read(
    a: Attributes, cache: NDArray[np.uint8], table: NDArray[np.int32], head: int, length: int
) -> tuple[Stored, Stored]:
    blocks = [_views(a, cache[block], head) for block in table[: -(-length // BLOCK)]]
    keys = np.concatenate([block[0].T for block in blocks])[:length].astype(np.float32)
    values = np.concatenate([block[1] for block in blocks])[:length].astype(np.float32)
    parts = [block[2] for block in blocks if block[2] is not None]
    if not parts:
        return (keys, None), (values, None)
    scales = np.concatenate(parts, axis=1)
    return (keys, scales[0, :length]), (values, scales[1, :length])


def _views(
    a: Attributes, block: NDArray[np.uint8], head: int
) -> tuple[NDArray[np.generic], NDArray[np.generic], Floats | None]:
    """Keys [D, BLOCK], values [BLOCK, D] and scales [2, BLOCK] of one head, as views."""
    part = block.reshape(a.kv_heads, -1)[head]
    has_floats = len(block) == block_bytes(a.kv_heads, a.head_dim, 32)
    kind = np.float32 if has_floats else np.int8
    size = BLOCK * a.head_dim * np.dtype(kind).itemsize
    keys = part[:size].view(kind).reshape(a.head_dim, BLOCK)
    values = part[size : 2 * size].view(kind).reshape(BLOCK, a.head_dim)
    scales = None if has_floats else part[2 * size :].view(np.float32).reshape(2, BLOCK)
    return keys, values, scales
