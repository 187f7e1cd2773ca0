"""Layers to test with: random weights, the graph of one node around them, sessions that run it.

The library must be built first: cmake -S runtime/ops -B runtime/ops/build && cmake --build
runtime/ops/build (or install the package).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from runtime.ops import DOMAIN, THREADS_OPTION, describe, library_path
from runtime.ops.expert_dispatch import Attributes, Quantized, pack_down, pack_gate_up, quantize

PATHS = describe().available_paths
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    attributes: Attributes
    gate_up: NDArray[np.uint8]
    down: NDArray[np.uint8]


def random_layer(
    *,
    hidden: int,
    intermediate: int,
    experts: int,
    k: int,
    bits: int,
    block: int,
    normalize: int = 1,
    seed: int = 0,
) -> Layer:
    rng = np.random.default_rng(seed)

    def weight(rows: int, columns: int) -> Quantized:
        values = rng.standard_normal((experts, rows, columns), np.float32)
        return quantize(values * np.float32(columns**-0.5), bits, block)

    gate, up = weight(intermediate, hidden), weight(intermediate, hidden)
    attributes = Attributes(k, hidden, intermediate, experts, bits, block, normalize)
    return Layer(attributes, pack_gate_up(gate, up), pack_down(weight(hidden, intermediate)))


def model_bytes(
    layer: Layer,
    *,
    attributes: dict[str, int] | None = None,
    cancel: bool = False,
    external: Path | None = None,
    constant: bool = True,
) -> bytes:
    """One ExpertDispatch node; with `external`, its weights lie in that file, aligned to 4096."""
    weights = {"gate_up": layer.gate_up, "down": layer.down}
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("router_logits", TensorProto.FLOAT, None),
    ]
    initializers = []
    if not constant:
        inputs += [helper.make_tensor_value_info(n, TensorProto.UINT8, None) for n in weights]
    elif external is None:
        initializers = [onnx.numpy_helper.from_array(w, n) for n, w in weights.items()]
    else:
        initializers = _external_tensors(weights, external)
    if cancel:
        inputs.append(helper.make_tensor_value_info("cancel", TensorProto.INT64, [1]))
    node = helper.make_node(
        "ExpertDispatch",
        ["x", "router_logits", "gate_up", "down", *(["cancel"] if cancel else [])],
        ["y"],
        domain=DOMAIN,
        **(layer.attributes.as_dict() if attributes is None else attributes),
    )
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "layer", inputs, [output], initializers)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def _external_tensors(weights: dict[str, NDArray[np.uint8]], path: Path) -> list[TensorProto]:
    tensors = []
    with path.open("wb") as file:
        for name, weight in weights.items():
            file.seek(-(-file.tell() // 4096) * 4096)
            offset = file.tell()
            file.write(weight.tobytes())
            tensor = TensorProto(name=name, data_type=TensorProto.UINT8, dims=weight.shape)
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (
                ("location", path.name),
                ("offset", offset),
                ("length", weight.nbytes),
            ):
                entry = tensor.external_data.add()
                entry.key, entry.value = key, str(value)
            tensors.append(tensor)
    return tensors


@contextmanager
def environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def session(
    model: bytes | Path, *, path: str | None = None, threads: int = 1, own_threads: bool = True
) -> onnxruntime.InferenceSession:
    """A session on one kernel path, with threads of the operators' own or of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    if own_threads:
        options.add_session_config_entry(THREADS_OPTION, str(threads))
    options.register_custom_ops_library(str(library_path()))
    options.intra_op_num_threads = 1 if own_threads else threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = str(model) if isinstance(model, Path) else model
    with environment(**({"SOPILKA_OPS_PATH": path} if path else {})):
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(
    layer: Layer,
    x: Floats,
    logits: Floats,
    *,
    path: str = "scalar",
    threads: int = 1,
) -> Floats:
    return session(model_bytes(layer), path=path, threads=threads).run(
        None, {"x": x, "router_logits": logits}
    )[0]


def random_batch(layer: Layer, tokens: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Hidden states [T, H] and router logits [T, E]."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((tokens, layer.attributes.hidden_size), np.float32)
    return x, rng.standard_normal((tokens, layer.attributes.num_experts), np.float32)
