"""Imports are resumable, exclusive and atomic, and need little memory."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.bundle import Bundle
from runtime.errors import EngineError
from runtime.export.errors import ExportError
from runtime.export.importing import Progress, section_sizes, working_folder
from runtime.export.sources import open_source
from tests.runtime.checkpoints import CONFIG, safetensors, weights, write_checkpoint
from tests.runtime.gguf_files import write_gguf
from tests.runtime.importing import (
    LAYERED,
    ROOT,
    contents,
    layered_checkpoint,
    run_import,
    start_import,
)


class Stop(Exception):
    """Something that is no error of the import: as if the process went away."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layered_checkpoint(tmp_path_factory.mktemp("source") / "layered")


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an import gives that nothing interrupts."""
    return contents(run_import(source, tmp_path_factory.mktemp("whole") / "model").path)


def stop_after(source: Path, target: Path, sections: int) -> None:
    def report(progress: Progress) -> None:
        if progress.sections >= sections:
            raise Stop

    with pytest.raises(Stop):
        run_import(source, target, report=report)


def test_killed_at_random_points_it_goes_on_to_the_same_bytes(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    rng, target = np.random.default_rng(), tmp_path / "model"
    seen: list[list[int]] = []
    for _ in range(4):
        process = start_import(source, target)
        assert process.stdout is not None
        for _ in range(int(rng.integers(1, 60))):
            line = process.stdout.readline()
            if line:
                seen.append(json.loads(line))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if target.exists():  # All of it was done before the kill.
            break
        assert not target.exists(), "nothing is there before it is whole"
    if not target.exists():
        run_import(source, target)
    assert contents(target) == whole
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model"], "nothing is left over"
    assert seen


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_torn_files_are_not_believed(
    source: Path,
    whole: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    """After a power cut any of the two files may lack its end, or hold something else there."""
    target = tmp_path_factory.mktemp("torn") / "model"
    stop_after(source, target, data.draw(st.integers(1, 8)))
    for name in ("weights.bin", "journal"):
        file = working_folder(target) / name
        content = bytearray(file.read_bytes())
        kind = data.draw(st.sampled_from(["whole", "cut", "changed", "longer"]))
        if kind == "cut":
            del content[data.draw(st.integers(0, len(content))) :]
        elif kind == "changed" and content:
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        elif kind == "longer":
            content += data.draw(st.binary(max_size=300))
        file.write_bytes(content)
    assert contents(run_import(source, target).path) == whole


def test_no_byte_of_a_journal_can_change_unseen(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    target, rng = tmp_path / "model", np.random.default_rng(0)
    for number in range(12):
        stop_after(source, target, 7)
        file = working_folder(target) / "journal"
        content = bytearray(file.read_bytes())
        # Behind the first line: what is built, not what it is built from.
        place = int(rng.integers(content.index(b"\n") + 1, len(content)))
        content[place] = content[place] ^ 1
        file.write_bytes(content)
        assert contents(run_import(source, target).path) == whole, (number, place)
        shutil.rmtree(target)


def test_what_was_finished_is_not_done_again(source: Path, tmp_path: Path) -> None:
    target, told = tmp_path / "model", list[Progress]()
    stop_after(source, target, 5)
    run_import(source, target, report=told.append)
    sizes = section_sizes(open_source(str(source), {}))
    first = [sizes[name] for name in ("embedding", *(f"layer.{n}" for n in range(4)))]
    assert max(progress.kept for progress in told) == sum(first)
    assert told[-1].done == told[-1].total == sum(sizes.values())
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


def test_another_source_or_other_options_begin_anew(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    target, told = tmp_path / "model", list[Progress]()
    stop_after(source, target, 5)
    other = run_import(source, target, "int8", report=told.append)
    assert max(progress.kept for progress in told) == 0
    assert other.quantization["experts"]["bits"] == 8
    again, changed = tmp_path / "again", tmp_path / "changed"
    stop_after(source, again, 5)
    shutil.copytree(source, changed)
    tensors = weights(LAYERED)
    (changed / "model.safetensors").write_bytes(safetensors(tensors))
    told.clear()
    run_import(changed, again, report=told.append)
    assert max(progress.kept for progress in told) == 0
    assert contents(again)["weights.bin"] != whole["weights.bin"]


def test_two_imports_of_one_name(source: Path, tmp_path: Path) -> None:
    process = start_import(source, tmp_path / "model")
    assert process.stdout is not None
    try:
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(ExportError, match="model is being imported by another process"):
            run_import(source, tmp_path / "model")
        run_import(source, tmp_path / "other")
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
    run_import(source, tmp_path / "model")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model", "other"]


def test_a_name_that_is_taken(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    run_import(source, target, "int8")
    with pytest.raises(ExportError, match="exists already: choose another name, or add --force"):
        run_import(source, target)
    assert Bundle.open(target).quantization["experts"]["bits"] == 8
    run_import(source, target, replace=True)
    assert Bundle.open(target).quantization["experts"]["bits"] == 4
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


def test_a_disk_that_is_too_small(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100 * 10**6)
    monkeypatch.setattr("runtime.export.importing.shutil.disk_usage", lambda path: usage)
    with pytest.raises(ExportError, match=r"takes about 0\.00 GB, and .* has 0\.10 GB free: make"):
        run_import(source, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_layer_leaves_nothing(tmp_path: Path) -> None:
    tensors = weights(LAYERED)
    tensors["model.layers.4.self_attn.o_proj.weight"][0, 0] = np.nan
    path = write_checkpoint(tmp_path / "c", LAYERED, tensors)
    models = tmp_path / "models"
    with pytest.raises(ExportError, match=r"layers\.4\.self_attn\.o_proj.* holds NaN or infinity"):
        run_import(path, models / "model")
    assert list(models.iterdir()) == []


def test_a_gguf_becomes_the_bundle_of_the_same_numbers(tmp_path: Path) -> None:
    """A float32 GGUF and a float32 checkpoint differ in nothing that counts."""
    tensors = weights(LAYERED)
    folder = run_import(write_checkpoint(tmp_path / "c", LAYERED, tensors), tmp_path / "a")
    file = run_import(write_gguf(tmp_path / "m.gguf", LAYERED, tensors), tmp_path / "b")
    assert folder.config == file.config
    for name in ("weights.bin", "model.onnx"):
        assert (folder.path / name).read_bytes() == (file.path / name).read_bytes()


MEMORY = """
import sys
from pathlib import Path
from tests.runtime.importing import run_import

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

