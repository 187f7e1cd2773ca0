"""Symbols whose names match what somebody typed: `gqs` finds `get_query_set` and `GetQuerySet`.

All distinct names lie in one matrix of bytes, so that a query is a few vector operations. A name
matches if it holds the characters of the query in their order. Of all ways to place them the best
counts, found by dynamic programming as in fzf and Sublime Text: characters at the starts of words
and characters in a row are worth more, gaps cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from indexer.facts import DATA, Kind, Symbol
from indexer.history import History
from indexer.language import language_of
from indexer.outline import without_aliases
from indexer.postings import grown
from indexer.symbol_table import SymbolTable

WIDTH = 48
"""Bytes of a name that are looked at."""
MAX_QUERY = 32
MAX_SCORED, MAX_NAMES, MAX_CONTAINERS = 600, 200, 30
MATCH, IN_A_ROW, AT_WORD, AT_START, SAME_CASE, GAP = 8, 6, 7, 5, 1, 1
EXACT, PREFIX, LONGER = 60, 8, 0.3
EXACT_CONTAINER = 30.0
KIND_WORTH = {
    Kind.CLASS: 6.0,
    Kind.INTERFACE: 6.0,
    Kind.ENUM: 5.0,
    Kind.TYPE: 5.0,
    Kind.FUNCTION: 4.0,
    Kind.MODULE: 3.0,
    Kind.METHOD: 3.0,
    Kind.MACRO: 3.0,
    Kind.CONSTANT: 2.0,
    Kind.VARIABLE: 1.0,
    Kind.FIELD: 0.5,
} | dict.fromkeys(DATA, -80.0)
"""What is no code stands behind all code that matches, be it called exactly as was typed."""
TEST_PATH = re.compile(r"(?:^|[/_.-])(?:tests?|specs?|testing|__tests__|examples?)(?:[/_.-]|$)")
IN_TESTS, IN_DATA, LOCAL = 5.0, 20.0, 4.0
MORE = 20
"""Symbols beyond the limit that are compared."""
SEPARATOR = re.compile(r"::|[.#/\\ ]+")
LOWER = np.arange(256, dtype=np.uint8)
LOWER[65:91] += 32


class SymbolSearch:
    """The distinct names that files define, kept up to date by the history of changes.

    A name stays when its last definition goes: the table of symbols then finds nothing for it.
    """

    def __init__(self, table: SymbolTable, history: History) -> None:
        self._table = table
        self._history = history
        self._mark = 0
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._columns = np.zeros((WIDTH, 64), np.uint8)  # a name a column, as written
        self._lower = np.zeros((WIDTH, 64), np.uint8)
        self._lengths = np.zeros(64, np.int32)
        self._masks = np.zeros(64, np.uint64)  # a bit for each character in the name
        self._initials = np.zeros(64, np.uint64)  # and for each that starts a word
        self._costs: dict[str, float] = {}  # by path

    def matching(self, query: str, limit: int) -> list[Symbol]:
        """The symbols that match best, best first. `Class.method` asks for members of a class."""
        *outer, name = [part for part in SEPARATOR.split(query.strip()) if part] or [""]
        if not name or limit <= 0:
            return []
        self._refresh()
        homes = self._homes(outer[-1]) if outer else None
        found: list[tuple[float, Symbol]] = []
        for number, score in self._best_names(name, MAX_NAMES):
            for symbol in self._defined(self._names[number], outer, homes, limit):
                worth = score + self._worth(symbol) + (_fit(symbol, outer) if outer else 0.0)
                found.append((worth, symbol))
            if len(found) >= limit + MORE:
                enough = sum(symbol.kind not in DATA for _, symbol in found)
                if enough >= limit + MORE:
                    break
        found.sort(key=lambda one: (-one[0], one[1].path, one[1].start))
        return [symbol for _, symbol in found[:limit]]

    def _homes(self, outer: str) -> frozenset[str]:
        """Files that define something whose name matches the container that was typed."""
        return frozenset().union(
            *(
                self._table.paths_defining(self._names[number])
                for number, _ in self._best_names(outer, MAX_CONTAINERS)
            )
        )

    def _defined(
        self, name: str, outer: list[str], homes: frozenset[str] | None, limit: int
    ) -> Iterator[Symbol]:
        """Definitions of a name, those in the likelier files first, `limit` at most."""
        count = 0
        paths = self._table.paths_defining(name)
        for path in sorted(paths, key=lambda path: (self._cost(path), path)):
            if homes is not None and path not in homes and not _names_file(path, outer[-1]):
                continue
            facts = self._table.facts(path)
            for symbol in without_aliases(facts.symbols_named(name)) if facts is not None else ():
                if not outer or _fit(symbol, outer) >= 0:
                    yield symbol
                    count += 1
            if count >= limit:
                return

    def _cost(self, path: str) -> float:
        known = self._costs.get(path)
        if known is None:
            depth = 0.2 * path.count("/")
            language = language_of(path)
            depth += IN_DATA if language is not None and language.is_data else 0.0
            known = self._costs[path] = depth + (IN_TESTS if TEST_PATH.search(path) else 0.0)
        return known

    def _worth(self, symbol: Symbol) -> float:
        """What makes one of two symbols with equal names the likelier one."""
        worth = KIND_WORTH.get(symbol.kind, 0.0) - self._cost(symbol.path)
        return worth - (LOCAL if symbol.parent >= 0 and symbol.kind is Kind.FUNCTION else 0.0)

    def _refresh(self) -> None:
        changed = self._history.since(self._mark)
        self._mark = self._history.now
        new: dict[str, None] = {}
        for path in self._table.paths() if changed is None else changed:
            facts = self._table.facts(path)
            if facts is not None:
                for name in facts.defined_names():
                    if name not in self._numbers:
                        new[name] = None
        if new:
            self._add(sorted(new))

    def _add(self, names: list[str]) -> None:
        first, count = len(self._names), len(self._names) + len(names)
        self._names += names
        self._numbers.update(zip(names, range(first, count), strict=True))
        encoded = [name.encode() for name in names]
        self._lengths = grown(self._lengths, count)
        self._lengths[first:count] = [len(name) for name in encoded]
        blob = b"".join(name[:WIDTH].ljust(WIDTH, b"\0") for name in encoded)
        columns = np.frombuffer(blob, np.uint8).reshape(-1, WIDTH).T
        lower = LOWER[columns]
        self._columns = _wider(self._columns, count)
        self._lower = _wider(self._lower, count)
        self._columns[:, first:count], self._lower[:, first:count] = columns, lower
        bits = _bits(lower)
        self._masks, self._initials = grown(self._masks, count), grown(self._initials, count)
        self._masks[first:count] = np.bitwise_or.reduce(bits, axis=0)
        starting = np.where(word_starts(columns), bits, np.uint64(0))
        self._initials[first:count] = np.bitwise_or.reduce(starting, axis=0)

    def _best_names(self, query: str, limit: int) -> list[tuple[int, float]]:
        """Numbers of matching names and their scores, the best first."""
        typed = np.frombuffer(query.encode()[:MAX_QUERY], np.uint8)
        lower = LOWER[typed]
        mask = np.bitwise_or.reduce(_bits(lower))
        chosen = np.flatnonzero((self._masks[: len(self._names)] & mask) == mask)
        chosen = chosen[self._lengths[chosen] >= len(typed)]
        chosen = chosen[_holds_in_order(self._lower, chosen, lower)]
        if len(chosen) > MAX_SCORED:
            prefix = (self._lower[: len(lower), chosen] == lower[:, None]).all(axis=0)
            initials = (self._initials[chosen] & mask) == mask
            starts = self._lower[0, chosen] == lower[0]
            worth = prefix * 4 + initials * 2 + starts
            order = np.lexsort((chosen, self._lengths[chosen], -worth))[:MAX_SCORED]
            chosen = chosen[order]
        width = int(self._lengths[chosen].max(initial=0))
        text, rows = self._columns[:width, chosen], self._lower[:width, chosen]
        scores = scores_of(text, rows, self._lengths[chosen], typed, lower)
        order = np.lexsort((self._lengths[chosen], -scores))[:limit]
        return list(zip(chosen[order].tolist(), scores[order].tolist(), strict=True))


def _wider(matrix: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    if count <= matrix.shape[1]:
        return matrix
    larger = np.zeros((WIDTH, 2 * count), np.uint8)
    larger[:, : matrix.shape[1]] = matrix
    return larger


def _bits(characters: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """One bit a character; NUL has none. Characters that share a bit only cost time."""
    bits = np.left_shift(np.uint64(1), (characters & 63).astype(np.uint64))
    return np.where(characters == 0, np.uint64(0), bits)


def _holds_in_order(
    columns: NDArray[np.uint8], chosen: NDArray[np.intp], query: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Whether each chosen name holds the characters of the query as a subsequence."""
    padded = np.append(query, np.uint8(0))
    state = np.zeros(len(chosen), np.uint8)
    for row in columns:
        letters = row[chosen]
        state += (letters == padded[state]) & (letters != 0)
    fits: NDArray[np.bool_] = state == len(query)
    return fits


