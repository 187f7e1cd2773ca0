"""Code that is written like the code at the cursor, uses it, or was worked on just before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer.document import Document
from indexer.facts import ROLE_NUMBER, TYPES, Kind, Role, Symbol
from indexer.files import closest
from indexer.line_index import LineIndex
from indexer.nearby import Surroundings
from indexer.repository import Repository
from indexer.snippet import RecentSpan, Snippet, range_snippet

MAX_LINES = 24
"""Lines of a method, or around a place that was edited, that are shown."""
AROUND_EDIT, AROUND_CALL = 8, 2
MAX_RELATIVES = MAX_CALLERS = 2
MAX_FILES = 12
"""Files that are looked at for relatives, or for callers."""
COMMON = 60
"""A name that so many files use says nothing about who calls this function."""
CALL = ROLE_NUMBER[Role.CALL]
CALLABLES = (Kind.FUNCTION, Kind.METHOD)


def recent_spans(
    repository: Repository,
    document: Document,
    around: Surroundings,
    recent: Sequence[RecentSpan],
) -> Iterator[Snippet]:
    """Places that were edited or viewed, the latest first, each with the function around it."""
    for number, span in enumerate(recent):
        lines = repository.sources.lines(span.path)
        if lines is None or not 0 <= span.first_line < lines.line_count:
            continue
        first, last = _widened(repository, lines, span)
        low, high = lines.line_start(first), lines.line_start(last)
        window = around.window
        if span.path == document.path and low < window[1] and high > window[0]:
            continue
        yield range_snippet(lines, span.path, first, last, "edited or viewed", 1 / (1 + number))


def _widened(repository: Repository, lines: LineIndex, span: RecentSpan) -> tuple[int, int]:
    """Lines [first, last) of the smallest function around a span, if that is short."""
    end = min(max(span.last_line, span.first_line) + 1, lines.line_count)
    outline = repository.outlines.get(span.path)
    if outline is not None:
        start = lines.line_start(span.first_line)
        for symbol in reversed(outline.around(start)):
            first, last = symbol.start_line, symbol.end_line + 1
            if symbol.kind in CALLABLES and last >= end and last - first <= MAX_LINES:
                return first, min(last, lines.line_count)
    first = max(0, span.first_line - AROUND_EDIT)
    last = min(lines.line_count, end + AROUND_EDIT, first + MAX_LINES)
    return first, max(last, first + 1)


def relatives(
    repository: Repository, document: Document, around: Surroundings
) -> Iterator[Snippet]:
    """The method at the cursor as other classes with the same base have it."""
    owner, function = around.owner, around.function
    if owner is None or function is None:
        return
    found = 0
    for base in owner.detail.replace("::", ".").split()[:3]:
        name = base.rsplit(".", 1)[-1]
        for cls in _deriving(repository, document.path, name):
            outline = repository.outlines.get(cls.path)
            lines = repository.sources.lines(cls.path)
            if outline is None or lines is None or (cls.path, cls.index) == _key(owner):
                continue
            for method in outline.members(cls.index, function.name):
                last = min(method.end_line + 1, method.start_line + MAX_LINES, lines.line_count)
                why = f"{function.name} of {cls.name}, which has the base {name} too"
                yield range_snippet(lines, cls.path, method.start_line, last, why, 0.5)
                found += 1
            if found >= MAX_RELATIVES:
                return


def _deriving(repository: Repository, path: str, base: str) -> Iterator[Symbol]:
    """Classes that name a base, those in the closest files first."""
    using = repository.table.paths_using(base)
    for other in closest(using, path, MAX_FILES):
        facts = repository.table.facts(other)
        if facts is None or base.encode() not in facts.packed_details:
            continue
        outline = repository.outlines.get(other)
        for index, detail in enumerate(facts.details):
            if outline is None or base not in detail:
                continue
            if base in detail.replace("::", ".").replace(".", " ").split():
                symbol = outline.symbol(index)
                if symbol.kind in TYPES:
                    yield symbol


def callers(repository: Repository, document: Document, around: Surroundings) -> Iterator[Snippet]:
    """Lines elsewhere that call the function at the cursor."""
    function = around.function
    if function is None or function.name.startswith("__"):
        return
    using = repository.table.paths_using(function.name) - {document.path}
    if len(using) > COMMON:
        return
    found = 0
    for path in closest(using, document.path, MAX_FILES):
        facts, lines = repository.table.facts(path), repository.sources.lines(path)
        if facts is None or lines is None:
            continue
        uses = facts.uses
        calls = uses[(uses[:, 0] == facts.name_number(function.name)) & (uses[:, 2] == CALL), 1]
        for start in calls[:1].tolist():
            line = lines.line_of(start)
            first, last = max(0, line - AROUND_CALL), min(lines.line_count, line + AROUND_CALL)
            yield range_snippet(lines, path, first, last, f"calls {function.name}", 0.4)
            found += 1
        if found >= MAX_CALLERS:
            return


def _key(symbol: Symbol) -> tuple[str, int]:
    return symbol.path, symbol.index
