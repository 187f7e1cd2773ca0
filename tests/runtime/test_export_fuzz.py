"""Whatever the files hold: a model or one clear error, no partial bundle, nothing elsewhere."""

from __future__ import annotations

import functools
import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.bundle import Bundle
from runtime.errors import EngineError
from runtime.export.errors import ExportError
from runtime.export.importing import import_model
from runtime.export.plan import Machine, make_plan
from runtime.export.sources import open_source
from runtime.export.write import Options, shape_of
from tests.runtime.checkpoints import CONFIG, safetensors, weights, write_checkpoint
from tests.runtime.gguf_files import write_gguf
from tests.runtime.packed_matrices import awq_parts, random_matrix
from tests.support.tiny_tokenizer import tokenizer_definition

EXTREME = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
MEMORY_LIMIT = 200e6
fuzzed = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check_survives(source: Path, models: Path) -> str:
    """Import, and hold the outcome to the contract; return the error, "" if there was none."""
    before = {item for item in models.parent.rglob("*") if not item.is_relative_to(models)}
    tracemalloc.start()
    try:
        error = try_import(source, models / "model")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_LIMIT
    after = {item for item in models.parent.rglob("*") if not item.is_relative_to(models)}
    assert after == before, "nothing is written outside the folder of models"
    left = sorted(item.name for item in models.iterdir()) if models.exists() else []
    if error:
        assert left == [], "nothing is left of it"
        assert "\n" not in error
        assert len(error) < 1500
    else:
        assert left == ["model"]
        Bundle.open(models / "model")
    return error


def try_import(source: Path, target: Path) -> str:
    try:
        opened = open_source(str(source), {})
        try:
            config = shape_of(opened)
            plan = make_plan(opened, config, "auto", 0, Machine(10**9, 1e10))
            options = Options(
                schemes=plan.schemes, name="m", context=plan.context, prompt_layout="auto"
            )
            import_model(opened, target, options, plan.size, lambda progress: None)
        finally:
            opened.close()
    except EngineError as error:
        return str(error)
    return ""


@functools.cache
def gguf_bytes(kind: int) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.gguf"
        return write_gguf(path, CONFIG, weights(), Kind(kind)).read_bytes()


def mutate(data: st.DataObject, content: bytes, reach: int) -> bytes:
    """Change a file in a few places of its first `reach` bytes, or its length."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(["bytes", "number", "cut", "insert", "swap"]))
        place = data.draw(st.integers(0, max(0, min(reach, len(changed)) - 1)))
        if kind == "bytes":
            new = data.draw(st.binary(min_size=1, max_size=4))
            changed[place : place + len(new)] = new
        elif kind == "number":
            width, code = data.draw(st.sampled_from([(4, "<I"), (8, "<Q")]))
            number = data.draw(st.sampled_from(EXTREME)) % 2 ** (8 * width)
            changed[place : place + width] = struct.pack(code, number)
        elif kind == "cut":
            del changed[data.draw(st.integers(0, len(changed))) :]
        elif kind == "insert":
            changed[place:place] = data.draw(st.binary(max_size=9))
        else:
            other = data.draw(st.integers(0, max(0, min(reach, len(changed)) - 1)))
            part = changed[place : place + 8]
            changed[other : other + len(part)] = part
    return bytes(changed)


def header_end(content: bytes) -> int:
    return content.index(b"output_norm.weight") + 400


@fuzzed
@given(data=st.data(), kind=st.sampled_from([0, 2, 8]))
def test_mutated_gguf(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: int
) -> None:
    folder, content = tmp_path_factory.mktemp("gguf"), gguf_bytes(kind)
    (folder / "m.gguf").write_bytes(mutate(data, content, header_end(content)))
    check_survives(folder / "m.gguf", folder / "models")


@fuzzed
@given(data=st.data())
def test_gguf_counts_and_lengths(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Every length and count of the header in turn becomes something extreme."""
    content = bytearray(gguf_bytes(0))
    places = number_places(bytes(content))
    place, width = data.draw(st.sampled_from(places))
    number = data.draw(st.sampled_from(EXTREME)) % 2 ** (8 * width)
    content[place : place + width] = number.to_bytes(width, "little")
    folder = tmp_path_factory.mktemp("gguf")
    (folder / "m.gguf").write_bytes(content)
    check_survives(folder / "m.gguf", folder / "models")


