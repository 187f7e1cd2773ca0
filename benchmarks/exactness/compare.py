"""What two readers say about the same files, counted: found by both, by one only."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from indexer import FileFacts, IndexConfig, Kind, extract, language_of
from indexer.line_index import line_starts

NOT_OURS = frozenset({".git", "node_modules", "site-packages", "vendor", "deps"})
"""Folders that hold what others wrote."""
FUNCTIONS = (Kind.FUNCTION, Kind.METHOD)
MAX_EXAMPLES = 4
"""Examples kept of each class of differences."""


class Definition(NamedTuple):
    """A definition in the words of the index. `container` is "" at the top, else "Outer.Inner"."""

    line: int  # of the name, from 1
    name: str
    kind: str
    container: str


@dataclass
class Tally:
    """Definitions of one kind that the oracle and the index agree or differ on."""

    expected: int = 0
    found: int = 0
    both: int = 0

    @property
    def recall(self) -> float:
        return 100 * self.both / self.expected if self.expected else 100.0

    @property
    def precision(self) -> float:
        return 100 * self.both / self.found if self.found else 100.0


@dataclass
class Comparison:
    """All files of one tree: a tally a kind, and the differences by what explains them."""

    files: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  # files that can't be compared, why
    tallies: dict[str, Tally] = field(default_factory=dict)
    differences: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self,
        path: str,
        expected: Iterable[Definition],
        found: Iterable[Definition],
        remark: str = "",
        local: Iterable[Definition] = (),
    ) -> None:
        """Counts one file; `remark` is put behind the class of each of its differences.

        Differences among `local` definitions, those inside of functions, are a class of their own.
        """
        inside = frozenset(local)
        wanted, given = Counter(expected), Counter(found)
        for one, times in wanted.items():
            tally = self.tallies.setdefault(one.kind, Tally())
            tally.expected += times
            tally.both += min(times, given[one])
        for one, times in given.items():
            self.tallies.setdefault(one.kind, Tally()).found += times
        missed, extra = wanted - given, given - wanted
        for rest, others, side in ((missed, extra, "missed"), (extra, missed, "only in the index")):
            for one, times in rest.items():
                place = " inside of a function" if one in inside else ""
                what = f"{side}: {explained(one, others)}{place}{remark}"
                self.differences[what] += times
                examples = self.examples.setdefault(what, [])
                if len(examples) < MAX_EXAMPLES:
                    place = f" in {one.container}" if one.container else ""
                    examples.append(f"{path}:{one.line} {one.name}{place}")

    @property
    def total(self) -> Tally:
        return Tally(
            *(
                sum(getattr(tally, name) for tally in self.tallies.values())
                for name in ("expected", "found", "both")
            )
        )


def explained(one: Definition, others: Iterable[Definition]) -> str:
    """The class of a difference: what the other side says about the same place."""
    for other in others:
        if other.name == one.name and other.line == one.line:
            if other.kind != one.kind:
                return f"{one.kind} that is a {other.kind} to the other"
            return f"{one.kind} with another container"
    for other in others:
        if other.name == one.name and other.kind == one.kind:
            return f"{one.kind} on another line"
    return one.kind


def index_definitions(facts: FileFacts, text: bytes) -> Iterator[tuple[Definition, bool]]:
    """The definitions of the index, and whether a function is around each."""
    starts = line_starts(text)
    local: list[bool] = []
    kinds: list[Kind] = []
    for symbol in facts.symbols:
        around = symbol.parent
        local.append(around >= 0 and (local[around] or kinds[around] in FUNCTIONS))
        kinds.append(symbol.kind)
        line = bisect_right(starts, symbol.name_start)
        yield Definition(line, symbol.name, str(symbol.kind), symbol.container), local[-1]


def read_tree(
    tree: Path, language: str, limit: int, left_out: Counter[str]
) -> Iterator[tuple[str, bytes, FileFacts]]:
    """Files of a language below a folder with their facts: path below the folder, text, facts.

    Files over the index's limit of size are left out as it leaves them out.
    """
    count = 0
    for path in sorted(tree.rglob("*")):
        known = None if NOT_OURS.intersection(path.parts) else language_of(path.name)
        if known is None or known.name != language or not path.is_file() or path.is_symlink():
            continue
        text = path.read_bytes()
        if len(text) > IndexConfig().max_file_bytes:
            left_out["larger than the index takes"] += 1
            continue
        try:
            text.decode()
        except UnicodeDecodeError:
            left_out["not UTF-8"] += 1
            continue
        yield path.relative_to(tree).as_posix(), text, extract(str(path), known, text)
        count += 1
        if limit and count >= limit:
            return
