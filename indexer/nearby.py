"""What the code around a cursor talks about: dotted names with weights, and evident types."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import tree_sitter

from indexer.document import Document
from indexer.facts import CONTAINERS, FileFacts, Kind, Symbol

CHAIN = re.compile(
    rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*(?:\s*(?:\.|::|->|\?\.)\s*[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)*"
)
SEPARATOR = re.compile(r"\s*(?:\?\.|\.|::|->)\s*")
RECEIVER = re.compile(
    rb"([A-Za-z_$\x80-\xff][\w$\x80-\xff]*(?:(?:\.|::|->|\?\.)[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)*)"
    rb"(?:\(\))?(?:\.|::|->|\?\.)([\w$\x80-\xff]*)$"
)
LINES_BEFORE, LINES_AFTER = 60, 15
LOCAL_BYTES = 8_000
"""How far before the cursor evident types are looked for."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A dotted name near the cursor."""

    parts: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that the search for definitions wants to know about a cursor."""

    receiver: tuple[str, ...]  # `a.b` of an unfinished `a.b.c|`, else empty
    typed: str  # `c` of it
    mentions: tuple[Mention, ...]  # heaviest first, each name once
    function: Symbol | None
    owner: Symbol | None  # the class around
    types: dict[str, str]  # names of parameters and variables, and their types as written
    window: tuple[int, int]  # bytes that are shown to the model anyway


def surroundings(document: Document, facts: FileFacts, offset: int) -> Surroundings:
    text, lines = document.text, document.line_index
    line = lines.line_of(offset)
    function, owner = _around(facts, offset)
    prefix = text[lines.line_start(line) : offset]
    match = RECEIVER.search(prefix)
    first = max(0, line - LINES_BEFORE)
    last = min(lines.line_count, line + LINES_AFTER + 1)
    return Surroundings(
        receiver=split_chain(match.group(1).decode("utf-8", "replace")) if match else (),
        typed=match.group(2).decode("utf-8", "replace") if match else "",
        mentions=_mentions(document, line, offset, first, last, function),
        function=function,
        owner=owner,
        types=_types(document, offset, function),
        window=(lines.line_start(first), lines.line_start(last)),
    )


def split_chain(chain: str) -> tuple[str, ...]:
    return tuple(SEPARATOR.split(chain.strip()))


def _around(facts: FileFacts, offset: int) -> tuple[Symbol | None, Symbol | None]:
    """The innermost function and class around an offset."""
    table = facts.table
    inside = (table[:, 3] <= offset) & (table[:, 4] >= offset)
    function = owner = None
    for index in inside.nonzero()[0].tolist():
        symbol = facts.symbol(index)
        if symbol.kind in (Kind.FUNCTION, Kind.METHOD):
            function = symbol
        elif symbol.kind in CONTAINERS:
            owner, function = symbol, None
    return function, owner


def _mentions(
    document: Document, line: int, offset: int, first: int, last: int, function: Symbol | None
) -> tuple[Mention, ...]:
    weights: dict[tuple[str, ...], float] = {}
    lines, text = document.line_index, document.text
    start_of_function = lines.line_of(function.start) if function is not None else line
    for number in range(first, last):
        start, end = lines.line_start(number), lines.line_end(number)
        if number == line:
            end = offset
        distance = abs(number - line)
        weight = math.exp(-distance / (12.0 if number < line else 6.0))
        if number == line:
            weight = 2.0
        elif number < start_of_function:
            weight *= 0.5
        for position, match in enumerate(CHAIN.finditer(text[start:end])):
            parts = split_chain(match.group().decode("utf-8", "replace"))
            here = weight + (0.01 * position if number == line else 0.0)
            weights[parts] = max(weights.get(parts, 0.0), here)
    ordered = sorted(weights.items(), key=lambda item: -item[1])
    return tuple(Mention(parts, weight) for parts, weight in ordered)


def _types(document: Document, offset: int, function: Symbol | None) -> dict[str, str]:
    tree, language = document.tree, document.language
    query = language.locals_query if language is not None else None
    if tree is None or query is None:
        return {}
    low = function.start if function is not None else max(0, offset - LOCAL_BYTES)
    cursor = tree_sitter.QueryCursor(query)
    cursor.set_byte_range(low, max(low + 1, offset))
    found: dict[str, str] = {}
    for _, captures in cursor.matches(tree.root_node):
        names, types = captures.get("name"), captures.get("type")
        if names and types and low <= names[0].start_byte < offset:
            for name in names:
                found[_text(document, name)] = _text(document, types[0])
    return found


def _text(document: Document, node: tree_sitter.Node) -> str:
    return document.text[node.start_byte : node.end_byte].decode("utf-8", "replace")
