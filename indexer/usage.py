"""Which names people write after which: `models.CharField`, `self.assertEqual`.

What the files beside a file write behind a dot is the best guess for what comes next in it: those
of its folder, and those of its name in other folders. Words of the lines around the cursor say
the rest: after `add_observer` comes `remove_observer`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from indexer.chunks import name_parts
from indexer.facts import FileFacts
from indexer.files import FileTable, closeness, name_of, parent_of

MAX_BESIDE, MAX_NAMESAKES = 12, 8
TOO_MANY = 300
"""So many files of one name have nothing in common."""
MAX_KEPT = 4_000
MAX_USES = 200
"""Uses of one name in one file that are looked at."""
OWN, BESIDE, ANYWHERE, WORDS = 1.0, 1.6, 0.25, 3.0
"""How much it says that a file itself, files beside it, or any file use a name, or its words."""


def written_after(facts: FileFacts, name: str, skip: tuple[int, int] = (0, 0)) -> dict[str, int]:
    """How often which names stand right behind `name` and a dot, `::` or `->`.

    Uses inside of the bytes `skip` do not count.
    """
    number = facts.name_number(name)
    if number < 0:
        return {}
    uses = facts.uses
    rows = np.flatnonzero(uses[:-1, 0] == number)[-MAX_USES:]
    if not len(rows):
        return {}
    starts = uses[rows, 1]
    gap = uses[rows + 1, 1] - starts - len(name.encode())
    behind = (gap == 1) | (gap == 2)
    behind &= (starts < skip[0]) | (starts >= skip[1])
    found: dict[str, int] = {}
    names = facts.names
    for member in uses[rows[behind] + 1, 0].tolist():
        found[names[member]] = found.get(names[member], 0) + 1
    return found


class Written:
    """What `written_after` found in files other than the one at hand, kept between queries."""

    def __init__(self, facts_of: Callable[[str], FileFacts | None]) -> None:
        self._facts_of = facts_of
        self._kept: dict[tuple[str, str], tuple[FileFacts, dict[str, int]]] = {}

    def after(self, path: str, name: str) -> dict[str, int]:
        facts = self._facts_of(path)
        known = self._kept.pop((path, name), None)
        if facts is None:
            return {}
        if known is None or known[0] is not facts:
            known = facts, written_after(facts, name)
            if len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        self._kept[path, name] = known  # at the end, as the one used last
        return known[1]


class Usage:
    """Ranks names that may be written at one place."""

    def __init__(
        self,
        facts: FileFacts,
        written: Written,
        files: FileTable,
        skip: tuple[int, int],
        frequency: Callable[[str], int],
        words: Mapping[str, float],
    ) -> None:
        """`skip` are bytes of the file that do not count: the line that is being written.

        `frequency` says in how many pieces of the repository a word occurs, `words` how near the
        words of the lines around the cursor are, 1 for the nearest.
        """
        self._facts = facts
        self._written = written
        self._skip = skip
        self._frequency = frequency
        self._words = words
        self._beside = _beside(files, facts.path)
        self._after: dict[str, dict[str, float]] = {}
        self._common: dict[str, float] = {}

    def after(self, receiver: str) -> dict[str, float]:
        """How usual names are behind a receiver, in this file and in those beside it."""
        known = self._after.get(receiver)
        if known is None:
            known = self._after[receiver] = {}
            for name, count in written_after(self._facts, receiver, self._skip).items():
                known[name] = OWN * math.log1p(count)
            files: dict[str, int] = {}
            for path in self._beside:
                for name in self._written.after(path, receiver):
                    files[name] = files.get(name, 0) + 1
            for name, count in files.items():
                known[name] = known.get(name, 0.0) + BESIDE * math.log1p(count)
        return known

    def alike(self, name: str) -> float:
        """How much of a name's words the lines around the cursor have, from 0 to 1."""
        parts = name_parts(name) or (name.lower(),)
        words = self._words
        if not any(part in words for part in parts):
            return 0.0
        total = shared = 0.0
        for part in parts:
            rarity = 1.0 / (1.0 + self._commonness(part))
            total += rarity
            shared += rarity * words.get(part, 0.0)
        return shared / total

    def _commonness(self, word: str) -> float:
        known = self._common.get(word)
        if known is None:
            known = self._common[word] = math.log1p(self._frequency(word))
        return known

    def ranked(self, receiver: str, names: Iterable[str], typed: str = "") -> list[str]:
        """Names behind a receiver, the likeliest first; only those that go on as typed."""
        after = self.after(receiver)
        scores = {
            name: after.get(name, 0.0)
            + ANYWHERE * self._commonness(name)
            + WORDS * self.alike(name)
            for name in names
            if name.startswith(typed)
        }
        return sorted(scores, key=lambda name: (-scores[name], name))


def _beside(files: FileTable, path: str) -> list[str]:
    """Files that are likely written in the same way: neighbours, and namesakes elsewhere."""
    ending = path[path.rfind(".") :]
    near = [
        other
        for other in files.in_folder(parent_of(path))
        if other != path and other.endswith(ending)
    ]
    near.sort(key=lambda other: _unlike(name_of(other), name_of(path)))
    namesakes = [other for other in files.named(name_of(path)) if other != path]
    if len(namesakes) > TOO_MANY:
        namesakes = []
    namesakes.sort(key=lambda other: closeness(other, path))
    return list(dict.fromkeys(near[:MAX_BESIDE] + namesakes[:MAX_NAMESAKES]))


def _unlike(name: str, other: str) -> tuple[int, str]:
    """Sorts names of files by how many leading characters they share with another."""
    shared = 0
    for one, two in zip(name, other, strict=False):
        if one != two:
            break
        shared += 1
    return -shared, name
