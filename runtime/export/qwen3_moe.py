"""Qwen3-MoE (Yang et al., arXiv 2505.09388): from configuration and tensors to a decoder graph.

A layer is: norm, grouped-query attention with normed heads, residual, norm, experts, residual.
A run takes tokens of several sequences, one after the other. Logits are computed for the wanted
positions only; a prefill asks for none.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import check_shape
from runtime.config import ModelConfig
from runtime.errors import BundleError
from runtime.export.attention import AttentionInputs, AttentionNorms, attention
from runtime.export.errors import ExportError
from runtime.export.graph import MICROSOFT, GraphBuilder
from runtime.export.linear import Scheme, add_matrix, add_table, multiply, multiply_table
from runtime.export.moe import mixture_of_experts, write_experts
from runtime.export.norm import add_and_rms_norm, rms_norm
from runtime.export.quantize import ErrorMeter, PlainRounding, Rounding
from runtime.ops.expert_dispatch.pack import PANEL_ROWS, Quantized

ARCHITECTURE = "Qwen3MoeForCausalLM"
_EMBEDDING = "model.embed_tokens.weight"
_HEAD = "lm_head.weight"
_FINAL_NORM = "model.norm.weight"


@dataclass(frozen=True, slots=True)
class Schemes:
    """How the three kinds of weights are stored."""

    experts: Scheme
    projections: Scheme
    embedding: Scheme


def read_config(raw: dict[str, Any]) -> ModelConfig:
    """Return the model's shape; raise ExportError for what the graph cannot express."""
    architecture = raw.get("architectures") or raw.get("model_type")
    if architecture not in ([ARCHITECTURE], "qwen3_moe"):
        raise ExportError(f"the architecture is {architecture!r:.60}; supported is {ARCHITECTURE}")
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise ExportError(f"config.json: rope_scaling must be an object, not {rope!r:.60}")
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    refused = {
        f"rotary scaling of type {rope_type!r:.60}": rope_type != "default",
        "dense layers (mlp_only_layers)": bool(raw.get("mlp_only_layers")),
        "dense layers (decoder_sparse_step)": raw.get("decoder_sparse_step", 1) != 1,
        "biases in attention (attention_bias)": bool(raw.get("attention_bias")),
        "sliding-window attention": bool(raw.get("use_sliding_window")),
        f"activation {raw.get('hidden_act')!r:.60}": raw.get("hidden_act", "silu") != "silu",
        "an already quantized checkpoint": bool(raw.get("quantization_config")),
    }
    for what, present in refused.items():
        if present:
            raise ExportError(f"config.json: {what} cannot be exported yet")
    values = {**raw, "rope_theta": raw.get("rope_theta", rope.get("rope_theta", 10000.0))}
    values.setdefault("num_experts", raw.get("num_local_experts"))
    return _model_config(values)


def _model_config(values: dict[str, Any]) -> ModelConfig:
    kinds = {"int": int, "float": float, "bool": bool}
    fields: dict[str, Any] = {}
    for name, kind in ModelConfig.__annotations__.items():
        value = values.get(name)
        if kind == "float" and type(value) is int:
            value = float(value)
        if type(value) is not kinds[kind]:
            raise ExportError(f"config.json: {name} must be of type {kind}, not {value!r:.60}")
        fields[name] = value
    config = ModelConfig(**fields)
    try:
        check_shape(config)
    except BundleError as error:
        raise ExportError(str(error)) from error
    if config.head_dim % 16:
        raise ExportError(f"config.json: head_dim must be a multiple of 16, not {config.head_dim}")
    return config


