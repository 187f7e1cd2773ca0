"""Which files use what other files define, as weighted edges, and how important each file is.

Files are nodes. A name that a file uses and few others define is an edge to each of them. Weights
follow the repository map of Aider (aider.chat/docs/repomap.html): names that tell much count more,
private names and names that many files define less; ranks are a personalised PageRank (Page, Brin,
Motwani and Winograd, "The PageRank Citation Ranking", 1999) and are handed on to definitions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.history import History
from indexer.language import languages
from indexer.symbol_search import TEST_PATH
from indexer.symbol_table import SymbolTable

MAX_DEFINERS = 8
"""A name that more files define says nothing about which of them is meant."""
MAX_EDGES_OF_NAME = 4_000
DAMPING = 0.85
ROUNDS = 30
FOCUS_SHARE = 0.8
"""How much of the random jumps goes to the files in focus, where there are some."""
TELLING = re.compile(r"[a-z0-9]_[a-z0-9]|[a-z][A-Z]|[A-Z][a-z]+[A-Z]")
PRIVATE, LONG, SHORT, IN_TESTS = 0.1, 3.0, 0.5, 0.2


@dataclass(frozen=True, slots=True)
class Graph:
    """One state of the repository. Edges are sorted by the file that uses, then by the other."""

    paths: tuple[str, ...]  # by number of the file, sorted
    names: tuple[str, ...]  # by number of the name, sorted
    users: NDArray[np.int32]  # [edges]: the file that uses
    definers: NDArray[np.int32]  # [edges]: the file that defines
    through: NDArray[np.int32]  # [edges]: the name
    weights: NDArray[np.float64]  # [edges]

    def ranks(self, focus: Collection[str]) -> NDArray[np.float64]:
        """The importance of each file, summing to 1: what a walk along the edges visits."""
        count = len(self.paths)
        if not count:
            return np.zeros(0)
        jump = np.full(count, 1.0 / count)
        chosen = [number for number, path in enumerate(self.paths) if path in focus]
        if chosen:
            jump *= 1.0 - FOCUS_SHARE
            jump[chosen] += FOCUS_SHARE / len(chosen)
        shares = self._shares()
        leaving = np.bincount(self.users, shares, minlength=count)
        rank = jump.copy()
        for _ in range(ROUNDS):
            spread = np.bincount(self.definers, shares * rank[self.users], minlength=count)
            stays = float(rank @ (1.0 - leaving))  # what no edge takes jumps
            rank = (1.0 - DAMPING) * jump + DAMPING * (spread + stays * jump)
        return rank

    def _shares(self) -> NDArray[np.float64]:
        """What part of its file's rank each edge hands on.

        All edges of a file hand on all of it, unless there are few: one weak tie is not everything.
        """
        leaving = np.bincount(self.users, self.weights, minlength=len(self.paths))
        usual = leaving[leaving > 0.0].mean() if len(self.users) else 1.0
        shares: NDArray[np.float64] = self.weights / np.maximum(leaving, usual)[self.users]
        return shares

    def definitions(self, focus: Collection[str]) -> list[tuple[int, int, float]]:
        """(file, name, importance) of what files define for others, the most important first.

        Files in focus are left out: who asks has them before his eyes.
        """
        if not len(self.users):
            return []
        rank = self.ranks(focus)
        shares = self._shares()
        keys = self.definers.astype(np.int64) * len(self.names) + self.through
        found, place = np.unique(keys, return_inverse=True)
        worth = np.bincount(place, shares * rank[self.users])
        hidden = [number for number, path in enumerate(self.paths) if path in focus]
        files, names = found // len(self.names), found % len(self.names)
        worth[np.isin(files, hidden)] = 0.0
        order = np.lexsort((names, files, -worth))
        order = order[worth[order] > 0.0]
        return list(
            zip(files[order].tolist(), names[order].tolist(), worth[order].tolist(), strict=True)
        )


class Graphs:
    """The graph of the latest state, built when somebody asks and something has changed."""

    def __init__(self, table: SymbolTable, history: History) -> None:
        self._table = table
        self._history = history
        self._mark = -1
        self._graph: Graph | None = None

    def current(self) -> Graph:
        if self._graph is None or self._mark != self._history.now:
            self._mark = self._history.now
            self._graph = build(self._table)
        return self._graph


def build(table: SymbolTable) -> Graph:
    """The graph of the files of a table; it depends on their facts alone."""
    terms, owners, defined = table.entries()
    paths = tuple(sorted(table.paths()))
    numbers = {path: number for number, path in enumerate(paths)}
    files = np.full(int(owners.max(initial=-1)) + 1, -1, np.int32)
    for owner in np.unique(owners).tolist():
        files[owner] = numbers[table.path_of(owner)]
    order = np.lexsort((files[owners], terms))
    terms, owners, defined = terms[order], files[owners[order]].astype(np.int64), defined[order]
    families, tests = _families(table, paths)
    # A name means the same only within languages that import one another.
    distinct, starts, inverse = np.unique(
        terms * (families.max(initial=0) + 1) + families[owners],
        return_index=True,
        return_inverse=True,
    )
    order = np.argsort(inverse, kind="stable")
    terms, owners, defined = terms[order], owners[order], defined[order]
    starts = np.searchsorted(inverse[order], np.arange(len(distinct)))
    distinct = terms[starts]
    if len(starts):  # what tests define beside the code that they test is not meant elsewhere
        outside = defined & ~tests[owners]
        has_other = np.add.reduceat(outside.astype(np.int64), starts) > 0
        sizes = np.diff(np.append(starts, len(terms)))
        defined = np.where(np.repeat(has_other, sizes), outside, defined)
    definers = np.add.reduceat(defined.astype(np.int64), starts) if len(starts) else starts
    sizes = np.diff(np.append(starts, len(terms)))
    wanted = (definers > 0) & (definers <= MAX_DEFINERS) & (sizes > 1)
    wanted &= definers * sizes <= MAX_EDGES_OF_NAME * MAX_DEFINERS
    spelled = dict(table.names_of(distinct[wanted].tolist()))
    names = tuple(sorted(set(spelled.values())))
    name_numbers = {name: number for number, name in enumerate(names)}
    picked = np.flatnonzero(wanted)
    name_of = np.array([name_numbers[spelled[int(distinct[one])]] for one in picked], np.int32)
    worth = np.array([_worth(name) for name in names])[name_of] if len(picked) else np.zeros(0)
    graph = _joined(paths, names, owners, defined, starts[picked], sizes[picked], name_of, worth)
    graph.weights[tests[graph.definers]] *= IN_TESTS
    return graph


def _families(
    table: SymbolTable, paths: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each file the number of its family of languages, and whether it holds tests."""
    facts = [table.facts(path) for path in paths]
    found = [languages()[one.language].imports_of if one is not None else "" for one in facts]
    numbers = {family: number for number, family in enumerate(sorted(set(found)))}
    families = np.array([numbers[family] for family in found], np.int64)
    return families, np.array([TEST_PATH.search(path) is not None for path in paths], np.bool_)


