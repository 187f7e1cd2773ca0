"""Reads a Hugging Face `config.json`: what several architectures have in common.

Absent and null are the same; what a file leaves out has the default of the reference
implementation. Every value is checked for its type here, and for its sense by `check_shape`.
"""

from __future__ import annotations

from typing import Any

from runtime.config import RopeParameters
from runtime.export.errors import ExportError

_DEFAULT_THETA = 10000.0
_LAYER_TYPES = {"full_attention", "sliding_attention"}


class ConfigJson:
    """The entries of a config.json, or of an object in it that `where` names."""

    def __init__(self, values: dict[str, Any], where: str = "config.json") -> None:
        self.values = values
        self._where = where

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a whole number. Raises ExportError where it is none, as do all of these."""
        value: int = self._entry(name, int, default)
        if not _is_reasonable(value):
            raise self.error(f"{name} is {str(value)[:40]}, which is no size of anything")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number."""
        value = self.values.get(name)
        if type(value) is int and _is_reasonable(value):
            return float(value)
        return float(self._entry(name, float, default))

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return true or false."""
        return bool(self._entry(name, bool, default))

    def integers(self, name: str) -> tuple[int, ...]:
        """Return a list of whole numbers; absent is empty."""
        values = self._entry(name, list, [])
        if not all(type(value) is int and _is_reasonable(value) for value in values):
            raise self.error(f"{name} must be a list of whole numbers, not {values!r:.60}")
        return tuple(values)

    def names(self, name: str) -> tuple[str, ...]:
        """Return a list of strings; absent is empty."""
        values = self._entry(name, list, [])
        if not all(isinstance(value, str) for value in values):
            raise self.error(f"{name} must be a list of strings, not {values!r:.60}")
        return tuple(values)

    def object(self, name: str) -> ConfigJson:
        """Return an object; absent is empty."""
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise self.error(f"{name} must be an object, not {value!r:.60}")
        return ConfigJson(value, f"{self._where}: {name}")

    def error(self, message: str) -> ExportError:
        """Return the exception that says what is wrong, and where."""
        return ExportError(f"{self._where}: {message}")

    def _entry(self, name: str, kind: type, default: Any) -> Any:
        value = self.values.get(name)
        if value is None:
            value = default
        if type(value) is not kind:
            raise self.error(f"{name} must be of type {kind.__name__}, not {value!r:.60}")
        return value


def _is_reasonable(value: int) -> bool:
    """Whether a number can be divided and printed; JSON's may have thousands of digits."""
    return abs(value) < 2**63


def decoder_fields(raw: ConfigJson) -> dict[str, Any]:
    """Return the fields of a ModelConfig that all decoders have but the head size."""
    refuse(
        raw,
        {
            f"activation {raw.values.get('hidden_act')!r:.60}": raw.values.get("hidden_act")
            not in (None, "silu"),
            "an already quantized checkpoint": bool(raw.values.get("quantization_config")),
        },
    )
    theta, rope = rope_parameters(raw)
    heads = raw.integer("num_attention_heads")
    return {
        "vocab_size": raw.integer("vocab_size"),
        "hidden_size": raw.integer("hidden_size"),
        "num_hidden_layers": raw.integer("num_hidden_layers"),
        "num_attention_heads": heads,
        "num_key_value_heads": raw.integer("num_key_value_heads", heads),
        "rms_norm_eps": raw.number("rms_norm_eps", 1e-6),
        "rope_theta": theta,
        "rope_parameters": rope,
        "max_position_embeddings": raw.integer("max_position_embeddings"),
        "tie_word_embeddings": raw.flag("tie_word_embeddings", False),
    }


def expert_fields(raw: ConfigJson, experts: str = "num_experts") -> dict[str, Any]:
    """Return the fields of layers with experts; `experts` names the number of them."""
    return {
        "num_experts": raw.integer(experts),
        "num_experts_per_tok": raw.integer("num_experts_per_tok"),
        "moe_intermediate_size": raw.integer("moe_intermediate_size"),
        "norm_topk_prob": raw.flag("norm_topk_prob", False),
        "decoder_sparse_step": raw.integer("decoder_sparse_step", 1),
        "mlp_only_layers": raw.integers("mlp_only_layers"),
        # Some files give it though no layer is dense.
        "intermediate_size": raw.integer("intermediate_size", 0),
    }


def head_dim_by_division(raw: ConfigJson) -> int:
    """Return the head size where a file may leave it out: the hidden size shared by the heads."""
    heads = raw.integer("num_attention_heads")
    return raw.integer("head_dim", raw.integer("hidden_size") // max(heads, 1))


def sliding_window(raw: ConfigJson, some_layer_slides: bool) -> int:
    """Return how many positions a sliding layer sees, 0 where no layer slides."""
    unknown = sorted(set(raw.names("layer_types")) - _LAYER_TYPES)
    refuse(raw, {f"layers of type {unknown[:1]}": bool(unknown)})
    if not raw.flag("use_sliding_window", False) or raw.values.get("sliding_window") is None:
        return 0
    slides = some_layer_slides
    if raw.values.get("layer_types") is not None:
        slides = "sliding_attention" in raw.names("layer_types")
    return raw.integer("sliding_window") if slides else 0


def rope_parameters(raw: ConfigJson) -> tuple[float, RopeParameters]:
    """Return the base of the angles and how they are stretched, from either spelling."""
    rope = raw.object("rope_scaling")
    if not rope.values:
        rope = raw.object("rope_parameters")
    theta = rope.number("rope_theta", raw.number("rope_theta", _DEFAULT_THETA))
    kind = rope.values.get("rope_type", rope.values.get("type", "default"))
    partial = rope.values.get("partial_rotary_factor", raw.values.get("partial_rotary_factor"))
    known = ("default", "linear", "dynamic", "yarn")
    refuse(
        raw,
        {
            f"rotary scaling of type {kind!r:.60}": kind not in known,
            f"rotation of a part of each head ({partial!r:.20})": partial not in (None, 1),
        },
    )
    if kind == "default":
        return theta, RopeParameters()
    if kind != "yarn":
        return theta, RopeParameters(rope_type=kind, factor=rope.number("factor"))
    limit = raw.integer("max_position_embeddings")
    original = raw.integer(
        "original_max_position_embeddings", rope.integer("original_max_position_embeddings", limit)
    )
    return theta, RopeParameters(
        rope_type=kind,
        factor=rope.number("factor", limit / max(original, 1)),
        original_max_position_embeddings=original,
        attention_factor=rope.number("attention_factor", 0.0),
        beta_fast=rope.number("beta_fast", 0.0) or 32.0,
        beta_slow=rope.number("beta_slow", 0.0) or 1.0,
        mscale=rope.number("mscale", 0.0),
        mscale_all_dim=rope.number("mscale_all_dim", 0.0),
        truncate=rope.flag("truncate", True),
    )


def refuse(raw: ConfigJson, reasons: dict[str, bool]) -> None:
    """Raise ExportError for the first of the reasons that holds."""
    for what, present in reasons.items():
        if present:
            raise raw.error(f"{what} cannot be exported yet")
