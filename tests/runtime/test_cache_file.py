"""Keys and values survive on disk, and nothing else is ever taken for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime import InlineEngine, build_engine
from runtime.block_manager import BlockManager
from tests.runtime.fixture_bundles import bundle_of
from tests.runtime.test_engine_bundle import CONFIG, known, run
from tests.support.schedule import TracedEngine, request
from tests.support.scripted_runner import ScriptedRunner, noise

BUDGET = 1 << 20


def engine_of(contexts: dict[int, tuple[int, ...]] | None = None) -> TracedEngine:
    runner = ScriptedRunner(noise(), num_blocks=32)
    if contexts is not None:
        runner._contexts = contexts  # What the digests in the blocks stand for.
    return TracedEngine(runner)


def asked(engine: TracedEngine, prompt: str) -> tuple[tuple[int, ...], int]:
    """The tokens that follow a prompt, and how many of it were held."""
    number = engine.add(request(prompt, max_tokens=5))
    engine.run_to_end()
    result = engine.result(number)
    return result.tokens, result.usage.reused


def test_a_new_engine_goes_on_where_the_old_one_was(tmp_path: Path) -> None:
    path, old = tmp_path / "kept", engine_of()
    prompts = ("import os\nimport sys\n", "import os\nimport re\n", "def f():\n")
    wanted = [asked(old, prompt)[0] for prompt in prompts]
    count = old.save_cache(path, "model", BUDGET)
    new = engine_of(old.runner._contexts)
    assert new.load_cache(path, "model") == count > 8
    for prompt, tokens in zip(prompts, wanted, strict=True):
        found, reused = asked(new, prompt)
        assert found == tokens
        assert reused >= len(prompt) // 4 * 4 - 4


def test_the_budget_keeps_what_was_used_last(tmp_path: Path) -> None:
    path, old = tmp_path / "kept", engine_of()
    asked(old, "used long ago")
    asked(old, "used just now")
    assert old.save_cache(path, "model", 4 * 8 * 3) == 3
    new = engine_of(old.runner._contexts)
    assert new.load_cache(path, "model") == 3
    assert asked(new, "used long ago")[1] == len("used ")
    assert asked(new, "used just now")[1] >= 8


def test_another_model_and_other_bytes_are_not_used(tmp_path: Path) -> None:
    path, old = tmp_path / "kept", engine_of()
    asked(old, "import os\nimport sys\n")
    old.save_cache(path, "model", BUDGET)
    good = path.read_bytes()
    assert engine_of().load_cache(path, "another model") == 0
    assert engine_of().load_cache(tmp_path / "nowhere", "model") == 0
    rng = np.random.default_rng(0)
    for _ in range(100):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        assert engine_of().load_cache(path, "model") == 0
        path.write_bytes(good[: rng.integers(len(good))])
        assert engine_of().load_cache(path, "model") == 0


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, old = tmp_path / "kept", engine_of()
    asked(old, "import os\n")
    old.save_cache(path, "model", BUDGET)
    good = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("runtime.cache_file.os.fdopen", fail)
    with pytest.raises(OSError, match="the disk is full"):
        old.save_cache(path, "model", BUDGET)
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]
    assert path.read_bytes() == good


@pytest.mark.parametrize("kv_bits", [8, 32])
async def test_a_real_model_writes_the_same_from_what_was_kept(
    tmp_path: Path, kv_bits: int
) -> None:
    bundle = bundle_of("tied", "fp32", "fp32")
    asked = replace(known(0)[0], prompt=tuple(range(50)))
    config = replace(CONFIG, kv_bits=kv_bits, kv_bytes=1 << 20)
    old, new = build_engine(bundle, config), build_engine(bundle, config)
    async with InlineEngine(old) as driver:
        wanted = await run(driver, asked)
        old.save_cache(tmp_path / "kept", "tied", BUDGET)
    assert new.load_cache(tmp_path / "kept", "tied") > 0
    async with InlineEngine(new) as driver:
        found = await run(driver, asked)
    assert found.tokens == wanted.tokens
    assert found.usage.reused >= 48


def test_only_room_that_holds_nothing_is_filled() -> None:
    blocks = BlockManager(1, 2)
    tokens = np.array([1, 2])
    assert blocks.adopt(b"", tokens[:1]) is None
    assert blocks.adopt(b"", tokens) == 0
    assert blocks.adopt(b"", tokens) is None
    assert blocks.adopt(b"", tokens + 1) is None
    assert blocks.find(np.array([1, 2, 3])).length == 2
