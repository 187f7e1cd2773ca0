"""Weights of eight bits, E4M3, with a factor for each tile: Qwen3-Coder-FP8 and its family.

A matrix `name.weight` has beside it `name.weight_scale_inv`, by which the tiles are multiplied
(DeepSeek-AI, arXiv 2412.19437, section 3.3.2; the numbers: Micikevicius et al., arXiv 2209.05433).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.export.sources.safetensors import TensorInfo, read_float, read_raw

SUFFIX = "_scale_inv"


def tile_of(config: dict[str, Any]) -> tuple[int, int]:
    """Return the rows and columns that share a factor, from a `quantization_config`."""
    tile = config.get("weight_block_size")
    if config.get("fmt", "e4m3") != "e4m3":
        raise ExportError(f"config.json: FP8 of the kind {config['fmt']!r:.20} is not supported")
    if not (
        isinstance(tile, list)
        and len(tile) == 2
        and all(type(size) is int and 1 <= size <= 65536 for size in tile)
    ):
        raise ExportError(
            f"config.json: weight_block_size must be two sizes such as [128, 128], not {tile!r:.40}"
        )
    return tile[0], tile[1]


def check(name: str, weight: TensorInfo, scale: TensorInfo | None, tile: tuple[int, int]) -> None:
    """Raise ExportError where the factors do not cover the matrix."""
    if weight.dtype != "F8_E4M3" or len(weight.shape) != 2:
        raise ExportError(f"{name} is {weight.dtype} {list(weight.shape)}, no FP8 matrix")
    if scale is None:
        raise ExportError(f"{name} is FP8 but has no {name}{SUFFIX} beside it")
    wanted = tuple(-(-size // step) for size, step in zip(weight.shape, tile, strict=True))
    if scale.shape != wanted or scale.dtype not in ("F32", "F16", "BF16"):
        raise ExportError(
            f"{name}{SUFFIX} is {scale.dtype} {list(scale.shape)}, must be floats {list(wanted)}"
        )


def read(weight: TensorInfo, scale: TensorInfo, tile: tuple[int, int]) -> NDArray[np.float32]:
    """Return the matrix: each number as float32 times its tile's factor, rounded once."""
    rows, columns = weight.shape
    values = np.empty((rows, columns), np.float32)
    numbers, factors = e4m3_numbers(), read_float(scale)
    for band, first in enumerate(range(0, rows, tile[0])):
        part = values[first : first + tile[0]]
        np.take(numbers, read_raw(weight, first, tile[0]), out=part)
        part *= np.repeat(factors[band], tile[1])[:columns]
    return values


def e4m3_numbers() -> NDArray[np.float32]:
    """Return what the 256 codes stand for: sign, four bits of exponent (bias 7), three of mantissa.

    There is no infinity: the largest code of each sign is NaN.
    """
    codes = np.arange(256)
    exponent, mantissa = codes >> 3 & 15, codes & 7
    normal = (1 + mantissa / 8) * 2.0 ** (exponent - 7)
    numbers = np.where(exponent == 0, mantissa * 2.0**-9, normal).astype(np.float32)
    numbers[[0x7F, 0xFF]] = np.nan
    return np.where(codes >> 7, -numbers, numbers)
