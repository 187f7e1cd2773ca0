"""Mixes the model's next-token distribution with what the repository memory saw follow.

    p = weight * p_copy + (1 - weight) * p_model

`p_copy` counts the tokens that followed the longest matches and backs off to shorter ones, each
length smoothed by the next shorter one with a Dirichlet prior (MacKay and Peto, 1995). The weight
is looked up by the length of the longest match and by how unanimous its followers are, as a small
mixture weight for all contexts would either drown the model or waste the memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BundleError
from runtime.matcher import MATCH_LIMIT, Matcher
from runtime.sampler import log_normalizer

NEGLIGIBLE = 1e-3  # Back-off stops when what is left to distribute is less.


@dataclass(frozen=True, slots=True)
class MixtureTable:
    """How far the memory is trusted. The defaults serve bundles that carry no table of their own.

    `lengths` are the match lengths that are told apart when counting, and `strengths` the weight of
    the next shorter one's distribution for each, in counts. A match in the open document counts
    `live_weight` times. `weights` has a row for each bucket of the longest match's length, whose
    upper ends are `length_edges`, and a column for: followers differ, one follower, two alike,
    three or more alike. `calibration` holds the coefficients of `Signals`, in its order.

    The default strengths and live weight were fitted on 30 000 tokens of four repositories; the
    default weights are lower than those that a small model would get, for models that know more.
    """

    lengths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)
    strengths: tuple[float, ...] = (100, 5, 12, 16, 60, 7, 19, 22, 13, 8, 16, 4)
    live_weight: float = 4.0
    length_edges: tuple[int, ...] = (1, 2, 3, 4, 6, 10, 16, 32)
    weights: tuple[tuple[float, float, float, float], ...] = (
        (0.10, 0.10, 0.30, 0.40),
        (0.36, 0.40, 0.60, 0.76),
        (0.42, 0.55, 0.70, 0.80),
        (0.48, 0.65, 0.76, 0.85),
        (0.58, 0.76, 0.85, 0.90),
        (0.70, 0.85, 0.92, 0.98),
        (0.75, 0.90, 0.95, 0.98),
        (0.80, 0.92, 0.96, 0.98),
    )
    calibration: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check(self.lengths == tuple(sorted(set(self.lengths))), "lengths must ascend")
        _check(bool(self.lengths) and self.lengths[0] >= 1, "lengths must begin at 1 or more")
        _check(self.lengths[-1] <= MATCH_LIMIT, f"lengths must not exceed {MATCH_LIMIT}")
        _check(len(self.strengths) == len(self.lengths), "there must be one strength a length")
        _check(all(s > 0 and math.isfinite(s) for s in self.strengths), "strengths must be > 0")
        _check(self.live_weight > 0, "live_weight must be > 0")
        _check(self.length_edges == tuple(sorted(set(self.length_edges))), "edges must ascend")
        _check(bool(self.length_edges), "length_edges must not be empty")
        _check(self.length_edges[-1] >= MATCH_LIMIT, f"the last edge must be {MATCH_LIMIT} or more")
        _check(len(self.weights) == len(self.length_edges), "there must be one row an edge")
        for row in self.weights:
            _check(len(row) == 4, "a row of weights must have 4 columns")
            _check(all(0 <= weight < 1 for weight in row), "weights must be in [0, 1)")
        coefficients = self.calibration
        if coefficients is not None:
            _check(len(coefficients) == len(Signals.NAMES), "calibration: wrong number")
            _check(all(map(math.isfinite, coefficients)), "calibration must be finite")

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any] | None) -> MixtureTable:
        """Read the `memory` entry of a bundle; None gives the defaults. Raises BundleError."""
        if entry is None:
            return cls()
        fields = {name: value for name, value in entry.items() if name != "fitted_on"}
        unknown = sorted(set(fields) - set(cls.__dataclass_fields__))
        if unknown:
            raise BundleError(f"memory: unknown field {unknown[0]!r}")
        try:
            return cls(**{name: _as_tuples(value) for name, value in fields.items()})
        except (TypeError, ValueError) as error:
            raise BundleError(f"memory: {error}") from error

    def to_manifest(self) -> dict[str, Any]:
        """Return the `memory` entry of a bundle."""
        return asdict(self)

    def weight(self, length: int, followers: NDArray[np.int32]) -> float:
        """How much of the distribution the memory gets for a longest match of `length`."""
        row, column = self.bucket(length, followers)
        return self.weights[row][column]

    def bucket(self, length: int, followers: NDArray[np.int32]) -> tuple[int, int]:
        """Return row and column of `weights`."""
        row = int(np.searchsorted(self.length_edges, length))
        is_unanimous = bool((followers == followers[0]).all())
        return row, min(len(followers), 3) if is_unanimous else 0

    def confidence(self, signals: Signals) -> float:
        """The probability that a whole completion is what was wanted.

        Without calibration it is the probability that the completion has under the mixture.
        """
        if self.calibration is None:
            return math.exp(signals.total)
        score = float(np.dot(self.calibration, signals.vector()))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, score))))


@dataclass(frozen=True, slots=True)
class Signals:
    """What the confidence of a completion is computed from.

    `total`, `mean` and `lowest` are of the tokens' log-probabilities; `match` is the mean of the
    logarithm of one plus the match length, and `count` the logarithm of the number of tokens.
    """

    total: float
    mean: float
    lowest: float
    match: float
    count: float

    NAMES = ("one", "total", "mean", "lowest", "match", "count")

    @classmethod
    def of(cls, logprobs: list[float], match_lengths: list[int]) -> Signals:
        if not logprobs:
            return cls(0.0, 0.0, 0.0, 0.0, 0.0)
        return cls(
            total=sum(logprobs),
            mean=sum(logprobs) / len(logprobs),
            lowest=min(logprobs),
            match=float(np.log1p(match_lengths).mean()),
            count=math.log(len(logprobs)),
        )

    def vector(self) -> tuple[float, ...]:
        return 1.0, self.total, self.mean, self.lowest, self.match, self.count


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """What the memory expects next: a sparse distribution (sums to 1) and how far to trust it."""

    tokens: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    weight: float
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """Logits [V] of the mixture, and what to subtract from them for log-probabilities."""

    logits: NDArray[np.float32]
    log_normalizer: float
    match_length: int

    @classmethod
    def of(cls, logits: NDArray[np.float32], matcher: Matcher | None, table: MixtureTable) -> Mixed:
        """Mix the memory into the model's logits. Where it has no match they come back as is."""
        copy = None if matcher is None else copy_of(matcher, table)
        normalizer = log_normalizer(logits)
        if copy is None or copy.weight == 0:
            return cls(logits, normalizer, 0 if copy is None else copy.length)
        # Dividing the mixture by (1 - weight) leaves all logits but the copied tokens' alone.
        odds = math.log(copy.weight) - math.log1p(-copy.weight)
        mixed = logits.copy()
        mixed[copy.tokens] = np.logaddexp(
            logits[copy.tokens].astype(np.float64),
            normalizer + odds + np.log(copy.probabilities),
        )
        return cls(mixed, normalizer - math.log1p(-copy.weight), copy.length)

    def among(self, tokens: NDArray[np.int64]) -> Mixed:
        """The distribution given that the token is one of these."""
        logits = np.full_like(self.logits, -np.inf)
        logits[tokens] = self.logits[tokens]
        return Mixed(logits, log_normalizer(logits), self.match_length)

    def logprob(self, token: int) -> float:
        return float(self.logits[token]) - self.log_normalizer


