"""Is a dense MLP faster as one expert or as projections with the activation between them?

    python benchmarks/dense_mlp.py [--hidden 1536] [--inner 8960] [--bits 4] [--threads 1]

Both ways are graphs of a few layers with the same random weights, run in turn; the sizes default to
those of Qwen2.5-Coder-1.5B. Printed are CPU milliseconds a layer, the median of all rounds. The
last answer is in results/dense_mlp.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from runtime.bundle import MODEL, WEIGHTS
from runtime.export.feed_forward import dense_mlp
from runtime.export.graph import MICROSOFT, GraphBuilder
from runtime.export.linear import Scheme, multiply
from runtime.export.quantize import ErrorMeter
from runtime.export.weights import WeightWriter
from runtime.ops import import_onnxruntime, library_path

LAYERS, BLOCK = 4, 32
TOKENS = {1: 100, 8: 30, 512: 2}  # How many tokens, how many runs a round.


class RandomMlp:
    """The tensors of one MLP, whatever the layer is called."""

    def __init__(self, hidden: int, inner: int) -> None:
        rng = np.random.default_rng(0)
        self.hidden, self.inner = hidden, inner
        self._matrices = {
            part: rng.standard_normal(shape, np.float32) * np.float32(shape[1] ** -0.5)
            for part, shape in (
                ("gate", (inner, hidden)),
                ("up", (inner, hidden)),
                ("down", (hidden, inner)),
            )
        }
        self.shapes = {f"{part}_proj.weight": m.shape for part, m in self._matrices.items()}
        self.shapes |= {f"mlp.{name}": shape for name, shape in self.shapes.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        return self._matrices[name.removeprefix("mlp.").removesuffix("_proj.weight")]

    def read_quantized(self, name: str, bits: int, block: int) -> None:
        """Nothing is stored on a grid."""


def as_expert(graph: GraphBuilder, name: str, x: str, mlp: RandomMlp, scheme: Scheme) -> str:
    WeightWriter(graph, mlp).experts(name, ["mlp"], scheme, ErrorMeter())
    return dense_mlp(graph, name, x, mlp.hidden, mlp.inner, scheme, "cancel")


def as_projections(graph: GraphBuilder, name: str, x: str, mlp: RandomMlp, scheme: Scheme) -> str:
    writer, meter = WeightWriter(graph, mlp), ErrorMeter()
    gate, up, down = (f"{name}.{part}" for part in ("gate", "up", "down"))
    for part in (gate, up, down):
        writer.matrix(part, f"{part.rpartition('.')[2]}_proj.weight", scheme, meter)
    multiply(graph, [f"{gate}.out", f"{up}.out"], x, [gate, up], mlp.hidden, scheme)
    opened = graph.node("QuickGelu", [f"{gate}.out"], f"{name}.silu", domain=MICROSOFT, alpha=1.0)
    inner = graph.node("Mul", [opened, f"{up}.out"], f"{name}.inner")
    return multiply(graph, [name], inner, [down], mlp.inner, scheme)[0]


def session_of(folder: Path, add: Any, mlp: RandomMlp, scheme: Scheme, threads: int) -> Any:
    with (folder / WEIGHTS).open("wb") as weights:
        graph = GraphBuilder(weights)
        x = graph.input("x", np.float32, [1, "tokens", mlp.hidden])
        graph.input("cancel", np.int64, [1])
        for layer in range(LAYERS):
            x = add(graph, f"layer{layer}", x, mlp, scheme)
        graph.output(x, np.float32, [1, "tokens", mlp.hidden])
        graph.save(folder / MODEL)
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.register_custom_ops_library(str(library_path()))
    path = str(folder / MODEL)
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=1536)
    parser.add_argument("--inner", type=int, default=8960)
    parser.add_argument("--bits", type=int, choices=(4, 8), default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    mlp, scheme = RandomMlp(options.hidden, options.inner), Scheme(options.bits, BLOCK)
    ways = {"one expert": as_expert, "projections": as_projections}
    with tempfile.TemporaryDirectory() as made:
        sessions = {}
        for name, add in ways.items():
            (Path(made) / name).mkdir()
            sessions[name] = session_of(Path(made) / name, add, mlp, scheme, options.threads)
        print("| tokens | one expert, CPU ms a layer | projections | ratio |")
        print("| --- | --- | --- | --- |")
        for tokens, runs in TOKENS.items():
            print(row(sessions, tokens, runs, options))


def row(sessions: dict[str, Any], tokens: int, runs: int, options: argparse.Namespace) -> str:
    """Run both in turn; a line of the table."""
    x = np.random.default_rng(1).standard_normal((1, tokens, options.hidden), np.float32)
    inputs = {"x": x, "cancel": np.zeros(1, np.int64)}
    spent: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(options.rounds):
        for name, session in sessions.items():
            begin = time.process_time()
            for _ in range(runs):
                session.run(None, inputs)
            spent[name].append((time.process_time() - begin) / runs / LAYERS * 1000)
    one, other = (statistics.median(times) for times in spent.values())
    ratios = sorted(b / a for a, b in zip(*spent.values(), strict=True))
    middle = statistics.median(ratios)
    return (
        f"| {tokens} | {one:.3f} | {other:.3f} | {middle:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}) |"
    )


if __name__ == "__main__":
    main()
