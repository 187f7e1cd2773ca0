"""Reads the header of a safetensors file and checks every number in it.

Format: https://huggingface.co/docs/safetensors, "Format".
"""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.export.sources.data_file import DataFile
from runtime.export.sources.limits import parse_object

ITEM_SIZES = {
    **{"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2},
    **{"I16": 2, "U16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "BOOL": 1},
}
_MAX_HEADER = 64 * 2**20
_MAX_DIMENSIONS = 8
_ROWS_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where one tensor is stored; `start` counts from the beginning of the file."""

    file: DataFile
    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * ITEM_SIZES[self.dtype]


def read_header(file: DataFile) -> tuple[dict[str, TensorInfo], str]:
    """Return the tensors of a file by name, and the SHA-256 of the header.

    Raises ExportError unless all of them lie in the file, side by side.
    """
    length = int.from_bytes(file.read(0, min(8, file.size)).tobytes(), "little")
    if file.size < 8 or length > min(file.size - 8, _MAX_HEADER):
        raise ExportError(f"{file.path} is cut off or is no safetensors file")
    text = file.read(8, length).tobytes()
    header = parse_object(text, f"{file.path}: the header")
    start, room = 8 + length, file.size - 8 - length
    tensors = {
        name: _read_entry(file, name, entry, start, room)
        for name, entry in header.items()
        if name != "__metadata__"
    }
    _check_apart(tensors)
    return tensors, hashlib.sha256(text).hexdigest()


def _read_entry(file: DataFile, name: str, entry: Any, start: int, room: int) -> TensorInfo:
    if not name.isprintable() or len(name) > 500:
        raise ExportError(f"{file.path}: {name[:60]!r} is no name for a tensor")
    where = f"{file.path}: tensor {name}"
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
    except (TypeError, KeyError, ValueError) as error:
        raise ExportError(f"{where} has a malformed entry") from error
    if not whole or not isinstance(dtype, str) or len(shape) > _MAX_DIMENSIONS:
        raise ExportError(f"{where} has a malformed entry")
    if dtype not in ITEM_SIZES:
        raise ExportError(f"{where} is of the unknown type {dtype!r:.20}")
    if end > room or end - begin != math.prod(shape) * ITEM_SIZES[dtype]:
        raise ExportError(f"{where} does not fit its place: the file is cut off or damaged")
    return TensorInfo(file, dtype, shape, start + begin)


def _check_apart(tensors: dict[str, TensorInfo]) -> None:
    by_place = sorted(tensors.items(), key=lambda item: (item[1].start, item[1].bytes))
    for (first, before), (second, after) in itertools.pairwise(by_place):
        if before.start + before.bytes > after.start:
            raise ExportError(f"{before.file.path}: tensors {first} and {second} overlap")


def read_raw(info: TensorInfo, first: int = 0, count: int | None = None) -> NDArray[Any]:
    """Return rows of a tensor, numbers of its own type; BF16 and F8 as the bits that they are."""
    rows = info.shape[0] if info.shape else 1
    count = rows - first if count is None else min(count, rows - first)
    dtype = {"BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1", "BOOL": "u1"}.get(info.dtype)
    kind = dtype or f"<{info.dtype[0].lower()}{ITEM_SIZES[info.dtype]}"
    width = info.bytes // rows if rows else 0
    raw = info.file.read(info.start + first * width, count * width).view(kind)
    return raw.reshape((count, *info.shape[1:]) if info.shape else ())


def read_float(info: TensorInfo) -> NDArray[np.float32]:
    """Return a tensor of F32, F16 or BF16 as float32, which is without loss."""
    if info.dtype == "F32":
        return np.asarray(read_raw(info))
    rows = info.shape[0] if info.shape else 1
    values = np.empty(info.shape, np.float32)
    flat = values.reshape(rows, -1)
    at_once = max(1, _ROWS_BYTES * rows // max(info.bytes, 1))
    for first in range(0, rows, at_once):
        raw = read_raw(info, first, at_once)
        part = flat[first : first + at_once]
        if info.dtype == "BF16":  # The upper half of a float32.
            np.left_shift(raw.reshape(part.shape), 16, out=part.view("<u4"), dtype="<u4")
        else:
            part[:] = raw.reshape(part.shape)
    return values
