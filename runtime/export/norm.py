"""Root-mean-square normalization (Zhang and Sennrich, arXiv 1910.07467)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.export.graph import MICROSOFT, GraphBuilder


def rms_norm(
    graph: GraphBuilder, name: str, x: str, weight: NDArray[np.float32], epsilon: float
) -> str:
    """Return x / rms(x) * weight over the last axis."""
    gain = graph.weight(f"{name}.weight", weight)
    return graph.node("SimplifiedLayerNormalization", [x, gain], name, axis=-1, epsilon=epsilon)


def add_and_rms_norm(
    graph: GraphBuilder,
    name: str,
    x: str,
    residual: str,
    weight: NDArray[np.float32],
    epsilon: float,
) -> tuple[str, str]:
    """Return (normalized sum, sum) of `x` and the residual stream."""
    gain = graph.weight(f"{name}.weight", weight)
    total = f"{name}.residual"
    graph.node(
        "SkipSimplifiedLayerNormalization",
        [x, residual, gain],
        name,
        outputs=[name, "", "", total],
        domain=MICROSOFT,
        epsilon=epsilon,
    )
    return name, total
