"""Builds an ONNX graph node by node, its weights streamed to a file beside it.

The names of values are the names of the nodes that make them. The same calls give the same bytes.
A graph is built in sections: a journal can give back those that an interrupted export had finished.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.bundle import WEIGHTS

MICROSOFT = "com.microsoft"
OPSET = 21
IR_VERSION = 10
# Packed experts begin at a page, so that each can be mapped and prefetched alone; the rest need
# only the alignment of the widest vector.
PAGE = 4096
VECTOR = 64

Dimension = int | str
# What a section's builder returns: anything that JSON gives back as it was.
_Result = TypeVar("_Result")
_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
}


class WeightsWriter(Protocol):
    """The file of weights, written from its beginning to its end."""

    def write(self, data: bytes | memoryview, /) -> object: ...

    def tell(self) -> int: ...


class SectionJournal(Protocol):
    """Remembers the sections of a graph whose weights are in the file already."""

    def take(self, name: str) -> tuple[bytes, Any] | None:
        """Return a finished section as given to `finish`; its weights are in the file."""
        ...

    def finish(self, name: str, fragment: bytes, result: Any) -> None:
        """Keep a section, whose weights end where the file ends now."""
        ...


class GraphBuilder:
    """A graph under construction, and the open file of its weights."""

    def __init__(self, weights: WeightsWriter, journal: SectionJournal | None = None) -> None:
        self._weights = weights
        self._journal = journal
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._domains = {"": OPSET}

    def input(self, name: str, dtype: type, shape: list[Dimension]) -> str:
        """Declare an input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[np.dtype(dtype)], shape))
        return name

    def output(self, name: str, dtype: type, shape: list[Dimension]) -> None:
        """Declare that the value `name` is an output of the graph."""
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[np.dtype(dtype)], shape))

    def constant(self, name: str, values: list[int]) -> str:
        """Add a small int64 vector, kept inside the graph; the same name twice is one constant."""
        if name not in self._initializers:
            array = np.array(values, dtype=np.int64)
            self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def weight(self, name: str, array: NDArray[Any], alignment: int = VECTOR) -> str:
        """Write a tensor to the weights file."""
        with self.stream(name, array.dtype, array.shape, alignment) as file:
            file.write(np.ascontiguousarray(array).data)
        return name

    def stream(
        self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], alignment: int = VECTOR
    ) -> _Stream:
        """Return a context manager to write a tensor to the weights file in pieces."""
        self._weights.write(bytes(-self._weights.tell() % alignment))
        offset = self._weights.tell()
        length = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        self._add_external(name, _TYPES[dtype], shape, offset, length)
        return _Stream(self._weights, offset + length)

    def alias(self, name: str, of: str, shape: tuple[int, ...]) -> str:
        """Add a tensor that shares the bytes of the weight `of`, seen in another shape."""
        original = self._initializers[of]
        place = {entry.key: int(entry.value) for entry in original.external_data[1:]}
        self._add_external(name, original.data_type, shape, place["offset"], place["length"])
        return name

    def node(
        self,
        op: str,
        inputs: list[str],
        name: str,
        *,
        outputs: list[str] | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node; return its first output, named as the node unless `outputs` are given."""
        if domain:
            self._domains[domain] = 1
        named = outputs or [name]
        made = helper.make_node(op, inputs, named, name=name, domain=domain, **attributes)
        self._nodes.append(made)
        return named[0]

    def section(self, name: str, add: Callable[[], _Result]) -> _Result:
        """Let `add` add a section of the graph, or take the section from the journal instead.

        All that later sections need of it must be in its result, made of JSON's types: where the
        journal has the section, `add` is not called.
        """
        if self._journal is None:
            return add()
        finished = self._journal.take(name)
        if finished is not None:
            fragment, result = finished
            self._restore(onnx.ModelProto.FromString(fragment))
            return result  # type: ignore[no-any-return]
        before = len(self._nodes), len(self._inputs), len(self._outputs), len(self._initializers)
        result = add()
        self._journal.finish(name, self._fragment(*before), result)
        return result

    def _fragment(self, nodes: int, inputs: int, outputs: int, initializers: int) -> bytes:
        """What was added since there were so many of each."""
        graph = onnx.GraphProto(
            node=self._nodes[nodes:],
            input=self._inputs[inputs:],
            output=self._outputs[outputs:],
            initializer=list(self._initializers.values())[initializers:],
        )
        domains = [helper.make_opsetid(*domain) for domain in self._domains.items()]
        model = onnx.ModelProto(graph=graph, opset_import=domains)
        return bytes(model.SerializeToString(deterministic=True))

    def _restore(self, fragment: onnx.ModelProto) -> None:
        self._nodes.extend(fragment.graph.node)
        self._inputs.extend(fragment.graph.input)
        self._outputs.extend(fragment.graph.output)
        self._initializers.update((tensor.name, tensor) for tensor in fragment.graph.initializer)
        self._domains.update((opset.domain, opset.version) for opset in fragment.opset_import)

    def save(self, path: Path) -> None:
        """Write the graph. The weights file stays open."""
        initializers = list(self._initializers.values())
        graph = helper.make_graph(self._nodes, "decoder", self._inputs, self._outputs, initializers)
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name = "runtime.export"
        path.write_bytes(model.SerializeToString(deterministic=True))

    def _add_external(
        self, name: str, kind: int, shape: tuple[int, ...], offset: int, length: int
    ) -> None:
        if name in self._initializers:
            raise ValueError(f"weight {name} exists already")
        tensor = TensorProto(name=name, data_type=kind, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", WEIGHTS), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self._initializers[name] = tensor


class _Stream:
    """Lets a tensor be written in pieces and checks that they were as many bytes as promised."""

    def __init__(self, file: WeightsWriter, end: int) -> None:
        self._file = file
        self._end = end

    def __enter__(self) -> WeightsWriter:
        return self._file

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None and self._file.tell() != self._end:
            raise ValueError(f"a weight ends at byte {self._file.tell()}, promised was {self._end}")
