"""Writes a bundle: graph, weights, tokenizer and the manifest that vouches for them."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.bundle import FORMAT_VERSION, MANIFEST, MODEL, TOKENIZER, WEIGHTS, Bundle
from runtime.config import ModelConfig
from runtime.errors import BundleError
from runtime.export.architectures import read_config
from runtime.export.calibrate import CalibratedRounding
from runtime.export.calibrate_texts import Calibration
from runtime.export.decoder import Decoder, Schemes, check_blocks
from runtime.export.errors import ExportError
from runtime.export.graph import GraphBuilder, SectionJournal
from runtime.export.journal import WeightsFile
from runtime.export.linear import Scheme, is_packed
from runtime.export.sources import Source, open_source
from runtime.export.sources.limits import parse_object
from runtime.export.tensors import check_tensors
from runtime.export.tokenizer_trial import try_tokenizer
from runtime.format_detection import detect_format
from runtime.ops.expert_dispatch.pack import LAYOUT_VERSION
from runtime.ops.linear.pack import LAYOUT_VERSION as LINEAR_LAYOUT
from runtime.ops.paged_attention import LAYOUT_VERSION as CACHE_LAYOUT
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer

# Each position has a row in the tables of angles; models stretch to a million tokens.
LONGEST_CONTEXT = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of an export decides; `context` 0 means all that the model was made for.

    `prompt_layout` is one of LAYOUTS, or "auto": what the checkpoint was trained for. `notes` are
    added to the manifest's entry on quantization.
    """

    schemes: Schemes = field(
        default_factory=lambda: Schemes(Scheme(4, 32), Scheme(8, 32), Scheme(8, 32))
    )
    name: str = ""
    context: int = 0
    prompt_layout: str = "prefix"
    memory: dict[str, Any] | None = None
    licence: str = "not stated"
    replace: bool = False
    notes: dict[str, Any] = field(default_factory=dict)


def export_bundle(
    source: Path, target: Path, options: Options, calibration: Calibration | None = None
) -> Bundle:
    """Turn the checkpoint `source`, a folder or a GGUF file, into the bundle directory `target`.

    Nothing appears in `target` before all of it is written and checked. Other files there stay.
    Raises ExportError, which says what cannot be exported and why.
    """
    if (target / MANIFEST).exists() and not options.replace:
        raise ExportError(f"{target} holds a bundle already: choose another folder, or add --force")
    with closing(open_source(str(source), {})) as opened:
        config = checked_config(opened, options)
        named = replace(options, name=options.name or opened.name)
        tokenizer = opened.tokenizer()
        prompt = prompt_format(tokenizer, config, options.prompt_layout, opened)
        rounding = calibrated(calibration, opened, config, options.schemes, tokenizer, prompt)
        decoder = functools.partial(Decoder, tensors=opened, rounding=rounding)
        return write_bundle(target, config, tokenizer, prompt, named, decoder)


def calibrated(
    calibration: Calibration | None,
    source: Source,
    config: ModelConfig,
    schemes: Schemes,
    tokenizer: bytes,
    prompt: dict[str, Any],
) -> CalibratedRounding | None:
    """Return how to round, if texts decide it. Raises ExportError where they cannot be read."""
    if calibration is None:
        return None
    windows = calibration.windows(tokenizer, prompt, config)
    return CalibratedRounding(source, config, schemes, windows, calibration.report)


def checked_config(source: Source, options: Options) -> ModelConfig:
    """Return the shape of a model that can be exported. Raises ExportError for any other."""
    check_blocks(read_config(source.config), options.schemes)
    return shape_of(source)


def shape_of(source: Source) -> ModelConfig:
    """Return the shape of a model that has all its tensors. Raises ExportError for any other."""
    config = read_config(source.config)
    claimed = config.num_hidden_layers * max(1, config.num_experts)
    if claimed > len(source.shapes):  # Before all their names are written down.
        raise ExportError(
            f"the config claims {config.num_hidden_layers} layers with {config.num_experts} "
            f"experts, but there are only {len(source.shapes)} tensors"
        )
    check_tensors(source, config)
    return config


