"""Reads Hugging Face checkpoints: `config.json` and safetensors, one tensor at a time.

Files are memory-mapped, so a checkpoint larger than the machine's memory can be read.
Format: https://huggingface.co/docs/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.ops.expert_dispatch.pack import Quantized

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_SHARD_NAME = re.compile(r"[A-Za-z0-9_.-]+\.safetensors")
_ITEM_SIZES = {"F32": 4, "F16": 2, "BF16": 2}
_MAX_HEADER = 100_000_000  # The format's own limit.


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where one tensor is stored; `start` counts from the beginning of the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int


class Checkpoint:
    """A checkpoint directory. Raises ExportError where it is not a readable one."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ExportError(f"{path} is not a directory: give the folder that holds config.json")
        self.path = path
        self.config = _read_json(path / "config.json")
        self.tensors: dict[str, TensorInfo] = {}
        for file in _shards(path):
            for name, info in _read_header(file):
                if name in self.tensors:
                    raise ExportError(f"{name} is both in {self.tensors[name].file} and in {file}")
                self.tensors[name] = info

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, by name."""
        return {name: info.shape for name, info in self.tensors.items()}

    def read_quantized(self, name: str, bits: int, block: int) -> Quantized | None:
        """Return a matrix that is stored on a grid of `bits` and `block`; None if it is not."""
        return None

    def read(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as float32; BF16 and F16 convert without loss.

        Raises ExportError where it is missing, of another type, or holds NaN or infinity.
        """
        info = self.tensors.get(name)
        if info is None:
            raise ExportError(f"{self.path} has no tensor {name}")
        dtype = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[info.dtype]
        raw = np.memmap(info.file, dtype=dtype, mode="r", offset=info.start, shape=info.shape)
        if info.dtype == "BF16":  # The upper half of a float32.
            halves = raw.astype("<u4")
            halves <<= 16
            values = halves.view(np.float32)
        else:
            values = raw.astype(np.float32)
        if not np.isfinite(values).all():
            raise ExportError(
                f"{name} in {info.file} holds NaN or infinity: the checkpoint is broken"
            )
        return values


def _shards(path: Path) -> list[Path]:
    if (path / _INDEX).exists():
        weight_map = _read_json(path / _INDEX).get("weight_map")
        if not isinstance(weight_map, dict):
            raise ExportError(f"{path / _INDEX} has no weight_map")
        names = sorted({str(name) for name in weight_map.values()})
        for name in names:
            if not _SHARD_NAME.fullmatch(name):
                raise ExportError(
                    f"{path / _INDEX} names {name!r}, which is no safetensors file of it"
                )
        return [path / name for name in names]
    if (path / _SINGLE).exists():
        return [path / _SINGLE]
    raise ExportError(
        f"{path} has neither {_SINGLE} nor {_INDEX}; other formats, such as pickles, are not read"
    )


def _read_header(file: Path) -> list[tuple[str, TensorInfo]]:
    """Return names and places of the tensors of one safetensors file, all checked."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, _MAX_HEADER):
                raise ExportError(f"{file} is cut off or is no safetensors file")
            header = json.loads(stream.read(length))
    except OSError as error:
        raise ExportError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{file} has a malformed header: {error}") from error
    if not isinstance(header, dict):
        raise ExportError(f"{file} has a malformed header: it must be a JSON object")
    start, room = 8 + length, size - 8 - length
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    return [(name, _read_entry(file, name, entry, start, room)) for name, entry in entries]


def _read_entry(file: Path, name: str, entry: Any, start: int, room: int) -> TensorInfo:
    if not name.isprintable():
        raise ExportError(f"{file}: {name!r} is no name for a tensor")
    where = f"{file}: tensor {name}"
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
    except (TypeError, KeyError, ValueError) as error:
        raise ExportError(f"{where} has a malformed entry") from error
    if not whole or not isinstance(dtype, str):
        raise ExportError(f"{where} has a malformed entry")
    if dtype not in _ITEM_SIZES:
        raise ExportError(f"{where} is {dtype!r:.20}; only {', '.join(_ITEM_SIZES)} are supported")
    if end > room or end - begin != math.prod(shape) * _ITEM_SIZES[dtype]:
        raise ExportError(f"{where} does not fit its place: the file is cut off or damaged")
    return TensorInfo(file, dtype, shape, start + begin)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ExportError(f"{path} must hold a JSON object")
    return value
