"""A Hugging Face directory: `config.json`, safetensors in one file or several, `tokenizer.json`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.export.sources import fp8
from runtime.export.sources.data_file import DataFile
from runtime.export.sources.limits import INDEX_BYTES, TOKENIZER_BYTES, read_json, read_small
from runtime.export.sources.packed import PARTS, Layout, PackedMatrix, layout_of
from runtime.export.sources.safetensors import TensorInfo, read_float, read_header
from runtime.export.sources.source import Source, Storage
from runtime.ops.expert_dispatch.pack import Quantized

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
TOKENIZER = "tokenizer.json"
_SHARD_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\.safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_MAX_SHARDS = 4096
_FLOATS = ("F32", "F16", "BF16")


class Checkpoint(Source):
    """A checkpoint directory. Raises ExportError where it is not a readable one."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ExportError(f"{path} is not a directory: give the folder that holds {CONFIG}")
        self.path = path
        self.name = self.known_as = path.resolve().name
        self.config = read_json(path / CONFIG)
        self._tile: tuple[int, int] | None = None
        self._layout: Layout | None = None
        self._take_quantization(self.config.pop("quantization_config", None))
        self._files: list[DataFile] = []
        self._headers: dict[str, str] = {}
        self._infos: dict[str, TensorInfo] = {}
        self._packed: dict[str, PackedMatrix] = {}
        self._is_symmetric: bool | None = None
        try:
            for file in _shards(path):
                self._open(file)
            self.shapes = self._logical_shapes()
        except ExportError:
            self.close()
            raise

    def storage(self, name: str) -> Storage:
        packed = self._packed.get(name)
        if packed is not None:
            size = sum(info.bytes for info in packed.parts.values())
            return Storage(packed.layout.kind, size, self._packed_grids(packed))
        info = self._infos[name]
        scale = self._infos.get(f"{name}{fp8.SUFFIX}")
        kind = info.dtype if scale is None else f"FP8 {info.dtype[3:]}"
        return Storage(kind, info.bytes + (0 if scale is None else scale.bytes))

    def _packed_grids(self, matrix: PackedMatrix) -> tuple[tuple[int, int], ...]:
        if self._is_symmetric is None:
            self._is_symmetric = all(packed.is_symmetric() for packed in self._packed.values())
        least = matrix.layout.bits if self._is_symmetric else 8
        blocks = [block for block in (64, 32) if matrix.group % block == 0]
        return tuple((bits, block) for bits in (4, 8) if bits >= least for block in blocks)

    def _read(self, name: str) -> NDArray[np.float32]:
        packed = self._packed.get(name)
        if packed is not None:
            return packed.dequantize()
        info = self._infos[name]
        if info.dtype in _FLOATS:
            return read_float(info)
        assert self._tile is not None
        return fp8.read(info, self._infos[f"{name}{fp8.SUFFIX}"], self._tile)

    def read_quantized(self, name: str, bits: int, block: int) -> Quantized | None:
        packed = self._packed.get(name)
        return None if packed is None else packed.quantized(bits, block)

    def tokenizer(self) -> bytes:
        return read_small(self.path / TOKENIZER, TOKENIZER_BYTES)

    def chat_template(self) -> str:
        file = self.path / "chat_template.jinja"
        if file.exists():
            return read_small(file, 2**20).decode("utf-8", "replace")
        settings = self.path / "tokenizer_config.json"
        template = read_json(settings).get("chat_template") if settings.exists() else None
        return template if isinstance(template, str) else ""

    def licence(self) -> str:
        card = self.path / "README.md"
        text = read_small(card, 2**20).decode("utf-8", "replace") if card.is_file() else ""
        # The card begins with its data in YAML.
        found = re.search(r"\A---\n(?:.*\n)*?license: *([\w. -]{1,100})\n", text)
        return found[1] if found else super().licence()

    def fingerprint(self) -> dict[str, Any]:
        known = {
            name: hashlib.sha256(read_small(self.path / name, TOKENIZER_BYTES)).hexdigest()
            for name in (CONFIG, TOKENIZER)
            if (self.path / name).exists()
        }
        files = {
            file.path.name: [file.size, file.modified_ns, self._headers[file.path.name]]
            for file in self._files
        }
        return {"format": "safetensors", "known": known, "files": files}

    @property
    def bytes_read(self) -> int:
        return sum(file.bytes_read for file in self._files)

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _take_quantization(self, found: Any) -> None:
        if not found:
            return
        method = str(found.get("quant_method")).lower() if isinstance(found, dict) else "malformed"
        if method == "fp8":
            self._tile = fp8.tile_of(found)
        elif method in ("awq", "gptq"):
            self._layout = layout_of(found)
        else:
            raise ExportError(
                f"config.json: the checkpoint is quantized by {method!r:.40}; FP8 (e4m3 with a "
                "factor for each tile), AWQ and GPTQ are read"
            )

    def _open(self, path: Path) -> None:
        file = DataFile(path)
        self._files.append(file)
        tensors, self._headers[path.name] = read_header(file)
        for name, info in tensors.items():
            if name in self._infos:
                raise ExportError(f"{name} is both in {self._infos[name].file.path} and in {path}")
            self._infos[name] = info

    def _logical_shapes(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        parts: dict[str, dict[str, TensorInfo]] = {}
        for name, info in self._infos.items():
            stem, _, part = name.rpartition(".")
            if self._layout is not None and part in PARTS:
                parts.setdefault(stem, {})[part] = info
            elif info.dtype in _FLOATS:
                if not (self._tile and name.endswith(fp8.SUFFIX)):
                    shapes[name] = info.shape
            elif self._tile is not None:
                fp8.check(name, info, self._infos.get(f"{name}{fp8.SUFFIX}"), self._tile)
                shapes[name] = info.shape
            else:
                known = ", ".join(_FLOATS)
                raise ExportError(
                    f"{info.file.path}: tensor {name} is {info.dtype!r:.20}; only {known} are "
                    "supported where config.json has no quantization_config"
                )
        for stem, found in parts.items():
            assert self._layout is not None
            matrix = PackedMatrix(stem, self._layout, found)
            matrix.check()
            self._packed[f"{stem}.weight"] = matrix
            shapes[f"{stem}.weight"] = matrix.shape
            self._drop_empty_bias(stem, shapes)
        return shapes

    def _drop_empty_bias(self, stem: str, shapes: dict[str, tuple[int, ...]]) -> None:
        """Some tools add a bias of zeros to every matrix that they pack."""
        name = f"{stem}.bias"
        has_bias = stem.endswith(("q_proj", "k_proj", "v_proj"))
        if name in shapes and not has_bias and not read_float(self._infos[name]).any():
            del shapes[name]


def _shards(path: Path) -> list[Path]:
    if (path / INDEX).exists():
        weight_map = read_json(path / INDEX, INDEX_BYTES).get("weight_map")
        if not isinstance(weight_map, dict):
            raise ExportError(f"{path / INDEX} has no weight_map")
        names = sorted({str(name) for name in weight_map.values()})
        for name in names:
            if not _SHARD_NAME.fullmatch(name):
                raise ExportError(
                    f"{path / INDEX} names {name[:80]!r}, which is no safetensors file of it"
                )
        if len(names) > _MAX_SHARDS:
            raise ExportError(f"{path / INDEX} names more than {_MAX_SHARDS} files")
        return [path / name for name in names]
    if (path / SINGLE).exists():
        return [path / SINGLE]
    pickles = sorted(item.name for item in path.iterdir() if item.suffix in _PICKLES)
    advice = (
        f"; {pickles[0][:60]} is a pickle, which can run any program when it is read: look for a "
        "safetensors edition, or convert it on a machine that you can lose"
        if pickles
        else "; other formats, such as pickles, are not read"
    )
    raise ExportError(f"{path} has neither {SINGLE} nor {INDEX}{advice}")
