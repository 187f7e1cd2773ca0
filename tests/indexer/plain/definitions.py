"""From matches of definition patterns to rows of symbols: their kinds and what they are in."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.facts import CONTAINERS, KIND_NUMBER, WIDTH, Kind
from indexer.language import Language
from tests.indexer.plain.names import Names

OUTER = -1
"""Parent of symbols at the top."""
MAX_TEXT = 200
"""Bytes of an annotation or a list of bases that are looked at."""
DOTTED = re.compile(
    rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*(?:(?:\.|::)[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)*"
)
NESTED = re.compile(rb"\[[^\[\]]*\]|<[^<>]*>|\w+\s*=\s*[^,)]*")
BASE_WORDS = frozenset(
    b"extends implements public private protected virtual const mut dyn final static struct class"
    b" unsigned signed".split()
)
"""Words in types and lists of bases that name no type."""
FUNCTIONS = frozenset({Kind.FUNCTION, Kind.METHOD})
VALUES = frozenset({Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD, Kind.STYLE})
"""What holds no other definitions and is assigned again and again: the first time counts."""


class Match(NamedTuple):
    """A definition as matched, before its place among the others is known."""

    pattern: int
    kind: str
    node: tree_sitter.Node
    name: tree_sitter.Node
    captures: dict[str, list[tree_sitter.Node]]


def name_range(text: bytes, start: int, end: int, sigils: bytes) -> tuple[int, int]:
    """The range of a name without sigils before it and quotes around it."""
    while sigils and start < end - 1 and text[start] in sigils:
        start += 1
    quoted = end - start > 2 and text[start] in b"\"'`" and text[start] == text[end - 1]
    return (start + 1, end - 1) if quoted else (start, end)


def text_of_node(text: bytes, node: tree_sitter.Node) -> str:
    return text[node.start_byte : node.end_byte].decode("utf-8", "replace")


def keep_match(
    definitions: dict[int, Match],
    pattern: int,
    kind: str,
    captures: dict[str, list[tree_sitter.Node]],
) -> None:
    """Of several matches for one name keeps that of the earliest pattern, then the fullest."""
    for name in captures.get("name", ()):
        start = name.start_byte
        if start == name.end_byte:  # the parser made up what is missing
            continue
        known = definitions.get(start)
        if (
            known is None
            or pattern < known.pattern
            or (pattern == known.pattern and _fullness(captures) > _fullness(known.captures))
        ):
            node = captures["definition." + kind][0]
            definitions[start] = Match(pattern, kind, node, name, captures)


def _fullness(captures: dict[str, list[tree_sitter.Node]]) -> tuple[int, int]:
    return len(captures), sum(map(len, captures.values()))


def symbol_rows(
    language: Language,
    text: bytes,
    definitions: dict[int, Match],
    names: Names,
) -> tuple[NDArray[np.int32], tuple[str, ...], tuple[tuple[int, str], ...]]:
    rows: list[list[int]] = []
    details: list[str] = []
    owners: list[tuple[int, str]] = []
    ordered = sorted(
        definitions.values(),
        key=lambda found: (found.node.start_byte, -found.node.end_byte, found.name.start_byte),
    )
    around: list[tuple[int, Kind, int]] = []  # end, kind and row of what is around
    for found in ordered:
        node = found.node
        while around and around[-1][0] <= found.name.start_byte:
            around.pop()
        if found.kind == "nameless":
            around.append((node.end_byte, Kind.FUNCTION, around[-1][2] if around else OUTER))
            continue
        kind, parent = _place(found, around, language, text)
        if kind is None:
            continue
        named = name_range(text, *found.name.byte_range, language.sigils)
        owner = found.captures.get("owner")
        if owner:
            owners.append((len(rows), _last_name(text, owner[0])))
        if kind not in VALUES:
            around.append((node.end_byte, kind, len(rows)))
        name = names.number(text[slice(*named)])
        rows.append(_row(language, found, node, name, named, kind, parent, text))
        details.append(_detail(found, text))
    table = np.array(rows, np.int32).reshape(-1, WIDTH)
    return table, tuple(details), tuple(owners)


def _last_name(text: bytes, node: tree_sitter.Node) -> str:
    """`Type` of `*pkg.Type[T]` or `ns::Type<T>`."""
    names = DOTTED.findall(_outermost(text[node.start_byte : node.end_byte]))
    return re.split(r"\.|::", names[-1].decode("utf-8", "replace"))[-1] if names else ""


def _place(
    found: Match,
    around: list[tuple[int, Kind, int]],
    language: Language,
    text: bytes,
) -> tuple[Kind | None, int]:
    """The final kind of a definition and the row of its container; None for local names."""
    inner = around[-1][1] if around else None
    parent = around[-1][2] if around else OUTER
    if found.kind == "member":
        receiver = found.captures.get("receiver")
        if receiver and text_of_node(text, receiver[0]) not in language.receivers:
            return None, parent
        for _, kind, row in reversed(around):
            if kind in CONTAINERS:
                return Kind.FIELD, row
        return None, parent
    kind = Kind(found.kind)
    in_type = inner in CONTAINERS and inner is not Kind.MODULE
    belongs = in_type or "owner" in found.captures
    if kind in FUNCTIONS:
        kind = Kind.METHOD if belongs else Kind.FUNCTION
    elif kind in (Kind.VARIABLE, Kind.CONSTANT):
        if inner in FUNCTIONS:
            return None, parent
        kind = Kind.FIELD if belongs else kind
    elif kind is Kind.FIELD and not belongs:
        return None, parent
    return kind, parent


def _row(
    language: Language,
    found: Match,
    node: tree_sitter.Node,
    name: int,
    named: tuple[int, int],
    kind: Kind,
    parent: int,
    text: bytes,
) -> list[int]:
    signature = found.captures["signature"][0] if "signature" in found.captures else node
    body = found.captures["body"][0] if "body" in found.captures else None
    signature_end = node.end_byte
    if body is not None:
        head = text[signature.start_byte : body.start_byte].rstrip()
        signature_end = signature.start_byte + len(head)
    docstring = (node.start_byte, node.start_byte)
    if body is not None and language.docstring == "inside":
        docstring = _inside_docstring(body, docstring)
    end_line = node.end_point[0] - (
        1 if node.end_point[1] == 0 and node.end_byte > node.start_byte else 0
    )
    return [
        name,
        KIND_NUMBER[kind],
        parent,
        node.start_byte,
        node.end_byte,
        named[0],
        named[1],
        signature.start_byte,
        signature_end,
        docstring[0],
        docstring[1],
        node.start_point[0],
        end_line,
    ]


def _inside_docstring(body: tree_sitter.Node, none: tuple[int, int]) -> tuple[int, int]:
    statement = body.named_child(0) if body.named_child_count else None
    while statement is not None and statement.type == "comment":
        statement = statement.next_named_sibling
    if statement is None or statement.type != "expression_statement" or not statement.child_count:
        return none
    string = statement.child(0)
    return (string.start_byte, string.end_byte) if string.type == "string" else none


def _detail(found: Match, text: bytes) -> str:
    """Bases of a class, or a declared or constructed type; `=name` for the type of a parameter."""
    bases = found.captures.get("bases")
    if bases:
        return type_names(bases, text, True)
    types = found.captures.get("type")
    if types:
        return type_names(types, text, False)
    value = found.captures.get("value")
    if value:
        return "=" + text[value[0].start_byte : value[0].end_byte].decode("utf-8", "replace")
    return ""


def type_names(nodes: list[tree_sitter.Node], text: bytes, outermost: bool) -> str:
    """The dotted names in types, separated by spaces; of type arguments only on demand."""
    names: list[bytes] = []
    for node in nodes:
        source = text[node.start_byte : min(node.end_byte, node.start_byte + MAX_TEXT)]
        if outermost:
            source = _outermost(source)
        names += [name for name in DOTTED.findall(source) if name not in names]
    return b" ".join(name for name in names if name not in BASE_WORDS).decode("utf-8", "replace")


def _outermost(source: bytes) -> bytes:
    """A list of bases without type arguments and keyword arguments."""
    previous = b""
    while previous != source:
        previous, source = source, NESTED.sub(b" ", source)
    return source
