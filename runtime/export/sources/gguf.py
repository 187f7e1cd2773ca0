"""A model in a GGUF file or in the parts of one, dequantized by the `gguf` package."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.export.sources.data_file import DataFile
from runtime.export.sources.gguf_file import GgufHeader, GgufTensor, read_gguf
from runtime.export.sources.gguf_names import config_of, names_of
from runtime.export.sources.gguf_tokenizer import tokenizer_of
from runtime.export.sources.source import Source, Storage
from runtime.ops.expert_dispatch.pack import Quantized

PART_NAME = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
_MAX_PARTS = 1000
_MAX_EXPERTS = 4096
_SLICE_BYTES = 1 << 22
_BLOCK = 32
# Types whose grid is ours -> the bits that hold their steps.
_GRIDS = {"Q4_0": (4, 8), "Q5_0": (8,), "Q8_0": (8,)}
_UNUSED = ("rope_freqs.weight",)


class GgufModel(Source):
    """A GGUF file of a Qwen model. Raises ExportError where it is damaged or something else."""

    def __init__(self, path: Path) -> None:
        library = _library()
        self.path = path
        self._kinds = {int(kind): str(kind.name) for kind in library.sizes}
        self._dequantize = library.dequantize
        self._files: list[DataFile] = []
        self._hashes: dict[str, str] = {}
        # Name -> (tensor, number of its slice or None).
        self._places: dict[str, tuple[GgufTensor, int | None]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        sizes = {int(kind): size for kind, size in library.sizes.items()}
        try:
            self._metadata = self._open_all(sizes)
            self.config = config_of(self._metadata, self.shapes, str(path))
        except ExportError:
            self.close()
            raise
        self.name = _name_of(path)
        self.known_as = f"{self.name} {self._metadata.get('general.name', '')}"

    def storage(self, name: str) -> Storage:
        tensor, part = self._places[name]
        kind = self._kinds[tensor.kind]
        size = tensor.bytes if part is None else tensor.bytes // tensor.shape[0]
        return Storage(kind, size, tuple((bits, _BLOCK) for bits in _GRIDS.get(kind, ())))

    def _read(self, name: str) -> NDArray[np.float32]:
        tensor, _ = self._places[name]
        rows, columns, _, _ = self._rows(name)
        values = np.empty((rows, columns), np.float32)
        for row, raw in self._slices(name):
            values[row : row + len(raw)] = self._numbers(raw, tensor.kind)
        return values.reshape(self.shapes[name])

    def read_quantized(self, name: str, bits: int, block: int) -> Quantized | None:
        tensor, _ = self._places[name]
        kind = self._kinds[tensor.kind]
        if bits not in _GRIDS.get(kind, ()) or block != _BLOCK:
            return None
        rows, columns, _, _ = self._rows(name)
        values = np.empty((rows, columns), np.int8)
        scales = np.empty((rows, columns // _BLOCK), np.float16)
        for row, raw in self._slices(name):
            blocks = raw.reshape(len(raw), columns // _BLOCK, -1)
            part = slice(row, row + len(raw))
            scales[part] = np.ascontiguousarray(blocks[..., :2]).view("<f2")[..., 0]
            values[part] = _steps(blocks[..., 2:], kind).reshape(len(raw), columns)
        if not np.isfinite(scales).all():
            raise ExportError(f"{name} in {self.path} holds NaN or infinity: the file is broken")
        if values.min(initial=0) == -128:  # One more than our grid has.
            return None
        return Quantized(values[None], scales[None], bits, block)

    def tokenizer(self) -> bytes:
        definition = tokenizer_of(self._metadata, str(self.path))
        return json.dumps(definition, ensure_ascii=False, separators=(",", ":")).encode()

    def chat_template(self) -> str:
        template = self._metadata.get("tokenizer.chat_template")
        return template if isinstance(template, str) else ""

    def licence(self) -> str:
        licence = self._metadata.get("general.license")
        return licence[:200] if isinstance(licence, str) and licence else super().licence()

    def fingerprint(self) -> dict[str, Any]:
        files = {
            file.path.name: [file.size, file.modified_ns, self._hashes[file.path.name]]
            for file in self._files
        }
        return {"format": "gguf", "files": files}

    @property
    def bytes_read(self) -> int:
        return sum(file.bytes_read for file in self._files)

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _open_all(self, sizes: dict[int, tuple[int, int]]) -> dict[str, Any]:
        """Open all parts; return the metadata of the first."""
        metadata: dict[str, Any] = {}
        paths = parts_of(self.path)
        for number, path in enumerate(paths):
            file = DataFile(path)
            self._files.append(file)
            header = read_gguf(file, sizes)
            self._hashes[path.name] = header.sha256
            _check_part(path, header, number, len(paths))
            metadata = metadata or header.metadata
            for name, tensor in header.tensors.items():
                self._add(name, tensor)
        return metadata

    def _add(self, name: str, tensor: GgufTensor) -> None:
        if len(tensor.shape) == 3 and tensor.shape[0] > _MAX_EXPERTS:
            raise ExportError(f"{tensor.file.path}: {name} claims {tensor.shape[0]} experts")
        names = list(names_of(name, tensor.shape))
        if not names and name not in _UNUSED:
            raise ExportError(f"{tensor.file.path}: no Qwen model has the tensor {name}")
        for known, part in names:
            if known in self.shapes:
                raise ExportError(f"{tensor.file.path}: the tensor {name} was in a part before")
            shape = tensor.shape if part is None else tensor.shape[1:]
            if known.endswith("shared_expert_gate.weight") and len(shape) == 1:
                shape = (1, *shape)
            self._places[known] = (tensor, part)
            self.shapes[known] = shape

    def _slices(self, name: str) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the number of a row and the bytes [rows, bytes of a row] from there on."""
        tensor, _ = self._places[name]
        rows, _, first, width = self._rows(name)
        at_once = max(1, _SLICE_BYTES // width)
        for row in range(0, rows, at_once):
            count = min(at_once, rows - row)
            yield row, tensor.file.read(first + row * width, count * width).reshape(count, width)

    def _rows(self, name: str) -> tuple[int, int, int, int]:
        """Return rows, columns, place of the first row in the file, and bytes of a row."""
        tensor, part = self._places[name]
        columns = tensor.shape[-1] if tensor.shape else 1
        rows = math.prod(tensor.shape) // columns
        width = tensor.bytes // rows
        if part is None:
            return rows, columns, tensor.start, width
        rows //= tensor.shape[0]
        return rows, columns, tensor.start + part * rows * width, width

    def _numbers(self, raw: NDArray[np.uint8], kind: int) -> NDArray[np.float32]:
        try:
            # Numbers that are none are found by whoever asked.
            with np.errstate(all="ignore"):
                return self._dequantize(raw, kind)
        except NotImplementedError as error:
            raise ExportError(
                f"{self.path} holds weights of the type {self._kinds[kind]}, which the package "
                "gguf cannot dequantize: take another quantization of the model"
            ) from error


def _steps(codes: NDArray[np.uint8], kind: str) -> NDArray[np.int8]:
    """Unpack blocks [rows, blocks, bytes] to steps int8 [rows, blocks, 32]."""
    if kind == "Q8_0":
        return np.ascontiguousarray(codes).view(np.int8)
    # The low halves of the bytes are the first sixteen columns, the high halves the others.
    halves = codes[..., -16:]
    steps = np.concatenate([halves & 15, halves >> 4], axis=-1)
    if kind == "Q5_0":  # The fifth bits come first, all of a block side by side.
        steps |= np.unpackbits(codes[..., :4], axis=-1, bitorder="little") << 4
    return steps.view(np.int8) - np.int8(16 if kind == "Q5_0" else 8)


def parts_of(path: Path) -> list[Path]:
    """Return all files of a model of which one is given. Raises ExportError where one is absent."""
    match = PART_NAME.fullmatch(path.name)
    if match is None:
        return [path]
    count = int(match[3])
    if not 1 <= count <= _MAX_PARTS:
        raise ExportError(f"{path} claims to be one of {count} parts")
    names = [f"{match[1]}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    for name in names:
        if not (path.parent / name).exists():
            raise ExportError(f"{path.parent / name} is missing: the model has {count} parts")
    return [path.parent / name for name in names]


def _check_part(path: Path, header: GgufHeader, number: int, count: int) -> None:
    said = header.metadata.get("split.no", 0), header.metadata.get("split.count", 1) or 1
    if said != (number, count):
        raise ExportError(
            f"{path} says that it is part {said[0]!r:.20} of {said[1]!r:.20}, counted from 0; "
            f"by its name it is {number} of {count}: keep the names as they were published"
        )


def _name_of(path: Path) -> str:
    match = PART_NAME.fullmatch(path.name)
    return match[1] if match else path.name.removesuffix(".gguf")


class _Library:
    """What is used of the `gguf` package."""

    sizes: dict[Any, tuple[int, int]]
    dequantize: Callable[[NDArray[np.uint8], int], NDArray[np.float32]]


def _library() -> _Library:
    try:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
        from gguf.quants import dequantize
    except ImportError as error:
        raise ExportError(
            f"GGUF files need the package gguf: pip install 'sopilka[export]' ({error})"
        ) from error
    library = _Library()
    library.sizes = GGML_QUANT_SIZES
    library.dequantize = lambda raw, kind: dequantize(raw, GGMLQuantizationType(kind))
    return library
