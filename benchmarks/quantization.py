"""What storing a model's weights and its keys and values in fewer bits costs in quality.

    $ python -m benchmarks.quantization CHECKPOINT_DIR --rows heldout.jsonl --holes holes.jsonl \
        --out benchmarks/results/quantization

The checkpoint is exported once for each scheme. All of them read the same windows of text: bits per
byte, divergence from float32 (Kullback-Leibler, nats per token) and how often the likeliest next
token is the same. They then complete the same holes greedily, alone and with the repository memory
(setting H of `training.memory_holes`). Differences from float32 are paired; their intervals come
from a bootstrap over windows. The holes that a scheme gained and lost are counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.config import EngineConfig
from runtime.export.decoder import Schemes
from runtime.export.linear import Scheme
from runtime.export.write import Options, export_bundle
from runtime.mixture import MixtureTable
from runtime.model_runner import OrtModelRunner
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer
from training.evaluate_mixture import complete, is_exact
from training.memory_holes import (
    MAX_NEW_TOKENS,
    ROOM,
    Model,
    ModelRows,
    load_repositories,
    read_holes,
    read_rows,
)

REFERENCE = "fp32"


@dataclass(frozen=True)
class Variant:
    """One way to store the model; `searched` concerns the experts' int4 scales."""

    name: str
    experts: int
    projections: int
    embedding: int
    block: int = 32
    searched: bool = False
    kv_bits: int = 32

    def schemes(self) -> Schemes:
        def scheme(bits: int) -> Scheme:
            return Scheme(bits, self.block, searched=self.searched)

        return Schemes(scheme(self.experts), scheme(self.projections), scheme(self.embedding))


VARIANTS = (
    Variant(REFERENCE, 32, 32, 32),
    Variant("fp32, KV int8", 32, 32, 32, kv_bits=8),
    Variant("int8", 8, 8, 8),
    Variant("int8, block 64", 8, 8, 8, block=64),
    Variant("experts int4, trained grid (ships)", 4, 8, 8),
    Variant("the same, KV int8", 4, 8, 8, kv_bits=8),
    Variant("experts int4, searched scales", 4, 8, 8, searched=True),
    Variant("experts int4, plain grid, block 64", 4, 8, 8, block=64),
    Variant("experts int4, searched scales, block 64", 4, 8, 8, block=64, searched=True),
    Variant("experts and projections int4, trained grid", 4, 4, 8),
)


@dataclass
class Tally:
    """What was measured of one variant; the lists have an entry per window or per hole."""

    bytes: int
    nats: list[float] = field(default_factory=list)
    divergence: list[float] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    exact: dict[str, list[bool]] = field(default_factory=dict)


def open_model(path: Path, variant: Variant) -> Model:
    """Load a bundle on one thread with the variant's width of keys and values."""
    bundle = Bundle.open(path)
    tokenizer = Tokenizer.from_file(bundle.tokenizer_path)
    form = PromptFormat.from_manifest(bundle.prompt_format, tokenizer)
    config = EngineConfig(threads=1, kv_bits=variant.kv_bits, kv_bytes=32 * 1024 * 1024)
    return Model(OrtModelRunner.load(bundle, config), tokenizer, form)


def export_all(checkpoint: Path, folder: Path) -> dict[Variant, Path]:
    """Export each distinct set of schemes once."""
    made: dict[Schemes, Path] = {}
    for variant in VARIANTS:
        schemes = variant.schemes()
        if schemes not in made:
            made[schemes] = folder / str(len(made))
            export_bundle(checkpoint, made[schemes], Options(schemes=schemes))
    return {variant: made[variant.schemes()] for variant in VARIANTS}


