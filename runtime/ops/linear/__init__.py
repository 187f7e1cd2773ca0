"""`sopilka::Linear`: products of the same rows with one to three quantized matrices.

The weights have the layout of the experts' `down`, and the kernels are the experts' too.
"""

from runtime.ops.linear.pack import LAYOUT_VERSION, Attributes, pack

__all__ = ["LAYOUT_VERSION", "Attributes", "pack"]
