"""What Linear computes, in NumPy, to the last bit: the experts' product, see their reference.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.ops.expert_dispatch.pack import unpack_down
from runtime.ops.expert_dispatch.reference import multiply
from runtime.ops.linear.pack import Attributes


def linear(
    x: NDArray[np.float32], weight: NDArray[np.uint8], attributes: Attributes
) -> NDArray[np.float32]:
    """y [T, 16 panels] from x [T, columns], rounded to int8, and weight [panels, bytes]."""
    bits, block = attributes.bits, attributes.block_size
    matrix = unpack_down(weight.reshape(1, -1), bits, block, attributes.columns)
    with np.errstate(all="ignore"):
        return multiply(x, matrix)
