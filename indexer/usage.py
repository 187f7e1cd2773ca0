"""Which names people write after which: `models.CharField`, `self.assertEqual`.

What the files beside a file write behind a dot is the best guess for what comes next in it: those
of its folder, and those of its name in other folders. Words of the lines around the cursor say
the rest: after `add_observer` comes `remove_observer`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from indexer.chunks import name_parts
from indexer.facts import FileFacts
from indexer.files import FileTable, closeness, name_of, parent_of
from indexer.lexical import ChunkIndex

MAX_BESIDE, MAX_NAMESAKES = 12, 8
TOO_MANY = 300
"""So many files of one name have nothing in common."""
MAX_KEPT = 512
"""Files of which it is kept what was found in them."""
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
    counts: dict[int, int] = {}
    for member in uses[rows[behind] + 1, 0].tolist():
        counts[member] = counts.get(member, 0) + 1
    return dict(zip(_names_of(facts, list(counts)), counts.values(), strict=True))


def _names_of(facts: FileFacts, numbers: list[int]) -> list[str]:
    """Some of `facts.names`, without unpacking all of them."""
    if not numbers:
        return []
    packed = facts.packed_names
    ends = np.flatnonzero(np.frombuffer(packed, np.uint8) == 0)
    firsts = ends[np.array(numbers) - 1].tolist()
    lasts = ends[numbers].tolist()
    return [
        packed[first + 1 if number else 0 : last].decode()
        for number, first, last in zip(numbers, firsts, lasts, strict=True)
    ]


class NameTable:
    """Names that may be written at one place, in their order, with what ranking them takes."""

    __slots__ = ("_firsts", "_ids", "_parts", "names", "places")

    def __init__(self, names: Iterable[str], chunks: ChunkIndex) -> None:
        self.names = tuple(sorted(names))
        self.places = {name: place for place, name in enumerate(self.names)}
        parts = [words_of(name) for name in self.names]
        counts = np.fromiter(map(len, parts), np.int64, len(parts))
        self._firsts = np.cumsum(counts) - counts
        self._ids = chunks.numbers((*self.names, *chain.from_iterable(parts)))
        self._parts = self._ids[len(self.names) :]

    def __len__(self) -> int:
        return len(self.names)

    def scores(self, chunks: ChunkIndex, near: NearWords) -> NDArray[np.float64]:
        """How likely each name is, by how common it is and by its words: float64 [names]."""
        common = np.log1p(chunks.frequencies(self._ids))
        scores: NDArray[np.float64] = ANYWHERE * common[: len(self.names)]
        nearness = near.of(self._parts)
        if nearness is not None:
            rarity = 1.0 / (1.0 + common[len(self.names) :])
            shared = np.add.reduceat(rarity * nearness, self._firsts)
            scores += WORDS * (shared / np.add.reduceat(rarity, self._firsts))
        return scores


class NearWords:
    """Words of the lines around a cursor, and how near they are: 1 for the nearest."""

    def __init__(self, words: Mapping[str, float], chunks: ChunkIndex) -> None:
        numbers = chunks.numbers(words)
        order = np.argsort(numbers)
        self._numbers = numbers[order]
        self._nearness = np.fromiter(words.values(), np.float64, len(words))[order]

    def of(self, numbers: NDArray[np.int32]) -> NDArray[np.float64] | None:
        """How near each of some words is, 0 for those that are not; None if none is."""
        if not len(self._numbers) or not len(numbers):
            return None
        places = self._numbers.searchsorted(numbers)
        places[places == len(self._numbers)] = 0
        found = self._numbers[places] == numbers
        return np.where(found, self._nearness[places], 0.0) if found.any() else None


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, at least one."""
    return name_parts(name) or (name.lower(),)


class Written:
    """What `written_after` found in files other than the one at hand, kept between queries."""

    def __init__(self, facts_of: Callable[[str], FileFacts | None]) -> None:
        self._facts_of = facts_of
        self._kept: dict[str, tuple[FileFacts, dict[str, dict[str, int]]]] = {}

    def in_files(self, paths: Iterable[str]) -> list[tuple[FileFacts, dict[str, dict[str, int]]]]:
        """For each file that is known its facts, and what was found in it so far by name."""
        found: list[tuple[FileFacts, dict[str, dict[str, int]]]] = []
        for path in paths:
            facts = self._facts_of(path)
            known = self._kept.pop(path, None)
            if facts is None:
                continue
            if known is None or known[0] is not facts:
                known = facts, {}
                if len(self._kept) >= MAX_KEPT:
                    del self._kept[next(iter(self._kept))]
            self._kept[path] = known  # at the end, as the one used last
            found.append(known)
        return found


class Usage:
    """Ranks names that may be written at one place."""

    def __init__(
        self,
        facts: FileFacts,
        written: Written,
        files: FileTable,
        skip: tuple[int, int],
        chunks: ChunkIndex,
        words: Mapping[str, float],
    ) -> None:
        """`skip` are bytes of the file that do not count: the line that is being written.

        `chunks` says how common names are, `words` how near the words of the lines around the
        cursor are, 1 for the nearest.
        """
        self._facts = facts
        self._skip = skip
        self._chunks = chunks
        self._words = words
        self._near = NearWords(words, chunks)
        self._beside = written.in_files(_beside(files, facts.path))
        self._after: dict[str, dict[str, float]] = {}

    def after(self, receiver: str) -> dict[str, float]:
        """How usual names are behind a receiver, in this file and in those beside it."""
        known = self._after.get(receiver)
        if known is None:
            known = self._after[receiver] = {}
            if not receiver:
                return known
            for name, count in written_after(self._facts, receiver, self._skip).items():
                known[name] = OWN * math.log1p(count)
            files: dict[str, int] = {}
            for found in self._found_beside(receiver):
                for name in found:
                    files[name] = files.get(name, 0) + 1
            for name, count in files.items():
                known[name] = known.get(name, 0.0) + BESIDE * math.log1p(count)
        return known

    def _found_beside(self, receiver: str) -> Iterator[dict[str, int]]:
        """What files beside the file write behind a receiver."""
        for facts, found in self._beside:
            names = found.get(receiver)
            if names is None:
                names = found[receiver] = written_after(facts, receiver)
            yield names

    def alike(self, name: str) -> float:
        """How much of a name's words the lines around the cursor have, from 0 to 1."""
        parts = words_of(name)
        words = self._words
        if not any(part in words for part in parts):
            return 0.0
        total = shared = 0.0
        for part in parts:
            rarity = 1.0 / (1.0 + math.log1p(self._chunks.chunk_frequency(part)))
            total += rarity
            shared += rarity * words.get(part, 0.0)
        return shared / total

    def ranked(
        self,
        receiver: str,
        table: NameTable,
        limit: int,
        typed: str = "",
        left_out: NDArray[np.bool_] | None = None,
    ) -> list[str]:
        """Names behind a receiver, the likeliest first; only those that go on as typed.

        Those `left_out` are not wanted but where something writes them behind the receiver.
        """
        if not len(table):
            return []
        scores = table.scores(self._chunks, self._near)
        wanted = np.ones(len(table), np.bool_) if left_out is None else ~left_out
        places = table.places
        for name, worth in self.after(receiver).items():
            place = places.get(name)
            if place is not None:
                scores[place] += worth
                wanted[place] = True
        if typed:
            wanted &= np.fromiter(
                (name.startswith(typed) for name in table.names), np.bool_, len(table)
            )
        scores[~wanted] = -np.inf
        order = np.argsort(-scores, kind="stable")[: min(limit, int(wanted.sum()))]
        return [table.names[place] for place in order.tolist()]


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
