"""Pieces of other code worth showing: signatures and skeletons first, bodies only as chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from indexer.facts import FileFacts, Kind, Symbol
from indexer.language import languages
from indexer.line_index import LineIndex

SIGNATURE_LINES = 5
VALUE_LINES = 3
VALUES = frozenset({Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD})
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
    of_line: bool = False  # whether the line that is being written asks for it


@dataclass(frozen=True, slots=True)
class RecentSpan:
    """Lines of a file that were edited or looked at; both are included, counted from 0."""

    path: str
    first_line: int
    last_line: int


def signature_lines(lines: LineIndex, symbol: Symbol) -> list[int]:
    """The lines of a definition that say how to use it: decorators and signature."""
    first = lines.line_of(symbol.start)
    signature = lines.line_of(symbol.signature_start)
    last = lines.line_of(max(symbol.signature_start, symbol.signature_end - 1))
    if symbol.kind in VALUES:
        last = min(last, signature + VALUE_LINES - 1)
    decorators = range(max(first, signature - 2), signature)
    return [*decorators, *range(signature, min(last, signature + SIGNATURE_LINES - 1) + 1)]


@dataclass(frozen=True, slots=True)
class Rows:
    """Lines by their numbers, and first lines of documentation by the lines they stand at."""

    shown: dict[int, str]
    summaries: dict[int, str]
    size: int  # bytes of all of them, line ends included
    indent: int  # the least of the lines that are not blank


def _rows(shown: dict[int, str], summaries: dict[int, str]) -> Rows:
    texts = (*shown.values(), *summaries.values())
    size = sum(len(text.encode()) + 1 for text in texts)
    indent = min((_indent(text) for text in shown.values() if text), default=MAX_LINE)
    return Rows(shown, summaries, size, indent)


def estimated_tokens(text: str) -> int:
    """Four bytes a token, rounded up."""
    return tokens_of_bytes(len(text.encode()))


def tokens_of_bytes(size: int) -> int:
    """As `estimated_tokens`, of a text of so many bytes."""
    return -(-size // 4)


def rows_of(lines: LineIndex, facts: FileFacts, symbol: Symbol, explained: bool) -> Rows:
    """The signature of a symbol, with the first line of its documentation if `explained`."""
    shown = _signature_rows(lines.text, symbol)
    if shown is None:
        shown = {line: line_text(lines, line) for line in signature_lines(lines, symbol)}
    numbers = list(shown)
    summary = ""
    if explained:
        summary = _summary(lines.text[symbol.docstring_start : symbol.docstring_end])
    if not summary:
        return _rows(shown, {})
    language = languages()[facts.language]
    if language.docstring == "above":
        indent = " " * _indent(shown[numbers[0]])
        return _rows(shown, {numbers[0]: f"{indent}{language.comment(summary)}"})
    first = lines.line_of(symbol.docstring_start)
    if first in numbers:
        return _rows(shown, {})
    indent = " " * _indent(line_text(lines, first))
    return _rows(shown, {numbers[-1]: f'{indent}"""{summary}"""'})


def _signature_rows(text: bytes, symbol: Symbol) -> dict[int, str] | None:
    """What `signature_lines` and `line_text` say, read in one go; None where \\r may end a line."""
    begin = text.rfind(b"\n", 0, symbol.start) + 1
    last = max(symbol.signature_start, symbol.signature_end - 1)
    end = text.find(b"\n", last)
    block = text[begin : end if end >= 0 else len(text)]
    if b"\r" in block:
        return None
    pieces = block.split(b"\n")
    signature = text.count(b"\n", begin, symbol.signature_start)
    most = VALUE_LINES if symbol.kind in VALUES else SIGNATURE_LINES
    chosen = pieces[max(0, signature - 2) : signature + min(most, SIGNATURE_LINES)]
    first = symbol.start_line + max(0, signature - 2)
    return {first + number: _shown(piece) for number, piece in enumerate(chosen)}


class Skeleton:
    """Signatures of one file, in the order of the file; grows as more of them are wanted."""

    def __init__(self, lines: LineIndex, facts: FileFacts) -> None:
        self._lines = lines
        self._facts = facts
        self._shown: dict[int, str] = {}
        self._summaries: dict[int, str] = {}
        self._indent = MAX_LINE

    def show(self, symbol: Symbol, explained: bool = True) -> None:
        """Adds a symbol."""
        self.take(rows_of(self._lines, self._facts, symbol, explained))

    def take(self, rows: Rows) -> None:
        self._shown.update(rows.shown)
        self._indent = min(self._indent, rows.indent)
        self._summaries.update(rows.summaries)

    def cost(self, rows: Sequence[Rows], count: Callable[[str], int]) -> int:
        """Tokens of the lines that are not here yet."""
        size = self._new_bytes(rows) if count is estimated_tokens else -1
        return tokens_of_bytes(size) if size >= 0 else count(self.added(*rows))

    def _new_bytes(self, rows: Sequence[Rows]) -> int:
        """Bytes of the lines that are not here yet; -1 where some overlap only in part."""
        here = self._shown.keys()
        new: list[Rows] = []
        for one in rows:
            if here.isdisjoint(one.shown):
                new.append(one)
            elif one.summaries or not one.shown.keys() <= here:
                return -1
        if len(new) > 1 and not new[0].shown.keys().isdisjoint(new[1].shown):
            return -1
        return sum(one.size for one in new)

    def added(self, *rows: Rows) -> str:
        """The lines that are not here yet, for counting."""
        new = {
            line: text
            for one in rows
            for line, text in one.shown.items()
            if line not in self._shown
        }
        notes = [
            text
            for one in rows
            for line, text in one.summaries.items()
            if line not in self._summaries
        ]
        return "".join([f"{text}\n" for text in (*new.values(), *notes)])

    def text(self) -> str:
        order = sorted(self._shown)
        indent = self._indent
        above = languages()[self._facts.language].docstring == "above"
        text: list[str] = []
        for line in order:
            summary = [self._summaries[line][indent:]] if line in self._summaries else []
            row = [self._shown[line][indent:]]
            text += summary + row if above else row + summary
        return "\n".join(text) + "\n"

    def snippet(self, why: str, score: float, name: str) -> Snippet:
        order = sorted(self._shown)
        return Snippet(
            path=self._facts.path,
            start=self._lines.line_start(order[0]),
            end=self._lines.line_end(order[-1]),
            start_line=order[0],
            end_line=order[-1],
            text=self.text(),
            why=why,
            score=score,
            name=name,
            lines=tuple(order),
        )


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
    return _shown(lines.text[lines.line_start(line) : lines.line_end(line)])


def _shown(content: bytes) -> str:
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