def check_blocks(config: ModelConfig, schemes: Schemes) -> None:
    """Raise ExportError where quantization blocks do not divide the rows of a matrix."""
    heads = config.num_attention_heads * config.head_dim
    columns = {
        "hidden_size": (
            config.hidden_size,
            (schemes.experts, schemes.projections, schemes.embedding),
        ),
        "moe_intermediate_size": (config.moe_intermediate_size, (schemes.experts,)),
        "num_attention_heads * head_dim": (heads, (schemes.projections,)),
    }
    for name, (size, users) in columns.items():
        for scheme in users:
            if scheme.bits != 32 and size % scheme.block:
                raise ExportError(f"{name} is {size}, no multiple of the block size {scheme.block}")
    if config.hidden_size % 32 or config.moe_intermediate_size % 32:
        raise ExportError("hidden_size and moe_intermediate_size must be multiples of 32")


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor that a checkpoint of this config has."""
    hidden, inner, size = config.hidden_size, config.moe_intermediate_size, config.head_dim
    heads, kv_heads = config.num_attention_heads * size, config.num_key_value_heads * size
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm": (hidden,),
        "post_attention_layernorm": (hidden,),
        "self_attn.q_proj": (heads, hidden),
        "self_attn.k_proj": (kv_heads, hidden),
        "self_attn.v_proj": (kv_heads, hidden),
        "self_attn.o_proj": (hidden, heads),
        "self_attn.q_norm": (size,),
        "self_attn.k_norm": (size,),
        "mlp.gate": (config.num_experts, hidden),
    }
    for expert in range(config.num_experts):
        layer[f"mlp.experts.{expert}.gate_proj"] = (inner, hidden)
        layer[f"mlp.experts.{expert}.up_proj"] = (inner, hidden)
        layer[f"mlp.experts.{expert}.down_proj"] = (hidden, inner)
    shapes: dict[str, tuple[int, ...]] = {
        _EMBEDDING: (config.vocab_size, hidden),
        _FINAL_NORM: (hidden,),
    }
    if not config.tie_word_embeddings:
        shapes[_HEAD] = (config.vocab_size, hidden)
    for number in range(config.num_hidden_layers):
        for name, shape in layer.items():
            shapes[f"model.layers.{number}.{name}.weight"] = shape
    return shapes


class Tensors(Protocol):
    """Where a decoder's weights come from, by the names of `tensor_shapes`; as a rule a file."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each tensor, by name; experts one by one, as Hugging Face stores them."""
        ...

    def read(self, name: str) -> NDArray[np.float32]:
        """Return a tensor. Raises ExportError where it is missing, damaged or not finite."""
        ...

    def read_quantized(self, name: str, bits: int, block: int) -> Quantized | None:
        """Return a matrix [1, N, K] of `bits` with a scale for each `block` columns.

        None unless it is stored on such a grid, so that what is returned is exactly what `read`
        returns: nothing is rounded anew.
        """
        ...


def check_tensors(tensors: Tensors, config: ModelConfig) -> None:
    """Raise ExportError unless the checkpoint has exactly the tensors of its config."""
    shapes, stored = tensor_shapes(config), tensors.shapes
    missing = sorted(set(shapes) - set(stored))
    if missing:
        raise ExportError(f"the checkpoint lacks {len(missing)} tensors, first {missing[0]}")
    # A tied head is stored by some tools all the same.
    unknown = sorted(set(stored) - set(shapes) - {_HEAD})
    if unknown:
        raise ExportError(f"the checkpoint has {len(unknown)} unknown tensors, first {unknown[0]}")
    for name, shape in shapes.items():
        found = stored[name]
        if found != shape:
            raise ExportError(f"{name} has shape {list(found)}, config.json says {list(shape)}")


