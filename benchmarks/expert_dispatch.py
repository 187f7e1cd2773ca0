"""How fast is sopilka::ExpertDispatch against ONNX Runtime's own operator, com.microsoft::QMoE?

    python benchmarks/expert_dispatch.py [--model NAME] [--rounds N] [--write]

Both run the same int4 weights in one process on one thread, in turn, round by round, each round
with new inputs. What counts is CPU time: on a shared machine it hardly moves when a neighbour wakes
up, and the ratio within a round moves less still. QMoE gets what makes it fastest on a CPU:
accuracy_level 4 (int8 activations, as ours) and swiglu_fusion 1. Before anything is timed, all
answers are held against QMoE's. `--write` puts the tables into results/expert_dispatch.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
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
BLOCKS = (32, 64)
Floats = NDArray[np.float32]
Times = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Load:
    """`runs` calls of `tokens` tokens make a round."""

    name: str
    tokens: int
    runs: int


@dataclass(frozen=True)
class Model:
    """`layers` nodes, so that one step's weights are not still in a cache from the last."""

    name: str
    hidden: int
    intermediate: int
    experts: int
    k: int
    layers: int
    loads: tuple[Load, ...]


MODELS = (
    Model("Qwen3-30B-A3B", 2048, 768, 128, 8, 2, (Load("decode", 1, 20), Load("prefill", 512, 1))),
    Model("default", 192, 128, 8, 2, 8, (Load("decode", 1, 100), Load("prefill", 256, 10))),
)


class GraphWriter:
    """A graph of nodes side by side, whose weights lie in one external file."""

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
        location = {"location": self.path.with_suffix(".bin").name}
        location |= {"offset": str(self.file.tell()), "length": str(array.nbytes)}
        for key, value in location.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        array.tofile(self.file)
        self.tensors.append(tensor)
        return tensor.name

    def node(self, op: str, domain: str, weights: list[str], **attributes: object) -> None:
        inputs, output = ["x", "logits", *weights], f"y{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))

    def close(self) -> Path:
        self.file.close()
        # In a row, layers of random weights would shrink their input to nothing; so they are added.
        self.nodes.append(helper.make_node("Sum", [n.output[0] for n in self.nodes], ["y"]))
        inputs = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "logits")
        ]
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "layers", inputs, [output], self.tensors)
        versions = (("", 21), (DOMAIN, 1), ("com.microsoft", 1))
        opsets = [helper.make_opsetid(domain, version) for domain, version in versions]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), self.path)
        return self.path


