"""The model runner refuses what cannot be, stops when told to, says why a model does not load."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.config import EngineConfig
from runtime.errors import EngineClosed, ModelLoadError
from runtime.model_runner import Cancelled, OrtModelRunner, pool_size
from tests.runtime.bundles import CONFIG, graph, record, write_bundle
from tests.runtime.fixture_bundles import bundle_of, chunk, runner_of
from tests.support.bare_package import run_without_library

ROOT = Path(__file__).parent.parent.parent
TOKENS = np.arange(100, dtype=np.int64)


def tied(**config: Any) -> OrtModelRunner:
    return runner_of(bundle_of("tied", "int4", "int8"), **config)


def test_it_says_what_it_holds() -> None:
    runner = tied(kv_bytes=1_000_000)
    assert (runner.vocab_size, runner.max_context, runner.block_size) == (320, 128, 16)
    assert runner.num_blocks == 1_000_000 // block_bytes_in_all(32)
    assert tied(kv_bytes=1_000_000, kv_bits=8).num_blocks == 1_000_000 // block_bytes_in_all(8)


def block_bytes_in_all(kv_bits: int) -> int:
    config = bundle_of("tied", "int4", "int8").config
    each = config.num_key_value_heads * (config.head_dim * 2 * kv_bits // 8)
    scales = config.num_key_value_heads * 8 if kv_bits == 8 else 0
    return 16 * (each + scales) * config.num_hidden_layers


def test_a_small_budget_shortens_the_context() -> None:
    bundle = bundle_of("tied", "int4", "int8")
    config = EngineConfig(kv_bytes=3 * block_bytes_in_all(32) + 1)
    assert pool_size(bundle, config) == (3, 48)
    with pytest.raises(ModelLoadError, match="1000 bytes for keys and values hold not even one"):
        pool_size(bundle, EngineConfig(kv_bytes=1000))


def test_results_stay_as_they_are_after_later_runs() -> None:
    runner = tied()
    first = runner.run([chunk(0, TOKENS[:5], 0, 2)])[0]
    kept = first.copy()
    runner.run([chunk(0, TOKENS[50:55], 0, 2), chunk(1, TOKENS[5:9], 0, 2)])
    np.testing.assert_array_equal(first, kept)


def test_chunks_that_write_to_one_block_are_refused() -> None:
    runner = tied()
    with pytest.raises(ValueError, match="two chunks write to block 7"):
        runner.run([chunk(0, TOKENS[:5], 0, 0), chunk(0, TOKENS[5:9], 5, 1)])


def test_blocks_that_are_only_read_may_be_shared() -> None:
    runner = tied()
    first = chunk(0, TOKENS[:20], 0, 1)
    runner.run([first])
    other = chunk(1, TOKENS[30:40], 16, 1)
    other.blocks[0] = first.blocks[0]
    both = runner.run([chunk(0, TOKENS[20:25], 20, 1), other])
    runner.run([chunk(2, TOKENS[:16], 0, 0)])
    alone = runner.run([chunk(2, TOKENS[30:40], 16, 1)])[0]
    np.testing.assert_allclose(both[1], alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": np.array([0, 16], np.int32)}, "block 16 does not exist: there are 16"),
        ({"blocks": np.array([-1, 0], np.int32)}, "block -1 does not exist"),
        (
            {"blocks": np.array([0], np.int32), "past": 13},
            r"13 \+ 4 tokens do not fit blocks for 16",
        ),
        ({"tokens": TOKENS[:0]}, "tokens must be a vector of int64 that is not empty"),
        ({"tokens": TOKENS[None, :4]}, "tokens must be a vector"),
        ({"tokens": TOKENS[:4].astype(np.int32)}, "tokens must be a vector of int64"),
        ({"tokens": TOKENS[:4] - 1}, "a token is outside of 0..319"),
        ({"tokens": TOKENS[:4] + 317}, "a token is outside of 0..319"),
        ({"past": -1}, "past is -1"),
        (
            {"tokens": np.arange(119, dtype=np.int64)},
            r"10 \+ 119 tokens do not fit the context of 128",
        ),
        ({"num_logits": 5}, "num_logits must be from 0 to 4, not 5"),
        ({"num_logits": -1}, "num_logits must be from 0 to 4, not -1"),
    ],
)
def test_a_chunk_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    runner = tied(kv_bytes=16 * block_bytes_in_all(32))
    wanted = runner.run([chunk(0, TOKENS[:10], 0, 1)])[0]
    bad = replace(chunk(0, TOKENS[10:14], 10, 1), **changes)
    with pytest.raises(ValueError, match=message):
        runner.run([chunk(1, TOKENS[:3], 0, 0), bad])
    found = runner.run([chunk(0, TOKENS[9:10], 9, 1)])[0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4, err_msg="something was changed")


def test_the_whole_context_can_be_used() -> None:
    runner = tied()
    runner.run([chunk(0, np.arange(127, dtype=np.int64), 0, 0)])
    assert runner.run([chunk(0, TOKENS[:1], 127, 1)])[0].shape == (1, 320)
    with pytest.raises(ValueError, match="do not fit the context"):
        runner.run([chunk(0, TOKENS[:1], 128, 1)])


def test_cancel_from_another_thread_stops_a_run() -> None:
    """The run would take seconds; it is stopped, and what was stored before stays valid."""
    runner = tied()
    wanted = runner.run([chunk(1, TOKENS[:20], 0, 1)])[0]
    runner.run([chunk(0, TOKENS[:10], 0, 0)])
    started, outcome = threading.Event(), []

    def run() -> None:
        started.set()
        try:
            for _ in range(5000):
                runner.run([chunk(0, TOKENS[10:100], 10, 0)])
            outcome.append("finished")
        except Cancelled:
            outcome.append("cancelled")

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    while thread.is_alive():
        runner.cancel()
        time.sleep(0.001)
    thread.join()
    assert outcome == ["cancelled"]
    found = runner.run([chunk(0, TOKENS[10:20], 10, 1)])[0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


def test_cancel_while_nothing_runs_does_nothing() -> None:
    runner = tied()
    runner.cancel()
    assert runner.run([chunk(0, TOKENS[:3], 0, 1)])[0].shape == (1, 320)


def test_a_closed_runner_says_so() -> None:
    runner = tied()
    runner.close()
    runner.close()
    runner.cancel()
    with pytest.raises(EngineClosed, match="the model was closed"):
        runner.run([chunk(0, TOKENS[:3], 0, 1)])


def test_weights_stay_in_the_file() -> None:
    """The weights are mapped, not copied: the file shows in the memory map of the process."""
    bundle = bundle_of("tied", "int4", "int8")
    runner = runner_of(bundle)
    assert str(bundle.weights_path) in Path("/proc/self/maps").read_text()
    runner.close()


def check_load_fails(path: Path, message: str) -> None:
    with pytest.raises(ModelLoadError, match=message) as raised:
        OrtModelRunner.load(Bundle.open(path), EngineConfig(threads=1))
    assert "\n" not in str(raised.value)


def test_a_graph_that_is_no_decoder(tmp_path: Path) -> None:
    check_load_fails(write_bundle(tmp_path / "b"), "ONNX Runtime cannot load .*model.onnx")


def test_a_graph_with_an_unknown_operator(tmp_path: Path) -> None:
    model = graph().replace(b"\x22\x03Add", b"\x22\x03Dad")
    check_load_fails(write_bundle(tmp_path / "b", model=model), "ONNX Runtime cannot load .*Dad")


def test_a_config_that_is_not_the_graphs(tmp_path: Path) -> None:
    source = bundle_of("tied", "int4", "int8").path
    names = ("model.onnx", "weights.bin", "tokenizer.json")
    files = {name: record((source / name).read_bytes()) for name in names}
    path = write_bundle(tmp_path / "b", files=files, config={**CONFIG, "num_hidden_layers": 3})
    for name in files:
        shutil.copyfile(source / name, path / name)
    check_load_fails(path, "ONNX Runtime cannot load .*cache.2")


def test_weights_that_end_too_early(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    (path / "weights.bin").write_bytes(b"")
    manifest = (path / "bundle.json").read_text()
    short, full = record(b""), record(bytes(16))
    changed = manifest.replace(full["sha256"], short["sha256"]).replace('"bytes": 16', '"bytes": 0')
    (path / "bundle.json").write_text(changed)
    check_load_fails(path, "ONNX Runtime cannot load")


def test_without_the_operator_library_the_message_says_how_to_build_it(tmp_path: Path) -> None:
    """In a real process whose package has no built library."""
    code = (
        "from pathlib import Path\n"
        "from runtime.bundle import Bundle; from runtime.config import EngineConfig\n"
        "from runtime.errors import OperatorError\n"
        "from runtime.model_runner import OrtModelRunner\n"
        "try: OrtModelRunner.load(Bundle.open(Path(sys.argv[1])), EngineConfig(threads=1))\n"
        "except OperatorError as error: sys.exit(str(error))\n"
    )
    done = run_without_library(tmp_path, code, str(bundle_of("tied", "int4", "int8").path))
    assert done.returncode == 1
    assert "the operator library" in done.stderr and "cmake" in done.stderr
