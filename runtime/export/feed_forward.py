"""What follows attention in a layer: gated MLPs (Shazeer, arXiv 2002.05202), one or many.

All of them are `ExpertDispatch` nodes. A dense MLP is a single expert, which takes every token with
weight 1: in one node its rows are rounded once, its tasks can be cancelled, and it is faster than
projections with the activation between them, by an eighth where many tokens are computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.export.graph import GraphBuilder
from runtime.export.linear import Scheme, multiply_exactly
from runtime.ops import DOMAIN
from runtime.ops.expert_dispatch.pack import Attributes


@dataclass(frozen=True, slots=True)
class Experts:
    """Gated MLPs as `WeightWriter.experts` wrote them; `size` is the true number of inner rows."""

    count: int
    chosen: int
    normalize: bool
    hidden: int
    size: int
    scheme: Scheme

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the node."""
        block = self.scheme.block
        return Attributes(
            k=self.chosen,
            hidden_size=self.hidden,
            intermediate_size=-(-self.size // block) * block,
            num_experts=self.count,
            bits=self.scheme.bits,
            block_size=block,
            normalize=int(self.normalize),
        ).as_dict()


def mixture_of_experts(
    graph: GraphBuilder, name: str, x: str, router: str, experts: Experts, cancel: str
) -> str:
    """Return the weighted sum of the chosen experts, written as `name`, for `x` [1, T, hidden].

    The weight `router` [experts, hidden] stays float32: a token sent to another expert is a large
    error.
    """
    logits = multiply_exactly(graph, f"{name}.router", x, router)
    return _dispatch(graph, name, x, logits, experts, cancel)


def dense_mlp(
    graph: GraphBuilder, name: str, x: str, hidden: int, size: int, scheme: Scheme, cancel: str
) -> str:
    """Return the output of the MLP written as `name` for `x` [1, T, hidden]."""
    # Softmax over one logit is 1, whatever it is: any number of the token serves.
    first = graph.constant("mlp.first", [0])
    logits = graph.node("Gather", [x, first], f"{name}.router", axis=2)
    only = Experts(count=1, chosen=1, normalize=True, hidden=hidden, size=size, scheme=scheme)
    return _dispatch(graph, name, x, logits, only, cancel)


def gated_sum(graph: GraphBuilder, name: str, x: str, experts: str, shared: str, gate: str) -> str:
    """Return experts + sigmoid(x @ gate^T) * shared, for the weight `gate` [1, hidden]."""
    logit = multiply_exactly(graph, f"{name}.gate", x, gate)
    openness = graph.node("Sigmoid", [logit], f"{name}.openness")
    weighted = graph.node("Mul", [shared, openness], f"{name}.weighted")
    return graph.node("Add", [experts, weighted], f"{name}.sum")


def _dispatch(
    graph: GraphBuilder, name: str, x: str, logits: str, experts: Experts, cancel: str
) -> str:
    inputs = [x, logits, f"{name}.gate_up", f"{name}.down", cancel]
    return graph.node("ExpertDispatch", inputs, name, domain=DOMAIN, **experts.attributes())
