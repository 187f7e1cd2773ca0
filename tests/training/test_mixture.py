"""The fit and the evaluation of the repository memory, over bytes and a scripted model."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.memory import RepositoryMemory
from runtime.mixture import NEGLIGIBLE, Mixed, MixtureTable, Signals
from runtime.prompt_format import PromptFormat
from runtime.sequence import MemoryScope
from tests.runtime.test_memory import DOCUMENT, Tokens
from tests.support.byte_tokenizer import ByteTokenizer
from tests.support.schedule import TracedEngine, request
from tests.support.scripted_runner import VOCAB_SIZE, ScriptedRunner, noise
from training import evaluate_mixture, fit_mixture, memory_holes
from training.evaluate_mixture import Outcome, complete, paired, trust
from training.fit_mixture import PRIOR_COUNT, Samples
from training.memory_holes import ConstantRows, Hole, Model, ModelRows, Repository, Task

VOCAB = 12
FILES = {
    "source.js": "const first = load(1);\nconst second = load(2);\nexport { first };\n",
    "dist/cjs.js": "const first = load(1);\nconst second = load(2);\nmodule.exports = first;\n",
    "other.js": "const third = store(3);\nlet fourth = 4;\n",
}


def hole_of(text: str, path: str = "source.js", **more: str) -> Hole:
    """A hole where `text` has a pair of bars: what is between them is the target."""
    prefix, target, suffix = text.split("|")
    fields = {"repo": "demo", "path": path, "lang": "js", "kind": "mid", **more}
    return Hole(prefix=prefix, target=target, suffix=suffix, **fields)


def scripted_model(max_context: int = 400) -> Model:
    runner = ScriptedRunner(noise(5), max_context=max_context)
    return Model(runner, ByteTokenizer(), PromptFormat("prefix"))  # type: ignore[arg-type]


def demo_repository() -> Repository:
    return Repository("demo", FILES, ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(
    documents=st.lists(DOCUMENT, max_size=3),
    before=DOCUMENT,
    gold=DOCUMENT.filter(len),
    after=DOCUMENT,
    logits=st.lists(st.floats(-5, 5), min_size=VOCAB, max_size=VOCAB),
)
def test_what_is_fitted_is_what_the_runtime_computes(
    documents: list[Tokens], before: Tokens, gold: Tokens, after: Tokens, logits: list[float]
) -> None:
    memory = RepositoryMemory(VOCAB)
    for index, document in enumerate(documents):
        memory.put(str(index), document)
    rows, table = ConstantRows(np.array(logits, np.float32)), MixtureTable()
    arrays = (np.array(part, np.int32) for part in (before, gold, after))
    task = Task(hole_of("||"), [], *arrays)
    matcher = memory.matcher(None, before, after, len(gold))
    samples = fit_mixture.samples_of(task, rows, matcher, table)
    got = fit_mixture.mixture_probability(samples, table)
    matcher = memory.matcher(None, before, after, len(gold))
    for index, token in enumerate(gold):
        want = Mixed.of(rows.logits([]), matcher, table).logprob(token)
        assert got[index] == pytest.approx(math.exp(want), abs=NEGLIGIBLE + 1e-5)
        matcher.extend(token)


def random_samples(count: int, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    width = len(MixtureTable().lengths)
    longest = rng.integers(0, width, count)
    has = np.arange(width)[None, :] < longest[:, None]
    stored = has * np.sort(rng.integers(1, 9, (count, width)))[:, ::-1]
    gold = rng.binomial(stored, 0.7)
    bucket = np.stack([np.minimum(longest, 8) - 1, rng.integers(0, 4, count)], 1)
    bucket[longest == 0] = -1
    zero = np.zeros((count, width))
    return Samples(rng.uniform(0.01, 0.6, count), zero, zero, stored, gold, longest, bucket)


def test_weights_maximise_the_likelihood() -> None:
    samples, prior = random_samples(3000), MixtureTable()
    copied = fit_mixture.copy_probability(samples, prior)
    fitted = fit_mixture.fit_weights(samples, copied, prior, prior)
    row, column = 3, 2
    inside = (samples.bucket == (row, column)).all(1)
    start, grid = prior.weights[row][column], np.linspace(0.005, 0.985, 197)
    values = [
        np.log(w * copied[inside] + (1 - w) * samples.model[inside]).sum()
        + PRIOR_COUNT * (start * math.log(w) + (1 - start) * math.log(1 - w))
        for w in grid
    ]
    assert fitted.weights[row][column] == pytest.approx(grid[int(np.argmax(values))], abs=0.006)


def test_fitted_table_is_better_than_the_default() -> None:
    samples, prior = random_samples(2000), MixtureTable()
    table = fit_mixture.fit_table(samples, prior, rounds=4)
    assert fit_mixture.nats(samples, table) < fit_mixture.nats(samples, prior)
    assert MixtureTable.from_manifest(json.loads(json.dumps(table.to_manifest()))) == table


def test_calibration_finds_how_confidence_came_about() -> None:
    rng = np.random.default_rng(2)
    signals = [
        Signals.of(list(np.log(rng.uniform(0.2, 1, rng.integers(1, 12)))), [3, 4])
        for _ in range(4000)
    ]
    true = MixtureTable(calibration=(2.0, 0.6, 0.0, 0.8, 0.0, 0.0))
    chances = np.array([true.confidence(each) for each in signals])
    exact = (rng.random(len(signals)) < chances).tolist()
    fitted = MixtureTable(calibration=fit_mixture.fit_calibration(signals, exact))
    got = np.array([fitted.confidence(each) for each in signals])
    assert np.abs(got - chances).mean() < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_completion_is_the_engines_own(seed: int) -> None:
    """Text and confidence as the product would give them."""
    memory, tokenizer = RepositoryMemory(VOCAB_SIZE), ByteTokenizer()
    memory.put("a", tuple(FILES["source.js"].encode()))
    before, prompt = tuple(b"const second = lo"), "const second = lo"
    runner = ScriptedRunner(noise(seed))
    engine = TracedEngine(runner, memory=memory)
    scope = MemoryScope(None, before)
    engine.add(request(prompt, scope=scope, stop=("\n",), max_tokens=memory_holes.MAX_NEW_TOKENS))
    engine.run_to_end()
    arrays = (np.array(part, np.int32) for part in (before, list(b"ad(2);\n"), []))
    task = Task(hole_of("||"), list(prompt.encode()), *arrays)
    model = Model(ScriptedRunner(noise(seed)), tokenizer, PromptFormat("prefix"))  # type: ignore[arg-type]
    matcher = memory.matcher(None, before, (), 64)
    done = complete(ModelRows(model, task), matcher, MixtureTable(), tokenizer)  # type: ignore[arg-type]
    result = engine.result(0)
    assert done.text == result.text
    assert MixtureTable().confidence(done.signals) == pytest.approx(result.confidence, rel=1e-6)


def test_known_and_computed_rows_agree() -> None:
    """The gold's logits come from one run, others from further ones over the kept cache."""
    model = scripted_model()
    task = model.task(hole_of("ab\ncd|ef|\n"), 50)
    rows, expected = ModelRows(model, task), noise(5)
    for written in ([], list(b"e"), list(b"x"), list(b"ef"), list(b"xy"), list(b"ef\nmore")):
        np.testing.assert_array_equal(rows.logits(written), expected([*task.prompt, *written]))


