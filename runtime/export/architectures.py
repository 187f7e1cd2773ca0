"""The architectures that can be exported, by the names that a config.json gives them.

Each has a file that reads its config.json; what the graph is follows from the ModelConfig alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.bundle import check_shape
from runtime.config import ModelConfig
from runtime.errors import BundleError
from runtime.export import qwen2, qwen2_moe, qwen3, qwen3_moe
from runtime.export.config_json import ConfigJson
from runtime.export.errors import ExportError


@dataclass(frozen=True, slots=True)
class Architecture:
    """`name` is that of the reference implementation's class."""

    name: str
    model_type: str
    read: Callable[[ConfigJson], ModelConfig]


ARCHITECTURES = (
    Architecture("Qwen2ForCausalLM", "qwen2", qwen2.read),
    Architecture("Qwen2MoeForCausalLM", "qwen2_moe", qwen2_moe.read),
    Architecture("Qwen3ForCausalLM", "qwen3", qwen3.read),
    Architecture("Qwen3MoeForCausalLM", "qwen3_moe", qwen3_moe.read),
)


def read_config(raw: dict[str, Any]) -> ModelConfig:
    """Return the shape that a config.json gives.

    Raises ExportError for what the graph cannot express and for values that make no sense.
    """
    config = _architecture(raw).read(ConfigJson(raw))
    try:
        check_shape(config)
    except BundleError as error:
        raise ExportError(str(error)) from error
    if config.head_dim % 16:
        raise ExportError(f"config.json: head_dim must be a multiple of 16, not {config.head_dim}")
    return config


def _architecture(raw: dict[str, Any]) -> Architecture:
    named = raw.get("architectures") or raw.get("model_type")
    for architecture in ARCHITECTURES:
        if named in ([architecture.name], architecture.model_type):
            return architecture
    supported = ", ".join(architecture.name for architecture in ARCHITECTURES)
    raise ExportError(f"the architecture is {named!r:.60}; supported are {supported}")
