"""Facts of a syntax node, relative to where the node starts, and how such facts are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.definitions import OUTER, OUTER_CLASS
from indexer.facts import DOCSTRING_END, END_LINE, PARENT, START, START_LINE, WIDTH, Import

OFFSET_COLUMNS = slice(START, DOCSTRING_END + 1)
LINE_COLUMNS = slice(START_LINE, END_LINE + 1)
NO_ROWS = {width: np.zeros((0, width), np.int32) for width in (WIDTH, 3, 4)}


class Parameter(NamedTuple):
    """A parameter with its declared type."""

    start: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """Facts of one node, offsets and lines relative to its start."""

    symbols: NDArray[np.int32]  # [n, WIDTH], names numbered by the document's table
    details: tuple[str, ...]
    owners: tuple[tuple[int, str], ...]
    references: NDArray[np.int32]  # [m, 3] name, start, role
    imports: tuple[Import, ...]
    comments: NDArray[np.int32]  # [k, 4] start, end, first line, last line
    parameters: tuple[Parameter, ...]


class Part(NamedTuple):
    """A fragment with where it starts in a larger one."""

    offset: int
    line: int
    fragment: Fragment


def joined(parts: Sequence[Part], owner: int = OUTER, owner_class: int = OUTER_CLASS) -> Fragment:
    """One fragment of several, in order.

    `owner` is the symbol, of the first part, that the other parts are inside of; `owner_class` is
    the same if that symbol is a class.
    """
    details: list[str] = []
    owners: list[tuple[int, str]] = []
    imports: list[Import] = []
    parameters: list[Parameter] = []
    for offset, _, fragment in parts:
        if fragment.owners:
            owners += [(len(details) + index, name) for index, name in fragment.owners]
        details += fragment.details
        if fragment.imports:
            imports += [shifted(clause, offset) for clause in fragment.imports]
        if fragment.parameters:
            parameters += [
                Parameter(start + offset, name, declared)
                for start, name, declared in fragment.parameters
            ]
    return Fragment(
        _joined_symbols(parts, owner, owner_class),
        tuple(details),
        tuple(owners),
        _joined_references(parts),
        tuple(imports),
        _joined_comments(parts),
        tuple(parameters),
    )


def shifted(clause: Import, offset: int) -> Import:
    return Import(
        clause.module,
        clause.names,
        clause.binds,
        clause.level,
        clause.star,
        clause.start + offset,
        clause.end + offset,
    )


def _joined_symbols(parts: Sequence[Part], owner: int, owner_class: int) -> NDArray[np.int32]:
    rows = np.concatenate([NO_ROWS[WIDTH], *(part.fragment.symbols for part in parts)])
    counts = [len(part.fragment.symbols) for part in parts]
    rows[:, OFFSET_COLUMNS] += _spread([part.offset for part in parts], counts)[:, None]
    rows[:, LINE_COLUMNS] += _spread([part.line for part in parts], counts)[:, None]
    bases = _spread([0, *np.cumsum(counts[:-1]).tolist()], counts) if counts else rows[:, 0]
    first = counts[0] if counts else 0
    parents = rows[:, PARENT]
    inner = parents[first:]
    outside = np.where(inner == OUTER_CLASS, owner_class, owner)
    parents[first:] = np.where(inner >= 0, inner + bases[first:], outside)
    return rows


def _joined_references(parts: Sequence[Part]) -> NDArray[np.int32]:
    rows = np.concatenate([NO_ROWS[3], *(part.fragment.references for part in parts)])
    counts = [len(part.fragment.references) for part in parts]
    rows[:, 1] += _spread([part.offset for part in parts], counts)
    return rows


def _joined_comments(parts: Sequence[Part]) -> NDArray[np.int32]:
    rows = np.concatenate([NO_ROWS[4], *(part.fragment.comments for part in parts)])
    counts = [len(part.fragment.comments) for part in parts]
    rows[:, :2] += _spread([part.offset for part in parts], counts)[:, None]
    rows[:, 2:] += _spread([part.line for part in parts], counts)[:, None]
    return rows


def _spread(values: Sequence[int], counts: Sequence[int]) -> NDArray[np.int32]:
    return np.repeat(np.array(values, np.int32), counts)