@functools.cache
def number_places(content: bytes) -> list[tuple[int, int]]:
    """Place and width of version, counts, lengths, types, dimensions and offsets of a header."""
    places = [(4, 4), (8, 8), (16, 8)]
    position = 24

    def take(width: int) -> int:
        nonlocal position
        places.append((position, width))
        position += width
        return int.from_bytes(content[position - width : position], "little")

    def skip(length: int) -> None:
        nonlocal position
        position += length

    def value(kind: int) -> None:
        if kind == 8:
            skip(take(8))
        elif kind == 9:
            inner, count = take(4), take(8)
            for _ in range(count):
                value(inner)
        else:
            take({0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}[kind])

    tensors, entries = (int.from_bytes(content[at : at + 8], "little") for at in (8, 16))
    for _ in range(entries):
        skip(take(8))
        value(take(4))
    for _ in range(tensors):
        skip(take(8))
        for _ in range(take(4)):
            take(8)
        take(4)
        take(8)
    # Of hundreds of lengths of tokens a few are enough.
    return places[:120] + places[-90:]


@functools.cache
def folder_files(kind: str) -> dict[str, bytes]:
    config, tensors = dict(CONFIG), dict[str, Any](weights())
    for name, array in weights().items():
        if kind == "fp8" and name.endswith("_proj.weight"):
            tensors[name] = array.astype(ml_dtypes.float8_e4m3fn)
            tensors[f"{name}_scale_inv"] = np.ones((1, 1), np.float32)
        elif kind == "awq" and name.endswith("_proj.weight"):
            del tensors[name]
            stem = name.removesuffix(".weight")
            packed = awq_parts(*random_matrix(*array.shape, 32, 4, symmetric=True))
            tensors |= {f"{stem}.{part}": value for part, value in packed.items()}
    if kind == "fp8":
        config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    elif kind == "awq":
        config["quantization_config"] = {"quant_method": "awq", "bits": 4, "group_size": 32}
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": safetensors(tensors),
        "tokenizer.json": json.dumps(tokenizer_definition(("i n",))).encode(),
    }


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "checkpoint"
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["plain", "fp8", "awq"])
def test_the_files_that_are_mutated_are_good(tmp_path: Path, kind: str) -> None:
    path = write_files(tmp_path, folder_files(kind))
    assert check_survives(path, tmp_path / "models") == ""
    (tmp_path / "m.gguf").write_bytes(gguf_bytes(2))
    assert check_survives(tmp_path / "m.gguf", tmp_path / "others") == ""


@fuzzed
@given(data=st.data(), kind=st.sampled_from(["plain", "fp8", "awq"]))
def test_mutated_folders(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    files = dict(folder_files(kind))
    name = data.draw(st.sampled_from(sorted(files)))
    header = 8 + int.from_bytes(files["model.safetensors"][:8], "little")
    reach = header if name == "model.safetensors" else len(files[name])
    files[name] = mutate(data, files[name], reach)
    folder = tmp_path_factory.mktemp("folder")
    check_survives(write_files(folder, files), folder / "models")


STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 2**31 - 1, 2**31, 2**63, 10**300, 1e-300, 1e300, 0.5),
    *(float("nan"), float("inf"), "", "x", "../../x", [], {}, [[]], ["x"], [None], {"a": {}}),
)


