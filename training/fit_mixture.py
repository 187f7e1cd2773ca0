"""Fits how far the repository memory is trusted, and how sure a completion may be, to a model.

    $ python -m training.fit_mixture BUNDLE --rows dev.jsonl --holes dev_holes.jsonl \
        --out memory.json

The result is the `memory` entry of the bundle's manifest. Repositories must be ones that neither
trained the model nor will be used to evaluate it. Back-off strengths and mixture weights maximise
the likelihood of what followed the cursors; the calibration is a logistic regression (Platt, 1999)
of whether a greedy completion of the line was exact.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.matcher import Matcher
from runtime.mixture import MixtureTable, Signals
from runtime.sampler import log_normalizer
from training.evaluate_mixture import complete, is_exact
from training.memory_holes import (
    MAX_NEW_TOKENS,
    ROOM,
    SETTINGS,
    Hole,
    Model,
    ModelRows,
    Repository,
    Task,
    load_repositories,
    read_holes,
)

Floats = NDArray[np.float64]
PRIOR_COUNT = 20.0  # What a default weight counts for, in tokens that are seen.
STIFFNESS = 1.0  # Holds back-off strengths that few tokens depend on near their defaults.
STILL = 1e-5
MAX_WEIGHT = 0.99
FLOOR = 1e-9
RIDGE = 0.1


@dataclass(frozen=True)
class Samples:
    """One row for each token that followed a cursor, in one setting.

    `model` is the gold token's probability under the model alone; `live`, `stored` [N, L] count the
    followers of the matches of each length, `live_gold`, `stored_gold` those that are the gold
    token; `longest` [N] and `bucket` [N, 2] are the longest match and its place in the table.
    """

    model: Floats
    live: Floats
    live_gold: Floats
    stored: Floats
    stored_gold: Floats
    longest: NDArray[np.int64]
    bucket: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in cls.__annotations__))


def samples_of(task: Task, rows: ModelRows, matcher: Matcher, table: MixtureTable) -> Samples:
    """Walk along the gold tokens of a task."""
    size, width = len(task.gold), len(table.lengths)
    model, longest = np.zeros(size), np.zeros(size, np.int64)
    bucket = np.full((size, 2), -1)
    counts = np.zeros((4, size, width))
    written: list[int] = []
    for step, token in enumerate(task.gold.tolist()):
        logits = rows.logits(written)
        model[step] = np.exp(float(logits[token]) - log_normalizer(logits))
        longest[step] = matcher.longest
        for index, length in enumerate(table.lengths):
            if length > longest[step]:
                break
            live, stored = matcher.next_tokens(length)
            counts[:, step, index] = (
                len(live),
                np.count_nonzero(live == token),
                len(stored),
                np.count_nonzero(stored == token),
            )
            followers = np.concatenate([live, stored])
            bucket[step] = table.bucket(int(longest[step]), followers)
        matcher.extend(token)
        written.append(token)
    return Samples(model, *counts, longest, bucket)


def copy_probability(samples: Samples, table: MixtureTable) -> Floats:
    """Each gold token's probability under p_copy [N]: every length smoothed by the next shorter."""
    gold = table.live_weight * samples.live_gold + samples.stored_gold
    total = table.live_weight * samples.live + samples.stored
    probability = np.zeros(len(gold))
    is_first = np.ones(len(gold), bool)
    for index, strength in enumerate(table.strengths):
        has = total[:, index] > 0
        prior = np.where(is_first, 0.0, strength)
        smoothed = gold[:, index] + prior * probability
        probability = np.where(
            has, smoothed / np.maximum(total[:, index] + prior, FLOOR), probability
        )
        is_first &= ~has
    return probability


def fit_weights(
    samples: Samples, copied: Floats, table: MixtureTable, prior: MixtureTable
) -> MixtureTable:
    """The mixture weight of each bucket by expectation maximisation, drawn to the prior's."""
    weights = np.array(prior.weights)
    for row in range(len(weights)):
        for column in range(weights.shape[1]):
            inside = (samples.bucket == (row, column)).all(1)
            p_copy, p_model = copied[inside], samples.model[inside]
            weight = start = weights[row, column]
            for _ in range(60):
                share = (
                    weight * p_copy / np.maximum(weight * p_copy + (1 - weight) * p_model, FLOOR)
                )
                weight = (share.sum() + PRIOR_COUNT * start) / (len(share) + PRIOR_COUNT)
            weights[row, column] = min(weight, MAX_WEIGHT)
    return replace(table, weights=tuple(tuple(map(float, row)) for row in weights))


def mixture_probability(samples: Samples, table: MixtureTable) -> Floats:
    """Each gold token's probability under the mixture [N]."""
    rows, columns = samples.bucket.T
    weight = np.where(rows >= 0, np.array(table.weights)[rows, columns], 0.0)
    return weight * copy_probability(samples, table) + (1 - weight) * samples.model


def nats(samples: Samples, table: MixtureTable) -> float:
    return float(-np.log(np.maximum(mixture_probability(samples, table), FLOOR)).mean())


