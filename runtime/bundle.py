"""A model on disk: a directory with a manifest that says what is in it and how to use it.

Nothing of a bundle is used before its manifest has been checked, every file has the size and
SHA-256 that the manifest gives, and no name in it, nor in the graph, leads out of the directory.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from runtime import prompt_format
from runtime.config import ModelConfig, SamplingParams
from runtime.errors import BundleError
from runtime.external_data import external_files

FORMAT_VERSION = 2
MANIFEST = "bundle.json"
MODEL = "model.onnx"
WEIGHTS = "weights.bin"
TOKENIZER = "tokenizer.json"
# Operator of our domain -> layouts of its packed weights that this version reads.
OPERATOR_LAYOUTS = {
    "Embedding": (1,),
    "ExpertDispatch": (1,),
    "Linear": (1,),
    "PagedAttention": (1,),
}

ROPE_TYPES = ("default", "linear", "dynamic", "yarn")
# Fields of a config that may be 0, as far as its layers do not need them.
_OPTIONAL = (
    "intermediate_size",
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "shared_expert_intermediate_size",
    "sliding_window",
)
# What the operators take, and what keeps a hostile config from asking for all memory there is.
_LARGEST = {
    "vocab_size": 1 << 24,
    "hidden_size": 1 << 20,
    "intermediate_size": 1 << 20,
    "moe_intermediate_size": 1 << 20,
    "shared_expert_intermediate_size": 1 << 20,
    "num_hidden_layers": 1 << 10,
    "num_attention_heads": 1 << 12,
    "num_key_value_heads": 1 << 12,
    "head_dim": 1 << 12,
    "max_position_embeddings": 1 << 24,
}
_MOST_EXPERTS = 1 << 17

_SAFE_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


def default_bundle_path() -> Path:
    """Return where the bundle that ships with the package lies."""
    return Path(__file__).parent / "models" / "default"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What the manifest says of one file: its SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle.

    `context` is the most tokens that a sequence may have; `prompt_format` is resolved
    by `PromptFormat.from_manifest`; `memory` is the mixture table of the repository memory, if any;
    `operators` maps each operator of ours that the graph uses to its layout version.
    """

    path: Path
    name: str
    created_by: str
    licence: str
    files: Mapping[str, FileRecord]
    config: ModelConfig
    context: int
    quantization: Mapping[str, Any]
    prompt_format: Mapping[str, Any]
    sampling: SamplingParams
    memory: Mapping[str, Any] | None
    operators: Mapping[str, int]

    @property
    def model_path(self) -> Path:
        """The ONNX graph."""
        return self.path / MODEL

    @property
    def weights_path(self) -> Path:
        """The weights, as external data of the graph."""
        return self.path / WEIGHTS

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer's definition."""
        return self.path / TOKENIZER

    @classmethod
    def open(cls, path: Path, verify: bool = True) -> Bundle:
        """Read and check the bundle in the directory `path`.

        `verify=False` compares sizes only; hashing costs about a second for each gigabyte.
        Raises BundleError, in one line that names the file or field and what is wrong.
        """
        if not path.is_dir():
            raise BundleError(
                f"{path} is not a directory: a bundle is one, with a {MANIFEST} in it"
            )
        try:
            bundle = _read_manifest(path.resolve())
            for name, record in bundle.files.items():
                _check_file(bundle.path, name, record, verify)
            _check_external_data(bundle)
        except BundleError as error:
            raise BundleError(f"bundle {path}: {error}") from error
        return bundle


def _read_manifest(path: Path) -> Bundle:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except OSError as error:
        raise BundleError(f"cannot read {MANIFEST}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{MANIFEST} must hold a JSON object")
    version = manifest.get("format_version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise BundleError(
            f"format_version is {version!r}, this version reads {FORMAT_VERSION}: "
            "export the checkpoint again"
        )
    config = _build(ModelConfig, _entry(manifest, "config", dict), "config")
    check_shape(config)
    layout = _entry(manifest, "prompt_format", dict)
    prompt_format.check_manifest(layout)
    return Bundle(
        path=path,
        name=_entry(manifest, "name", str),
        created_by=_entry(manifest, "created_by", str),
        licence=_entry(manifest, "licence", str),
        files=_read_files(_entry(manifest, "files", dict)),
        config=config,
        context=_read_context(manifest, config),
        quantization=_entry(manifest, "quantization", dict),
        prompt_format=layout,
        sampling=_build(SamplingParams, _entry(manifest, "sampling", dict), "sampling"),
        memory=None if manifest.get("memory") is None else _entry(manifest, "memory", dict),
        operators=_read_operators(_entry(manifest, "operators", dict)),
    )


