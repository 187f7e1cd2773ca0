"""What storing a model's weights and its keys and values in fewer bits costs in quality.

    $ python -m benchmarks.quantization CHECKPOINT_DIR --rows heldout.jsonl --holes holes.jsonl \
        --calibrate train.jsonl --memory table.json --kept FOLDER \
        --out benchmarks/results/quantization

The checkpoint is exported for each scheme. Each reads the same windows of text: bits per byte,
divergence from float32 (Kullback-Leibler, nats per token) and how often the likeliest next token
is the same. Then the engine completes the same holes greedily, many at once, alone and with the
repository memory (setting H of `training.memory_holes`). FOLDER keeps what was measured: a scheme
that it has is not measured again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.quantization_report import REFERENCE, Tally, write_report
from runtime.bundle import Bundle
from runtime.config import EngineConfig, SamplingParams
from runtime.engine import Engine
from runtime.export.calibrate_texts import Calibration
from runtime.export.decoder import Schemes
from runtime.export.linear import Scheme
from runtime.export.write import Options, export_bundle
from runtime.memory import RepositoryMemory
from runtime.mixture import MixtureTable
from runtime.model_runner import OrtModelRunner
from runtime.prompt_format import PromptFormat
from runtime.sequence import MemoryScope, Request
from runtime.tokenizer import Tokenizer
from training.evaluate_mixture import is_exact
from training.memory_holes import (
    MAX_NEW_TOKENS,
    ROOM,
    Hole,
    Model,
    Repository,
    Task,
    load_repositories,
    read_holes,
    read_rows,
)

AT_ONCE = 48


@dataclass(frozen=True)
class Variant:
    """One way to store the model; `grid` is of int4: trained, searched or calibrated.

    `calibrated` rounds the other matrices by the texts too, and so does a calibrated grid.
    """

    name: str
    experts: int
    projections: int
    embedding: int = 8
    block: int = 32
    grid: str = "searched"
    calibrated: bool = False
    sensitive: tuple[int, ...] = ()
    kv_bits: int = 32

    def schemes(self) -> Schemes:
        searched = self.grid != "trained"
        experts, projections, embedding = (
            Scheme(bits, self.block, searched)
            for bits in (self.experts, self.projections, self.embedding)
        )
        return Schemes(experts, projections, embedding, self.sensitive)

    @property
    def needs_texts(self) -> bool:
        return self.calibrated or self.grid == "calibrated"


VARIANTS = (
    Variant(REFERENCE, 32, 32, 32),
    Variant("experts int4, trained grid", 4, 8, grid="trained"),
    Variant("the same, projections calibrated", 4, 8, grid="trained", calibrated=True),
    Variant("the same, KV int8", 4, 8, grid="trained", calibrated=True, kv_bits=8),
    Variant("int8", 8, 8),
    Variant("experts int4, searched scales", 4, 8),
    Variant("experts int4, calibrated", 4, 8, grid="calibrated"),
    Variant("the same, last layer's experts int8", 4, 8, grid="calibrated", sensitive=(3,)),
    Variant("experts int4, calibrated, block 64", 4, 8, block=64, grid="calibrated"),
    Variant("experts and projections int4, trained grid", 4, 4, grid="trained"),
    Variant("experts and projections int4, calibrated", 4, 4, grid="calibrated"),
    Variant("experts int4, searched scales, block 64", 4, 8, block=64),
    Variant("fp32, KV int8", 32, 32, 32, kv_bits=8),
    Variant("int8, block 64", 8, 8, block=64),
    Variant("int8, calibrated", 8, 8, calibrated=True),
)


class Bench:
    """The texts and holes that every variant gets, and the exported bundles."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._made: dict[tuple[Schemes, bool], Path] = {}
        self._reference = self.open(VARIANTS[0])
        model = self._reference
        self.windows = windows(options.rows, model, options.windows, options.seed)
        pieces = (model.tokenizer.token_bytes(t) for ids, head in self.windows for t in ids[head:])
        self.size = sum(map(len, pieces))
        self.holes = read_holes(options.holes, options.count, options.seed)
        names = {hole.repo for hole in self.holes}
        vocab = model.runner.vocab_size
        self._repositories = load_repositories(options.rows, names, model.tokenizer, vocab)
        self._table = MixtureTable.from_manifest(json.loads(options.memory.read_bytes()))

    def open(self, variant: Variant) -> Model:
        """Load a variant's bundle, exported if it is not yet."""
        bundle = Bundle.open(self._export(variant))
        tokenizer = Tokenizer.from_file(bundle.tokenizer_path)
        form = PromptFormat.from_manifest(bundle.prompt_format, tokenizer)
        runner = OrtModelRunner.load(bundle, self._config(variant))
        return Model(runner, tokenizer, form)

    def measure(self, variant: Variant) -> Tally:
        """Let a variant read the texts and fill the holes."""
        model = self.open(variant)
        tally = Tally(variant.name, (self._export(variant) / "weights.bin").stat().st_size)
        for ids, head in self.windows:
            self._read(model, tally, ids, head)
        self._fill(model, self._config(variant), tally)
        model.runner.close()
        return tally

    def _config(self, variant: Variant) -> EngineConfig:
        return EngineConfig(
            threads=self._options.threads,
            kv_bits=variant.kv_bits,
            kv_bytes=192 * 1024 * 1024,
            max_running=16,
            max_waiting=AT_ONCE,
        )

    def _export(self, variant: Variant) -> Path:
        key = (variant.schemes(), variant.needs_texts)
        if key not in self._made:
            options, target = self._options, self._folder / str(len(self._made))
            texts = Calibration(options.calibrate) if variant.needs_texts else None
            export_bundle(options.checkpoint, target, Options(schemes=key[0]), texts)
            self._made[key] = target
        return self._made[key]

    def _read(self, model: Model, tally: Tally, ids: list[int], head: int) -> None:
        """Let a model read one window beside the reference, and count."""
        gold = np.array(ids[head:])
        true, found = (
            log_softmax(each.run(ids[:-1], len(gold))) for each in (self._reference, model)
        )
        tally.nats.append(float(-found[np.arange(len(gold)), gold].sum(dtype=np.float64)))
        tally.divergence.append(float((np.exp(true) * (true - found)).sum(dtype=np.float64)))
        tally.agreement.append(int((true.argmax(1) == found.argmax(1)).sum()))
        tally.tokens.append(len(gold))

    def _fill(self, model: Model, config: EngineConfig, tally: Tally) -> None:
        exact: dict[tuple[int, str], bool] = {}
        for memory, batch in self._batches():
            engine = Engine(
                model.runner, model.tokenizer, config, memory, self._table, model.form.stop_ids
            )
            room = max(ROOM, model.runner.max_context - self._options.prompt)
            tasks = {index: model.task(self.holes[index], room) for index in batch}
            for setting in ("alone", "H"):
                for index, text in complete_all(engine, tasks, setting):
                    exact[index, setting] = is_exact(text, self.holes[index].target)
        for index, hole in enumerate(self.holes):
            for setting in ("alone", "H"):
                name = f"{hole.kind} {setting}"
                tally.exact.setdefault(name, []).append(exact[index, setting])

    def _batches(self) -> Iterator[tuple[RepositoryMemory, list[int]]]:
        """Holes for which the memory may know the same files, and that memory."""
        groups: dict[tuple[str, frozenset[str]], list[int]] = defaultdict(list)
        for index, hole in enumerate(self.holes):
            twins = frozenset(self._repository(hole).twins(hole.path))
            groups[hole.repo, twins].append(index)
        for members in groups.values():
            first = self.holes[members[0]]
            memory = self._repository(first).memory("H", first.path)
            for start in range(0, len(members), AT_ONCE):
                yield memory, members[start : start + AT_ONCE]

    def _repository(self, hole: Hole) -> Repository:
        return self._repositories[hole.repo]