def write_graphs(model: Model, block: int, folder: Path) -> tuple[Path, Path]:
    """The same layers for both operators."""
    rng = np.random.default_rng(0)
    ours, theirs = (GraphWriter(folder / f"{name}{block}.onnx") for name in ("ours", "qmoe"))
    attributes = Attributes(model.k, model.hidden, model.intermediate, model.experts, 4, block)
    for _ in range(model.layers):
        gate, up = (
            random_weight(rng, model.experts, model.intermediate, model.hidden, block)
            for _ in range(2)
        )
        down = random_weight(rng, model.experts, model.hidden, model.intermediate, block)
        packed = [ours.weight(pack_gate_up(gate, up)), ours.weight(pack_down(down))]
        ours.node("ExpertDispatch", DOMAIN, packed, **attributes.as_dict())
        theirs.node(
            "QMoE",
            "com.microsoft",
            [*qmoe_weights(theirs, interleaved(gate, up)), "", *qmoe_weights(theirs, down)],
            k=model.k,
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


def random_weight(
    rng: np.random.Generator, experts: int, rows: int, columns: int, block: int
) -> Quantized:
    values = rng.integers(-8, 8, (experts, rows, columns), np.int8)
    scales = rng.uniform(0.8, 1.2, (experts, rows, columns // block)) / (4.6 * columns**0.5)
    return Quantized(values, scales.astype(np.float16), 4, block)


def interleaved(gate: Quantized, up: Quantized) -> Quantized:
    """Rows g0, u0, g1, u1, ... as QMoE wants them."""
    shape = (gate.values.shape[0], 2 * gate.values.shape[1], -1)
    values = np.stack([gate.values, up.values], axis=2).reshape(shape)
    scales = np.stack([gate.scales, up.scales], axis=2).reshape(shape)
    return Quantized(values, scales, gate.bits, gate.block_size)


def qmoe_weights(graph: GraphWriter, weight: Quantized) -> list[str]:
    codes = (weight.values + 8).astype(np.uint8)
    packed = codes[..., 0::2] | (codes[..., 1::2] << np.uint8(4))
    return [graph.weight(packed), graph.weight(weight.scales.astype(np.float32))]


def session(graph: Path, path: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    options.intra_op_num_threads = 1
    os.environ["SOPILKA_OPS_PATH"] = path
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def random_feed(rng: np.random.Generator, model: Model, tokens: int) -> dict[str, Floats]:
    return {
        "x": rng.standard_normal((tokens, model.hidden), np.float32),
        "logits": rng.standard_normal((tokens, model.experts), np.float32),
    }


def measure(model: Model, rounds: int) -> dict[Load, Times]:
    """CPU milliseconds of one layer, for each load, contestant and round."""
    paths = [path for path in describe().available_paths if path != "scalar"] or ["scalar"]
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        contestants = {}
        for block in BLOCKS:
            ours, theirs = write_graphs(model, block, Path(name))
            contestants |= {f"{path}, block {block}": session(ours, path) for path in paths}
            contestants[f"QMoE, block {block}"] = session(theirs, paths[0])
        check_same_answers(contestants, random_feed(rng, model, 4))
        return {load: measure_load(contestants, model, load, rounds, rng) for load in model.loads}


def measure_load(
    contestants: dict[str, onnxruntime.InferenceSession],
    model: Model,
    load: Load,
    rounds: int,
    rng: np.random.Generator,
) -> Times:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round_number in range(rounds + 1):
        feeds = [random_feed(rng, model, load.tokens) for _ in range(load.runs)]
        for name, contestant in contestants.items():
            start = time.process_time()
            for feed in feeds:
                contestant.run(None, feed)
            seconds = time.process_time() - start
            if round_number:  # The first round only warms up.
                times[name].append(seconds * 1e3 / load.runs / model.layers)
    return {name: np.array(values) for name, values in times.items()}


def check_same_answers(
    contestants: dict[str, onnxruntime.InferenceSession], feed: dict[str, Floats]
) -> None:
    for name, contestant in contestants.items():
        answer = contestant.run(None, feed)[0]
        expected = contestants[rival(name)].run(None, feed)[0]
        error = np.sqrt(np.mean((answer - expected) ** 2) / np.mean(expected**2))
        if not error < 0.05:  # Both round activations to int8, in different groups.
            raise SystemExit(f"{name} and QMoE disagree: relative error {error:.3f}")


def rival(name: str) -> str:
    return f"QMoE, {name.split(', ')[1]}"


def table(model: Model, load: Load, times: Times) -> str:
    rounds = len(next(iter(times.values())))
    lines = [
        f"## {model.name}, {load.name}",
        "",
        f"H {model.hidden}, I {model.intermediate}, {model.k} of {model.experts} experts, "
        f"{load.tokens} token(s); {rounds} rounds of {load.runs} run(s) of {model.layers} layers.",
        "",
        "| operator | CPU ms a layer | times faster than QMoE with this block | rate |",
        "| --- | --- | --- | --- |",
    ]
    for name, values in times.items():
        faster = times[rival(name)] / values
        multiplications = 3 * model.hidden * model.intermediate * model.k * load.tokens
        per_second = multiplications / np.median(values) * 1e3
        block = int(name.split()[-1])
        rate = (
            f"{per_second * (4 + 16 / block) / 8 * 1e-9:.1f} GB/s of weights"
            if load.tokens == 1
            else f"{2e-9 * per_second:.0f} Gop/s"
        )
        lines.append(f"| {name} | {spread(values)} | {spread(faster)} | {rate} |")
    return "\n".join([*lines, ""])


def spread(values: NDArray[np.float64]) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.3g} ({low:.3g}-{high:.3g})"


def machine() -> str:
    """The kind of machine, not its name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    info = describe()
    return (
        f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, shared with other "
        f"work; kernels {', '.join(info.available_paths)}; ONNX Runtime {info.ort_version}, CPU."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=[model.name for model in MODELS])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    parts = [
        "# sopilka::ExpertDispatch against com.microsoft::QMoE\n",
        f"Machine: {machine()}\n",
        "One thread. Median (p10-p90) over interleaved rounds; the ratio is taken within each "
        "round. Ops count a multiplication and an addition as two.\n",
        "Made by `python benchmarks/expert_dispatch.py --write`.\n",
    ]
    for model in MODELS:
        if arguments.model in (None, model.name):
            for load, times in measure(model, arguments.rounds).items():
                parts.append(table(model, load, times))
                print(parts[-1], flush=True)
    if arguments.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