def _read_context(manifest: dict[str, Any], config: ModelConfig) -> int:
    context: int = _entry(manifest, "context", int)
    if not 1 <= context <= config.max_context:
        raise BundleError(
            f"context is {context}, but must be from 1 to {config.max_context} "
            "(max_position_embeddings, as rope_parameters and sliding_window change it)"
        )
    return context


def _read_files(entry: dict[str, Any]) -> dict[str, FileRecord]:
    for required in (MODEL, WEIGHTS, TOKENIZER):
        if required not in entry:
            raise BundleError(f"files: {required} is not listed")
    records = {}
    for name, value in entry.items():
        if not _SAFE_NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
            raise BundleError(f"files: {name!r} is not a plain path inside the bundle")
        if not isinstance(value, dict):
            raise BundleError(f"files: {name} must have sha256 and bytes")
        record = _build(FileRecord, value, f"files: {name}")
        if not _SHA256.fullmatch(record.sha256):
            raise BundleError(f"files: {name}: sha256 must be 64 hexadecimal digits in lower case")
        records[name] = record
    return records


def _read_operators(entry: dict[str, Any]) -> dict[str, int]:
    for name, layout in entry.items():
        known = OPERATOR_LAYOUTS.get(name)
        if known is None:
            raise BundleError(f"operators: {name!r} is unknown: a newer version may have it")
        if isinstance(layout, bool) or layout not in known:
            raise BundleError(
                f"operators: {name} has weights in layout {layout!r}, this version reads "
                f"{', '.join(map(str, known))}: export the checkpoint again"
            )
    return dict(entry)


def _check_file(root: Path, name: str, record: FileRecord, verify: bool) -> None:
    file = root / name
    try:
        if not file.resolve().is_relative_to(root):
            raise BundleError(f"{name} leads out of the bundle")
        if not file.is_file():
            raise BundleError(f"{name} is missing")
        size = file.stat().st_size
        if size != record.bytes:
            raise BundleError(
                f"{name} has {size} bytes instead of {record.bytes}: fetch the bundle again"
            )
        if verify:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            if digest != record.sha256:
                raise BundleError(f"{name} was altered (wrong SHA-256): fetch the bundle again")
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links.
        raise BundleError(f"cannot read {name}: {error}") from error


def _check_external_data(bundle: Bundle) -> None:
    for location in sorted(external_files(bundle.model_path.read_bytes())):
        if location not in bundle.files:
            raise BundleError(f"{MODEL} refers to {location!r}, which the manifest does not list")


def check_shape(config: ModelConfig) -> None:
    """Raise BundleError where the numbers of a config do not fit together, or are out of reason."""
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if not (value > 0 or (value == 0 and field.name in _OPTIONAL)):
            raise BundleError(f"config: {field.name} must be positive, not {value}")
        largest = _LARGEST.get(field.name, 2**31 - 1)
        if not value <= largest:
            raise BundleError(f"config: {field.name} must be {largest} at most, not {value}")
    _check_layers(config)
    _check_parts(config)
    _check_rope(config)


def _check_layers(config: ModelConfig) -> None:
    """Every kind of layer that there is has its sizes."""
    sparse = {config.is_sparse(layer) for layer in range(config.num_hidden_layers)}
    needed = {True: ("num_experts_per_tok", "moe_intermediate_size"), False: ("intermediate_size",)}
    for kind in sparse:
        for name in needed[kind]:
            if not getattr(config, name):
                raise BundleError(f"config: {name} must be positive, not 0")