def edit_json(data: st.DataObject, value: Any) -> Any:
    """Replace, remove or add something at a random place of a JSON value."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 9)) == 0:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: edit_json(data, value[key])}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        if data.draw(st.integers(0, 9)) == 0:
            return value * 2
        return [*value[:place], edit_json(data, value[place]), *value[place + 1 :]]
    return data.draw(st.sampled_from(STRANGE))


@fuzzed
@given(data=st.data(), kind=st.sampled_from(["plain", "fp8", "awq"]))
def test_strange_json(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    """Configurations, tokenizers and headers that are JSON, and say anything."""
    files = dict(folder_files(kind))
    name = data.draw(st.sampled_from(sorted(files)))
    if name == "model.safetensors":
        content = files[name]
        end = 8 + int.from_bytes(content[:8], "little")
        text = json.dumps(edit_json(data, json.loads(content[8:end]))).encode()
        files[name] = len(text).to_bytes(8, "little") + text + content[end:]
    else:
        value = json.loads(files[name])
        for _ in range(data.draw(st.integers(1, 2))):
            value = edit_json(data, value)
        files[name] = json.dumps(value).encode()
    folder = tmp_path_factory.mktemp("json")
    check_survives(write_files(folder, files), folder / "models")


def bombs() -> dict[str, Callable[[dict[str, bytes]], None]]:
    """Files that are small to write and large to believe, and what else a hostile mind sends."""

    def put(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
        return lambda files: files.update({name: content})

    definition = tokenizer_definition(("i n",))
    far = {**definition["added_tokens"][0], "id": 2**31, "content": "<far>"}
    wide = {**definition, "added_tokens": [*definition["added_tokens"], far]}
    long_header = (50 * 2**20).to_bytes(8, "little") + b"{" + b" " * (50 * 2**20)
    index = {"weight_map": {"a": "../../outside.safetensors"}}
    return {
        "deep tokenizer": put("tokenizer.json", b'{"a":' * 100_000),
        "deep arrays": put("tokenizer.json", b'{"a":' + b"[" * 3_500_000),
        "many values": put("tokenizer.json", b'{"a":[' + b"1," * 4_000_000 + b"1]}"),
        "huge tokenizer": put("tokenizer.json", b" " * (65 * 2**20)),
        "far token": put("tokenizer.json", json.dumps(wide).encode()),
        "deep config": put("config.json", b"[" * 200_000),
        "huge config": put("config.json", b" " * (17 * 2**20)),
        "long number": put("config.json", b'{"a":' + b"9" * 100_000 + b"}"),
        "twice in config": put("config.json", b'{"a":1,"a":2}'),
        "long header": put("model.safetensors", long_header),
        "index upwards": put("model.safetensors.index.json", json.dumps(index).encode()),
        "many layers": lambda files: files.update(
            {"config.json": json.dumps({**CONFIG, "num_hidden_layers": 2**31 - 1}).encode()}
        ),
        "long context": lambda files: files.update(
            {"config.json": json.dumps({**CONFIG, "vocab_size": 2**31 - 1}).encode()}
        ),
    }


@pytest.mark.parametrize("name", bombs())
def test_bombs(tmp_path: Path, name: str) -> None:
    files = dict(folder_files("plain"))
    bombs()[name](files)
    path = write_files(tmp_path, files)
    assert check_survives(path, tmp_path / "models") != ""


@pytest.mark.parametrize(
    "change",
    [
        {"rope_theta": 1e-300},
        {"rope_theta": 1e300},
        {"rope_scaling": {"rope_type": "linear", "factor": 1e-300}},
    ],
)
def test_angles_that_are_no_numbers(tmp_path: Path, change: dict[str, Any]) -> None:
    """Either they are refused, or all tables are finite."""
    path = write_checkpoint(tmp_path / "checkpoint", {**CONFIG, **change})
    if not check_survives(path, tmp_path / "models"):
        values = np.fromfile(tmp_path / "models/model/weights.bin", "<f4", 64 * 8, "", 0)
        assert change == {"rope_theta": 1e300} and np.isfinite(values).all()


def cutting_by(pattern: str) -> bytes:
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    definition = tokenizer_definition(("i n",))
    words = {"type": "Sequence", "pretokenizers": [split, definition["pre_tokenizer"]]}
    return json.dumps({**definition, "pre_tokenizer": words}).encode()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [(r"(a+)+$", "a pattern that fails for some: '(a+)+$'"), (r"\s+|\w+", "")],
)
def test_patterns_that_explode(tmp_path: Path, pattern: str, message: str) -> None:
    files = {**folder_files("plain"), "tokenizer.json": cutting_by(pattern)}
    error = check_survives(write_files(tmp_path, files), tmp_path / "models")
    assert message in error and bool(message) == bool(error)


def test_patterns_that_take_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.export.tokenizer_trial._SECONDS", 0.001)
    files = {**folder_files("plain"), "tokenizer.json": cutting_by(r"\w+")}
    error = check_survives(write_files(tmp_path, files), tmp_path / "models")
    assert "takes more than 0 s for a page of it" in error


def test_a_context_that_no_memory_holds_is_cut(tmp_path: Path) -> None:
    config = {**CONFIG, "max_position_embeddings": 2**24}
    path = write_checkpoint(tmp_path / "checkpoint", config)
    assert check_survives(path, tmp_path / "models") == ""
    assert Bundle.open(tmp_path / "models" / "model").context <= 2**20


def test_a_pipe_in_place_of_a_file(tmp_path: Path) -> None:
    """Opening it would wait for ever."""
    import os

    path = write_checkpoint(tmp_path / "checkpoint")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        content = (path / name).read_bytes()
        (path / name).unlink()
        os.mkfifo(path / name)
        with pytest.raises(ExportError, match="is no regular file"):
            open_source(str(path), {}).tokenizer()
        (path / name).unlink()
        (path / name).write_bytes(content)
