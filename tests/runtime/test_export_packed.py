"""AWQ and GPTQ matrices are unpacked as published and kept without loss, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.export.sources import Checkpoint
from tests.runtime.checkpoints import CONFIG, write_checkpoint
from tests.runtime.packed_matrices import awq_parts, gptq_parts, plain, random_matrix

STEM = "model.layers.0.self_attn.q_proj"
NAME = f"{STEM}.weight"
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemm", "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 64, "sym": True, "desc_act": False}


def source_of(
    path: Path, quantization: dict[str, Any], parts: dict[str, NDArray[Any]], **others: Any
) -> Checkpoint:
    tensors = {f"{STEM}.{part}": array for part, array in parts.items()} | others
    config = {**CONFIG, "quantization_config": quantization}
    return Checkpoint(write_checkpoint(path / "c", config, tensors))


def check_exact(source: Checkpoint, wanted: NDArray[np.float32], bits: int, block: int) -> None:
    np.testing.assert_array_equal(source.read(NAME), wanted)
    kept = source.read_quantized(NAME, bits, block)
    assert kept is not None
    np.testing.assert_array_equal(kept.dequantize()[0], wanted)
    assert (bits, block) in source.storage(NAME).grids


@pytest.mark.parametrize("group", [32, 64, 128])
def test_awq_with_zero_points_is_exact_in_eight_bits(tmp_path: Path, group: int) -> None:
    codes, zeros, scales = random_matrix(16, 256, group, 4, symmetric=False)
    parts = awq_parts(codes, zeros, scales)
    source = source_of(tmp_path, {**AWQ, "group_size": group}, parts)
    assert source.shapes == {NAME: (16, 256)}
    check_exact(source, plain(codes, zeros, scales, group), 8, 32)
    assert 4 not in {bits for bits, _ in source.storage(NAME).grids}
    with pytest.raises(ExportError, match=r"with zero points, .*: import it with --quant int8"):
        source.read_quantized(NAME, 4, 32)


def test_awq_around_zero_is_exact_in_four_bits(tmp_path: Path) -> None:
    matrix = random_matrix(16, 256, 128, 4, symmetric=True)
    source = source_of(tmp_path, {**AWQ, "group_size": 128}, awq_parts(*matrix))
    check_exact(source, plain(*matrix, 128), 4, 64)
    check_exact(source, plain(*matrix, 128), 8, 32)
    assert source.storage(NAME).kind == "AWQ int4 group 128"


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("version", "offset"), [("gptq", 1), ("gptq_v2", 0)])
def test_gptq(tmp_path: Path, bits: int, version: str, offset: int) -> None:
    matrix = random_matrix(24, 128, 64, bits, symmetric=True)
    quantization = {**GPTQ, "bits": bits, "checkpoint_format": version}
    source = source_of(tmp_path, quantization, gptq_parts(*matrix, bits, offset))
    assert source.shapes == {NAME: (24, 128)}
    check_exact(source, plain(*matrix, 64), bits, 64)


def test_gptq_with_one_group(tmp_path: Path) -> None:
    matrix = random_matrix(8, 128, 128, 4, symmetric=True)
    source = source_of(tmp_path, {**GPTQ, "group_size": -1}, gptq_parts(*matrix, 4))
    check_exact(source, plain(*matrix, 128), 4, 64)


def test_gptq_ordered_by_activation_is_refused(tmp_path: Path) -> None:
    parts = gptq_parts(*random_matrix(8, 128, 64, 4, symmetric=True), 4)
    parts["g_idx"] = parts["g_idx"][::-1].copy()
    source = source_of(tmp_path, {**GPTQ, "desc_act": True}, parts)
    for read in (lambda: source.read(NAME), lambda: source.read_quantized(NAME, 4, 64)):
        with pytest.raises(ExportError, match=r"orders its inputs by activation .*desc_act"):
            read()


def test_scales_that_float16_cannot_hold_are_refused(tmp_path: Path) -> None:
    codes, zeros, scales = random_matrix(8, 128, 64, 4, symmetric=True)
    wide = scales.astype(np.float32) * np.float32(1.0001)
    source = source_of(tmp_path, AWQ, awq_parts(codes, zeros, wide))
    with pytest.raises(ExportError, match="has scales that float16 cannot hold"):
        source.read_quantized(NAME, 4, 64)


def test_a_bias_of_zeros_is_no_bias(tmp_path: Path) -> None:
    parts = awq_parts(*random_matrix(16, 128, 64, 4, symmetric=True))
    stem = "model.layers.0.mlp.down_proj"
    others = {f"{stem}.{part}": array for part, array in parts.items()}
    empty, real = np.zeros(16, np.float16), np.ones(16, np.float16)
    source = source_of(tmp_path / "a", AWQ, parts, **others, **{f"{stem}.bias": empty})
    assert f"{stem}.bias" not in source.shapes
    source = source_of(tmp_path / "b", AWQ, parts, **others, **{f"{stem}.bias": real})
    assert f"{stem}.bias" in source.shapes
    source = source_of(tmp_path / "c", AWQ, parts, **{f"{STEM}.bias": empty})
    assert f"{STEM}.bias" in source.shapes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "gemv"}, "AWQ in the layout 'gemv' is not supported: gemm is"),
        ({"bits": 3}, "AWQ with bits 3 is not supported"),
        ({"bits": True}, "AWQ with bits True is not supported"),
        ({"group_size": 16}, "AWQ with group_size 16 is not supported"),
        ({"group_size": "x"}, "AWQ with group_size 'x' is not supported"),
        ({"quant_method": "gptq", "checkpoint_format": "marlin"}, "GPTQ in the layout 'marlin'"),
        ({"quant_method": "bitsandbytes"}, "is quantized by 'bitsandbytes'; FP8"),
        ({"quant_method": None}, "is quantized by 'none'"),
    ],
)
def test_other_layouts(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    parts = awq_parts(*random_matrix(16, 128, 64, 4, symmetric=True))
    with pytest.raises(ExportError, match=message):
        source_of(tmp_path, {**AWQ, **change}, parts)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("scales", None, "has a packed matrix without scales"),
        ("qzeros", None, "has a packed matrix without qzeros"),
        ("scales", np.ones((3, 16), np.float16), r"scales is F16 \[3, 16\], must be"),
        ("qzeros", np.ones((2, 16), np.float16), r"qzeros is F16 \[2, 16\], must be I32"),
        ("qweight", np.ones((128,), np.int32), "qweight must have two dimensions"),
        ("qweight", np.ones((100, 2), np.int32), "100 inputs are no multiple of 64"),
    ],
)
def test_parts_that_do_not_fit(tmp_path: Path, part: str, change: Any, message: str) -> None:
    parts = awq_parts(*random_matrix(16, 128, 64, 4, symmetric=True))
    if change is None:
        del parts[part]
    else:
        parts[part] = change
    with pytest.raises(ExportError, match=message):
        source_of(tmp_path, AWQ, parts)
