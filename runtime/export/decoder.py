"""A decoder as a graph: from a configuration and tensors, whatever the model's name.

A layer is: norm, grouped-query attention, residual, norm, MLP or experts, residual. The
configuration says what each is made of. A run takes tokens of several sequences, one after the
other. Logits are computed for the wanted positions only; a prefill asks for none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from runtime.config import ModelConfig
from runtime.export.attention import AttentionExtras, AttentionInputs, attention
from runtime.export.errors import ExportError
from runtime.export.feed_forward import Experts, dense_mlp, gated_sum, mixture_of_experts
from runtime.export.graph import GraphBuilder
from runtime.export.linear import Scheme, look_up, multiply, multiply_table
from runtime.export.norm import add_and_rms_norm, rms_norm
from runtime.export.quantize import ErrorMeter, Rounding
from runtime.export.tensors import EMBEDDING, FINAL_NORM, HEAD, Tensors
from runtime.export.weights import WeightWriter

MakeWriter = Callable[[GraphBuilder, Tensors, Rounding | None], WeightWriter]


@dataclass(frozen=True, slots=True)
class Schemes:
    """How the three kinds of weights are stored.

    `experts` are all that follow attention: experts, a shared one, the MLP of a dense layer. In
    layers that are `sensitive`, counted from 0, they keep 8 bits where others have 4.
    """

    experts: Scheme
    projections: Scheme
    embedding: Scheme
    sensitive: tuple[int, ...] = ()

    def experts_in(self, layer: int) -> Scheme:
        """Return how the experts of a layer are stored."""
        is_raised = layer in self.sensitive and self.experts.bits < 8
        return replace(self.experts, bits=8) if is_raised else self.experts

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the entries for the manifest."""
        parts = ("experts", "projections", "embedding")
        entries: dict[str, dict[str, Any]] = {part: getattr(self, part).as_dict() for part in parts}
        if self.sensitive:
            entries["experts"]["int8_layers"] = list(self.sensitive)
        return entries


def check_blocks(config: ModelConfig, schemes: Schemes) -> None:
    """Raise ExportError where a size of the model does not suit the operators."""
    heads = config.num_attention_heads * config.head_dim
    columns = {"hidden_size": config.hidden_size, "num_attention_heads * head_dim": heads}
    for name, size in columns.items():
        for scheme in (schemes.projections, schemes.embedding):
            if scheme.bits != 32 and size % scheme.block:
                raise ExportError(f"{name} is {size}, no multiple of the block size {scheme.block}")
    # Inner rows are filled up to whole blocks, but not these.
    block = schemes.experts.block
    if config.hidden_size % block:
        raise ExportError(
            f"hidden_size is {config.hidden_size}, no multiple of the block size {block}"
        )
    for layer in schemes.sensitive:
        if not 0 <= layer < config.num_hidden_layers:
            last = config.num_hidden_layers - 1
            raise ExportError(f"layer {layer} does not exist: they are counted from 0 to {last}")
    if config.head_dim % 16:
        raise ExportError(f"head_dim must be a multiple of 16, not {config.head_dim}")