def scores_of(
    text: NDArray[np.uint8],
    rows: NDArray[np.uint8],
    lengths: NDArray[np.int32],
    query: NDArray[np.uint8],
    lower: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """How well each name matches: `text` [width, names] as written, `rows` in lower case."""
    if not rows.size:
        return np.zeros(rows.shape[1])
    never = np.int32(-10_000)
    worth = np.where(word_starts(text), np.int32(MATCH + AT_WORD), np.int32(MATCH))
    worth[0] += AT_START
    places = GAP * np.arange(len(rows), dtype=np.int32)[:, None]
    before: NDArray[np.int32] | None = None
    for typed, character in zip(query, lower, strict=True):
        here = worth + SAME_CASE * (text == typed)
        if before is None:
            placed = here - places // 4
        else:
            placed = np.full_like(here, never)
            apart = np.maximum.accumulate(before + places, axis=0)[:-1] - places[1:]
            placed[1:] = here[1:] + np.maximum(apart, before[:-1] + IN_A_ROW)
        before = np.where(rows == character, placed, never)
    assert before is not None
    prefix = np.zeros(rows.shape[1], np.bool_)
    if len(rows) >= len(lower):
        prefix = (rows[: len(lower)] == lower[:, None]).all(axis=0)
    exact = prefix & (lengths == len(lower))
    best = before.max(axis=0).astype(np.float64)
    scores: NDArray[np.float64] = (
        best + PREFIX * prefix + EXACT * exact - LONGER * (lengths - len(lower))
    )
    return scores


def word_starts(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a word starts in snake_case and camelCase names: [width, names]."""
    upper = (text >= 65) & (text <= 90)
    small = (text >= 97) & (text <= 122)
    letter = upper | small | (text >= 128)
    starts = np.zeros(text.shape, np.bool_)
    starts[0] = True
    starts[1:] = (letter[1:] & ~letter[:-1]) | (upper[1:] & ~upper[:-1])
    starts[1:-1] |= upper[1:-1] & upper[:-2] & small[2:]
    return starts


def _names_file(path: str, outer: str) -> bool:
    """Whether a file or a folder around it is called like the container that was typed."""
    return outer.lower() in map(str.lower, _last_parts(path))


def _last_parts(path: str) -> list[str]:
    *folders, file = path.split("/")
    return [*folders[-3:], file.split(".")[0]]


def _fit(symbol: Symbol, outer: list[str]) -> float:
    """How well the containers of a symbol match those that were typed; negative: not at all."""
    around = [*_last_parts(symbol.path), *symbol.container.split(".")]
    position, fit = len(around), 0.0
    for typed in reversed(outer):
        wanted = typed.lower()
        position -= 1
        while position >= 0 and not _is_subsequence(wanted, around[position].lower()):
            position -= 1
        if position < 0:
            return -1.0
        name = around[position].lower()
        fit += EXACT_CONTAINER if name == wanted else 5.0 if name.startswith(wanted) else 0.0
    return fit


def _is_subsequence(part: str, name: str) -> bool:
    rest = iter(name)
    return all(character in rest for character in part)
