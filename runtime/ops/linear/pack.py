"""Packs a quantized matrix for `Linear`: see ../expert_dispatch/layout.h."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.ops.expert_dispatch.pack import LAYOUT_VERSION, PANEL_ROWS, Quantized, pack_down

__all__ = ["LAYOUT_VERSION", "PANEL_ROWS", "Attributes", "pack", "panel_bytes"]


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a Linear node, under their names in the graph."""

    columns: int
    bits: int
    block_size: int
    layout_version: int = LAYOUT_VERSION

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def panel_bytes(columns: int, bits: int, block_size: int) -> int:
    """Bytes of sixteen rows."""
    return columns // block_size * (2 * PANEL_ROWS + PANEL_ROWS * block_size * bits // 8)


def pack(weight: Quantized) -> NDArray[np.uint8]:
    """Pack a matrix [1, N, K] of 4 or 8 bits, N a multiple of 16, into uint8 [N / 16, bytes]."""
    return pack_down(weight).reshape(weight.values.shape[1] // PANEL_ROWS, -1)
