"""What the layers of a decoder compute, in NumPy and float32; the graph is `Decoder`'s."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig
from runtime.export.rope import rotary_frequencies

Floats = NDArray[np.float32]


def rms_norm(x: Floats, gain: Floats, epsilon: float) -> Floats:
    """x / rms(x) * gain over the last axis."""
    mean = np.square(x).mean(axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt(mean + np.float32(epsilon)) * gain, np.float32)


def rotary_angles(config: ModelConfig, length: int) -> tuple[Floats, Floats]:
    """Cosines and sines [length, head_dim / 2], as the graph's tables have them."""
    frequencies, factor = rotary_frequencies(config)
    angles = np.arange(length, dtype=np.float32)[:, None] * frequencies
    return np.cos(angles) * np.float32(factor), np.sin(angles) * np.float32(factor)


def rotate(x: Floats, cos: Floats, sin: Floats) -> Floats:
    """Turn the halves of each head, [T, heads, head_dim], by the angles of its position."""
    first, second = np.split(x, 2, axis=-1)
    cos, sin = cos[:, None, :], sin[:, None, :]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def attend(
    query: Floats, key: Floats, value: Floats, norms: Sequence[Floats], config: ModelConfig
) -> Floats:
    """What the heads read, [T, heads * head_dim], for one text's projections [T, ...].

    `norms` are the gains of queries' and keys' heads, or none.
    """
    length, size, groups = len(query), config.head_dim, config.num_key_value_heads
    cos, sin = rotary_angles(config, length)
    query, key, value = (part.reshape(length, -1, size) for part in (query, key, value))
    if norms:
        query = rms_norm(query, norms[0], config.rms_norm_eps)
        key = rms_norm(key, norms[1], config.rms_norm_eps)
    query, key = rotate(query, cos, sin), rotate(key, cos, sin)
    future = np.triu(np.full((length, length), -np.inf, np.float32), 1)
    shared = config.num_attention_heads // groups
    read = np.empty_like(query)
    for head in range(config.num_attention_heads):
        scores = query[:, head] @ key[:, head // shared].T * np.float32(size**-0.5) + future
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        read[:, head] = scores @ value[:, head // shared]
    return read.reshape(length, -1)


def route(logits: Floats, config: ModelConfig) -> tuple[NDArray[np.int64], Floats]:
    """Chosen experts and their weights, [T, k] each; ties go to the lower index."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    chosen = np.argsort(-shares, axis=1, kind="stable")[:, : config.num_experts_per_tok]
    weights = np.take_along_axis(shares, chosen, axis=1)
    if config.norm_topk_prob:
        weights /= weights.sum(axis=1, keepdims=True)
    return chosen.astype(np.int64, copy=False), weights.astype(np.float32, copy=False)


def gated(x: Floats, gate: Floats, up: Floats) -> Floats:
    """silu(gate x) * (up x) for x [T, hidden] and matrices [inner, hidden]."""
    opened = x @ gate.T
    opened *= sigmoid(opened)
    opened *= x @ up.T
    return opened


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), 0 where exp(-x) is infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(np.float32(1) / (np.float32(1) + np.exp(-x)))
