"""Cross-entropy of a linear layer's logits, chunk by chunk, never holding all of them.

With an 8K vocabulary the logits of one batch are 134 MB and memory-bound on a CPU; a chunk of rows
stays in the cache. The gradient is computed in the forward pass, as in Liger Kernel
(arXiv 2410.10989, "fused linear cross entropy").
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_ROWS = 128


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, target: Tensor) -> Tensor:
        state_grad, weight_grad = torch.empty_like(states), torch.zeros_like(weight)
        total = states.new_zeros(())
        scale = 1.0 / len(states)
        for begin in range(0, len(states), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            logits = states[rows] @ weight.t()
            picked = target[rows, None]
            logits -= logits.amax(1, keepdim=True)
            chosen = logits.gather(1, picked).sum()
            normalizer = logits.exp_().sum(1, keepdim=True)
            total += normalizer.log().sum() - chosen
            logits *= scale / normalizer
            logits.scatter_add_(1, picked, torch.full_like(picked, -scale, dtype=logits.dtype))
            torch.mm(logits, weight, out=state_grad[rows])
            weight_grad.addmm_(logits.t(), states[rows])
        ctx.save_for_backward(state_grad, weight_grad)
        return total * scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        state_grad, weight_grad = ctx.saved_tensors
        return state_grad * grads[0], weight_grad * grads[0], None


def linear_cross_entropy(states: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats of states [n, width] @ weight[vocab, width]^T.

    `target` [n] holds the right classes. Differentiable once, in `states` and `weight`.
    """
    result: Tensor = _LinearCrossEntropy.apply(states, weight, target)  # type: ignore[no-untyped-call]
    return result
