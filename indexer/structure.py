"""What an editor folds and how it widens a selection, read from the tree of an open document.

Nothing here names a language: brackets, the colon of an indented block and the words in the names
of nodes are enough for all grammars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import tree_sitter

from indexer.document import Document
from indexer.facts import FileFacts
from indexer.syntax import BLOCK_NODE

FoldKind = Literal["region", "comment", "imports"]
BRACKETS = {b"{": b"}", b"[": b"]", b"(": b")"}
# Nodes that fold although neither a bracket nor a colon opens them: Ruby, Lua, shells, markup.
FOLDED = re.compile(
    r"(?:^|_)(?:element|section|method|function|class|module|block|if|unless|case|while|until|for"
    r"|begin|do|pair|table|statement|string|template|heredoc|preproc)(?:_|$)"
)
REGION = re.compile(rb"^[ \t]*(?:#|//|--|/\*|<!--)[ \t]*#?(end)?region\b", re.M)
WORD = re.compile(rb"[\w$\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Fold:
    """Lines that fold together: the first stays visible, the last one is hidden with the rest."""

    start_line: int
    end_line: int
    start: int  # bytes; where the first line ends
    end: int
    kind: FoldKind


def folds(document: Document) -> Iterator[Fold | None]:
    """Folds of a document by their first line; None now and then, where the caller may pause.

    A snapshot: edits that come between two values do not matter to it.
    """
    text, lines, tree = document.text, document.line_index, document.tree
    found: dict[int, tuple[int, int, FoldKind]] = {}  # first line: strength, last line, kind
    if tree is not None:
        root = tree.copy().root_node
        facts = document.facts
        for place in _places(text, root):
            if place is None:
                yield None
                continue
            strength, start, end, kind = place
            first, last = lines.line_of(start), lines.line_of(end)
            known = found.get(first)
            if last > first and (known is None or (strength, last) > known[:2]):
                found[first] = (strength, last, kind)
        if facts is not None:
            for start, end in _import_runs(text, facts):
                first, last = lines.line_of(start), lines.line_of(end)
                if last > first:
                    found[first] = (3, last, "imports")
    for start, end in _regions(text):
        found[lines.line_of(start)] = (4, lines.line_of(end), "region")
    for first, (_, last, kind) in sorted(found.items()):
        yield Fold(first, last, lines.line_end(first), lines.line_end(last), kind)


Place = tuple[int, int, int, FoldKind]
"""Strength, start, last byte, kind. Of two that start on one line the stronger one counts."""
PAUSE = 200


def _places(text: bytes, root: tree_sitter.Node) -> Iterator[Place | None]:
    """Only nodes over several lines are entered: everything else cannot fold."""
    pending, visited = [root], 0
    while pending:
        node = pending.pop()
        before: tree_sitter.Node | None = None
        comment: tuple[int, int, int] | None = None  # start, end and last row of a run of comments
        for child in node.children:
            visited += 1
            if visited % PAUSE == 0:
                yield None
            is_comment = "comment" in child.type
            if is_comment and comment is not None and child.start_point.row == comment[2] + 1:
                comment = (comment[0], child.end_byte, _last_row(text, child))
            else:
                if comment is not None:
                    yield (1, comment[0], _last_byte(text, *comment[:2]), "comment")
                starts = is_comment and _begins_its_line(text, child.start_byte)
                comment = (
                    (child.start_byte, child.end_byte, _last_row(text, child)) if starts else None
                )
            below = before is not None and before.type == ":" and _is_below(before, child)
            if not is_comment and (below or child.end_point.row > child.start_point.row):
                pending.append(child)
                place = _place(text, child, before)
                if place is not None:
                    yield place
            before = child
        if comment is not None:
            yield (1, comment[0], _last_byte(text, *comment[:2]), "comment")


def _is_below(before: tree_sitter.Node, node: tree_sitter.Node) -> bool:
    """An indented block of one line spans no line end, yet folds into the line of its colon."""
    return node.end_point.row > before.end_point.row


def _place(text: bytes, node: tree_sitter.Node, before: tree_sitter.Node | None) -> Place | None:
    start, last = node.start_byte, _last_byte(text, node.start_byte, node.end_byte)
    closer = BRACKETS.get(text[start : start + 1])
    if closer is not None and text[last : last + 1] == closer:
        return (2, start, _line_above(text, last), "region")
    if before is not None and before.type == ":":
        return (2, before.start_byte, last, "region")
    if node.is_named and not node.is_error and FOLDED.search(node.type):
        if _closes(text, last):
            last = _line_above(text, last)
        return (0, start, last, "region")
    return None


def _closes(text: bytes, last: int) -> bool:
    """Whether the last line only closes what is folded, so that it should stay visible."""
    line = text[text.rfind(b"\n", 0, last + 1) + 1 : last + 1].strip()
    return line[:1] in (b"}", b"]", b")") or line[:2] == b"</" or line in CLOSING_WORDS


CLOSING_WORDS = (b"end", b"fi", b"done", b"esac", b"#endif", b"]]", b"end;", b"END")


def _line_above(text: bytes, last: int) -> int:
    """The last byte of the line above one that only closes; `last` where more stands on it."""
    line_start = text.rfind(b"\n", 0, last) + 1
    return max(0, line_start - 1) if not text[line_start:last].strip(b" \t;)]}") else last


def _last_byte(text: bytes, start: int, end: int) -> int:
    return start + max(0, len(text[start:end].rstrip()) - 1)


def _last_row(text: bytes, node: tree_sitter.Node) -> int:
    ends_line = node.end_byte > node.start_byte and text[node.end_byte - 1 : node.end_byte] == b"\n"
    return node.end_point.row - ends_line


def _begins_its_line(text: bytes, offset: int) -> bool:
    return not text[text.rfind(b"\n", 0, offset) + 1 : offset].strip()


def _import_runs(text: bytes, facts: FileFacts) -> Iterator[tuple[int, int]]:
    """Import statements with nothing but blanks between them."""
    run: tuple[int, int] | None = None
    for clause in sorted(facts.imports, key=lambda clause: clause.start):
        if run is not None and clause.start <= run[1]:
            run = (run[0], max(run[1], clause.end))
        elif run is not None and not text[run[1] : clause.start].strip(b" \t\r\n;"):
            run = (run[0], clause.end)
        else:
            if run is not None:
                yield run[0], _last_byte(text, *run)
            run = (clause.start, clause.end)
    if run is not None:
        yield run[0], _last_byte(text, *run)


def _regions(text: bytes) -> Iterator[tuple[int, int]]:
    """From each `#region` to its `#endregion`."""
    opened: list[int] = []
    for mark in REGION.finditer(text):
        if mark[1] is None:
            opened.append(mark.end())
        elif opened:
            yield opened.pop(), mark.end()


def statements(document: Document) -> list[tuple[int, int]]:
    """Byte ranges of the statements of a document that begin and end with their lines, in order."""
    text, tree = document.text, document.tree
    if tree is None:
        return []
    found, pending = [], [tree.root_node]
    while pending:
        node = pending.pop()
        is_block = BLOCK_NODE.search(node.type) is not None
        for child in node.named_children:
            pending.append(child)
            if is_block and "comment" not in child.type and not child.has_error:
                end = text.find(b"\n", child.end_byte)
                behind = text[child.end_byte : len(text) if end < 0 else end]
                if _begins_its_line(text, child.start_byte) and not behind.strip(b" \t\r;,"):
                    found.append((child.start_byte, child.end_byte))
    return sorted(found)


def selections(document: Document, offset: int) -> list[tuple[int, int]]:
    """Byte ranges around an offset, the smallest first, each inside the next and unlike it."""
    text, tree = document.text, document.tree
    ranges: list[tuple[int, int]] = []
    word = word_at(text, offset)
    if word is not None:
        ranges.append(word)
    place = word[0] if word is not None else offset
    if tree is None:
        line = document.line_index.line_of(offset)
        start, end = document.line_index.line_start(line), document.line_index.line_end(line)
        ranges.append((start + len(text[start:end]) - len(text[start:end].lstrip()), end))
    else:
        node = tree.root_node.descendant_for_byte_range(place, place)
        while node is not None:
            inner = _inside(text, node)
            if inner is not None and inner[0] <= place and offset <= inner[1]:
                ranges.append(inner)
            ranges.append((node.start_byte, node.end_byte))
            node = node.parent
    ranges.append((0, len(text)))
    return _nested(ranges, offset)


def word_at(text: bytes, offset: int) -> tuple[int, int] | None:
    """The word that an offset is in or at the edge of."""
    start = text.rfind(b"\n", 0, offset) + 1
    end = text.find(b"\n", offset)
    for word in WORD.finditer(text, start, len(text) if end < 0 else end):
        if word.start() <= offset <= word.end():
            return word.span()
    return None


def _inside(text: bytes, node: tree_sitter.Node) -> tuple[int, int] | None:
    """What stands between the brackets or quotes of a node."""
    start, end = node.start_byte, node.end_byte
    opener = text[start : start + 1]
    closer = BRACKETS.get(opener, opener if opener in (b'"', b"'", b"`") else None)
    if closer is None or end - start < 2 or text[end - 1 : end] != closer:
        return None
    content = text[start + 1 : end - 1]
    lead = len(content) - len(content.lstrip())
    return start + 1 + lead, start + 1 + max(lead, len(content.rstrip()))


def _nested(ranges: list[tuple[int, int]], offset: int) -> list[tuple[int, int]]:
    nested: list[tuple[int, int]] = []
    for start, end in ranges:
        if not start <= offset <= end:
            continue
        if not nested or (
            start <= nested[-1][0] and nested[-1][1] <= end and (start, end) != nested[-1]
        ):
            nested.append((start, end))
    return nested
