"""The tensors of a checkpoint under their names in Hugging Face's models, and their shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig
from runtime.export.errors import ExportError
from runtime.ops.expert_dispatch.pack import Quantized

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
FINAL_NORM = "model.norm.weight"

_Shape = tuple[int, ...]


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


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor that a checkpoint of this config has."""
    shapes: dict[str, _Shape] = {
        EMBEDDING: (config.vocab_size, config.hidden_size),
        FINAL_NORM: (config.hidden_size,),
    }
    if not config.tie_word_embeddings:
        shapes[HEAD] = shapes[EMBEDDING]
    for layer in range(config.num_hidden_layers):
        for part in (_norms(config), _attention(config), _feed_forward(config, layer)):
            shapes.update((f"model.layers.{layer}.{name}", shape) for name, shape in part)
    return shapes


def check_tensors(tensors: Tensors, config: ModelConfig) -> None:
    """Raise ExportError unless the checkpoint has exactly the tensors of its config."""
    shapes, stored = tensor_shapes(config), tensors.shapes
    missing = sorted(set(shapes) - set(stored))
    if missing:
        raise ExportError(f"the checkpoint lacks {len(missing)} tensors, first {missing[0]}")
    # A tied head is stored by some tools all the same.
    unknown = sorted(set(stored) - set(shapes) - {HEAD})
    if unknown:
        raise ExportError(f"the checkpoint has {len(unknown)} unknown tensors, first {unknown[0]}")
    for name, shape in shapes.items():
        found = stored[name]
        if found != shape:
            raise ExportError(f"{name} has shape {list(found)}, config.json says {list(shape)}")


def _norms(config: ModelConfig) -> Iterator[tuple[str, _Shape]]:
    for name in ("input_layernorm", "post_attention_layernorm"):
        yield f"{name}.weight", (config.hidden_size,)


def _attention(config: ModelConfig) -> Iterator[tuple[str, _Shape]]:
    hidden, size = config.hidden_size, config.head_dim
    rows = {
        "q": config.num_attention_heads * size,
        "k": config.num_key_value_heads * size,
        "v": config.num_key_value_heads * size,
    }
    for part, count in rows.items():
        yield f"self_attn.{part}_proj.weight", (count, hidden)
        if config.qkv_bias:
            yield f"self_attn.{part}_proj.bias", (count,)
    yield "self_attn.o_proj.weight", (hidden, rows["q"])
    if config.use_qk_norm:
        for part in "qk":
            yield f"self_attn.{part}_norm.weight", (size,)


def _feed_forward(config: ModelConfig, layer: int) -> Iterator[tuple[str, _Shape]]:
    hidden = config.hidden_size
    if not config.is_sparse(layer):
        yield from _mlp("mlp", hidden, config.intermediate_size)
        return
    yield "mlp.gate.weight", (config.num_experts, hidden)
    for expert in range(config.num_experts):
        yield from _mlp(f"mlp.experts.{expert}", hidden, config.moe_intermediate_size)
    if config.shared_expert_intermediate_size:
        yield "mlp.shared_expert_gate.weight", (1, hidden)
        yield from _mlp("mlp.shared_expert", hidden, config.shared_expert_intermediate_size)


def _mlp(name: str, hidden: int, size: int) -> Iterator[tuple[str, _Shape]]:
    yield f"{name}.gate_proj.weight", (size, hidden)
    yield f"{name}.up_proj.weight", (size, hidden)
    yield f"{name}.down_proj.weight", (hidden, size)
