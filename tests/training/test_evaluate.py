"""Holes are cut where they say, the same ones each time, and outcomes are added up rightly."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from tests.training import toy  # noqa: E402
from training.card import data_figures  # noqa: E402
from training.corpus import HERE  # noqa: E402
from training.evaluate import Outcome, evaluate, summarize, token_nats  # noqa: E402
from training.holes import cut_all  # noqa: E402
from training.model import Model  # noqa: E402


def test_holes_are_cut_at_lines_and_tokens() -> None:
    rows, tokenizer = toy.rows(), toy.tokenizer()
    texts = {(row["repo"], row["path"]): row["text"] for row in rows}
    holes = cut_all(rows, tokenizer, per_repo=8, seed=1)
    assert len(holes) == 3 * 2 * 8
    assert holes == cut_all(rows[::-1], tokenizer, per_repo=8, seed=1)
    for hole in holes:
        text = texts[hole.repo, hole.path]
        assert hole.prefix + hole.target + hole.suffix == text
        assert hole.offset == len(hole.prefix.encode())
        assert "\n" not in hole.target
        assert hole.suffix.startswith("\n")
        if hole.kind == "next":
            assert hole.prefix.endswith("\n")
        else:
            assert hole.prefix.rsplit("\n", 1)[1].strip()


def test_offsets_count_bytes() -> None:
    rows = toy.rows()
    for row in rows:
        row["text"] = "# é ü ö 中文\n" + row["text"]
    for hole in cut_all(rows, toy.tokenizer(), per_repo=2, seed=1):
        whole = (hole.prefix + hole.target + hole.suffix).encode()
        assert whole[hole.offset :].decode() == hole.target + hole.suffix


def test_an_untrained_model_scores_like_chance() -> None:
    torch.manual_seed(0)
    config = replace(toy.MODEL, max_position_embeddings=256)
    model, tokenizer = Model(config).eval(), toy.tokenizer()
    rows = toy.rows()
    holes = [vars(hole) for hole in cut_all(rows, tokenizer, per_repo=1, seed=1)]
    result = evaluate(model, tokenizer, rows, holes)
    assert set(result["holes"]) == {"mid python", "next python"}
    assert result["holes"]["next python"]["exact"] == 0.0
    assert 1.5 < result["bits_per_byte"]["python"] < 8.5


def test_costs_are_those_of_the_logits() -> None:
    torch.manual_seed(0)
    model = Model(toy.MODEL).eval()
    ids = [5, 9, 40, 100, 7, 31]
    with torch.no_grad():
        logits = model.logits(torch.tensor([ids[:-1]]))[0]
    every = torch.log_softmax(logits, -1)
    expected = -every[torch.arange(5), torch.tensor(ids[1:])]
    torch.testing.assert_close(token_nats(model, ids, 3), expected[-3:])


def test_outcomes_are_averaged_by_group() -> None:
    good = Outcome("a", "next", "python", True, 1.0, True, 0.0, 10)
    bad = Outcome("a", "next", "python", False, 0.5, False, 13.8629436, 10)
    other = Outcome("b", "mid", "python", False, 0.0, False, 1.0, 4)
    summary = summarize([good, bad, other], lambda each: each.repo)
    assert summary["a"] == {
        "n": 2,
        "exact": 0.5,
        "similarity": 0.75,
        "first_token": 0.5,
        "bits_per_byte": 1.0,
    }
    assert summary["b"]["n"] == 1


def test_the_card_tells_of_the_committed_manifest() -> None:
    manifest = json.loads((HERE / "manifest.json").read_text())
    card = json.loads((HERE / "card_data.json").read_text())
    assert card["data"] == data_figures(manifest)
