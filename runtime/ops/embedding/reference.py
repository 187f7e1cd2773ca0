"""What Embedding computes, in NumPy, to the last bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.ops.expert_dispatch.pack import unpack_down
from runtime.ops.linear.pack import Attributes


def embedding(
    ids: NDArray[np.int64], weight: NDArray[np.uint8], attributes: Attributes
) -> NDArray[np.float32]:
    """y [..., columns]: the rows `ids` [...] of the matrix in weight [panels, bytes]."""
    bits, block = attributes.bits, attributes.block_size
    matrix = unpack_down(weight.reshape(1, -1), bits, block, attributes.columns)
    return np.asarray(matrix.dequantize()[0][ids])
