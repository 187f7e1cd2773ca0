"""The mixture of model and memory against its formula, and the table that a bundle carries."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runtime.errors import BundleError
from runtime.memory import RepositoryMemory
from runtime.mixture import NEGLIGIBLE, Mixed, MixtureTable, Signals, copy_of
from runtime.sequence import MemoryScope
from tests.runtime.test_memory import DOCUMENT, Tokens, followers
from tests.support.schedule import TracedEngine, request
from tests.support.scripted_runner import VOCAB_SIZE, ScriptedRunner, noise

VOCAB = 12
TABLE = MixtureTable(
    lengths=(1, 2, 4, 8),
    strengths=(9.0, 5.0, 2.0, 0.25),
    live_weight=2.5,
    length_edges=(2, 5, 32),
    weights=((0.1, 0.2, 0.3, 0.4), (0.5, 0.6, 0.7, 0.8), (0.9, 0.92, 0.94, 0.96)),
)


def reference_copy(
    documents: Sequence[Tokens], before: Tokens, after: Tokens
) -> tuple[list[float], float]:
    """p_copy and its weight, from the formulas: each length smoothed by the next shorter one."""
    p: list[float] = []
    longest = 0
    for length in range(1, 33):
        live = followers(before, before, length) + followers(after, before, length)
        stored = sum((followers(document, before, length) for document in documents), Counter())
        if not live and not stored:
            break
        longest = length
        if length not in TABLE.lengths:
            continue
        strength = TABLE.strengths[TABLE.lengths.index(length)]
        counts = [TABLE.live_weight * live[token] + stored[token] for token in range(VOCAB)]
        if not p:
            p = [count / sum(counts) for count in counts]
        else:
            total = sum(counts) + strength
            p = [(count + strength * lower) / total for count, lower in zip(counts, p, strict=True)]
    if not p:
        return [0.0] * VOCAB, 0.0
    # Unanimity is judged at the longest length that is told apart.
    told_apart = max(length for length in TABLE.lengths if length <= longest)
    judged = followers(before, before, told_apart) + followers(after, before, told_apart)
    for document in documents:
        judged += followers(document, before, told_apart)
    column = min(sum(judged.values()), 3) if len(judged) == 1 else 0
    row = next(i for i, edge in enumerate(TABLE.length_edges) if longest <= edge)
    return p, TABLE.weights[row][column]


@settings(max_examples=200, deadline=None)
@given(
    documents=st.lists(DOCUMENT, max_size=3),
    before=DOCUMENT,
    after=DOCUMENT,
    logits=st.lists(st.floats(-9, 9, width=32), min_size=VOCAB, max_size=VOCAB),
)
def test_mixture_is_what_the_formula_says(
    documents: list[Tokens], before: Tokens, after: Tokens, logits: list[float]
) -> None:
    memory = RepositoryMemory(VOCAB)
    for index, document in enumerate(documents):
        memory.put(str(index), document)
    scores = np.array(logits, np.float32)
    model = np.exp(scores.astype(np.float64))
    model /= model.sum()
    copy, weight = reference_copy(documents, before, after)
    mixed = Mixed.of(scores, memory.matcher(None, before, after), TABLE)
    got = np.exp([mixed.logprob(token) for token in range(VOCAB)])
    assert got.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(
        got, weight * np.array(copy) + (1 - weight) * model, atol=NEGLIGIBLE + 1e-5
    )
    np.testing.assert_array_equal(scores, np.array(logits, np.float32))


@settings(max_examples=50, deadline=None)
@given(documents=st.lists(DOCUMENT, max_size=3), before=DOCUMENT)
def test_copy_is_a_distribution(documents: list[Tokens], before: Tokens) -> None:
    memory = RepositoryMemory(VOCAB)
    for index, document in enumerate(documents):
        memory.put(str(index), document)
    copy = copy_of(memory.matcher(None, before), MixtureTable())
    assume(copy is not None)
    assert copy.probabilities.sum() == pytest.approx(1)
    assert (copy.probabilities > 0).all()
    assert len(set(copy.tokens.tolist())) == len(copy.tokens)


def test_where_the_memory_is_silent_the_model_speaks_unchanged() -> None:
    scores = noise(4)([1, 2, 3])
    memory = RepositoryMemory(VOCAB_SIZE)
    memory.put("a", (1, 2, 3))
    for matcher in (None, RepositoryMemory(9).matcher(None, ()), memory.matcher("a", (2,))):
        assert Mixed.of(scores, matcher, MixtureTable()).logits is scores


def test_engine_without_memory_or_match_gives_the_models_own_tokens() -> None:
    """Whether there is no memory, no scope, or an empty memory: the same to the last bit."""
    sampling = {"max_tokens": 20, "temperature": 1.0, "logprobs": True}
    full = RepositoryMemory(VOCAB_SIZE)
    full.put("a", tuple(b"some text"))
    results = []
    for memory, scope in [
        (None, None),
        (None, MemoryScope("a", tuple(b"some"))),
        (full, None),
        (RepositoryMemory(VOCAB_SIZE), MemoryScope("a", ())),
    ]:
        # Logits that never repeat a token, so that the answer's own text matches nothing either.
        engine = TracedEngine(ScriptedRunner(noise(1, scale=0.1)), memory=memory)
        engine.add(request("prompt", scope=scope, **sampling))
        engine.run_to_end()
        results.append((engine.result(0).tokens, engine.result(0).logprobs))
    distinct = results[0][0]
    assert len(set(distinct)) == len(distinct), "choose a seed without repetition"
    assert results == results[:1] * 4


def test_engine_mixes_what_it_has_generated_itself() -> None:
    """The answer's own beginning counts as text before the cursor, within a step."""
    memory = RepositoryMemory(VOCAB_SIZE)
    table = MixtureTable(weights=((0.999,) * 4,) * 8)
    engine = TracedEngine(ScriptedRunner(noise(2)), memory=memory, mixture=table)
    engine.add(request("x", scope=MemoryScope(None, tuple(b"abcabc")), max_tokens=7))
    engine.run_to_end()
    assert engine.result(0).text == "abcabca"