def windows(rows: Path, model: Model, count: int, seed: int) -> list[tuple[list[int], int]]:
    """Return the beginnings of `count` files, as many of each repository: prompt, its header."""
    texts: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(rows):
        texts.setdefault(row["repo"], []).append(row)
    chosen = []
    encode = model.tokenizer.encode
    for repo, files in sorted(texts.items()):
        random.Random(f"{seed} {repo}").shuffle(files)
        for row in files[: -(-count // len(texts))]:
            header = model.form.render(encode(repo), [], encode(row["path"]), [], [], [])
            text = encode(row["text"])[: model.runner.max_context - len(header)]
            if len(text) > 1:
                chosen.append((header + text, len(header)))
    return chosen


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    top = logits.max(axis=1, keepdims=True)
    shifted = logits - top
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def read_text(
    models: dict[Variant, Model], tallies: dict[str, Tally], ids: list[int], head: int
) -> None:
    """Let every model read one window, the reference first, and count."""
    reference = np.empty(0, np.float32)
    gold = np.array(ids[head:])
    for variant, model in models.items():
        logs = log_softmax(model.run(ids[:-1], len(gold)))
        if variant.name == REFERENCE:
            reference = logs
        tally = tallies[variant.name]
        tally.nats.append(float(-logs[np.arange(len(gold)), gold].sum(dtype=np.float64)))
        gap = (np.exp(reference) * (reference - logs)).sum(dtype=np.float64)
        tally.divergence.append(float(gap))
        tally.agreement.append(float((logs.argmax(1) == reference.argmax(1)).sum()))
        tally.tokens.append(len(gold))


def fill_holes(
    models: dict[Variant, Model], tallies: dict[str, Tally], options: argparse.Namespace
) -> None:
    """Let every model complete the same holes, until they or the minutes are used up."""
    holes = read_holes(options.holes, options.count, options.seed)
    first = next(iter(models.values()))
    vocab = first.runner.vocab_size
    names = {hole.repo for hole in holes}
    repositories = load_repositories(options.rows, names, first.tokenizer, vocab)
    entry = json.loads(options.memory.read_text(encoding="utf-8")) if options.memory else None
    table = MixtureTable.from_manifest(entry)
    random.Random(options.seed).shuffle(holes)
    end = time.monotonic() + options.seconds
    for hole in holes:
        if time.monotonic() > end:
            break
        for variant, model in models.items():
            task = model.task(hole, ROOM)
            rows = ModelRows(model, task)
            room = max(MAX_NEW_TOKENS, len(task.gold))
            matcher = repositories[hole.repo].matcher(task, "H", room)
            for name, memory in (("alone", None), ("H", matcher)):
                done = complete(rows, memory, table, model.tokenizer)
                exact = tallies[variant.name].exact.setdefault(f"{hole.kind} {name}", [])
                exact.append(is_exact(done.text, hole.target))


def interval(differences: NDArray[np.float64], scale: float) -> tuple[float, float]:
    """A 95 % interval of the sum of differences, from a bootstrap over windows."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(differences), (2000, len(differences)))
    low, high = np.percentile(differences[draws].sum(axis=1) * scale, [2.5, 97.5])
    return float(low), float(high)


def table_of(tallies: dict[str, Tally], size: int) -> list[dict[str, Any]]:
    """The rows of the report; `size` is the UTF-8 bytes of the text that was scored."""
    base = tallies[REFERENCE]
    scale = 1 / math.log(2) / size
    rows = []
    for name, tally in tallies.items():
        change = np.array(tally.nats) - np.array(base.nats)
        low, high = interval(change, scale)
        tokens = sum(tally.tokens)
        row: dict[str, Any] = {
            "scheme": name,
            "weights, MB": round(tally.bytes / 1e6, 2),
            "bits/byte": round(sum(tally.nats) * scale, 4),
            "against fp32": f"{change.sum() * scale:+.4f} ({low:+.4f} to {high:+.4f})",
            "KL, nats/token": round(sum(tally.divergence) / tokens, 5),
            "same next token, %": round(100 * sum(tally.agreement) / tokens, 2),
        }
        for kind, exact in sorted(tally.exact.items()):
            gained = sum(new and not old for new, old in zip(exact, base.exact[kind], strict=True))
            lost = sum(old and not new for new, old in zip(exact, base.exact[kind], strict=True))
            row[f"exact, {kind} (n = {len(exact)})"] = (
                f"{100 * sum(exact) / len(exact):.1f} % (+{gained} -{lost})"
            )
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, Any]], tokens: int, size: int) -> str:
    names = list(rows[0])
    lines = [
        "# What fewer bits cost the default model",
        "",
        f"Made by `python -m benchmarks.quantization` on held-out repositories: {tokens} tokens "
        f"({size} bytes) at the beginnings of files; holes as in `mixture.md`, greedy.",
        "Intervals are 95 %, paired with fp32, over windows; +N -M counts the holes gained and "
        "lost against fp32.",
        "",
        "| " + " | ".join(names) + " |",
        "|" + " --- |" * len(names),
    ]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the command line, measure, print and write Markdown and CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rows", type=Path, required=True, help="the repositories' files")
    parser.add_argument("--holes", type=Path, required=True)
    parser.add_argument("--memory", type=Path, help="a JSON file: the mixture table")
    parser.add_argument("--out", type=Path, required=True, help="without its ending")
    parser.add_argument("--windows", type=int, default=140)
    parser.add_argument("--count", type=int, default=840, help="holes of both kinds together")
    parser.add_argument("--seconds", type=float, default=math.inf, help="for holes, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = export_all(options.checkpoint, Path(folder))
        models = {variant: open_model(path, variant) for variant, path in paths.items()}
        tallies = {
            variant.name: Tally((path / "weights.bin").stat().st_size)
            for variant, path in paths.items()
        }
        first = next(iter(models.values()))
        size = 0
        for ids, head in windows(options.rows, first, options.windows, options.seed):
            read_text(models, tallies, ids, head)
            size += sum(len(first.tokenizer.token_bytes(token)) for token in ids[head:])
        fill_holes(models, tallies, options)
    rows = table_of(tallies, size)
    text = markdown(rows, sum(tallies[REFERENCE].tokens), size)
    options.out.with_suffix(".md").write_text(text, encoding="utf-8")
    with options.out.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(text)


if __name__ == "__main__":
    main()
