"""Writes a bundle: graph, weights, tokenizer and the manifest that vouches for them."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.bundle import FORMAT_VERSION, MANIFEST, MODEL, TOKENIZER, WEIGHTS, Bundle
from runtime.config import ModelConfig
from runtime.errors import BundleError
from runtime.export.errors import ExportError
from runtime.export.graph import GraphBuilder
from runtime.export.linear import Scheme
from runtime.export.qwen3_moe import Decoder, Schemes, check_blocks, check_tensors, read_config
from runtime.export.sources import Checkpoint
from runtime.ops.expert_dispatch.pack import LAYOUT_VERSION
from runtime.ops.linear.pack import LAYOUT_VERSION as LINEAR_LAYOUT
from runtime.ops.paged_attention import LAYOUT_VERSION as CACHE_LAYOUT
from runtime.prompt_format import FIM_ROLES, ROLES, PromptFormat
from runtime.tokenizer import Tokenizer

# Spellings that Qwen's tokenizers share with those that were made after them.
_SPELLINGS = {role: f"<|{role}|>" for role in ROLES}
_STOP_TOKENS = ("<|endoftext|>", "<|im_end|>", *_SPELLINGS.values(), "<|fim_pad|>")


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of an export decides; `context` 0 means all that the model was made for."""

    schemes: Schemes = field(
        default_factory=lambda: Schemes(Scheme(4, 32), Scheme(8, 32), Scheme(8, 32))
    )
    name: str = ""
    context: int = 0
    prompt_layout: str = "prefix"
    memory: dict[str, Any] | None = None
    licence: str = "not stated"
    replace: bool = False


def export_bundle(source: Path, target: Path, options: Options) -> Bundle:
    """Turn the checkpoint directory `source` into the bundle directory `target`.

    Nothing appears in `target` before all of it is written and checked. Other files there stay.
    Raises ExportError, which says what cannot be exported and why.
    """
    if (target / MANIFEST).exists() and not options.replace:
        raise ExportError(f"{target} holds a bundle already: choose another folder, or add --force")
    checkpoint = Checkpoint(source)
    config = read_config(checkpoint.config)
    check_blocks(config, options.schemes)
    check_tensors(checkpoint, config)
    decoder = functools.partial(Decoder, tensors=checkpoint)
    name = options.name or source.resolve().name
    return write_bundle(target, config, source / TOKENIZER, replace(options, name=name), decoder)


def write_bundle(
    target: Path,
    config: ModelConfig,
    tokenizer: Path,
    options: Options,
    decoder: Callable[..., Decoder],
) -> Bundle:
    """Write what `decoder(graph, config=, context=, schemes=)` builds as the bundle `target`."""
    context = options.context or config.max_position_embeddings
    if not 1 <= context <= config.max_position_embeddings:
        raise ExportError(
            f"--context must be from 1 to {config.max_position_embeddings} "
            f"(max_position_embeddings), not {context}"
        )
    layout = _prompt_format(tokenizer, config, options)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as made:
        folder = Path(made)
        with (folder / WEIGHTS).open("wb") as weights:
            graph = GraphBuilder(weights)
            plan = options.schemes
            error = decoder(graph, config=config, context=context, schemes=plan).build()
            graph.save(folder / MODEL)
        shutil.copyfile(tokenizer, folder / TOKENIZER)
        schemes = asdict(options.schemes)
        manifest = {
            "format_version": FORMAT_VERSION,
            "name": options.name,
            "created_by": "runtime.export",
            "licence": options.licence,
            "files": {name: _record(folder / name) for name in (MODEL, WEIGHTS, TOKENIZER)},
            "config": asdict(config),
            "context": context,
            "quantization": {
                **{part: Scheme(**scheme).as_dict() for part, scheme in schemes.items()},
                "relative_rms_error": error,
            },
            "prompt_format": layout,
            "sampling": {},
            "operators": _operators(options.schemes),
        }
        if options.memory is not None:
            manifest["memory"] = options.memory
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        Bundle.open(folder)
        target.mkdir(exist_ok=True)
        for name in (
            MODEL,
            WEIGHTS,
            TOKENIZER,
            MANIFEST,
        ):  # The manifest last: it makes the bundle.
            (folder / name).replace(target / name)
    return Bundle.open(target, verify=False)


def _operators(schemes: Schemes) -> dict[str, int]:
    operators = {"ExpertDispatch": LAYOUT_VERSION, "PagedAttention": CACHE_LAYOUT}
    if {schemes.projections.bits, schemes.embedding.bits} != {32}:
        operators["Linear"] = LINEAR_LAYOUT
    return operators


def _prompt_format(source: Path, config: ModelConfig, options: Options) -> dict[str, Any]:
    """Return the manifest's entry: the control tokens by which the tokenizer's maker names them."""
    try:
        tokenizer = Tokenizer.from_file(source)
        if tokenizer.vocab_size > config.vocab_size:
            raise ExportError(
                f"{TOKENIZER} has {tokenizer.vocab_size} tokens, the model only {config.vocab_size}"
            )
        unused = () if options.prompt_layout == "fim" else FIM_ROLES
        entry = {
            "layout": options.prompt_layout,
            "tokens": {
                role: name
                for role, name in _SPELLINGS.items()
                if role not in unused and tokenizer.token_id(name) is not None
            },
            "stop": [name for name in _STOP_TOKENS if tokenizer.token_id(name) is not None],
        }
        PromptFormat.from_manifest(entry, tokenizer)
    except BundleError as error:
        raise ExportError(str(error)) from error
    return entry


def _record(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}
