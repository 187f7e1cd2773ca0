"""Training learns, and a run that was killed goes on as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import numpy as np  # noqa: E402

from tests.training import toy  # noqa: E402
from training.data import Windows, encode_rows, file_stream, repository_stream  # noqa: E402
from training.optim import Schedule, orthogonalize  # noqa: E402
from training.tokenizer import END_OF_TEXT, FILE_SEP, SPECIAL_TOKENS  # noqa: E402
from training.train import TrainConfig, Trainer  # noqa: E402

STEPS = 20
CONFIG = TrainConfig(
    max_steps=STEPS, batch_tokens=256, context=32, long_context=64, threads=1, seed=3
)


def trainer() -> Trainer:
    torch.set_num_threads(1)
    return Trainer(CONFIG, toy.MODEL, encode_rows(toy.tokenizer(), toy.rows()))


def test_training_learns_and_passes_through_every_stage() -> None:
    run = trainer()
    losses = [run.step() for _ in range(STEPS)]
    assert losses[-1] < 0.85 * losses[0]
    assert run.progress.long_windows > 0
    assert run.model.quantized


def test_a_resumed_run_ends_with_the_same_parameters(tmp_path: Path) -> None:
    unbroken = trainer()
    for _ in range(STEPS):
        unbroken.step()
    first = trainer()
    for _ in range(STEPS // 2):
        first.step()
    first.save(tmp_path / "checkpoint.pt")
    second = trainer()
    second.restore(tmp_path / "checkpoint.pt")
    for _ in range(STEPS - STEPS // 2):
        second.step()
    for one, other in zip(unbroken.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_killed_process_resumes(tmp_path: Path) -> None:
    toy.write(tmp_path)
    run = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "training.train", "--corpus", str(tmp_path)),
        *("--tokenizer", str(tmp_path / "tokenizer.json"), "--run", str(run)),
        *("--batch-tokens", "64", "--context", "32", "--long-context", "64", "--threads", "1"),
        *("--checkpoint-seconds", "0", "--log-every", "1", "--vocab-size", "320"),
    ]
    process = subprocess.Popen([*command, "--max-steps", "100000"], stderr=subprocess.DEVNULL)
    while not (run / "latest").exists() and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    reached = torch.load(run / "checkpoint.pt", weights_only=True)["progress"]["step"]
    last = reached + 2
    subprocess.run(
        [*command, "--max-steps", str(last), "--resume"], check=True, stderr=subprocess.DEVNULL
    )
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == last
    assert "dev_loss" in rows[-1]
    assert (run / "latest" / "model.safetensors").exists()


def test_an_epoch_visits_every_window_once() -> None:
    windows = Windows(np.arange(1000, dtype=np.uint16), 32, seed=1)
    count = windows.per_epoch()
    starts = windows.batch(0, count)[:, 0]
    assert len(set(starts.tolist())) == count
    assert set((starts - starts.min()) % 32) == {0}
    assert np.array_equal(windows.batch(5, 3), windows.batch(0, 8)[5:])
    assert not np.array_equal(windows.batch(count, count)[:, 0], starts)


def test_streams_hold_every_file_in_its_layout() -> None:
    tokenizer = toy.tokenizer()
    tokens = encode_rows(tokenizer, toy.rows())
    mixed = tokenizer.decode(file_stream(tokens, 0).tolist(), skip_special_tokens=False)
    assert mixed.count("<|repo_name|>") == mixed.count("<|endoftext|>") == 12
    packed = repository_stream(tokens, 0, group_tokens=10**6)
    text = tokenizer.decode(packed.tolist(), skip_special_tokens=False)
    assert text.count("<|repo_name|>") == text.count("<|endoftext|>") == 3
    assert text.count("<|file_sep|>") == 12
    assert text.startswith("<|repo_name|>repo")
    assert "\n\n<|file_sep|>package/module_" in text
    assert int(packed[-1]) == END_OF_TEXT
    assert SPECIAL_TOKENS[FILE_SEP] == "<|file_sep|>"


def test_the_schedule_warms_up_stays_and_decays() -> None:
    schedule = Schedule(warmup_steps=10, decay_from=0.5, floor=0.01)
    assert schedule.scale(0, 0.0) == pytest.approx(0.1)
    assert schedule.scale(50, 0.4) == 1.0
    assert schedule.scale(50, 0.75) == pytest.approx(0.5)
    assert schedule.scale(50, 1.0) == pytest.approx(0.01)


def test_orthogonalize_brings_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((3, 16, 40), (40, 16)):
        values = torch.linalg.svdvals(orthogonalize(torch.randn(*shape)))
        assert 0.5 < float(values.min()) <= float(values.max()) < 1.4
