"""The model runner refuses what cannot be, stops when told to, says why a model does not load."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.config import EngineConfig
from runtime.errors import EngineClosed, ModelLoadError
from runtime.model_runner import Cancelled, Chunk, OrtModelRunner
from tests.runtime.bundles import CONFIG, graph, record, write_bundle
from tests.runtime.fixture_bundles import bundle_of, runner_of
from tests.support.bare_package import run_without_library

ROOT = Path(__file__).parent.parent.parent
TOKENS = np.arange(100, dtype=np.int64)


def tied(slots: int = 2) -> OrtModelRunner:
    return runner_of(bundle_of("tied", "int4", "int8"), slots=slots)


def test_it_says_what_it_holds() -> None:
    runner = tied(slots=3)
    assert (runner.vocab_size, runner.max_context, runner.num_slots) == (320, 128, 3)


def test_results_stay_as_they_are_after_later_runs() -> None:
    runner = tied()
    first = runner.run([Chunk(0, TOKENS[:5], 0, 2)])[0]
    kept = first.copy()
    runner.run([Chunk(0, TOKENS[50:55], 0, 2), Chunk(1, TOKENS[5:9], 0, 2)])
    np.testing.assert_array_equal(first, kept)


def test_chunks_of_one_run_may_follow_each_other_in_a_slot() -> None:
    runner = tied()
    apart = [runner.run([Chunk(0, TOKENS[:5], 0, 0)]), runner.run([Chunk(0, TOKENS[5:9], 5, 1)])]
    together = runner.run([Chunk(1, TOKENS[:5], 0, 0), Chunk(1, TOKENS[5:9], 5, 1)])
    np.testing.assert_array_equal(together[1], apart[1][0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slot": 2}, "slot 2 does not exist: there are 2"),
        ({"slot": -1}, "slot -1 does not exist"),
        ({"tokens": TOKENS[:0]}, "tokens must be a vector of int64 that is not empty"),
        ({"tokens": TOKENS[None, :4]}, "tokens must be a vector"),
        ({"tokens": TOKENS[:4].astype(np.int32)}, "tokens must be a vector of int64"),
        ({"tokens": TOKENS[:4] - 1}, "a token is outside of 0..319"),
        ({"tokens": TOKENS[:4] + 317}, "a token is outside of 0..319"),
        ({"past": 11}, "past is 11, but slot 0 holds 10 tokens"),
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
    runner = tied()
    runner.run([Chunk(0, TOKENS[:10], 0, 0)])
    chunk = {"slot": 0, "tokens": TOKENS[10:14], "past": 10, "num_logits": 1, **changes}
    with pytest.raises(ValueError, match=message):
        runner.run([Chunk(0, TOKENS[:3], 0, 0), Chunk(0, TOKENS[:10], 0, 0), Chunk(**chunk)])
    assert len(runner.run([Chunk(0, TOKENS[10:14], 10, 1)])[0]) == 1, "nothing was changed"


def test_the_whole_context_can_be_used() -> None:
    runner = tied()
    runner.run([Chunk(0, np.arange(127, dtype=np.int64), 0, 0)])
    assert runner.run([Chunk(0, TOKENS[:1], 127, 1)])[0].shape == (1, 320)
    with pytest.raises(ValueError, match="do not fit the context"):
        runner.run([Chunk(0, TOKENS[:1], 128, 1)])


def test_cancel_from_another_thread_stops_a_run() -> None:
    """The run would take seconds; it is stopped, and what was stored before stays valid."""
    runner = tied()
    wanted = runner.run([Chunk(1, TOKENS[:20], 0, 1)])[0]
    runner.run([Chunk(0, TOKENS[:10], 0, 0)])
    started, outcome = threading.Event(), []

    def run() -> None:
        started.set()
        try:
            runner.run([Chunk(0, TOKENS[10:100], 10, 0)] * 5000)
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
    found = runner.run([Chunk(0, TOKENS[10:20], 10, 1)])[0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


def test_an_interrupted_chunk_is_forgotten() -> None:
    runner = tied()
    long = Chunk(0, TOKENS, 0, 0)
    runner.run([long])
    canceller = threading.Timer(0.05, runner.cancel)
    canceller.start()
    with pytest.raises(Cancelled):
        runner.run([long] * 5000)
    canceller.join()
    with pytest.raises(ValueError, match="slot 0 holds 0 tokens"):
        runner.run([Chunk(0, TOKENS[:1], 100, 1)])


def test_cancel_while_nothing_runs_does_nothing() -> None:
    runner = tied()
    runner.cancel()
    assert runner.run([Chunk(0, TOKENS[:3], 0, 1)])[0].shape == (1, 320)


def test_a_closed_runner_says_so() -> None:
    runner = tied()
    runner.close()
    runner.close()
    runner.cancel()
    with pytest.raises(EngineClosed, match="the model was closed"):
        runner.run([Chunk(0, TOKENS[:3], 0, 1)])


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
    check_load_fails(path, "ONNX Runtime cannot load .*past.2.key")


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