before = peak()
run_import(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell")
@pytest.mark.parametrize(
    ("kind", "precision"), [("dense", "int4"), ("dense", "fp16"), ("sparse", "int8")]
)
def test_the_peak_of_memory_is_below_three_layers(
    tmp_path: Path, kind: str, precision: str
) -> None:
    """Without the gigabyte that is allowed on top, so that a small model can tell."""
    config: dict[str, Any] = {
        **CONFIG,
        "hidden_size": 1024,
        "num_hidden_layers": 6,
        "moe_intermediate_size": 512,
        "num_experts": 8,
        "intermediate_size": 4096,
        "architectures": ["Qwen3ForCausalLM" if kind == "dense" else "Qwen3MoeForCausalLM"],
    }
    path = tmp_path / "c"
    write_checkpoint(path, config, {})
    write_large(path / "model.safetensors", config)
    largest = max(section_sizes(open_source(str(path), {})).values())
    command = [sys.executable, "-c", MEMORY, str(path), str(tmp_path / "model"), precision]
    grown = int(subprocess.check_output(command, cwd=ROOT, text=True))
    assert 20e6 < largest < 30e6
    assert grown < 3 * largest + 32e6  # What the libraries take once they are used.
    assert 3 * largest + 32e6 < 6 * largest, "the whole model would not fit"


def write_large(path: Path, config: dict[str, Any]) -> None:
    """Write bf16 tensors one by one, of one random stretch again and again."""
    from runtime.export.architectures import read_config
    from runtime.export.tensors import tensor_shapes

    shapes, place = tensor_shapes(read_config(config)), 0
    header: dict[str, Any] = {}
    for name, shape in shapes.items():
        end = place + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, end]}
        place = end
    values = np.random.default_rng(0).standard_normal(1 << 16).astype(np.float32)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            file.write(np.resize(halves, int(np.prod(shape))).tobytes())


def test_slices_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**CONFIG, "hidden_size": 128, "moe_intermediate_size": 336, "vocab_size": 304}
    path = write_checkpoint(tmp_path / "c", config, weights(config))
    for precision in ("int4", "int8", "fp16"):
        usual = run_import(path, tmp_path / f"usual-{precision}", precision)
        with monkeypatch.context() as patch:
            patch.setattr("runtime.export.weights._NUMBERS_AT_ONCE", 1)
            sliced = run_import(path, tmp_path / f"sliced-{precision}", precision)
        assert usual.weights_path.read_bytes() == sliced.weights_path.read_bytes()


def test_errors_are_those_of_the_engine() -> None:
    assert issubclass(ExportError, EngineError)
