"""How near a suggestion is to what was written, and how sure a rate is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lsp_server.evaluation.holes import NAME

_LONGEST = 2000


def edit_similarity(one: str, other: str) -> float:
    """1 minus Levenshtein's distance by the length of the longer text; 1 for equal texts."""
    one, other = one[:_LONGEST], other[:_LONGEST]
    if not one and not other:
        return 1.0
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for at, against in enumerate(other, 1):
            cost = min(diagonal + (character != against), row[at] + 1, row[at - 1] + 1)
            diagonal, row[at] = row[at], cost
    return 1 - row[-1] / max(len(one), len(other))


def identifier_match(suggested: str, target: str) -> float:
    """F1 of the names of both, with their counts; 1 where neither has any."""
    mine, theirs = Counter(NAME.findall(suggested)), Counter(NAME.findall(target))
    if not mine and not theirs:
        return 1.0
    both = (mine & theirs).total()
    return 2 * both / (mine.total() + theirs.total())


def interval(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson, 1927)."""
    if n == 0:
        return 0.0, 1.0
    z, rate = 1.96, hits / n
    centre = rate + z * z / (2 * n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def sign_test(gained: int, lost: int) -> float:
    """How likely so uneven a count of gains and losses is by chance, two-sided (McNemar, exact)."""
    n, least = gained + lost, min(gained, lost)
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(least + 1)) / 2**n
    return float(min(1.0, 2 * tail))


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