def copy_of(matcher: Matcher, table: MixtureTable) -> Copy | None:
    """Return what the memory expects after the matcher's context; None where nothing matches.

    From the longest match down, each length gives its followers their share of the probability
    that is left and hands the rest on; the shortest one that is reached takes all of the rest.
    """
    longest = matcher.longest
    lengths = [length for length in table.lengths if length <= longest]
    if not lengths:
        return None
    left, weight, tokens, shares = 1.0, 0.0, [], []
    for index in range(len(lengths) - 1, -1, -1):
        live, stored = matcher.next_tokens(lengths[index])
        if index == len(lengths) - 1:
            weight = table.weight(longest, np.concatenate([live, stored]))
        total = table.live_weight * len(live) + len(stored)
        passed_on = left * table.strengths[index] / (total + table.strengths[index])
        is_last = index == 0 or passed_on < NEGLIGIBLE
        each = (left if is_last else left - passed_on) / total
        tokens += [live, stored]
        shares += [
            np.full(len(live), each * table.live_weight),
            np.full(len(stored), each),
        ]
        if is_last:
            break
        left = passed_on
    distinct, places = np.unique(np.concatenate(tokens), return_inverse=True)
    probabilities = np.bincount(places, np.concatenate(shares)).astype(np.float64)
    return Copy(distinct, probabilities, weight, longest)


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
