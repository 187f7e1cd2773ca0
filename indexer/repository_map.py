"""A map of the repository within a budget of tokens: its most important definitions, as skeletons.

As Aider does it: rank files by who uses what of them, hand the ranks on to definitions, and show
the signatures of the best, file by file, until the budget is full.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from indexer.facts import CONTAINERS, FileFacts, Kind, Symbol
from indexer.language import languages
from indexer.line_index import LineIndex
from indexer.reference_graph import Graph
from indexer.repository import Repository
from indexer.snippet import Snippet, line_text, signature_lines

BYTES_PER_TOKEN = 4
MAX_OF_NAME = 2
"""Definitions of one name in one file that are shown."""
SHOWN_LINES = 3
MAX_CONSIDERED = 50_000
HIDDEN = frozenset({Kind.EXTENSION, Kind.MODULE, Kind.FIELD})


class _FileMap:
    """The lines of one file that are on the map."""

    def __init__(self, facts: FileFacts, lines: LineIndex, rank: int, worth: float) -> None:
        self.facts = facts
        self.lines = lines
        self.rank = rank
        self.worth = worth
        self.shown: dict[int, str] = {}
        self.symbols = 0

    def new_lines(self, symbols: Iterable[Symbol]) -> dict[int, str]:
        """The lines that some symbols would add."""
        wanted = {
            line for symbol in symbols for line in signature_lines(self.lines, symbol)[:SHOWN_LINES]
        }
        texts = {line: line_text(self.lines, line) for line in wanted if line not in self.shown}
        comment = languages()[self.facts.language].line_comment
        return {line: text for line, text in texts.items() if not text.lstrip().startswith(comment)}


def repository_map(
    repository: Repository, graph: Graph, budget_tokens: int, focus: Collection[str]
) -> list[Snippet]:
    """Skeletons of the most important files, best first; their texts and paths fit the budget."""
    left = budget_tokens * BYTES_PER_TOKEN
    files: dict[str, _FileMap] = {}
    gone: set[str] = set()
    for file, name, worth in graph.definitions(focus)[:MAX_CONSIDERED]:
        path = graph.paths[file]
        if path in gone:
            continue
        known = files.get(path)
        if known is None:
            known = _open(repository, path, len(files), worth)
            if known is None:
                gone.add(path)
                continue
        symbols = _definitions(known.facts, graph.names[name])
        lines = known.new_lines(symbols)
        if not lines:
            continue
        cost = sum(len(text.encode()) + 1 for text in lines.values())
        if path not in files:
            cost += len(path.encode()) + 2
        if cost > left:
            if left < 40:
                break
            continue
        left -= cost
        files[path] = known
        known.shown.update(lines)
        known.symbols += len(symbols)
    return [_snippet(path, file) for path, file in files.items()]


def _open(repository: Repository, path: str, rank: int, worth: float) -> _FileMap | None:
    facts, lines = repository.table.facts(path), repository.sources.lines(path)
    return _FileMap(facts, lines, rank, worth) if facts is not None and lines is not None else None


def _definitions(facts: FileFacts, name: str) -> list[Symbol]:
    """The definitions of a name with the classes around them, those inside functions left out."""
    found: list[Symbol] = []
    for symbol in facts.symbols_named(name):
        around: list[Symbol] = []
        parent = symbol.parent
        while parent >= 0:
            around.append(facts.symbol(parent))
            parent = around[-1].parent
        if symbol.kind in HIDDEN or any(one.kind not in CONTAINERS for one in around):
            continue
        found += [symbol, *around]
        if len(found) >= MAX_OF_NAME:
            break
    return found


def _snippet(path: str, file: _FileMap) -> Snippet:
    order = sorted(file.shown)
    return Snippet(
        path=path,
        start=file.lines.line_start(order[0]),
        end=file.lines.line_end(order[-1]),
        start_line=order[0],
        end_line=order[-1],
        text="\n".join(file.shown[line] for line in order) + "\n",
        why=f"number {file.rank + 1} on the repository map",
        score=file.worth,
        lines=tuple(order),
    )
