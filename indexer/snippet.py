"""Pieces of other code worth showing: signatures and skeletons first, bodies only as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from indexer.facts import FileFacts, Kind, Symbol
from indexer.language import languages
from indexer.line_index import LineIndex

SIGNATURE_LINES = 5
VALUE_LINES = 3
MAX_LINE = 200
"""Longer lines are cut: they are data, not code."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a file with the reason why it is shown."""

    path: str
    start: int
    end: int  # bytes; a skeleton leaves out lines in between
    start_line: int
    end_line: int  # the last line shown
    text: str
    why: str
    score: float
    name: str | None = None
    lines: tuple[int, ...] = ()  # the lines shown, counted from 0


class Sources:
    """Texts of files during one query, read once; only those that still match their facts."""

    def __init__(self, current_text: Callable[[str], bytes | None]) -> None:
        self._current_text = current_text
        self._read: dict[str, LineIndex | None] = {}

    def lines(self, path: str) -> LineIndex | None:
        if path not in self._read:
            text = self._current_text(path)
            self._read[path] = LineIndex(text) if text is not None else None
        return self._read[path]


def signature_lines(lines: LineIndex, symbol: Symbol) -> list[int]:
    """The lines of a definition that say how to use it: decorators and signature."""
    first = lines.line_of(symbol.start)
    signature = lines.line_of(symbol.signature_start)
    last = lines.line_of(max(symbol.signature_start, symbol.signature_end - 1))
    if symbol.kind in (Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD):
        last = min(last, signature + VALUE_LINES - 1)
    decorators = range(max(first, signature - 2), signature)
    return [*decorators, *range(signature, min(last, signature + SIGNATURE_LINES - 1) + 1)]


def skeleton(
    lines: LineIndex,
    facts: FileFacts,
    symbol: Symbol,
    members: Iterable[Symbol],
    why: str,
    score: float,
) -> Snippet:
    """A definition's signature and first line of documentation, then its members' signatures.

    `members` may lie in other parts of the same file than the symbol itself.
    """
    shown: dict[int, str] = {}
    summaries: dict[int, str] = {}
    _show(lines, facts, symbol, shown, summaries)
    for member in members:
        _show(lines, facts, member, shown, summaries)
    order = sorted(shown)
    indent = min((_indent(shown[line]) for line in order if shown[line].strip()), default=0)
    above = languages()[facts.language].docstring == "above"
    text: list[str] = []
    for line in order:
        summary = [summaries[line][indent:]] if line in summaries else []
        row = [shown[line][indent:]]
        text += summary + row if above else row + summary
    return Snippet(
        path=symbol.path,
        start=lines.line_start(order[0]),
        end=lines.line_end(order[-1]),
        start_line=order[0],
        end_line=order[-1],
        text="\n".join(text) + "\n",
        why=why,
        score=score,
        name=symbol.qualified_name,
        lines=tuple(order),
    )


def _show(
    lines: LineIndex,
    facts: FileFacts,
    symbol: Symbol,
    shown: dict[int, str],
    summaries: dict[int, str],
) -> None:
    numbers = signature_lines(lines, symbol)
    for line in numbers:
        shown.setdefault(line, line_text(lines, line))
    summary = _summary(lines.text[symbol.docstring_start : symbol.docstring_end])
    if not summary:
        return
    language = languages()[facts.language]
    if language.docstring == "above":
        indent = " " * _indent(shown[numbers[0]])
        summaries[numbers[0]] = f"{indent}{language.line_comment} {summary}"
    elif lines.line_of(symbol.docstring_start) not in numbers:
        first = lines.line_of(symbol.docstring_start)
        indent = " " * _indent(line_text(lines, first))
        summaries[numbers[-1]] = f'{indent}"""{summary}"""'


def _summary(docstring: bytes) -> str:
    """The first line of a comment or docstring that says something."""
    for line in docstring.split(b"\n"):
        if line.lstrip().startswith((b"#[", b"@")):  # an attribute, not prose
            continue
        words = line.decode("utf-8", "replace").strip().strip("\"'/*#!<>-= \t\r")
        if any(character.isalpha() for character in words):
            return words[:120]
    return ""


def line_text(lines: LineIndex, line: int) -> str:
    content = lines.text[lines.line_start(line) : lines.line_end(line)]
    return content[:MAX_LINE].decode("utf-8", "replace").rstrip().expandtabs(4)


def range_snippet(
    lines: LineIndex, path: str, first: int, last: int, why: str, score: float
) -> Snippet:
    """Whole lines [first, last) of a file."""
    last = max(first + 1, min(last, lines.line_count))
    while last > first + 1 and not line_text(lines, last - 1):
        last -= 1
    start, end = lines.line_start(first), lines.line_start(last)
    return Snippet(
        path=path,
        start=start,
        end=end,
        start_line=first,
        end_line=last - 1,
        text=lines.text[start:end].decode("utf-8", "replace"),
        why=why,
        score=score,
        lines=tuple(range(first, last)),
    )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