def test_settings_know_what_they_say() -> None:
    repository, model = demo_repository(), scripted_model()
    task = model.task(
        hole_of("const first = load(1);\nconst |second = load(2);|\nlet fifth = 5;\n"), 50
    )

    def longest(setting: str) -> int:
        return repository.matcher(task, setting, 0).longest

    # The twin would know it all; `other.js` knows "\nconst " not, but "const ".
    assert repository.twins("source.js") == {"dist/cjs.js"}
    assert repository.twins("other.js") == set()
    assert longest("C") == len("const ")
    late = model.task(hole_of("let fi|fth|\nlet fifth = 5;\n", path="other.js"), 50)
    assert repository.matcher(late, "A", 0).longest == 0
    assert repository.matcher(late, "B", 0).longest == len("let fi")
    assert repository.matcher(late, "C", 0).longest == len("let fi")
    # Asking for another file brings the twin back.
    back = model.task(hole_of("export|s|", path="other.js"), 50)
    assert repository.matcher(back, "C", 0).longest == len("export")


def test_half_is_a_part_of_all() -> None:
    repository = demo_repository()
    assert repository._half < set(FILES)


@pytest.mark.parametrize("budget", [30, 60, 1000])
def test_prompt_fits_and_ends_at_the_cursor(budget: int) -> None:
    tokenizer = ByteTokenizer()
    hole = hole_of("line one\n" * 20 + "x = |1|\n" + "after\n" * 20)
    for form in (
        PromptFormat("prefix", file_sep=1, newline=(10,)),
        PromptFormat("fim", fim_prefix=2, fim_suffix=3, fim_middle=4),
    ):
        task = memory_holes.task_of(hole, form, tokenizer, budget)  # type: ignore[arg-type]
        assert len(task.prompt) <= budget
        assert bytes(task.prompt[-4:]) == b"x = "
        assert bytes(task.gold.tolist()) == b"1\n"
        assert bytes(task.after.tolist()) == b"after\n" * 20
        assert bytes(task.before.tolist()) == hole.prefix.encode()
    assert 3 in task.prompt and bytes(task.prompt).count(b"after") >= min(budget // 40, 20)


def test_span_continues_past_the_line() -> None:
    task = scripted_model().task(hole_of("a\n|b|\ncd\n"), 50, 4)
    assert (bytes(task.gold.tolist()), bytes(task.after.tolist())) == (b"b\ncd", b"\n")


def outcome(system: str, exact: bool, confidence: float = 0.5) -> Outcome:
    return Outcome("r", "next", "py", system, exact, 1.0, True, 1.0, 4, confidence)


def test_paired_counts() -> None:
    olds, news = [True, True, False, False, False], [True, False, True, True, False]
    outcomes = [outcome("old", each) for each in olds] + [outcome("new", each) for each in news]
    assert paired(outcomes, "next", "old", "new") == {"gained": 2, "lost": 1}


def test_trust_ranks_and_measures() -> None:
    outcomes = [outcome("s", True, 0.95)] * 2 + [outcome("s", False, 0.05)] * 8
    report = trust(outcomes)
    assert report["exact_of_most_confident"] == {
        "0.1": 1,
        "0.2": 1,
        "0.3": 2 / 3,
        "0.5": 0.4,
        "1.0": 0.2,
    }
    assert report["gap"] == pytest.approx(0.05)
    assert report["brier"] == pytest.approx(0.05**2)


def write_lines(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def demo_files(folder: Path) -> dict[str, Path]:
    rows = [{"repo": "demo", "path": path, "text": text} for path, text in FILES.items()]
    holes = []
    for path, text in FILES.items():
        for kind, start in (("next", text.index("\n") + 1), ("mid", text.index("=") + 1)):
            end = text.index("\n", start)
            parts = {"prefix": text[:start], "target": text[start:end], "suffix": text[end:]}
            holes.append({"repo": "demo", "path": path, "lang": "js", "kind": kind, **parts})
    return {
        "rows": write_lines(folder / "rows.jsonl", rows),
        "holes": write_lines(folder / "holes.jsonl", holes),
    }


def test_more_holes_contain_the_fewer(tmp_path: Path) -> None:
    path = demo_files(tmp_path)["holes"]
    few, many = memory_holes.read_holes(path, 2, 0), memory_holes.read_holes(path, 6, 0)
    assert len(few) == 2 and len(many) == 6
    assert set(few) < set(many)
    assert few == memory_holes.read_holes(path, 2, 0)


def test_fit_then_evaluate(tmp_path: Path) -> None:
    """The whole way, on six holes: the fitted entry is one that a bundle may carry."""
    options = argparse.Namespace(
        **demo_files(tmp_path),
        count=6,
        span=12,
        settings="C",
        calibrate_on="AC",
        seed=0,
        unigram_rows=None,
    )
    entry = fit_mixture.fit(scripted_model(), options)
    table = MixtureTable.from_manifest(json.loads(json.dumps(entry)))
    assert entry["fitted_on"]["nats_fitted"] < entry["fitted_on"]["nats_model"]  # type: ignore[index]
    report = evaluate_mixture.evaluate(scripted_model(), table, options)
    report["run"] = {"bundle": "scripted"}
    assert report["holes"] == {"mid": 3, "next": 3}
    for kind in ("mid", "next"):
        results = report["results"][kind]
        assert results["mixture C"]["bits_per_byte"] < results["model"]["bits_per_byte"]
        assert results["model"]["n"] == 3
    assert "| mixture C |" in evaluate_mixture.markdown(report)
    assert json.loads(json.dumps(report))
