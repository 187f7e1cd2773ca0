"""How fast is sopilka::ExpertDispatch against ONNX Runtime's own mixture of experts, com.microsoft::QMoE?

    python benchmarks/expert_dispatch.py [--shape NAME ...] [--rounds N] [--write]

Both run the same quantized weights (int4, block 32) in the same process on one thread, in turn, round by round.
What counts is CPU time: on a shared machine it hardly moves when a neighbour wakes up, and the ratio within a
round moves less still. QMoE gets the settings that make it fastest on a CPU: accuracy_level 4 (int8 activations)
and swiglu_fusion 1. `--write` puts the table into benchmarks/results/expert_dispatch.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[1]))

from runtime.ops import DOMAIN, describe, library_path
from runtime.ops.expert_dispatch import Attributes, Quantized, pack_down, pack_gate_up

RESULTS = Path(__file__).parent / "results" / "expert_dispatch.md"


@dataclass(frozen=True)
class Shape:
    """`layers` nodes, so that a decode step's weights do not stay in a cache from the last."""

    name: str
    hidden: int
    intermediate: int
    experts: int
    k: int
    layers: int
    tokens: int
    runs: int  # in a round, each with new inputs


SHAPES = (
    Shape("30B-A3B decode", 2048, 768, 128, 8, layers=2, tokens=1, runs=20),
    Shape("30B-A3B prefill", 2048, 768, 128, 8, layers=2, tokens=512, runs=1),
    Shape("default model decode", 192, 128, 8, 2, layers=8, tokens=1, runs=100),
    Shape("default model prefill", 192, 128, 8, 2, layers=8, tokens=256, runs=10),
)


class GraphWriter:
    """Nodes side by side, their weights in one external file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.with_suffix(".bin").open("wb")
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[TensorProto] = []

    def weight(self, array: NDArray[np.generic]) -> str:
        kind = TensorProto.UINT8 if array.dtype == np.uint8 else TensorProto.FLOAT
        self.file.seek(-(-self.file.tell() // 4096) * 4096)
        tensor = TensorProto(name=f"w{len(self.tensors)}", data_type=kind, dims=array.shape)
        tensor.data_location = TensorProto.EXTERNAL
        location = (
            ("location", self.path.with_suffix(".bin").name),
            ("offset", self.file.tell()),
            ("length", array.nbytes),
        )
        for key, value in location:
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
        array.tofile(self.file)
        self.tensors.append(tensor)
        return tensor.name

    def node(self, op: str, domain: str, weights: list[str], **attributes: object) -> None:
        i = len(self.nodes)
        inputs = ["x", "logits", *weights]
        self.nodes.append(helper.make_node(op, inputs, [f"y{i}"], domain=domain, **attributes))

    def close(self) -> Path:
        self.file.close()
        # The layers stand side by side: in a row, random layers would shrink their input to nothing.
        self.nodes.append(helper.make_node("Sum", [n.output[0] for n in self.nodes], ["y"]))
        inputs = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "logits")
        ]
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "layers", inputs, [output], self.tensors)
        opsets = [
            helper.make_opsetid(d, v) for d, v in (("", 21), (DOMAIN, 1), ("com.microsoft", 1))
        ]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), self.path)
        return self.path


def random_weight(
    rng: np.random.Generator, experts: int, rows: int, columns: int, block: int
) -> Quantized:
    values = rng.integers(-8, 8, (experts, rows, columns), np.int8)
    scales = rng.uniform(0.8, 1.2, (experts, rows, columns // block)) / (4.6 * columns**0.5)
    return Quantized(values, scales.astype(np.float16), 4, block)


def write_models(shape: Shape, block: int, folder: Path) -> tuple[Path, Path]:
    """The same layers for both operators."""
    rng = np.random.default_rng(0)
    ours, theirs = (GraphWriter(folder / f"{name}{block}.onnx") for name in ("ours", "qmoe"))
    attributes = Attributes(shape.k, shape.hidden, shape.intermediate, shape.experts, 4, block)
    for _ in range(shape.layers):
        gate, up = (
            random_weight(rng, shape.experts, shape.intermediate, shape.hidden, block)
            for _ in range(2)
        )
        down = random_weight(rng, shape.experts, shape.hidden, shape.intermediate, block)
        packed = [ours.weight(pack_gate_up(gate, up)), ours.weight(pack_down(down))]
        ours.node("ExpertDispatch", DOMAIN, packed, **attributes.as_dict())
        both = Quantized(
            *(_interleave(g, u) for g, u in ((gate.values, up.values), (gate.scales, up.scales))),
            4,
            block,
        )  # type: ignore[arg-type]
        first, second = (_nibbles_and_scales(w) for w in (both, down))
        weights = [
            theirs.weight(first[0]),
            theirs.weight(first[1]),
            "",
            theirs.weight(second[0]),
            theirs.weight(second[1]),
        ]
        theirs.node(
            "QMoE",
            "com.microsoft",
            weights,
            k=shape.k,
            activation_type="swiglu",
            swiglu_fusion=1,
            activation_alpha=1.0,
            activation_beta=0.0,
            normalize_routing_weights=1,
            expert_weight_bits=4,
            block_size=block,
            accuracy_level=4,
            weights_prepacked=0,
        )
    return ours.close(), theirs.close()


def _interleave(gate: NDArray[np.generic], up: NDArray[np.generic]) -> NDArray[np.generic]:
    experts, rows, width = gate.shape
    return np.stack([gate, up], axis=2).reshape(experts, 2 * rows, width)


def _nibbles_and_scales(weight: Quantized) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    codes = (weight.values + 8).astype(np.uint8)
    return codes[..., 0::2] | (codes[..., 1::2] << 4), weight.scales.astype(np.float32)


def session(model: Path, path: str | None = None, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if path:
        os.environ["SOPILKA_OPS_PATH"] = path
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def measure(shape: Shape, rounds: int) -> dict[str, NDArray[np.float64]]:
    """CPU milliseconds of one layer, for each contestant and round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = write_models(shape, 32, folder)
        wide, _ = write_models(shape, 64, folder)
        contestants = {
            f"{p}, block 32": session(ours, p) for p in describe().available_paths if p != "scalar"
        }
        contestants |= {
            f"{p}, block 64": session(wide, p) for p in describe().available_paths if p != "scalar"
        }
        contestants["QMoE, block 32"] = session(theirs)
        rng = np.random.default_rng(1)
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for round_ in range(rounds + 1):
            feeds = [
                {
                    "x": rng.standard_normal((shape.tokens, shape.hidden), np.float32),
                    "logits": rng.standard_normal((shape.tokens, shape.experts), np.float32),
                }
                for _ in range(shape.runs)
            ]
            for name, contestant in contestants.items():
                start = time.process_time()
                for feed in feeds:
                    contestant.run(None, feed)
                if round_:  # The first round only warms up.
                    times[name].append(
                        (time.process_time() - start) * 1e3 / shape.runs / shape.layers
                    )
        check_same_answer(contestants, feeds[0])
    return {name: np.array(values) for name, values in times.items()}


