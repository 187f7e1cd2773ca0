"""From needs to snippets: signatures, the likeliest first, as many as fit into a budget.

Signatures of one file stand in one snippet. A large budget is filled in layers, each as the budget
of its size would be: the snippets of a small budget are the first ones of a larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from indexer.facts import TYPES, Symbol
from indexer.line_index import LineIndex
from indexer.needs import CONSTRUCTORS, Need
from indexer.outline import Outline
from indexer.repository import Repository
from indexer.snippet import Rows, Skeleton, Snippet, rows_of

LAYERS = (1_024, 4_096, 16_384)
LEAST = 0.02
"""Weight below which a definition is not worth its tokens."""
CONSTRUCTOR_SHARE = 0.5
MAX_MISFITS = 12
"""Signatures that do not fit before a layer counts as full."""


@dataclass(frozen=True, slots=True)
class Item:
    """One signature that may be shown, below that of its class if it has one."""

    symbol: Symbol
    weight: float
    why: str
    within: Symbol | None


@dataclass(slots=True)
class Sheet:
    """The signatures of one file in one layer."""

    skeleton: Skeleton
    score: float = 0.0
    name: str = ""
    reasons: dict[str, None] = field(default_factory=dict)


class Packer:
    """Fills layers one after the other; what one has shown the next leaves out."""

    def __init__(
        self,
        repository: Repository,
        count: Callable[[str], int],
        late: Callable[[], bool],
        shown: Iterable[tuple[str, int]] = (),
    ) -> None:
        self._repository = repository
        self._count = count
        self._late = late
        self.shown: set[tuple[str, int]] = set(shown)
        self._files: dict[str, tuple[Outline, LineIndex] | None] = {}

    def layer(self, items: list[Item], room: int) -> list[Snippet]:
        """Snippets of at most `room` tokens together; `items` are sorted, the heaviest first."""
        sheets: dict[str, Sheet] = {}
        misfits = 0
        for item in items:
            if self._late() or misfits > MAX_MISFITS:
                break
            if (item.symbol.path, item.symbol.index) in self.shown:
                continue
            cost = self._add(sheets, item, room)
            if cost > room:
                misfits += 1
            room -= cost if cost <= room else 0
        ordered = sorted(sheets.items(), key=lambda entry: (-entry[1].score, entry[0]))
        return [
            sheet.skeleton.snippet("; ".join(list(sheet.reasons)[:3]), sheet.score, sheet.name)
            for _, sheet in ordered
        ]

    def _add(self, sheets: dict[str, Sheet], item: Item, room: int) -> int:
        """Adds an item if it fits; returns what it costs, 0 if its text is gone."""
        path = item.symbol.path
        file = self._file(path)
        if file is None:
            return 0
        outline, lines = file
        rows = [_rows(outline, lines, item.symbol, item.within is None)]
        if item.within is not None:
            rows.insert(0, _rows(outline, lines, item.within, False))
        sheet = sheets.get(path) or Sheet(Skeleton(lines, outline.facts))
        cost = sheet.skeleton.cost(rows, self._count)
        if cost > room:
            return cost
        if path not in sheets:
            sheet.score, sheet.name = item.weight, item.symbol.qualified_name
            sheets[path] = sheet
        for one in rows:
            sheet.skeleton.take(one)
        sheet.reasons[item.why] = None
        self.shown.add((path, item.symbol.index))
        return cost

    def _file(self, path: str) -> tuple[Outline, LineIndex] | None:
        """The outline and the text of a file, asked for once."""
        if path not in self._files:
            outline = self._repository.outlines.get(path)
            lines = self._repository.sources.lines(path)
            known = None if outline is None or lines is None else (outline, lines)
            self._files[path] = known
        return self._files[path]


def _rows(outline: Outline, lines: LineIndex, symbol: Symbol, explained: bool) -> Rows:
    """The rows of a symbol, kept with the outline: both are of the same text."""
    key = (symbol.index, explained)
    rows = outline.rows.get(key)
    if rows is None:
        rows = outline.rows[key] = rows_of(lines, outline.facts, symbol, explained)
    return rows


def items_of(repository: Repository, needs: Iterable[Need]) -> list[Item]:
    """The signatures that needs ask for, the heaviest first."""
    items: dict[tuple[str, int], Item] = {}

    def want(symbol: Symbol, weight: float, why: str, within: Symbol | None) -> None:
        key = (symbol.path, symbol.index)
        known = items.get(key)
        if weight >= LEAST and (known is None or weight > known.weight):
            items[key] = Item(symbol, weight, why, within)

    for need in needs:
        outline = repository.outlines.get(need.symbol.path)
        if outline is None:
            continue
        within = None if need.group else need.symbol
        for index, weight in need.members.items():
            want(outline.symbol(index), weight, need.why, within)
        if need.group:
            continue
        want(need.symbol, need.weight, need.why, None)
        constructor = _constructor(outline, need)
        if constructor is not None:
            want(constructor, CONSTRUCTOR_SHARE * need.weight, need.why, need.symbol)
    return sorted(
        items.values(), key=lambda item: (-item.weight, item.symbol.path, item.symbol.start)
    )


def _constructor(outline: Outline, need: Need) -> Symbol | None:
    """The constructor of a class: how to make one is worth knowing of any."""
    if need.symbol.kind not in TYPES:
        return None
    parent = need.symbol.index
    found = [one for name in CONSTRUCTORS for one in outline.members(parent, name)]
    return min(found, key=lambda one: one.index, default=None)
