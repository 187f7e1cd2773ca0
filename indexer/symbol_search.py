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

from indexer.facts import Kind, Symbol
from indexer.history import History
from indexer.postings import grown
from indexer.symbol_table import SymbolTable

WIDTH = 48
"""Bytes of a name that are looked at."""
MAX_QUERY = 32
MAX_SCORED = 1_500
MATCH, IN_A_ROW, AT_WORD, AT_START, SAME_CASE, GAP = 8, 6, 7, 5, 1, 1
EXACT, PREFIX = 60, 8
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
}
TEST_PATH = re.compile(r"(?:^|[/_.-])(?:tests?|specs?|testing|__tests__|examples?)(?:[/_.-]|$)")
IN_TESTS = 5.0
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
        self._bytes = np.zeros((64, WIDTH), np.uint8)
        self._lengths = np.zeros(64, np.int32)
        self._masks = np.zeros(64, np.uint64)

    def matching(self, query: str, limit: int) -> list[Symbol]:
        """The symbols that match best, best first. `Class.method` asks for members of a class."""
        *outer, name = [part for part in SEPARATOR.split(query.strip()) if part] or [""]
        if not name or limit <= 0:
            return []
        self._refresh()
        found: list[tuple[float, Symbol]] = []
        best = self._best_names(name)
        for number, score in best:
            for symbol in self._defined(self._names[number], outer, limit):
                found.append((score + _worth(symbol), symbol))
            if len(found) >= 4 * limit:
                break
        found.sort(key=lambda one: (-one[0], one[1].path, one[1].start))
        return [symbol for _, symbol in found[:limit]]

    def _defined(self, name: str, outer: list[str], limit: int) -> Iterator[Symbol]:
        count = 0
        for symbol in self._table.definitions_of(name):
            if not outer or _inside(symbol, outer):
                yield symbol
                count += 1
                if count >= limit:
                    return

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
        if count > len(self._bytes):
            larger = np.zeros((2 * count, WIDTH), np.uint8)
            larger[:first] = self._bytes[:first]
            self._bytes = larger
        blob = b"".join(name[:WIDTH].ljust(WIDTH, b"\0") for name in encoded)
        rows = np.frombuffer(blob, np.uint8).reshape(-1, WIDTH)
        self._bytes[first:count] = rows
        self._masks = grown(self._masks, count)
        self._masks[first:count] = np.bitwise_or.reduce(_bits(LOWER[rows]), axis=1)

    def _best_names(self, query: str) -> list[tuple[int, float]]:
        """Numbers of matching names and their scores, the best first."""
        wanted = np.frombuffer(query.encode()[:MAX_QUERY], np.uint8)
        lower = LOWER[wanted]
        mask = np.bitwise_or.reduce(_bits(lower))
        count = len(self._names)
        chosen = np.flatnonzero(self._masks[:count] & mask == mask)
        chosen = chosen[self._lengths[chosen] >= len(wanted)]
        rows = LOWER[self._bytes[chosen]]
        fits = _holds_in_order(rows, lower)
        chosen, rows = chosen[fits], rows[fits]
        if len(chosen) > MAX_SCORED:
            starts = rows[:, 0] == lower[0]
            prefix = (rows[:, : len(lower)] == lower).all(axis=1)
            order = np.lexsort((chosen, self._lengths[chosen], ~starts, ~prefix))[:MAX_SCORED]
            chosen, rows = chosen[order], rows[order]
        scores = scores_of(self._bytes[chosen], rows, self._lengths[chosen], wanted, lower)
        order = np.lexsort((self._lengths[chosen], -scores))
        return list(zip(chosen[order].tolist(), scores[order].tolist(), strict=True))


def _bits(characters: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """One bit a character; NUL has none. Characters that share a bit only cost time."""
    bits = np.left_shift(np.uint64(1), (characters & 63).astype(np.uint64))
    return np.where(characters == 0, np.uint64(0), bits)


def _holds_in_order(rows: NDArray[np.uint8], query: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each row holds the characters of the query as a subsequence."""
    padded = np.append(query, np.uint8(0))
    state = np.zeros(len(rows), np.intp)
    for column in rows.T:
        state += (column == padded[state]) & (state < len(query))
    return state == len(query)


def scores_of(
    text: NDArray[np.uint8],
    rows: NDArray[np.uint8],
    lengths: NDArray[np.int32],
    query: NDArray[np.uint8],
    lower: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """How well each name matches: `text` [names, WIDTH] as written, `rows` in lower case."""
    if not len(rows):
        return np.zeros(0)
    never = np.int32(-10_000)
    worth = np.where(word_starts(text), np.int32(MATCH + AT_WORD), np.int32(MATCH))
    worth[:, 0] += AT_START
    columns = np.arange(WIDTH, dtype=np.int32) * GAP
    before: NDArray[np.int32] | None = None
    for typed, character in zip(query, lower, strict=True):
        here = worth + SAME_CASE * (text == typed)
        if before is None:
            placed = here - columns // 4
        else:
            apart = np.maximum.accumulate(before + columns, axis=1)[:, :-1] - columns[1:]
            follows = np.maximum(apart, before[:, :-1] + IN_A_ROW)
            placed = np.full_like(here, never)
            placed[:, 1:] = here[:, 1:] + follows
        before = np.where(rows == character, placed, never)
    assert before is not None
    best = before.max(axis=1).astype(np.float64)
    prefix = (rows[:, : len(lower)] == lower).all(axis=1)
    exact = prefix & (lengths == len(lower))
    return best + PREFIX * prefix + EXACT * exact - 0.3 * (lengths - len(lower))


def word_starts(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a word starts in snake_case and camelCase names: [names, WIDTH]."""
    upper = (text >= 65) & (text <= 90)
    small = (text >= 97) & (text <= 122)
    letter = upper | small | (text >= 128)
    starts = np.zeros(text.shape, np.bool_)
    starts[:, 0] = True
    starts[:, 1:] = (letter[:, 1:] & ~letter[:, :-1]) | (upper[:, 1:] & ~upper[:, :-1])
    starts[:, 1:-1] |= upper[:, 1:-1] & upper[:, :-2] & small[:, 2:]
    return starts


def _worth(symbol: Symbol) -> float:
    """What makes one of two symbols with equal names the likelier one."""
    worth = KIND_WORTH.get(symbol.kind, 0.0)
    if TEST_PATH.search(symbol.path):
        worth -= IN_TESTS
    return worth


def _inside(symbol: Symbol, outer: list[str]) -> bool:
    """Whether the containers of a symbol match, innermost last: a class, or the file's name."""
    *_, folder, file = ["", *symbol.path.split("/")]
    around = [folder, file.split(".")[0], *symbol.container.split(".")]
    return _fits([part.lower() for part in around if part], [part.lower() for part in outer])


def _fits(around: list[str], outer: list[str]) -> bool:
    position = len(around)
    for part in reversed(outer):
        position -= 1
        while position >= 0 and not _is_subsequence(part, around[position]):
            position -= 1
        if position < 0:
            return False
    return True


def _is_subsequence(part: str, name: str) -> bool:
    rest = iter(name)
    return all(character in rest for character in part)