def check_same_answer(
    contestants: dict[str, onnxruntime.InferenceSession], feed: dict[str, NDArray[np.float32]]
) -> None:
    answers = {n: s.run(None, feed)[0] for n, s in contestants.items() if "block 32" in n}
    expected = answers["QMoE, block 32"]
    for name, answer in answers.items():
        error = np.sqrt(np.mean((answer - expected) ** 2) / np.mean(expected**2))
        if not error < 0.05:
            raise SystemExit(f"{name} and QMoE disagree: relative error {error:.3f}")


def table(shape: Shape, times: dict[str, NDArray[np.float64]]) -> str:
    gigabytes = 3 * shape.hidden * shape.intermediate * 0.5625e-9
    lines = [
        f"### {shape.name}: H {shape.hidden}, I {shape.intermediate}, {shape.k} of {shape.experts} experts, "
        f"{shape.tokens} token(s), {len(times['QMoE, block 32'])} rounds of {shape.runs}",
        "",
        "| operator | CPU ms a layer, median (p10-p90) | QMoE's time / its time in the same round, median (p10-p90) | |",
        "| --- | --- | --- | --- |",
    ]
    for name, values in times.items():
        ratio = times["QMoE, block 32"] / values
        median = np.median(values)
        if shape.tokens == 1:
            rate = f"{gigabytes * shape.k / median * 1e3:.1f} GB/s of 4.5-bit weights"
        else:
            rate = f"{6e-9 * shape.hidden * shape.intermediate * shape.k * shape.tokens / median * 1e3:.0f} Gop/s"
        lines.append(f"| {name} | {spread(values)} | {spread(ratio)} | {rate} |")
    return "\n".join([*lines, ""])


def spread(values: NDArray[np.float64]) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.3g} ({low:.3g}-{high:.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shape", action="append", help="part of a shape's name; all shapes if not given"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    parts = []
    for shape in SHAPES:
        if arguments.shape and not any(part in shape.name for part in arguments.shape):
            continue
        parts.append(table(shape, measure(shape, arguments.rounds)))
        print(parts[-1], flush=True)


if __name__ == "__main__":
    main()