def fit_table(samples: Samples, prior: MixtureTable, rounds: int = 12) -> MixtureTable:
    """Fit strengths and live weight by coordinate descent, the mixture weights anew after each."""

    def with_weights(table: MixtureTable) -> MixtureTable:
        return fit_weights(samples, copy_probability(samples, table), table, prior)

    def cost(table: MixtureTable) -> float:
        drift = np.log(np.array(table.strengths) / np.array(prior.strengths))
        penalty = STIFFNESS * float((drift**2).sum()) / len(samples.model)
        return nats(samples, table) + penalty

    best, step = with_weights(prior), 2.0
    for _ in range(rounds):
        before = lowest = cost(best)
        for index in range(-1, len(prior.strengths)):
            for factor in (step, 1 / step):
                table = scaled(best, index, factor)
                if cost(table) < lowest:
                    best, lowest = table, cost(table)
                    break
        best = with_weights(best)
        if before - cost(best) < STILL:
            step **= 0.5
    return best


def scaled(table: MixtureTable, index: int, factor: float) -> MixtureTable:
    """Multiply one back-off strength, or with index -1 the live weight, by a factor."""
    if index < 0:
        return replace(table, live_weight=table.live_weight * factor)
    strengths = list(table.strengths)
    strengths[index] = min(max(strengths[index] * factor, 0.02), 2000.0)
    return replace(table, strengths=tuple(strengths))


def fit_calibration(signals: list[Signals], exact: list[bool]) -> tuple[float, ...]:
    """Logistic regression with a ridge, by Newton's method. Returns one coefficient a signal."""
    features = np.array([each.vector() for each in signals])
    scale = np.maximum(np.abs(features).max(0), FLOOR)
    x, y = features / scale, np.array(exact, float)
    ridge = np.eye(x.shape[1]) * RIDGE
    ridge[0, 0] = 1e-6
    beta = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(hessian, x.T @ (y - p) - ridge @ beta)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return tuple(float(value) for value in beta / scale)


def fit(model: Model, options: argparse.Namespace) -> dict[str, object]:
    """Return the `memory` entry for a model."""
    holes = read_holes(options.holes, options.count, options.seed)
    names = {hole.repo for hole in holes}
    vocab = model.runner.vocab_size
    repositories = load_repositories(options.rows, names, model.tokenizer, vocab)
    prior = MixtureTable()
    samples = collect_samples(model, holes, repositories, prior, options)
    table = fit_table(samples, prior)
    signals, exact = collect_completions(model, holes, repositories, table, options.calibrate_on)
    table = replace(table, calibration=fit_calibration(signals, exact))
    silent = replace(prior, weights=((0.0,) * 4,) * len(prior.weights))
    fitted_on = {
        "repositories": sorted(names),
        "settings": options.settings,
        "calibrated_on": options.calibrate_on,
        "tokens": len(samples.model),
        "completions": len(exact),
        "exact": sum(exact),
        "nats_model": round(nats(samples, silent), 4),
        "nats_default_table": round(nats(samples, prior), 4),
        "nats_fitted": round(nats(samples, table), 4),
    }
    return {**table.to_manifest(), "fitted_on": fitted_on}


def collect_samples(
    model: Model,
    holes: list[Hole],
    repositories: dict[str, Repository],
    table: MixtureTable,
    options: argparse.Namespace,
) -> Samples:
    """Walk along what followed every cursor, in every setting."""
    parts = []
    for hole in holes:
        task = model.task(hole, options.span, options.span)
        rows = ModelRows(model, task)
        for setting in options.settings:
            matcher = repositories[hole.repo].matcher(task, setting, len(task.gold))
            parts.append(samples_of(task, rows, matcher, table))
    return Samples.joined(parts)


def collect_completions(
    model: Model,
    holes: list[Hole],
    repositories: dict[str, Repository],
    table: MixtureTable,
    settings: str,
) -> tuple[list[Signals], list[bool]]:
    """Complete every line in every setting, and say what was seen and whether it was right."""
    signals, exact = [], []
    for hole in holes:
        task = model.task(hole, ROOM)
        rows = ModelRows(model, task)
        for setting in settings:
            matcher = repositories[hole.repo].matcher(task, setting, MAX_NEW_TOKENS)
            done = complete(rows, matcher, table, model.tokenizer)
            signals.append(done.signals)
            exact.append(is_exact(done.text, hole.target))
    return signals, exact


def main() -> None:
    """Read the command line, fit, and write the entry."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rows", type=Path, required=True, help="the repositories' files")
    parser.add_argument("--holes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=480, help="holes to use")
    parser.add_argument("--span", type=int, default=64, help="tokens after each cursor")
    parser.add_argument("--settings", default="H", help=f"of {''.join(SETTINGS)}, to fit on")
    parser.add_argument("--calibrate-on", default="ABH", help="settings to calibrate on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    begin = time.monotonic()
    entry = fit(Model.open(options.bundle, options.threads), options)
    options.out.write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(entry["fitted_on"], indent=1))
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
