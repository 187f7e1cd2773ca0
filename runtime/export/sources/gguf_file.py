"""Reads the header of a GGUF file, versions 2 and 3, and checks every count and offset in it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "File Structure".
The `gguf` package reads such files too, but believes what they say of their own sizes.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from runtime.export.errors import ExportError
from runtime.export.sources.data_file import DataFile

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32
# What a file may hold at most; models of a million tokens of vocabulary stay below.
_MAX_HEADER = 256 * 2**20
_MAX_TENSORS = 100_000
_MAX_ENTRIES = 10_000
_MAX_VALUES = 4_000_000
_MAX_DIMENSIONS = 4
_MAX_DEPTH = 2
_STRING, _ARRAY, _BOOL = 8, 9, 7
_FORMATS = {
    **{0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4"},
    **{7: "<u1", 10: "<u8", 11: "<i8", 12: "<f8"},
}


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where a tensor lies: `kind` is ggml's number of its type, `shape` the slowest axis first."""

    file: DataFile
    kind: int
    shape: tuple[int, ...]
    start: int
    bytes: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """All that a file says before its tensors' numbers."""

    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]
    sha256: str


def read_gguf(file: DataFile, sizes: dict[int, tuple[int, int]]) -> GgufHeader:
    """Read and check a header. `sizes` maps types to (numbers, bytes) of a block of each.

    Arrays of numbers come as NumPy arrays, those of strings as lists. Raises ExportError.
    """
    cursor = _Cursor(file)
    if cursor.take(4) != MAGIC:
        raise ExportError(f"{file.path} is no GGUF file")
    version = cursor.number("<u4")
    if version not in _VERSIONS:
        is_swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS
        what = "for big-endian machines" if is_swapped else f"version {version}"
        raise ExportError(f"{file.path} is a GGUF file {what}; versions 2 and 3 are read")
    tensor_count, entry_count = cursor.number("<u8"), cursor.number("<u8")
    cursor.limit("tensors", tensor_count, _MAX_TENSORS)
    cursor.limit("entries of metadata", entry_count, _MAX_ENTRIES)
    metadata: dict[str, Any] = {}
    for _ in range(entry_count):
        key = cursor.name("a key")
        if key in metadata:
            cursor.fail(f"has the key {key} twice")
        metadata[key] = cursor.value(cursor.number("<u4"), 0)
    places = [_read_tensor(cursor) for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if type(alignment) is not int or not 1 <= alignment <= 2**20 or alignment & (alignment - 1):
        cursor.fail(f"has an alignment of {alignment!r:.20}")
    start = -(-cursor.position // alignment) * alignment
    tensors: dict[str, GgufTensor] = {}
    for name, kind, shape, offset in places:
        if name in tensors:
            cursor.fail(f"has the tensor {name} twice")
        if offset % alignment:
            cursor.fail(f"has the tensor {name} at {offset}, which is not aligned")
        size = _size(cursor, name, kind, shape, sizes)
        if start + offset + size > file.size:
            cursor.fail(f"ends before the tensor {name} does: it is cut off or damaged")
        tensors[name] = GgufTensor(file, kind, shape, start + offset, size)
    _check_apart(cursor, tensors)
    return GgufHeader(metadata, tensors, cursor.digest())


def _read_tensor(cursor: _Cursor) -> tuple[str, int, tuple[int, ...], int]:
    name, count = cursor.name("a tensor's name"), cursor.number("<u4")
    cursor.limit(f"dimensions of {name}", count, _MAX_DIMENSIONS)
    shape = tuple(cursor.number("<u8") for _ in range(count))[::-1]
    return name, cursor.number("<u4"), shape, cursor.number("<u8")


def _size(
    cursor: _Cursor, name: str, kind: int, shape: tuple[int, ...], sizes: dict[int, tuple[int, int]]
) -> int:
    if kind not in sizes:
        cursor.fail(f"has the tensor {name} in the unknown type {kind}")
    numbers, size = sizes[kind]
    columns = shape[-1] if shape else 1
    if 0 in shape or columns % numbers:
        cursor.fail(f"has the tensor {name} in the impossible shape {list(shape)}")
    return math.prod(shape) // numbers * size


def _check_apart(cursor: _Cursor, tensors: dict[str, GgufTensor]) -> None:
    end, last = 0, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].start):
        if tensor.start < end:
            cursor.fail(f"has the tensors {last} and {name} in one place")
        end, last = tensor.start + tensor.bytes, name


class _Cursor:
    """Reads a file from its beginning in buffered pieces, counting what it hands out."""

    def __init__(self, file: DataFile) -> None:
        self.position = 0
        self._file = file
        self._buffer, self._start = b"", 0
        self._values = 0

    def fail(self, what: str) -> NoReturn:
        raise ExportError(f"{self._file.path} {what}")

    def limit(self, what: str, count: int, most: int) -> None:
        if count > most:
            self.fail(f"claims {count} {what}, more than {most}: it is damaged")

    def take(self, length: int) -> bytes:
        if length > min(self._file.size, _MAX_HEADER) - self.position:
            self.fail("is cut off, or its header is damaged")
        offset = self.position - self._start
        if offset + length > len(self._buffer):
            room = self._file.size - self.position
            self._start, offset = self.position, 0
            self._buffer = self._file.read(self.position, min(room, max(length, 1 << 20))).tobytes()
        self.position += length
        return self._buffer[offset : offset + length]

    def number(self, kind: str) -> int:
        return int.from_bytes(self.take(int(kind[2])), "little", signed=kind[1] == "i")

    def name(self, what: str) -> str:
        text = self.string()
        if not text or len(text) > 256 or not text.isprintable():
            self.fail(f"has {text[:60]!r} for {what}")
        return text

    def string(self) -> str:
        return self.take(self.number("<u8")).decode("utf-8", "replace")

    def value(self, kind: int, depth: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array(depth + 1)
        if kind not in _FORMATS:
            self.fail(f"has metadata of the unknown type {kind}")
        form = _FORMATS[kind]
        raw = self.take(int(form[2]))
        if form[1] == "f":
            return float(struct.unpack("<f" if form[2] == "4" else "<d", raw)[0])
        number = int.from_bytes(raw, "little", signed=form[1] == "i")
        return bool(number) if kind == _BOOL else number

    def _array(self, depth: int) -> Any:
        kind, count = self.number("<u4"), self.number("<u8")
        if depth > _MAX_DEPTH:
            self.fail("has arrays in arrays in arrays")
        self._values += 1
        self.limit("values", self._values + count, _MAX_VALUES)
        self._values += count
        if kind in _FORMATS:
            form = _FORMATS[kind]
            return np.frombuffer(self.take(count * int(form[2])), form)
        return [self.value(kind, depth) for _ in range(count)]

    def digest(self) -> str:
        """Return the SHA-256 of all that was taken."""
        hasher = hashlib.sha256()
        for start in range(0, self.position, 1 << 20):
            hasher.update(self._file.read(start, min(1 << 20, self.position - start)).data)
        return hasher.hexdigest()
