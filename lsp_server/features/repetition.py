"""Suggestions that go round in circles, and lines that say nearly the same."""

from __future__ import annotations

import itertools
import re

from lsp_server.features.place import Place

_END_OF_LINE_REPEATS = re.compile(r"(.{3,}?)\1{5,}$|(.{10,}?)\2{3,}$")
# So many lines in a row, each nearly the one before, are a circle with a counter in it.
_NEAR_LINES = 5


def cut_repetition(text: str, place: Place) -> str:
    """Stop before the model goes round in circles, within a line or over lines."""
    kept: list[str] = []
    for line in text.split("\n"):
        if _END_OF_LINE_REPEATS.search(line):
            break
        kept.append(line)
        extra = surplus(kept)
        if extra:
            return "\n".join(kept[:-extra])
    return "\n".join(kept)


def surplus(lines: list[str]) -> int:
    """How many of the last lines only say again what the lines before them say.

    Two or more lines that repeat as a group, the last of four that are alike, or of five of which
    each is nearly the one before.
    """
    said = [line.strip() for line in lines]
    if len(said) >= 4 and said[-1] and len(set(said[-4:])) == 1:
        return 3
    for size in range(2, len(said) // 2 + 1):
        if said[-size:] == said[-2 * size : -size] and sum(map(bool, said[-size:])) >= 2:
            return size
    last = said[-_NEAR_LINES:]
    is_counting = all(are_near(one, other, 0.1) for one, other in itertools.pairwise(last))
    return _NEAR_LINES - 1 if len(last) == _NEAR_LINES and is_counting else 0


def are_near(one: str, other: str, share: float) -> bool:
    """Whether two texts differ by at most this share of the longer one's characters.

    The distance is Levenshtein's, computed only as far as it may matter.
    """
    allowed = int(max(len(one), len(other)) * share)
    if one == other:
        return bool(one)
    if not allowed or abs(len(one) - len(other)) > allowed:
        return False
    # Only a band around the diagonal can stay within what is allowed.
    row = [at if at <= allowed else allowed + 1 for at in range(len(other) + 1)]
    for number, character in enumerate(one, 1):
        low, high = max(1, number - allowed), min(len(other), number + allowed)
        diagonal, row[low - 1] = row[low - 1], number if low == 1 else allowed + 1
        for at in range(low, high + 1):
            above = row[at] if at < number + allowed else allowed + 1
            cost = min(diagonal + (character != other[at - 1]), above + 1, row[at - 1] + 1)
            diagonal, row[at] = row[at], cost
        if min(row[low - 1 : high + 1]) > allowed:
            return False
    return row[len(other)] <= allowed
