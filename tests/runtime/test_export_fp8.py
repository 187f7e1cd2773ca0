"""FP8 checkpoints give, bit by bit, what their published dequantization gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.export.sources import Checkpoint
from runtime.export.sources.fp8 import e4m3_numbers
from tests.runtime.checkpoints import CONFIG, weights, write_checkpoint

FP8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
NAME = "model.layers.0.self_attn.q_proj.weight"


def test_the_codes_are_those_of_the_reference() -> None:
    codes = np.arange(256, dtype=np.uint8)
    wanted = codes.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    np.testing.assert_array_equal(
        e4m3_numbers().view(np.uint32)[:127], wanted.view(np.uint32)[:127]
    )
    np.testing.assert_array_equal(e4m3_numbers(), wanted)


def reference(codes: NDArray[np.uint8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """As the kernel of the checkpoints' authors: a tile's numbers in float32 times its factor."""
    values = codes.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    for row in range(0, values.shape[0], 128):
        for column in range(0, values.shape[1], 128):
            values[row : row + 128, column : column + 128] *= scales[row // 128, column // 128]
    return values


def fp8_config(**changes: Any) -> dict[str, Any]:
    return {**CONFIG, "quantization_config": {**FP8, **changes}}


def fp8_tensors(rows: int, columns: int, scale_kind: str = "float32") -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(rows + columns)
    codes = rng.integers(0, 0x7F, (rows, columns), np.uint8) | (
        rng.integers(0, 2, (rows, columns), np.uint8) << 7
    )
    tiles = (-(-rows // 128), -(-columns // 128))
    scales = rng.lognormal(-6, 1, tiles).astype(np.float32)
    if scale_kind == "bfloat16":
        scales = (scales.view(np.uint32) >> 16).astype(np.uint16)
    return {NAME: codes.view(ml_dtypes.float8_e4m3fn), f"{NAME}_scale_inv": scales}


@pytest.mark.parametrize("shape", [(128, 128), (256, 384), (130, 200), (1, 1), (2048, 768)])
@pytest.mark.parametrize("scale_kind", ["float32", "bfloat16"])
def test_matrices_of_any_size(tmp_path: Path, shape: tuple[int, int], scale_kind: str) -> None:
    tensors = fp8_tensors(*shape, scale_kind)
    source = Checkpoint(write_checkpoint(tmp_path / "c", fp8_config(), tensors))
    codes, scales = tensors[NAME].view(np.uint8), tensors[f"{NAME}_scale_inv"]
    if scale_kind == "bfloat16":
        scales = (scales.astype(np.uint32) << 16).view(np.float32)
    found = source.read(NAME)
    np.testing.assert_array_equal(found.view(np.uint32), reference(codes, scales).view(np.uint32))
    assert source.shapes == {NAME: shape}
    assert source.storage(NAME).kind == "FP8 E4M3"
    assert "quantization_config" not in source.config


def test_a_checkpoint_that_leaves_some_tensors_alone(tmp_path: Path) -> None:
    """As published: norms, router, embedding and head stay bf16."""
    tensors: dict[str, NDArray[Any]] = {}
    for name, array in weights().items():
        if name.endswith("_proj.weight"):
            codes = array.astype(ml_dtypes.float8_e4m3fn)
            tensors[name] = codes
            tensors[f"{name}_scale_inv"] = np.full((1, 1), 0.5, np.float32)
        else:
            tensors[name] = (array.view(np.uint32) >> 16).astype(np.uint16)
    source = Checkpoint(write_checkpoint(tmp_path / "c", fp8_config(), tensors))
    assert set(source.shapes) == set(weights())
    wanted = tensors[NAME].astype(np.float32) * np.float32(0.5)
    np.testing.assert_array_equal(source.read(NAME), wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fmt": "e5m2"}, "FP8 of the kind 'e5m2' is not supported"),
        ({"weight_block_size": [128]}, "weight_block_size must be two sizes"),
        ({"weight_block_size": None}, "weight_block_size must be two sizes"),
        ({"weight_block_size": [0, 128]}, "weight_block_size must be two sizes"),
    ],
)
def test_other_kinds_of_fp8(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_checkpoint(tmp_path / "c", fp8_config(**change), fp8_tensors(128, 128))
    with pytest.raises(ExportError, match=message):
        Checkpoint(path)


def test_factors_that_do_not_cover_the_matrix(tmp_path: Path) -> None:
    tensors = fp8_tensors(256, 128)
    tensors[f"{NAME}_scale_inv"] = np.ones((1, 1), np.float32)
    with pytest.raises(ExportError, match=r"is F32 \[1, 1\], must be floats \[2, 1\]"):
        Checkpoint(write_checkpoint(tmp_path / "a", fp8_config(), tensors))
    del tensors[f"{NAME}_scale_inv"]
    with pytest.raises(ExportError, match="is FP8 but has no"):
        Checkpoint(write_checkpoint(tmp_path / "b", fp8_config(), tensors))


def test_fp8_without_its_configuration(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "c", CONFIG, fp8_tensors(128, 128))
    with pytest.raises(ExportError, match="is 'F8_E4M3'; only F32, F16, BF16"):
        Checkpoint(path)


def test_codes_that_are_none(tmp_path: Path) -> None:
    tensors = fp8_tensors(128, 128)
    tensors[NAME].view(np.uint8)[5, 7] = 0xFF
    source = Checkpoint(write_checkpoint(tmp_path / "c", fp8_config(), tensors))
    with pytest.raises(ExportError, match="holds NaN or infinity"):
        source.read(NAME)


def test_torch_agrees(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensors = fp8_tensors(256, 384)
    source = Checkpoint(write_checkpoint(tmp_path / "c", fp8_config(), tensors))
    codes = torch.from_numpy(tensors[NAME].view(np.uint8)).view(torch.float8_e4m3fn)
    scales = torch.from_numpy(tensors[f"{NAME}_scale_inv"])
    spread = scales.repeat_interleave(128, 0).repeat_interleave(128, 1)
    wanted = (codes.to(torch.float32) * spread).numpy()
    np.testing.assert_array_equal(source.read(NAME), wanted)


def test_the_configuration_is_left_as_it_was(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "c", fp8_config(), fp8_tensors(128, 128))
    before = (path / "config.json").read_text()
    Checkpoint(path)
    assert (path / "config.json").read_text() == before
    assert json.loads(before)["quantization_config"] == FP8
