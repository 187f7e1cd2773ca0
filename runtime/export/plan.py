"""Chooses how a model is stored so that it fits a machine: precision, context, and what they cost.

A source that lies on a grid of ours keeps it, since nothing is lost then. Otherwise int8 is taken
where it fits and is fast enough to be waited for, and int4 where not.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.config import ModelConfig
from runtime.export.decoder import Schemes
from runtime.export.errors import ExportError
from runtime.export.footprint import Footprint, footprint, part_of
from runtime.export.linear import Scheme
from runtime.export.sources import Source
from runtime.export.write import LONGEST_CONTEXT

PRECISIONS = ("int4", "int8", "fp16")
PARTS = ("experts", "projections", "embedding")
# What a server takes beside the weights and the keys and values: index, libraries, work space.
OVERHEAD_BYTES = 600 * 2**20
# Below this, int8 is not worth its precision.
PATIENCE_TOKENS_PER_S = 20.0
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

    `size` is the bundle's in bytes; `is_exact` if no matrix of a layer is rounded anew.
    """

    precision: str
    schemes: Schemes
    context: int
    size: int
    footprint: Footprint
    is_exact: bool

    @property
    def memory(self) -> int:
        """The bytes that serving takes with a full context."""
        return self.size + self.context * self.footprint.cache_per_token + OVERHEAD_BYTES


def make_plan(
    source: Source, config: ModelConfig, precision: str, context: int, machine: Machine
) -> Plan:
    """Plan for one of PRECISIONS or "auto", and a context or 0 for what fits.

    Raises ExportError, with the numbers, where "auto" finds nothing that fits.
    """
    grids = {part: _common_grids(source, part) for part in PARTS}
    if precision != "auto":
        return _plan(config, grids, precision, context, machine)
    stored = {bits for bits, _ in grids["experts"]}
    names = [f"int{min(stored)}"] if stored else ["int8", "int4"]
    plans = [_plan(config, grids, name, context, machine) for name in names]
    for plan in plans:
        is_fast = plan.footprint.tokens_per_second(machine.bandwidth) >= PATIENCE_TOKENS_PER_S
        if fits(plan, machine) and (is_fast or plan is plans[-1]):
            return plan
    smallest = plans[-1]
    raise ExportError(
        f"{source.name} does not fit this machine: {smallest.precision} takes "
        f"{smallest.size / 1e9:.1f} GB of weights, {smallest.memory / 1e9:.1f} GB of memory with "
        f"a context of {smallest.context} tokens, and {(machine.memory or 0) / 1e9:.1f} GB are "
        "free: close other programs, take a smaller model, or give --quant to import it all the "
        "same"
    )


def fits(plan: Plan, machine: Machine) -> bool:
    """Whether a plan can be served without others being pushed out of memory."""
    return machine.memory is None or plan.memory <= machine.memory


_Grids = dict[str, set[tuple[int, int]]]


def _plan(
    config: ModelConfig, grids: _Grids, precision: str, context: int, machine: Machine
) -> Plan:
    schemes = _schemes(grids, precision)
    parts = {part: getattr(schemes, part) for part in PARTS}
    cost = footprint(config, {part: scheme.as_dict() for part, scheme in parts.items()})
    if not context:
        room = None if machine.memory is None else machine.memory - cost.weights - OVERHEAD_BYTES
        context = _largest_context(
            min(config.max_context, LONGEST_CONTEXT), cost.cache_per_token, room
        )
    # With the tables of angles, cosine and sine for half of a head at each position.
    size = cost.weights + context * config.head_dim * 4
    is_exact = all(
        parts[part].bits == 32 or (parts[part].bits, parts[part].block) in grids[part]
        for part in ("experts", "projections")
    )
    return Plan(precision, schemes, context, size, cost, is_exact)


def _schemes(grids: _Grids, precision: str) -> Schemes:
    """Return the schemes of a precision; a part that lies on a grid keeps it if its bits allow."""
    if precision == "fp16":
        exact = Scheme(32, _BLOCK)
        return Schemes(exact, exact, exact)
    wanted = 4 if precision == "int4" else 8
    schemes = {}
    for part, usual in (("experts", wanted), ("projections", 8), ("embedding", 8)):
        allowed = {wanted} if part == "experts" else {wanted, 8}
        kept = [grid for grid in grids[part] if grid[0] in allowed]
        bits, block = min(kept, key=lambda grid: (grid[0], -grid[1]), default=(usual, _BLOCK))
        schemes[part] = Scheme(bits, block)
    return Schemes(schemes["experts"], schemes["projections"], schemes["embedding"])


def _largest_context(most: int, per_token: int, room: int | None) -> int:
    """Return the model's context, halved until its keys and values fit a share of the room."""
    context = most
    while (
        room is not None
        and context > SMALLEST_CONTEXT
        and context * per_token > _CONTEXT_SHARE * room
    ):
        context = max(SMALLEST_CONTEXT, context // 2)
    return min(context, most)


def _common_grids(source: Source, part: str) -> set[tuple[int, int]]:
    """Return the grids that all tensors of a part are stored on."""
    grids = [set(source.storage(name).grids) for name in source.shapes if part_of(name) == part]
    return set.intersection(*grids) if grids else set()
