"""Muon for the matrices, AdamW for the rest, and the warmup-stable-decay schedule.

Muon: Keller Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
Warmup-stable-decay: MiniCPM, arXiv 2404.06395.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


def orthogonalize(gradient: Tensor) -> Tensor:
    """Return the nearest semi-orthogonal matrix to `gradient` [..., rows, columns], roughly.

    Five Newton-Schulz steps with Jordan's coefficients bring singular values near 1, not onto it.
    """
    a, b, c = NEWTON_SCHULZ
    tall = gradient.shape[-2] > gradient.shape[-1]
    x: Tensor = gradient.mT if tall else gradient
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, for parameters [..., rows, columns] with Nesterov's look-ahead."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update each parameter that has a gradient; `closure` must be None."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = orthogonalize(gradient.lerp(momentum, group["momentum"]))
        # Keeps the change of an output equal for tall and wide matrices.
        scale = max(1.0, parameter.shape[-2] / parameter.shape[-1]) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update, alpha=-group["lr"] * scale)


def build_optimizers(
    model: nn.Module, matrix_lr: float, other_lr: float
) -> tuple[Muon, torch.optim.AdamW]:
    """Return Muon over attention and expert matrices, AdamW over embedding, router and norms."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        hidden = parameter.ndim >= 2 and "embedding" not in name and "router" not in name
        (matrices if hidden else others).append(parameter)
    adam = torch.optim.AdamW(others, lr=other_lr, betas=(0.9, 0.95), weight_decay=0.0)
    return Muon(matrices, lr=matrix_lr), adam


@dataclass(frozen=True)
class Schedule:
    """Warmup over steps, then a plateau, then a straight line down over the run's progress."""

    warmup_steps: int = 60
    decay_from: float = 0.4
    floor: float = 0.01

    def scale(self, step: int, progress: float) -> float:
        """Return the learning-rate factor at a step (from 0) and a progress in 0..1."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        left = (1.0 - progress) / (1.0 - self.decay_from)
        return warm * max(self.floor, min(1.0, left))
