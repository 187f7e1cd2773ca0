"""Lists the files that an ONNX model refers to, without the `onnx` package.

A model names the files of its weights itself, so a hostile one could name any file of the machine.
This walks just those fields of the protobuf that lead to such names.
Field numbers: onnx.proto3 of ONNX 1.19; the wire format: Protocol Buffers, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.errors import BundleError

# message -> {field number: message}: every way from a model to a tensor.
_TENSOR_PATHS = {
    "Model": {7: "Graph", 20: "TrainingInfo", 25: "Function"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "ExternalData"},
}
_MAX_DEPTH = 64


def external_files(model: bytes) -> set[str]:
    """Return the `location` of every tensor stored outside of a serialized ONNX model.

    Raises BundleError where `model` is not a protobuf message.
    """
    try:
        return set(_locations(memoryview(model), "Model", 0))
    except (IndexError, UnicodeDecodeError) as error:
        raise BundleError("model.onnx is cut off or is no ONNX model") from error


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise BundleError("model.onnx is nested too deeply")
    if kind == "ExternalData":
        entry = dict(_fields(message))
        if bytes(entry.get(1, b"")) == b"location":
            yield bytes(entry.get(2, b"")).decode()
        return
    for number, value in _fields(message):
        inner = _TENSOR_PATHS[kind].get(number)
        if inner is not None:
            yield from _locations(value, inner, depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the length-delimited fields of a message as (number, content)."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        if tag >> 32:
            raise IndexError("a field's number is too large")
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _, position = _varint(message, position)
        elif wire_type in (1, 5):
            position += 8 if wire_type == 1 else 4
        elif wire_type == 2:
            length, position = _varint(message, position)
            if length > len(message) - position:
                raise IndexError("a field is longer than its message")
            yield number, message[position : position + length]
            position += length
        else:
            raise IndexError(f"unknown wire type {wire_type}")
    if position != len(message):
        raise IndexError("a field is longer than its message")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return a base-128 integer of at most 64 bits and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise IndexError("an integer of more than 64 bits")
