"""Fake quantization with a straight-through gradient, for the last stage of training.

Symmetric round-to-nearest in blocks along the input axis, one scale a block, as the bundle stores
weights: the forward pass sees the values that will ship, the gradient passes unchanged
(Bengio et al., arXiv 1308.3432; Jacob et al., arXiv 1712.05877).
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 32


def round_to_grid(weight: Tensor, bits: int, block: int = BLOCK) -> Tensor:
    """Return `weight` [..., in] on its int grid: per block, scale = max|w| / (2^(bits-1) - 1).

    Raises ValueError where the last axis is no multiple of `block`.
    """
    if weight.shape[-1] % block:
        raise ValueError(f"{weight.shape[-1]} columns do not divide into blocks of {block}")
    blocks = weight.view(*weight.shape[:-1], -1, block)
    scale = blocks.abs().amax(-1, keepdim=True).clamp_min(1e-12) / (2 ** (bits - 1) - 1)
    rounded: Tensor = torch.round(blocks / scale) * scale
    return rounded.view_as(weight)


def fake_quantize(weight: Tensor, bits: int) -> Tensor:
    """Return `weight` rounded to its grid, with the gradient of the unrounded weight."""
    return weight + (round_to_grid(weight.detach(), bits) - weight.detach())
