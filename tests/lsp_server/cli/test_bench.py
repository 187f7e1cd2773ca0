"""`lsp-server bench` with a tiny model: all of it is measured, and wrong input is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.random_bundle import make
from lsp_server.__main__ import main
from runtime.bundle import TOKENIZER, default_bundle_path
from runtime.export.write import Options
from runtime.tokenizer import Tokenizer
from tests.runtime.fixture_bundles import bundle_of
from tests.runtime.test_random_bundle import TINY


def test_everything_is_measured_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = bundle_of("tied", "int4", "int8")
    arguments = ["--rounds", "2", "--tokens", "4", "--threads", "1", "--json"]
    assert main(["bench", "--bundle", str(bundle.path), *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "tied"
    assert found["context"] == 128
    assert list(found["decode_tokens_per_s"]) == list(found["int8_decode_tokens_per_s"]) == ["16"]
    for rate in (found["decode_tokens_per_s"]["16"], found["prefill_tokens_per_s"]):
        assert 0 < rate["least"] <= rate["median"] <= rate["most"]
    assert found["prefill_tokens_per_s"]["tokens"] == 127
    assert found["first_token_ms"]["tokens"] == 126
    keys = found["keystroke_tokens"]
    # A key costs at least the token before the next one, and all keys fewer than the whole prompt.
    assert 1 <= keys["p50"] <= keys["p95"] <= keys["largest"] <= 126


def test_a_model_with_more_rows_than_tokens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As published models have them: a random token must be one of the tokenizer's."""
    vocab = Tokenizer.from_file(default_bundle_path() / TOKENIZER).vocab_size
    config = replace(TINY, vocab_size=4 * vocab)
    make(tmp_path / "bundle", config, Options(name="padded"))
    arguments = ["--bundle", str(tmp_path / "bundle"), "--rounds", "1", "--tokens", "2"]
    assert main(["bench", *arguments]) == 0
    assert "padded" in capsys.readouterr().out


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = bundle_of("tied", "int4", "int8")
    assert main(["bench", "--bundle", str(bundle.path), "--rounds", "1", "--tokens", "2"]) == 0
    text = capsys.readouterr().out
    for word in ("decode", "prefill", "first token", "keystrokes", "int8", "memory"):
        assert f"\n  {word}" in text


def test_what_is_no_bundle_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["bench", "--bundle", str(tmp_path / "none")]) == 1
    assert "is not a directory: a bundle is one" in capsys.readouterr().err
    assert main(["bench", "--rounds", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err
