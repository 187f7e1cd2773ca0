"""Root-mean-square normalization (Zhang and Sennrich, arXiv 1910.07467)."""

from __future__ import annotations

from runtime.export.graph import MICROSOFT, GraphBuilder


def rms_norm(graph: GraphBuilder, name: str, x: str, gain: str, epsilon: float) -> str:
    """Return x / rms(x) * gain over the last axis."""
    return graph.node("SimplifiedLayerNormalization", [x, gain], name, axis=-1, epsilon=epsilon)


def add_and_rms_norm(
    graph: GraphBuilder, name: str, x: str, residual: str, gain: str, epsilon: float
) -> tuple[str, str]:
    """Return (normalized sum, sum) of `x` and the residual stream."""
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