def complete_all(engine: Engine, tasks: dict[int, Task], setting: str) -> Iterator[tuple[int, str]]:
    """Complete the rest of the line of several tasks side by side."""
    ids = {engine.add(request_of(task, setting)): index for index, task in tasks.items()}
    while engine.has_work:
        engine.step()
    for sequence, index in ids.items():
        yield index, engine.result(sequence).text


def request_of(task: Task, setting: str) -> Request:
    scope = MemoryScope(task.hole.path, task.before, task.after) if setting == "H" else None
    sampling = SamplingParams(max_tokens=MAX_NEW_TOKENS, stop=("\n",))
    return Request(tuple(task.prompt), sampling, scope=scope)


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
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def measure_all(options: argparse.Namespace) -> tuple[list[Tally], int]:
    """Measure what is not kept yet; return all, and the bytes of the text that was read."""
    options.kept.mkdir(parents=True, exist_ok=True)
    tallies = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        for variant in VARIANTS:
            kept = options.kept / f"{variant.name}.json"
            if not kept.exists():
                began = time.monotonic(), time.process_time()
                text = json.dumps(asdict(bench.measure(variant)))
                kept.write_text(text, encoding="utf-8")
                wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
                print(f"{variant.name}: {wall:.0f} s, {cpu:.0f} s of CPU", flush=True)
            tallies.append(Tally(**json.loads(kept.read_text(encoding="utf-8"))))
        return tallies, bench.size


def main() -> None:
    """Read the command line, measure, print and write Markdown and CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rows", type=Path, required=True, help="the repositories' files")
    parser.add_argument("--holes", type=Path, required=True, help="made by training.holes")
    parser.add_argument("--calibrate", type=Path, required=True, help="texts, as in an export")
    parser.add_argument("--memory", type=Path, required=True, help="a JSON file: the mixture table")
    parser.add_argument("--kept", type=Path, required=True, help="a folder for what was measured")
    parser.add_argument("--out", type=Path, required=True, help="without its ending")
    parser.add_argument("--windows", type=int, default=140)
    parser.add_argument("--count", type=int, default=1120, help="holes of both kinds together")
    parser.add_argument("--prompt", type=int, default=512, help="tokens of a prompt at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    tallies, size = measure_all(options)
    print(write_report(options.out, tallies, size, options.prompt))


if __name__ == "__main__":
    main()