def _joined(
    paths: tuple[str, ...],
    names: tuple[str, ...],
    files: NDArray[np.int64],
    defined: NDArray[np.bool_],
    starts: NDArray[np.intp],
    sizes: NDArray[np.intp],
    name_of: NDArray[np.int32],
    worth: NDArray[np.float64],
) -> Graph:
    """All pairs of a user and a definer of the same name, other than a file with itself."""
    group = np.repeat(np.arange(len(starts)), sizes)
    entry = np.repeat(starts - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes)
    entry = entry + np.arange(len(entry)) if len(entry) else entry.astype(np.intp)
    is_definer = defined[entry]
    definer_group, definer_file = group[is_definer], files[entry[is_definer]]
    first = np.searchsorted(definer_group, np.arange(len(starts)))
    counts = np.bincount(definer_group, minlength=len(starts))
    repeat = counts[group]
    user = np.repeat(files[entry], repeat)
    offsets = np.arange(len(user)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    edge_group = np.repeat(group, repeat)
    definer = definer_file[first[edge_group] + offsets] if len(user) else user
    # A rare name ties two files together, one that everybody uses does not.
    users_of = np.maximum(1, sizes - counts)
    weight = worth / (np.sqrt(users_of) * counts.clip(1))
    keep = user != definer
    user, definer, edge_group = user[keep], definer[keep], edge_group[keep]
    order = np.lexsort((name_of[edge_group], definer, user))
    edge_group = edge_group[order]
    return Graph(
        paths,
        names,
        user[order].astype(np.int32),
        definer[order].astype(np.int32),
        name_of[edge_group],
        weight[edge_group],
    )


def _worth(name: str) -> float:
    """How much a name tells: long names of several words most, private ones least."""
    worth = LONG if len(name) >= 8 and TELLING.search(name) else 1.0
    if len(name) <= 3:
        worth = SHORT
    return worth * PRIVATE if name.startswith("_") else worth * math.log2(2 + len(name)) / 4
