"""Chooses how a model is stored so that it fits a machine: precision, context, and what they cost.

A source that lies on a grid of ours keeps it, since nothing is lost then. Otherwise int8 is taken
where it fits and is fast enough to be waited for, and int4 where not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.config import ModelConfig
from runtime.export.decoder import Schemes
from runtime.export.errors import ExportError
from runtime.export.linear import Scheme
from runtime.export.sources import Source
from runtime.ops.paged_attention import BLOCK, block_bytes

PRECISIONS = ("int4", "int8", "fp16")
# What a server takes beside the weights and the keys and values: index, libraries, work space.
OVERHEAD_BYTES = 600 * 2**20
# Below this, int8 is not worth its precision.
PATIENCE_TOKENS_PER_S = 20.0
# The share of the bandwidth that was reached with real layers (benchmarks/results/layers.md).
BANDWIDTH_SHARE = 0.8
SMALLEST_CONTEXT = 2048
_BLOCK = 32
_CONTEXT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is: bytes of memory, None if unknown, and bytes a second that are read of it."""

    memory: int | None
    bandwidth: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model will be stored.

    Sizes are in bytes; `is_exact` if no matrix of a layer is rounded anew.
    """

    precision: str
    schemes: Schemes
    context: int
    size: int
    token_bytes: int
    cache_bytes_per_token: int
    is_exact: bool

    @property
    def memory(self) -> int:
        """What serving takes with a full context."""
        return self.size + self.context * self.cache_bytes_per_token + OVERHEAD_BYTES


def make_plan(
    source: Source, config: ModelConfig, precision: str, context: int, machine: Machine
) -> Plan:
    """Plan for one of PRECISIONS or "auto", and a context or 0 for what fits.

    Raises ExportError, with the numbers, where "auto" finds nothing that fits.
    """
    if precision != "auto":
        return _plan(source, config, precision, context, machine)
    plans = [_plan(source, config, name, context, machine) for name in _candidates(source)]
    for plan in plans:
        is_last = plan is plans[-1]
        is_fast = machine.bandwidth / plan.token_bytes >= PATIENCE_TOKENS_PER_S / BANDWIDTH_SHARE
        if _fits(plan, machine) and (is_fast or plan.is_exact or is_last):
            return plan
    smallest, memory = plans[-1], machine.memory or 0
    raise ExportError(
        f"{source.name} does not fit this machine: {smallest.precision} takes "
        f"{smallest.size / 1e9:.1f} GB of weights and {smallest.memory / 1e9:.1f} GB with a "
        f"context of {smallest.context} tokens, and {memory / 1e9:.1f} GB are free. Close other "
        "programs, take a smaller model, or give --quant to import it all the same"
    )


def tokens_per_second(token_bytes: int, cache_bytes: int, bandwidth: float) -> float:
    """Return the predicted speed of one sequence, `cache_bytes` being what it has behind it."""
    return BANDWIDTH_SHARE * bandwidth / (token_bytes + cache_bytes)


def _candidates(source: Source) -> Iterator[str]:
    bits = {grid[0] for grid in _common_grids(source, "experts")}
    if bits:
        yield f"int{min(bits)}"
    else:
        yield from ("int8", "int4")


def _plan(
    source: Source, config: ModelConfig, precision: str, context: int, machine: Machine
) -> Plan:
    schemes = schemes_of(source, precision)
    per_token = config.num_hidden_layers * block_bytes_of(config) // BLOCK
    size, token_bytes = estimate(source, config, schemes)
    if not context:
        room = None if machine.memory is None else machine.memory - size - OVERHEAD_BYTES
        context = _largest_context(config.max_context, per_token, room)
    size += context * config.head_dim * 4  # The tables of angles.
    exact = all(_is_exact(source, part, schemes) for part in ("experts", "projections"))
    return Plan(precision, schemes, context, size, token_bytes, per_token, exact)


def schemes_of(source: Source, precision: str) -> Schemes:
    """Return the schemes for a precision; a part that lies on a grid keeps it if its bits allow."""
    if precision == "fp16":
        return Schemes(*(Scheme(32, _BLOCK) for _ in range(3)))
    wanted = 4 if precision == "int4" else 8
    parts = {}
    for part, usual in (("experts", wanted), ("projections", 8), ("embedding", 8)):
        allowed = {wanted} if part == "experts" else {wanted, 8}
        grids = [grid for grid in _common_grids(source, part) if grid[0] in allowed]
        bits, block = min(grids, key=lambda grid: (grid[0], -grid[1]), default=(usual, _BLOCK))
        parts[part] = Scheme(bits, block)
    return Schemes(**parts)


def estimate(source: Source, config: ModelConfig, schemes: Schemes) -> tuple[int, int]:
    """Return bytes of all weights, and of those that one token reads."""
    total = used = 0.0
    for name, shape in source.shapes.items():
        part, count = part_of(name), math.prod(shape)
        if part == "rest":
            size = 4.0 * count
        else:
            scheme = getattr(schemes, part)
            scale = 0 if scheme.bits == 32 else (32 if part == "embedding" else 16) / scheme.block
            size = count * (scheme.bits + scale) / 8
        total += size
        if ".mlp.experts." in name:
            used += size * config.num_experts_per_tok / config.num_experts
        elif not name.startswith("model.embed_tokens.") or config.tie_word_embeddings:
            used += size
    return int(total), int(used)


def part_of(name: str) -> str:
    """Return the part of the schemes that a tensor is stored by; "rest" is kept in float32."""
    if name in ("model.embed_tokens.weight", "lm_head.weight"):
        return "embedding"
    stem, _, kind = name.rpartition(".")
    if kind != "weight" or not stem.endswith("_proj"):
        return "rest"
    return "projections" if ".self_attn." in name else "experts"


def _largest_context(most: int, per_token: int, room: int | None) -> int:
    """Return the model's context, halved until its keys and values fit half of the room."""
    context = most
    while (
        room is not None
        and context > SMALLEST_CONTEXT
        and context * per_token > _CONTEXT_SHARE * room
    ):
        context = max(SMALLEST_CONTEXT, context // 2)
    return min(context, most)


def _fits(plan: Plan, machine: Machine) -> bool:
    return machine.memory is None or plan.memory <= machine.memory


def _common_grids(source: Source, part: str) -> set[tuple[int, int]]:
    """Return the grids that all tensors of a part are stored on."""
    grids = [set(source.storage(name).grids) for name in source.shapes if part_of(name) == part]
    return set.intersection(*grids) if grids else set()


def _is_exact(source: Source, part: str, schemes: Schemes) -> bool:
    scheme = getattr(schemes, part)
    return scheme.bits == 32 or (scheme.bits, scheme.block) in _common_grids(source, part)


def block_bytes_of(config: ModelConfig) -> int:
    """Return the bytes of a block of keys and values of one layer, in 32 bits."""
    return block_bytes(config.num_key_value_heads, config.head_dim, 32)
