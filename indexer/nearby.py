"""What the code around a cursor talks about: dotted names with weights, and evident types."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.chunks import name_parts
from indexer.document import Document
from indexer.facts import CONTAINERS, END, START, FileFacts, Kind, Symbol
from indexer.line_index import LineIndex

CHAIN = re.compile(
    rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*(?:\s*(?:\.|::|->|\?\.)\s*[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)*"
)
NAME = re.compile(rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*")
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
    mentions: tuple[Mention, ...]  # heaviest first, each name once; the cursor's line left out
    written: tuple[Mention, ...]  # in the cursor's line before the cursor, in their order
    function: Symbol | None
    owner: Symbol | None  # the class around
    parameters: frozenset[str]  # names in the signature of the function
    types: dict[str, str]  # names of parameters and variables, and their types as written
    window: tuple[int, int]  # bytes that are shown to the model anyway
    line: tuple[int, int]  # bytes of the cursor's line, its line end left out
    words: dict[str, float]  # words of names around, 1 for the nearest; the cursor's line left out


def surroundings(document: Document, facts: FileFacts, offset: int) -> Surroundings:
    text, lines = document.text, document.line_index
    line = lines.line_of(offset)
    language = document.language
    indented = language is not None and language.docstring == "inside"
    function, owner = _around(lines, facts, offset, indented)
    if language is not None and language.member_mark:
        text = text.replace(language.member_mark.encode(), b".")
    if language is not None and b"$" in language.sigils:  # elsewhere it is part of names
        text = text.replace(b"$", b" ")
    prefix = text[lines.line_start(line) : offset]
    match = RECEIVER.search(prefix)
    first = max(0, line - LINES_BEFORE)
    last = min(lines.line_count, line + LINES_AFTER + 1)
    mentions = _mentions(text, lines, line, first, last, function)
    return Surroundings(
        receiver=split_chain(match.group(1).decode("utf-8", "replace")) if match else (),
        typed=match.group(2).decode("utf-8", "replace") if match else "",
        mentions=mentions,
        written=_written(prefix),
        function=function,
        owner=owner,
        parameters=_parameters(text, function),
        types=_types(document, offset, function),
        window=(lines.line_start(first), lines.line_start(last)),
        line=(lines.line_start(line), lines.line_end(line)),
        words=_words(mentions),
    )


def split_chain(chain: str) -> tuple[str, ...]:
    return tuple(SEPARATOR.split(chain.strip()))


def _around(
    lines: LineIndex, facts: FileFacts, offset: int, indented: bool
) -> tuple[Symbol | None, Symbol | None]:
    """The innermost function and class around an offset."""
    table = facts.table
    inside = (table[:, START] <= offset) & (table[:, END] >= offset)
    if indented:
        inside |= _continued(lines, table, offset)
    function = owner = None
    for index in inside.nonzero()[0].tolist():
        symbol = facts.symbol(index)
        if symbol.kind in (Kind.FUNCTION, Kind.METHOD):
            function = symbol
        elif symbol.kind in CONTAINERS:
            owner, function = symbol, None
    return function, owner


def _continued(lines: LineIndex, table: NDArray[np.int32], offset: int) -> NDArray[np.bool_]:
    """Symbols that ended above a new line which is indented as if they went on."""
    line = lines.line_of(offset)
    start = lines.line_start(line)
    above = lines.text[:start].rstrip()
    indent = len(lines.text[start:offset].expandtabs(4)) - len(
        lines.text[start:offset].expandtabs(4).lstrip()
    )
    last = len(above)
    ended = (table[:, START] < last) & (table[:, END] >= last) & (table[:, END] <= offset)
    for index in ended.nonzero()[0].tolist():
        begin = int(table[index, START])
        column = begin - lines.line_start(lines.line_of(begin))
        ended[index] = column < indent
    return ended


def _mentions(
    text: bytes, lines: LineIndex, line: int, first: int, last: int, function: Symbol | None
) -> tuple[Mention, ...]:
    weights: dict[bytes, float] = {}
    start_of_function = lines.line_of(function.start) if function is not None else line
    bounds = [*lines.starts[first : last + 1].tolist(), len(text)]
    for number in range(first, last):
        if number == line:
            continue
        distance = abs(number - line)
        weight = math.exp(-distance / (12.0 if number < line else 6.0))
        if number < start_of_function:
            weight *= 0.5
        for match in CHAIN.finditer(text, bounds[number - first], bounds[number - first + 1]):
            written = match.group()
            weights[written] = max(weights.get(written, 0.0), weight)
    found: dict[tuple[str, ...], float] = {}
    for written, weight in weights.items():
        parts = split_chain(written.decode("utf-8", "replace"))
        found[parts] = max(found.get(parts, 0.0), weight)
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return tuple(Mention(parts, weight) for parts, weight in ordered)


def _written(prefix: bytes) -> tuple[Mention, ...]:
    """The dotted names of a line that is being written, the one at its end left out."""
    found: dict[tuple[str, ...], float] = {}
    for position, match in enumerate(CHAIN.finditer(prefix)):
        if match.end() < len(prefix):
            parts = split_chain(match.group().decode("utf-8", "replace"))
            found.setdefault(parts, 2.0 + 0.01 * position)
    return tuple(Mention(parts, weight) for parts, weight in found.items())


def _words(mentions: tuple[Mention, ...]) -> dict[str, float]:
    """How near the words of names are; `mentions` are sorted by nearness."""
    near: dict[str, float] = {}
    for mention in mentions:
        for name in mention.parts:
            for word in name_parts(name) or (name.lower(),):
                near.setdefault(word, min(1.0, mention.weight))
    return near


def _parameters(text: bytes, function: Symbol | None) -> frozenset[str]:
    if function is None:
        return frozenset()
    signature = text[function.name_end : function.signature_end]
    return frozenset(name.decode("utf-8", "replace") for name in NAME.findall(signature))


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
        if any(_text(document, node) != "new" for node in captures.get("new", ())):
            continue
        if names and types and low <= names[0].start_byte < offset:
            for name in names:
                found[_text(document, name)] = _text(document, types[0])
    return found


def _text(document: Document, node: tree_sitter.Node) -> str:
    return document.text[node.start_byte : node.end_byte].decode("utf-8", "replace")
