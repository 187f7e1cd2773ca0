"""Sampling against definitions written out token by token."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.config import SamplingParams
from runtime.sampler import candidates, log_normalizer, penalized, sample, uniform

NO_HISTORY = np.empty(0, np.int64)


def reference(logits: list[float], sampling: SamplingParams) -> dict[int, float]:
    """The distribution that is drawn from: vLLM's order, each filter as its paper states it."""
    scaled = [logit / sampling.temperature for logit in logits]
    kept = dict(enumerate(scaled))

    def normalized(scores: dict[int, float]) -> dict[int, float]:
        highest = max(scores.values())
        weights = {token: math.exp(score - highest) for token, score in scores.items()}
        return {token: weight / sum(weights.values()) for token, weight in weights.items()}

    probabilities = normalized(kept)
    bar = sampling.min_p * max(probabilities.values())
    kept = {token: kept[token] for token, p in probabilities.items() if p >= bar}
    if sampling.top_k:
        bar = sorted(scaled, reverse=True)[min(sampling.top_k, len(scaled)) - 1]
        kept = {token: score for token, score in kept.items() if score >= bar}
    if sampling.top_p < 1:
        probabilities, total, nucleus = normalized(kept), 0.0, {}
        for token in sorted(kept, key=lambda token: (-kept[token], token)):
            if total >= sampling.top_p:
                break
            nucleus[token] = kept[token]
            total += probabilities[token]
        kept = nucleus
    return normalized(kept)


def check_distribution(logits: list[float], sampling: SamplingParams) -> None:
    scores = np.array(logits, np.float32)
    want = reference(scores.astype(float).tolist(), sampling)
    tokens, probabilities = candidates(scores, sampling)
    assert set(tokens.tolist()) == set(want)
    assert probabilities.sum() == pytest.approx(1)
    for token, probability in zip(tokens.tolist(), probabilities, strict=True):
        assert probability == pytest.approx(want[token], rel=1e-6)


# Quarters are exact, so that ties are ties; sums of such probabilities never equal a threshold.
LOGITS = st.lists(st.integers(-40, 40).map(lambda n: n / 4), min_size=1, max_size=30)
PARAMS = st.builds(
    SamplingParams,
    temperature=st.sampled_from((0.25, 1.0, 2.0)),
    top_k=st.sampled_from((0, 1, 3, 10, 100)),
    top_p=st.sampled_from((1.0, 0.93, 0.511, 0.017)),
    min_p=st.sampled_from((0.0, 0.0213, 0.31)),
)


@settings(max_examples=300, deadline=None)
@given(LOGITS, PARAMS)
def test_candidates_are_those_of_the_definition(
    logits: list[float], sampling: SamplingParams
) -> None:
    check_distribution(logits, sampling)


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"top_k": 2},
        {"top_p": 0.6},
        {"min_p": 0.3},
        {"top_k": 4, "top_p": 0.9, "min_p": 0.05, "temperature": 1.7},
    ],
)
def test_draws_follow_the_distribution(filters: dict[str, float]) -> None:
    logits = np.array([2.0, 1.0, 0.5, -1.0, 1.0], np.float32)
    draws = 4000
    sampling = SamplingParams(**{"temperature": 1.0, "seed": 5, **filters})  # type: ignore[arg-type]
    counts = np.zeros(5)
    for index in range(draws):
        counts[sample(logits, sampling, NO_HISTORY, index)] += 1
    want = np.zeros(5)
    for token, probability in reference(logits.tolist(), sampling).items():
        want[token] = probability
    # Five standard deviations: with a fixed seed this either always passes or never.
    assert np.all(np.abs(counts - draws * want) <= 5 * np.sqrt(draws * want * (1 - want)) + 1e-9)


def test_greedy_takes_the_highest_and_the_lowest_of_equals() -> None:
    logits = np.array([1.0, 3.0, 3.0, 2.0], np.float32)
    assert sample(logits, SamplingParams(seed=3), NO_HISTORY, 0) == 1


def test_a_draw_depends_on_seed_and_index_alone() -> None:
    assert uniform(7, 3) == uniform(7, 3)
    draws = {uniform(seed, index) for seed in (-1, 0, 1, 2**64 - 2) for index in range(50)}
    assert len(draws) == 200
    assert all(0 <= draw < 1 for draw in draws)


def test_indices_of_one_seed_are_independent() -> None:
    draws = np.array([uniform(11, index) for index in range(2000)])
    assert abs(draws.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.06


def naive_penalty(logits: NDArray[np.float32], history: list[int], penalty: float) -> list[float]:
    out = logits.astype(float).tolist()
    for token in set(history):
        out[token] = out[token] / penalty if out[token] > 0 else out[token] * penalty
    return out


@settings(deadline=None)
@given(
    LOGITS,
    st.lists(st.integers(0, 29), max_size=40),
    st.sampled_from((0.5, 1.0, 1.1, 2.0)),
)
def test_repetition_penalty(logits: list[float], history: list[int], penalty: float) -> None:
    scores = np.array(logits, np.float32)
    seen = [token for token in history if token < len(logits)]
    kept = scores.copy()
    got = penalized(scores, np.array(seen, np.int64), penalty)
    np.testing.assert_allclose(got, naive_penalty(kept, seen, penalty), rtol=1e-6)
    np.testing.assert_array_equal(scores, kept)


def test_penalty_steers_greedy_decoding_too() -> None:
    logits = np.array([2.0, 1.5], np.float32)
    sampling = SamplingParams(repetition_penalty=2.0)
    assert sample(logits, sampling, np.array([0]), 0) == 1


def test_infinitely_unlikely_tokens_are_never_drawn() -> None:
    logits = np.array([-np.inf, 0.0, -np.inf], np.float32)
    sampling = SamplingParams(temperature=1.0, min_p=0.0)
    assert {sample(logits, sampling, NO_HISTORY, index) for index in range(200)} == {1}


def test_log_normalizer_of_large_logits() -> None:
    assert log_normalizer(np.array([1000.0, 1000.0], np.float32)) == pytest.approx(
        1000 + math.log(2)
    )