class Decoder:
    """Adds a whole decoder to a graph. The `_write` methods can be replaced with other weights."""

    def __init__(
        self,
        graph: GraphBuilder,
        tensors: Tensors,
        config: ModelConfig,
        context: int,
        schemes: Schemes,
        rounding: Rounding | None = None,
    ) -> None:
        self._graph = graph
        self._tensors = tensors
        self._config = config
        self._context = context
        self._schemes = schemes
        self._rounding = rounding or PlainRounding()

    def build(self) -> dict[str, Any]:
        """Build the graph, section by section; return the relative rms error of the weights."""
        graph, config = self._graph, self._config
        first = graph.section("embedding", self._begin)
        self._shared = AttentionInputs(**first["shared"])
        self._logits_at, self._cancel = first["logits_at"], self._shared.cancel
        x, residual = first["x"], ""
        layers = []
        for layer in range(config.num_hidden_layers):
            add_layer = functools.partial(self._layer_section, layer, x, residual)
            made = graph.section(f"layer.{layer}", add_layer)
            x, residual = made["x"], made["residual"]
            layers.append(made["error"])
        meter = ErrorMeter(**first["error"])
        embedding = graph.section("head", lambda: self._head(x, residual, meter))
        return {"embedding": embedding, "layers": layers}

    def _begin(self) -> dict[str, Any]:
        """Declare the inputs and add the embedding."""
        graph, meter = self._graph, ErrorMeter()
        ids = graph.input("input_ids", np.int64, [1, "tokens"])
        logits_at = graph.input("logits_at", np.int64, ["positions"])
        cancel = graph.input("cancel", np.int64, [1])
        shared = AttentionInputs.declare(graph, self._config, self._context, cancel)
        x = self._embed(ids, meter)
        return {"x": x, "logits_at": logits_at, "shared": asdict(shared), "error": asdict(meter)}

    def _layer_section(self, layer: int, x: str, residual: str) -> dict[str, Any]:
        meters = {"projections": ErrorMeter(), "experts": ErrorMeter()}
        x, residual = self._layer(layer, x, residual, meters)
        error = {name: meter.relative_rms() for name, meter in meters.items()}
        return {"x": x, "residual": residual, "error": error}

    def _embed(self, ids: str, meter: ErrorMeter) -> str:
        scheme, config = self._schemes.embedding, self._config
        self._write_table("embedding", _EMBEDDING, meter)
        if scheme.bits == 32:
            return self._graph.node("Gather", ["embedding.weight", ids], "embedded")
        # The head reads the same bytes, block by block.
        shape = (config.vocab_size, config.hidden_size * scheme.bits // 8)
        table = self._graph.alias("embedding.table", "embedding.weight", shape)
        return self._graph.node(
            "GatherBlockQuantized",
            [table, ids, "embedding.scales"],
            "embedded",
            domain=MICROSOFT,
            gather_axis=0,
            quantize_axis=1,
            block_size=scheme.block,
            bits=scheme.bits,
        )

    def _layer(
        self, layer: int, x: str, residual: str, meters: dict[str, ErrorMeter]
    ) -> tuple[str, str]:
        """Add one layer; return the output of its experts and the residual to add it to."""
        graph, config, schemes = self._graph, self._config, self._schemes
        name = f"layer.{layer}"
        x, residual = self._norm(f"{name}.input_norm", x, residual, layer, "input_layernorm")
        meter = meters["projections"]
        scheme = schemes.projections
        for part in "qkvo":
            source = f"model.layers.{layer}.self_attn.{part}_proj.weight"
            self._write_matrix(f"{name}.attention.{part}", source, scheme, meter)
        norms = AttentionNorms(
            q_norm=self._read(layer, "self_attn.q_norm"),
            k_norm=self._read(layer, "self_attn.k_norm"),
        )
        x = attention(graph, layer, x, norms, self._shared, config, scheme)
        if layer == config.num_hidden_layers - 1:
            # All keys and values are stored by now: from here on only positions with logits matter.
            x = self._wanted_positions(f"{name}.attention.wanted", x)
            residual = self._wanted_positions(f"{name}.residual.wanted", residual)
        output, columns = f"{name}.attention.o", config.num_attention_heads * config.head_dim
        x = multiply(graph, [output], x, [output], columns, scheme)[0]
        x, residual = self._norm(
            f"{name}.experts_norm", x, residual, layer, "post_attention_layernorm"
        )
        experts = f"{name}.experts"
        self._write_experts(layer, experts, meters["experts"])
        router = self._read(layer, "mlp.gate")
        x = mixture_of_experts(graph, experts, x, router, config, schemes.experts, self._cancel)
        return x, residual

    def _write_table(self, name: str, source: str, meter: ErrorMeter) -> None:
        weight = self._tensors.read(source)
        add_table(self._graph, name, weight, self._schemes.embedding, meter)

    def _write_matrix(self, name: str, source: str, scheme: Scheme, meter: ErrorMeter) -> None:
        def round_rows(start: int, weight: NDArray[np.float32]) -> Quantized:
            return self._rounding.round(source, start, weight, scheme)

        weight = self._tensors.read(source)
        add_matrix(self._graph, name, weight, scheme, meter, round_rows)

    def _write_experts(self, layer: int, name: str, meter: ErrorMeter) -> None:
        def round_expert(expert: int, part: str) -> tuple[NDArray[np.float32], Quantized]:
            source = f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"
            weight = self._tensors.read(source)
            return weight, self._rounding.round(source, 0, weight, self._schemes.experts)

        write_experts(self._graph, name, round_expert, self._config, meter)

    def _norm(self, name: str, x: str, residual: str, layer: int, source: str) -> tuple[str, str]:
        """Normalize `x` plus the residual, if there is any; return that and the new residual."""
        weight, epsilon = self._read(layer, source), self._config.rms_norm_eps
        if not residual:
            return rms_norm(self._graph, name, x, weight, epsilon), x
        return add_and_rms_norm(self._graph, name, x, residual, weight, epsilon)

    def _wanted_positions(self, name: str, x: str) -> str:
        return self._graph.node("Gather", [x, self._logits_at], name, axis=1)

    def _head(self, x: str, residual: str, meter: ErrorMeter) -> float:
        """Add the head; return the relative rms error of embedding and head together."""
        graph, config, scheme = self._graph, self._config, self._schemes.embedding
        weight = self._tensors.read(_FINAL_NORM)
        x, _ = add_and_rms_norm(graph, "final_norm", x, residual, weight, config.rms_norm_eps)
        shape = (config.vocab_size, config.hidden_size)
        if config.tie_word_embeddings:
            multiply_table(graph, "logits", x, "embedding", shape, scheme)
        elif scheme.bits != 32 and config.vocab_size % PANEL_ROWS:
            self._write_table("head", _HEAD, meter)
            multiply_table(graph, "logits", x, "head", shape, scheme)
        else:
            self._write_matrix("head", _HEAD, scheme, meter)
            multiply(graph, ["logits"], x, ["head"], config.hidden_size, scheme)
        graph.output("logits", np.float32, [1, "positions", config.vocab_size])
        return meter.relative_rms()

    def _read(self, layer: int, name: str) -> NDArray[np.float32]:
        return self._tensors.read(f"model.layers.{layer}.{name}.weight")
