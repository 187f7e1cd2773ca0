"""Rotary positions (Su et al., arXiv 2104.09864) and the ways in which models stretch them.

`linear` divides all angles (Chen et al., arXiv 2306.15595); `yarn` divides those that turn slowly,
keeps those that turn fast, and sharpens attention (Peng et al., arXiv 2309.00071). `dynamic`
changes the angles of texts longer than the model was made for, and no others; longer ones are not
computed. All steps are those of the reference implementation, in float32 as there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig, RopeParameters
from runtime.export.errors import ExportError
from runtime.export.graph import GraphBuilder

_ROWS_AT_ONCE = 1 << 14

Floats = NDArray[np.float32]


def write_tables(graph: GraphBuilder, config: ModelConfig, context: int) -> tuple[str, str]:
    """Write cosines and sines [context, head size / 2]; return their names.

    Raises ExportError where they would not be finite.
    """
    # Numbers that no model has can overflow; what they give is refused just below.
    with np.errstate(all="ignore"):
        frequencies, factor = rotary_frequencies(config)
        largest = np.abs(frequencies * np.float32(context)).max() * np.float32(factor)
    if not np.isfinite(largest) or not np.isfinite(frequencies).all():
        raise ExportError(
            f"rope_theta {config.rope_theta:g} with {config.rope_parameters.rope_type} scaling "
            "gives angles that are no numbers"
        )
    for name, function in (("rotary.cos", np.cos), ("rotary.sin", np.sin)):
        shape = (context, len(frequencies))
        with graph.stream(name, np.dtype(np.float32), shape) as file:
            # In slices of positions: a long context has a large table.
            for start in range(0, context, _ROWS_AT_ONCE):
                end = min(start + _ROWS_AT_ONCE, context)
                angles = np.arange(start, end, dtype=np.float32)[:, None] * frequencies
                file.write(np.ascontiguousarray(function(angles) * np.float32(factor)).data)
    return "rotary.cos", "rotary.sin"


def rotary_frequencies(config: ModelConfig) -> tuple[Floats, float]:
    """Radians a position, float32 [head size / 2], and what multiplies cosines and sines."""
    size, theta, rope = config.head_dim, config.rope_theta, config.rope_parameters
    shares = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    periods = np.float32(theta) ** shares
    plain = np.float32(1) / periods
    if rope.rope_type == "linear":
        return plain / np.float32(rope.factor), 1.0
    if rope.rope_type == "yarn":
        return _yarn(periods, size, theta, rope), yarn_attention_factor(rope)
    return plain, 1.0


def yarn_attention_factor(rope: RopeParameters) -> float:
    """What queries and keys are each multiplied with, given or derived from the factor."""
    if rope.attention_factor:
        return rope.attention_factor
    if rope.mscale and rope.mscale_all_dim:
        return _growth(rope.factor, rope.mscale) / _growth(rope.factor, rope.mscale_all_dim)
    return _growth(rope.factor, 1.0)


def _growth(factor: float, scale: float) -> float:
    return 0.1 * scale * math.log(factor) + 1.0 if factor > 1 else 1.0


def _yarn(periods: Floats, size: int, theta: float, rope: RopeParameters) -> Floats:
    """Between the dimensions that turn `beta_fast` and `beta_slow` times a ramp mixes the two."""
    kept = np.float32(1) / periods
    stretched = np.float32(1) / (np.float32(rope.factor) * periods)

    def dimension(turns: float) -> float:
        """The dimension that turns so many times within what the model was trained on."""
        span = rope.original_max_position_embeddings / (turns * 2 * math.pi)
        return size * math.log(span) / (2 * math.log(theta))

    low, high = dimension(rope.beta_fast), dimension(rope.beta_slow)
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, size - 1)
    if low == high:
        high += 0.001
    steps = np.arange(size // 2, dtype=np.float32)
    ramp = np.clip((steps - np.float32(low)) / np.float32(high - low), 0, 1)
    share = np.float32(1) - ramp
    return np.asarray(stretched * (np.float32(1) - share) + kept * share)