class Decoder:
    """Adds a whole decoder to a graph."""

    def __init__(
        self,
        graph: GraphBuilder,
        tensors: Tensors,
        config: ModelConfig,
        context: int,
        schemes: Schemes,
        rounding: Rounding | None = None,
        writer: MakeWriter = WeightWriter,
    ) -> None:
        self._graph = graph
        self._config = config
        self._context = context
        self._schemes = schemes
        self._weights = writer(graph, tensors, rounding)

    def build(self) -> dict[str, Any]:
        """Build the graph, section by section; return the relative rms error of the weights.

        That of a layer has an entry for its projections, and one for its experts or its mlp.
        """
        graph, config = self._graph, self._config
        first = graph.section("embedding", self._begin)
        self._shared = AttentionInputs(**first["shared"])
        self._logits_at, self._cancel = first["logits_at"], self._shared.cancel
        x, residual = first["x"], ""
        layers = []
        for layer in range(config.num_hidden_layers):
            add_layer = functools.partial(self._layer, layer, x, residual)
            made = graph.section(f"layer.{layer}", add_layer)
            x, residual = made["x"], made["residual"]
            layers.append(made["error"])
        meter = ErrorMeter(**first["error"])
        embedding = graph.section("head", lambda: self._head(x, residual, meter))
        return {"embedding": embedding, "layers": layers}

    def _begin(self) -> dict[str, Any]:
        """Declare the inputs and add the embedding."""
        graph, config, meter = self._graph, self._config, ErrorMeter()
        ids = graph.input("input_ids", np.int64, [1, "tokens"])
        logits_at = graph.input("logits_at", np.int64, ["positions"])
        cancel = graph.input("cancel", np.int64, [1])
        shared = AttentionInputs.declare(graph, config, self._context, cancel)
        scheme = self._schemes.embedding
        self._weights.table("embedding", EMBEDDING, scheme, meter)
        shape = (config.vocab_size, config.hidden_size)
        x = look_up(graph, "embedded", ids, "embedding", shape, scheme)
        return {"x": x, "logits_at": logits_at, "shared": asdict(shared), "error": asdict(meter)}

    def _layer(self, layer: int, x: str, residual: str) -> dict[str, Any]:
        """Add one layer; return what it adds to the residual, that, and its errors."""
        source = f"model.layers.{layer}"
        meters = {"projections": ErrorMeter(), self._kind(layer): ErrorMeter()}
        norm = f"layer.{layer}.input_norm"
        x, residual = self._norm(norm, x, residual, f"{source}.input_layernorm.weight")
        x, residual = self._attention(layer, x, residual, meters["projections"])
        norm = f"layer.{layer}.{self._kind(layer)}_norm"
        x, residual = self._norm(norm, x, residual, f"{source}.post_attention_layernorm.weight")
        x = self._feed_forward(layer, x, meters[self._kind(layer)])
        error = {name: meter.relative_rms() for name, meter in meters.items()}
        return {"x": x, "residual": residual, "error": error}

    def _kind(self, layer: int) -> str:
        return "experts" if self._config.is_sparse(layer) else "mlp"

    def _attention(self, layer: int, x: str, residual: str, meter: ErrorMeter) -> tuple[str, str]:
        graph, config, scheme = self._graph, self._config, self._schemes.projections
        name, source = f"layer.{layer}.attention", f"model.layers.{layer}.self_attn"
        for part in "qkvo":
            self._weights.matrix(f"{name}.{part}", f"{source}.{part}_proj.weight", scheme, meter)
        extras = self._attention_extras(name, source)
        x = attention(graph, layer, x, extras, self._shared, config, scheme)
        if layer == config.num_hidden_layers - 1:
            # All keys and values are stored by now: from here on only positions with logits matter.
            x = self._wanted_positions(f"{name}.wanted", x)
            residual = self._wanted_positions(f"layer.{layer}.residual.wanted", residual)
        columns = config.num_attention_heads * config.head_dim
        return multiply(graph, [f"{name}.o"], x, [f"{name}.o"], columns, scheme)[0], residual

    def _attention_extras(self, name: str, source: str) -> AttentionExtras:
        exact, biases, norms = self._weights.exact, [], {}
        if self._config.qkv_bias:
            biases = [exact(f"{name}.{part}.bias", f"{source}.{part}_proj.bias") for part in "qkv"]
        if self._config.use_qk_norm:
            for part in ("q_norm", "k_norm"):
                norms[part] = exact(f"{name}.{part}", f"{source}.{part}.weight")
        return AttentionExtras(tuple(biases), **norms)

    def _feed_forward(self, layer: int, x: str, meter: ErrorMeter) -> str:
        config, source = self._config, f"model.layers.{layer}.mlp"
        if not config.is_sparse(layer):
            return self._mlp(layer, "mlp", x, source, config.intermediate_size, meter)
        name, scheme = f"layer.{layer}.experts", self._schemes.experts_in(layer)
        sources = [f"{source}.experts.{expert}" for expert in range(config.num_experts)]
        self._weights.experts(name, sources, scheme, meter)
        router = self._weights.exact(f"{name}.router.weight", f"{source}.gate.weight")
        experts = Experts(
            count=config.num_experts,
            chosen=config.num_experts_per_tok,
            normalize=config.norm_topk_prob,
            hidden=config.hidden_size,
            size=config.moe_intermediate_size,
            scheme=scheme,
        )
        y = mixture_of_experts(self._graph, name, x, router, experts, self._cancel)
        size = config.shared_expert_intermediate_size
        if not size:
            return y
        shared = self._mlp(layer, "shared_expert", x, f"{source}.shared_expert", size, meter)
        name = f"layer.{layer}.shared_expert"
        gate = self._weights.exact(f"{name}.gate.weight", f"{source}.shared_expert_gate.weight")
        return gated_sum(self._graph, name, x, y, shared, gate)

    def _mlp(self, layer: int, part: str, x: str, source: str, size: int, meter: ErrorMeter) -> str:
        name, hidden = f"layer.{layer}.{part}", self._config.hidden_size
        scheme = self._schemes.experts_in(layer)
        self._weights.experts(name, [source], scheme, meter)
        return dense_mlp(self._graph, name, x, hidden, size, scheme, self._cancel)

    def _norm(self, name: str, x: str, residual: str, source: str) -> tuple[str, str]:
        """Normalize `x` plus the residual, if there is any; return that and the new residual."""
        gain, epsilon = self._weights.exact(f"{name}.weight", source), self._config.rms_norm_eps
        if not residual:
            return rms_norm(self._graph, name, x, gain, epsilon), x
        return add_and_rms_norm(self._graph, name, x, residual, gain, epsilon)

    def _wanted_positions(self, name: str, x: str) -> str:
        return self._graph.node("Gather", [x, self._logits_at], name, axis=1)

    def _head(self, x: str, residual: str, meter: ErrorMeter) -> float:
        """Add the head; return the relative rms error of embedding and head together."""
        graph, config, scheme = self._graph, self._config, self._schemes.embedding
        x, _ = self._norm("final_norm", x, residual, FINAL_NORM)
        shape = (config.vocab_size, config.hidden_size)
        table = "embedding" if config.tie_word_embeddings else "head"
        if not config.tie_word_embeddings:
            self._weights.table(table, HEAD, scheme, meter)
        multiply_table(graph, "logits", x, table, shape, scheme)
        graph.output("logits", np.float32, [1, "positions", config.vocab_size])
        return meter.relative_rms()