def test_table_survives_the_manifest() -> None:
    table = MixtureTable(calibration=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    entry = json.loads(json.dumps({**table.to_manifest(), "fitted_on": {"tokens": 1}}))
    assert MixtureTable.from_manifest(entry) == table
    assert MixtureTable.from_manifest(None) == MixtureTable()


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"lambda": 1}, "unknown field 'lambda'"),
        ({"lengths": [2, 1]}, "lengths must ascend"),
        ({"lengths": []}, "lengths must begin"),
        ({"lengths": [0, 1], "strengths": [1, 1]}, "lengths must begin"),
        ({"lengths": [64], "strengths": [1]}, "lengths must not exceed 32"),
        ({"lengths": [1, 2]}, "one strength a length"),
        ({"strengths": [0.0] * 12}, "strengths must be > 0"),
        ({"live_weight": 0}, "live_weight"),
        ({"weights": [[0.5] * 4]}, "one row an edge"),
        ({"length_edges": [32], "weights": [[0.5] * 3]}, "4 columns"),
        ({"length_edges": [32], "weights": [[1.0] * 4]}, r"in \[0, 1\)"),
        ({"length_edges": [31], "weights": [[0.5] * 4]}, "last edge"),
        ({"length_edges": []}, "length_edges must not be empty"),
        ({"length_edges": [5, 5]}, "edges must ascend"),
        ({"calibration": [1.0]}, "calibration"),
        ({"calibration": [math.nan] * 6}, "calibration must be finite"),
        ({"strengths": "many"}, "memory:"),
        ({"lengths": 3}, "memory:"),
        ({"weights": [1, 2]}, "memory:"),
        ({"live_weight": "much"}, "memory:"),
    ],
)
def test_bad_table_is_refused_with_its_field(entry: dict[str, object], complaint: str) -> None:
    with pytest.raises(BundleError, match=complaint):
        MixtureTable.from_manifest(entry)


def test_confidence_is_the_probability_until_it_is_calibrated() -> None:
    signals = Signals.of([math.log(0.5), math.log(0.8)], [3, 4])
    assert MixtureTable().confidence(signals) == pytest.approx(0.4)
    calibrated = MixtureTable(calibration=(0.5, 0.1, 0.2, 0.3, 0.4, -0.5))
    score = (
        0.5
        + 0.1 * math.log(0.4)
        + 0.2 * math.log(0.4) / 2
        + 0.3 * math.log(0.5)
        + 0.4 * (math.log(4) + math.log(5)) / 2
        - 0.5 * math.log(2)
    )
    assert calibrated.confidence(signals) == pytest.approx(1 / (1 + math.exp(-score)))
    assert MixtureTable(calibration=(0, 9e9, 0, 0, 0, 0)).confidence(signals) < 1e-9


def test_confidence_of_nothing() -> None:
    assert 0 <= MixtureTable(calibration=(1.0,) * 6).confidence(Signals.of([], [])) <= 1