def _check_parts(config: ModelConfig) -> None:
    if config.num_attention_heads % config.num_key_value_heads:
        raise BundleError(
            f"config: {config.num_attention_heads} attention heads do not divide into "
            f"{config.num_key_value_heads} key-value heads"
        )
    if config.num_experts_per_tok > config.num_experts:
        raise BundleError(
            f"config: num_experts_per_tok is {config.num_experts_per_tok} "
            f"of {config.num_experts} experts"
        )
    if config.num_hidden_layers * config.num_experts > _MOST_EXPERTS:
        raise BundleError(
            f"config: {config.num_hidden_layers} layers of {config.num_experts} experts are more "
            f"than {_MOST_EXPERTS} experts"
        )
    for layer in config.mlp_only_layers:
        if not 0 <= layer < config.num_hidden_layers:
            raise BundleError(f"config: mlp_only_layers names layer {layer}, which does not exist")


def _check_rope(config: ModelConfig) -> None:
    rope = config.rope_parameters
    if rope.rope_type not in ROPE_TYPES:
        raise BundleError(
            f"config: rope_type is {rope.rope_type!r:.40}, supported are {', '.join(ROPE_TYPES)}"
        )
    if not 1 <= rope.factor <= 1e6:
        raise BundleError(f"config: rope_parameters: factor must be 1 or more, not {rope.factor}")
    if rope.rope_type != "yarn":
        return
    for name in ("attention_factor", "mscale", "mscale_all_dim"):
        if not 0 <= getattr(rope, name) <= 1e6:
            raise BundleError(f"config: rope_parameters: {name} must not be {getattr(rope, name)}")
    if not 0 < rope.beta_slow <= rope.beta_fast <= 1e6:
        raise BundleError(
            f"config: rope_parameters: beta_fast ({rope.beta_fast}) must be at least beta_slow "
            f"({rope.beta_slow}), and both positive"
        )
    largest = _LARGEST["max_position_embeddings"]
    if not 0 < rope.original_max_position_embeddings <= largest / rope.factor:
        raise BundleError(
            "config: rope_parameters: original_max_position_embeddings, "
            f"{rope.original_max_position_embeddings}, must be positive, and "
            f"{largest} at most when multiplied by factor"
        )
    if not config.rope_theta > 1:
        raise BundleError(f"config: rope_theta must be above 1 for yarn, not {config.rope_theta}")


def _entry(manifest: dict[str, Any], key: str, kind: type) -> Any:
    if key not in manifest:
        raise BundleError(f"{MANIFEST} lacks {key!r}")
    value = manifest[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BundleError(f"{key} must be of type {kind.__name__}, not {type(value).__name__}")
    return value


def _build(cls: type[_T], values: dict[str, Any], where: str) -> _T:
    """Build a frozen value from JSON, checking names and types of all fields."""
    hints = get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise BundleError(f"{where}: unknown field {unknown[0]!r}")
    required = {field.name for field in fields(cls) if field.default is MISSING}  # type: ignore[arg-type]
    missing = sorted(required - set(values))
    if missing:
        raise BundleError(f"{where}: field {missing[0]!r} is missing")
    converted = {
        name: _convert(value, hints[name], f"{where}: {name}") for name, value in values.items()
    }
    try:
        return cls(**converted)
    except ValueError as error:
        raise BundleError(f"{where}: {error}") from error


def _convert(value: Any, hint: Any, where: str) -> Any:
    if hint in (int, str, bool):
        if type(value) is hint and (hint is not int or abs(value) < 2**63):
            return value
    elif hint is float:
        if type(value) in (int, float) and abs(value) < 1e300:  # Neither NaN nor infinite.
            return float(value)
    elif is_dataclass(hint):
        if isinstance(value, dict):
            return _build(hint, value, where)  # type: ignore[arg-type]
    elif isinstance(value, list) and all(type(item) is hint.__args__[0] for item in value):
        return tuple(value)
    expected = hint.__name__ if isinstance(hint, type) else str(hint)
    raise BundleError(f"{where} must be of type {expected}, not {value!r:.40}")