def write_bundle(
    target: Path,
    config: ModelConfig,
    tokenizer: bytes,
    prompt: dict[str, Any],
    options: Options,
    decoder: Callable[..., Decoder],
) -> Bundle:
    """Write what `decoder(graph, config=, context=, schemes=)` builds as the bundle `target`.

    `prompt` is what `prompt_format` returned.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as made:
        folder = Path(made)
        weights = WeightsFile(folder / WEIGHTS)
        try:
            write_files(folder, weights, config, tokenizer, prompt, options, decoder)
        finally:
            weights.close()
        Bundle.open(folder)
        target.mkdir(exist_ok=True)
        # The manifest last: it makes the bundle.
        for name in (MODEL, WEIGHTS, TOKENIZER, MANIFEST):
            (folder / name).replace(target / name)
    return Bundle.open(target, verify=False)


def write_files(
    folder: Path,
    weights: WeightsFile,
    config: ModelConfig,
    tokenizer: bytes,
    prompt: dict[str, Any],
    options: Options,
    decoder: Callable[..., Decoder],
    journal: SectionJournal | None = None,
) -> None:
    """Write all files of a bundle into `folder`, where `weights` is open. Raises ExportError."""
    context, plan = context_of(config, options), options.schemes
    graph = GraphBuilder(weights, journal)
    error = decoder(graph, config=config, context=context, schemes=plan).build()
    graph.save(folder / MODEL)
    (folder / TOKENIZER).write_bytes(tokenizer)
    weights.flush()
    written = {"sha256": weights.hexdigest(), "bytes": weights.tell()}
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": options.name,
        "created_by": "runtime.export",
        "licence": options.licence,
        "files": {
            MODEL: _record(folder / MODEL),
            WEIGHTS: written,
            TOKENIZER: _record(folder / TOKENIZER),
        },
        "config": asdict(config),
        "context": context,
        "quantization": {
            **plan.as_dict(),
            "relative_rms_error": error,
            **options.notes,
        },
        "prompt_format": prompt,
        "sampling": {},
        "operators": _operators(config, plan),
    }
    if options.memory is not None:
        manifest["memory"] = options.memory
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def context_of(config: ModelConfig, options: Options) -> int:
    """Return how many tokens the bundle is made for. Raises ExportError."""
    context = options.context or min(config.max_context, LONGEST_CONTEXT)
    if context > LONGEST_CONTEXT:
        raise ExportError(f"--context must be at most {LONGEST_CONTEXT}, not {context}")
    if not 1 <= context <= config.max_context:
        raise ExportError(
            f"--context must be from 1 to {config.max_context} (max_position_embeddings, as "
            f"rope_parameters and sliding_window change it), not {context}"
        )
    return context


def _operators(config: ModelConfig, schemes: Schemes) -> dict[str, int]:
    operators = {"ExpertDispatch": LAYOUT_VERSION, "PagedAttention": CACHE_LAYOUT}
    if {schemes.projections.bits, schemes.embedding.bits} != {32}:
        operators["Linear"] = LINEAR_LAYOUT
    if is_packed(config.vocab_size, schemes.embedding):
        operators["Embedding"] = LINEAR_LAYOUT
    return operators


def prompt_format(
    tokenizer: bytes, config: ModelConfig, layout: str, source: Source | None = None
) -> dict[str, Any]:
    """Return the manifest's entry, detected from what `source` says of itself.

    `tokenizer` is the content of `tokenizer.json`. Raises ExportError where it does not fit the
    model or lacks what the `layout` needs.
    """
    definition = parse_object(tokenizer, TOKENIZER)
    try:
        built = Tokenizer(definition)
        if built.vocab_size > config.vocab_size:
            raise ExportError(
                f"{TOKENIZER} has {built.vocab_size} tokens, the model only {config.vocab_size}"
            )
        if source is None:
            entry = detect_format({}, built, layout=layout)
        else:
            template = source.chat_template() or None
            entry = detect_format(source.config, built, source.known_as, template, layout)
        PromptFormat.from_manifest(entry, built)
        try_tokenizer(tokenizer, definition)
    except BundleError as error:
        raise ExportError(str(error)) from error
    return entry


def _record(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}
