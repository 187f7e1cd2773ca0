"""Checkpoints are read exactly, or refused in words."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from runtime.export.errors import ExportError
from runtime.export.sources import Checkpoint
from tests.runtime.checkpoints import safetensors, write_checkpoint
from tests.runtime.fixture_bundles import CHECKPOINTS

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def with_file(path: Path, content: bytes) -> Path:
    write_checkpoint(path)
    (path / "model.safetensors").write_bytes(content)
    return path


def check_refused(path: Path, message: str) -> None:
    with pytest.raises(ExportError, match=message) as raised:
        Checkpoint(path)
    assert "\n" not in str(raised.value)


@given(npst.arrays(np.float32, npst.array_shapes(max_dims=3), elements=st.floats(width=32)))
@settings(deadline=None)
def test_every_type_is_read_as_float32(tmp_path_factory: pytest.TempPathFactory, a: Any) -> None:
    a = np.where(np.isfinite(a), a, np.float32(1))
    half = np.clip(a, -60000, 60000).astype(np.float16)
    upper = (a.view(np.uint32) >> 16).astype(np.uint16)  # Truncated to bfloat16.
    content = safetensors({"f32": a, "f16": half, "bf16": upper})
    checkpoint = Checkpoint(with_file(tmp_path_factory.mktemp("c") / "c", content))
    np.testing.assert_array_equal(checkpoint.read("f32"), a)
    np.testing.assert_array_equal(checkpoint.read("f16"), half.astype(np.float32))
    wanted = (a.view(np.uint32) & 0xFFFF0000).view(np.float32)
    np.testing.assert_array_equal(checkpoint.read("bf16"), wanted)


def test_the_safetensors_library_reads_the_same() -> None:
    from safetensors import safe_open

    path = CHECKPOINTS / "sharded"
    checkpoint, seen = Checkpoint(path), set()
    for file in path.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a mapping
                wanted = tensors.get_tensor(name).astype(np.float32)
                np.testing.assert_array_equal(checkpoint.read(name), wanted)
                seen.add(name)
    assert seen == set(checkpoint.shapes)


def test_not_a_directory(tmp_path: Path) -> None:
    check_refused(tmp_path / "absent", "is not a directory: give the folder that holds config.json")


def test_no_config(tmp_path: Path) -> None:
    check_refused(tmp_path, r"cannot read .*config\.json: No such file")


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not JSON"), ("3", "must hold a JSON object")]
)
def test_a_malformed_config(tmp_path: Path, text: str, message: str) -> None:
    path = write_checkpoint(tmp_path / "c")
    (path / "config.json").write_text(text)
    check_refused(path, message)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "c")
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    check_refused(path, "pytorch_model.bin is a pickle, which can run any program when it is read")
    (path / "pytorch_model.bin").unlink()
    check_refused(path, "other formats, such as pickles, are not read")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "has no weight_map"),
        ({"weight_map": {"a": "../other/model.safetensors"}}, "is no safetensors file of it"),
        ({"weight_map": {"a": "/etc/passwd"}}, "is no safetensors file of it"),
        ({"weight_map": {"a": "gone.safetensors"}}, r"cannot read .*gone\.safetensors"),
    ],
)
def test_an_index_that_leads_astray(tmp_path: Path, index: Any, message: str) -> None:
    path = write_checkpoint(tmp_path / "c")
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    check_refused(path, message)


def test_a_tensor_in_two_files(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "c")
    for name in ("a", "b"):
        (path / f"{name}.safetensors").write_bytes(safetensors({"w": MATRIX}))
    index = {"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    check_refused(path, "w is both in .* and in")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"dtype": "I64", "shape": [3], "data_offsets": [0, 24]},
            "w is 'I64'; only F32, F16, BF16",
        ),
        ({"dtype": "F32", "shape": [7], "data_offsets": [0, 24]}, "w does not fit its place"),
        ({"dtype": "F32", "shape": [7], "data_offsets": [0, 28]}, "w does not fit its place"),
        ({"dtype": "F32", "shape": [-1, -6], "data_offsets": [0, 24]}, "w has a malformed entry"),
        ({"dtype": "F32", "shape": [6], "data_offsets": [-24, 0]}, "w has a malformed entry"),
        ({"dtype": "F32", "shape": "6", "data_offsets": [0, 24]}, "w has a malformed entry"),
        ({"dtype": ["F32"], "shape": [6], "data_offsets": [0, 24]}, "w has a malformed entry"),
        ({"dtype": "F32", "shape": [6]}, "w has a malformed entry"),
        ([], "w has a malformed entry"),
        ({"dtype": "F\n2", "shape": [6], "data_offsets": [0, 24]}, "w is of the unknown type 'F"),
    ],
)
def test_a_malformed_entry(tmp_path: Path, entry: Any, message: str) -> None:
    check_refused(with_file(tmp_path / "c", safetensors({"w": MATRIX}, w=entry)), message)


def test_a_name_that_is_none(tmp_path: Path) -> None:
    content = safetensors({"w\nv": MATRIX})
    check_refused(with_file(tmp_path / "c", content), "is no name for a tensor")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is cut off or is no safetensors file"),
        (b"\x00" * 7, "is cut off or is no safetensors file"),
        (b"\xff" * 100, "is cut off or is no safetensors file"),
        ((4).to_bytes(8, "little") + b"nope", "the header is not JSON"),
        ((2).to_bytes(8, "little") + b"[]", "the header must hold a JSON object"),
        (safetensors({"w": MATRIX})[:-1], "the file is cut off or damaged"),
    ],
)
def test_a_malformed_file(tmp_path: Path, content: bytes, message: str) -> None:
    check_refused(with_file(tmp_path / "c", content), message)


@given(st.data())
@settings(deadline=None)
def test_any_damage_is_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(safetensors({"w": MATRIX, "v": MATRIX}))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    path = with_file(tmp_path_factory.mktemp("c") / "c", bytes(content))
    with contextlib.suppress(ExportError):
        checkpoint = Checkpoint(path)
        for name in checkpoint.shapes:
            checkpoint.read(name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(tmp_path: Path, value: float) -> None:
    broken = MATRIX.copy()
    broken[1, 1] = value
    checkpoint = Checkpoint(with_file(tmp_path / "c", safetensors({"w": broken})))
    with pytest.raises(ExportError, match=r"w in .* holds NaN or infinity"):
        checkpoint.read("w")


def test_a_missing_tensor(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has no tensor lm_head"):
        Checkpoint(write_checkpoint(tmp_path / "c")).read("lm_head")
