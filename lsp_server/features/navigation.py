"""What editors show of the index: the outline of a document, and the card about a name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from indexer import Index, LineIndex, Symbol, word_at

SIGNATURE_LINES = 12
DOCUMENTATION_LINES = 40
OPENING = re.compile(
    r"^\s*(?:[rRuUbBfF]{0,2}(?:\"\"\"|'''|\"|')|/\*\*?!?|///?!?|//!?|--+|#+|<!--|;+)\s?"
)
CLOSING = re.compile(r"\s*(?:\"\"\"|'''|\"|'|\*+/|-->)\s*$")
GUTTER = re.compile(r"^\s*(?:\*(?!/)|///?!?|#+|--+|;+)\s?")


@dataclass(slots=True)
class OutlineItem:
    """A symbol with the symbols inside of it."""

    symbol: Symbol
    children: list[OutlineItem] = field(default_factory=list)


def outline(symbols: Iterable[Symbol]) -> list[OutlineItem]:
    """The symbols of one file as a tree, each level in the order of the text."""
    items = {symbol.index: OutlineItem(symbol) for symbol in symbols}
    top: list[OutlineItem] = []
    for item in items.values():
        parent = items.get(item.symbol.parent)
        (parent.children if parent is not None else top).append(item)
    return top


@dataclass(frozen=True, slots=True)
class Hover:
    """What a card says about the name at [start, end)."""

    start: int
    end: int
    language: str  # of the signature, for highlighting
    signature: str
    documentation: str
    place: str  # where it is defined: "shop/price.py:12"


def hover(index: Index, path: str, offset: int) -> Hover | None:
    """The card about the name at an offset; None where the index knows no definition."""
    document = index.document(path)
    name = word_at(document.text, offset) if document is not None else None
    if document is None or name is None:
        return None
    start, end = name
    for target in index.definitions_at(path, offset):
        lines = lines_of(index, target.path)
        if lines is None:
            continue
        symbol = target.symbol
        if symbol is not None:
            signature = _shown(lines, symbol.signature_start, symbol.signature_end)
            docstring = lines.text[symbol.docstring_start : symbol.docstring_end]
        else:
            line = lines.line_of(target.name_start)
            signature = _shown(lines, lines.line_start(line), lines.line_end(line))
            docstring = b""
        facts = index.facts(target.path)
        line = lines.line_of(target.name_start) + 1
        return Hover(
            start,
            end,
            facts.language if facts is not None else "",
            signature,
            documentation(docstring),
            f"{index.relative(target.path)}:{line}",
        )
    return None


def lines_of(index: Index, path: str) -> LineIndex | None:
    """The lines of an open document or of a file, key material masked."""
    text = index.text_of(path)
    return LineIndex(text) if text is not None else None


def documentation(comment: bytes) -> str:
    """The words of a docstring or of comments, without their signs and common indentation."""
    lines = comment.decode("utf-8", "replace").strip().expandtabs(4).splitlines()
    if not lines:
        return ""
    is_docstring = lines[0].lstrip("rRuUbBfF")[:1] in ('"', "'")
    first = OPENING.sub("", lines[0], count=1)
    rest = lines[1:] if is_docstring else [GUTTER.sub("", line) for line in lines[1:]]
    indent = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    words = [CLOSING.sub("", first), *(line[indent:].rstrip() for line in rest)]
    words[-1] = CLOSING.sub("", words[-1])
    text = "\n".join(words).strip("\n")
    shown = text.split("\n")
    more = ["…"] if len(shown) > DOCUMENTATION_LINES else []
    return "\n".join([*shown[:DOCUMENTATION_LINES], *more])


def _shown(lines: LineIndex, start: int, end: int) -> str:
    """Code as it stands, without the indentation of what it is inside of."""
    line = lines.text[lines.line_start(lines.line_of(start)) : end].decode("utf-8", "replace")
    indent = len(line) - len(line.lstrip())
    code = lines.text[start:end].decode("utf-8", "replace").strip()
    first, *rest = code.splitlines() or [""]
    inner = [one[min(indent, len(one) - len(one.lstrip())) :].rstrip() for one in rest]
    shown = [first, *inner[: SIGNATURE_LINES - 1]]
    return "\n".join([*shown, "…"] if len(inner) >= SIGNATURE_LINES else shown)
