"""Facts of a syntax node, relative to where the node starts.

A fragment is what one run of the facts query over one node gives. Large nodes with a body are split
into a header and the statements of the body, each a fragment of its own. An incremental parse keeps
the identity of every subtree that an edit did not touch, so an open document keeps the fragments
by node identity and makes anew only those along the path to the edit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.clauses import Statement, imports_of
from indexer.definitions import (
    Match,
    Scope,
    keep_match,
    symbol_rows,
    text_of_node,
    type_names,
)
from indexer.facts import (
    CONTAINERS,
    DOCSTRING_END,
    END,
    END_LINE,
    KIND,
    KINDS,
    ROLE_NUMBER,
    START,
    START_LINE,
    WIDTH,
    Import,
    Role,
)
from indexer.language import Language
from indexer.names import Names

SPLIT_BYTES = 3_000
"""Nodes from this size on are split at their body."""
REFERENCE_ROLES = {f"reference.{role}": number for role, number in ROLE_NUMBER.items()}
IMPORTED = ROLE_NUMBER[Role.IMPORT]


class Parameter(NamedTuple):
    """A parameter with its declared type."""

    start: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """Facts of one node, offsets and lines relative to its start."""

    symbols: NDArray[np.int32]  # [n, WIDTH], names numbered by the document's table
    details: tuple[str, ...]
    owners: tuple[tuple[int, str], ...]
    references: NDArray[np.int32]  # [m, 3]
    imports: tuple[Import, ...]
    comments: NDArray[np.int32]  # [k, 4] start, end, first line, last line
    parameters: tuple[Parameter, ...] = ()
    children: tuple[tuple[int, int, Fragment], ...] = ()  # (offset, line, fragment) of body parts
    owner: int = -1  # the symbol that the children are inside of

    @property
    def owner_is_container(self) -> bool:
        return self.owner >= 0 and KINDS[self.symbols[self.owner, KIND]] in CONTAINERS


EMPTY_ROWS = {width: np.zeros((0, width), np.int32) for width in (WIDTH, 3, 4)}
OFFSET_COLUMNS = np.zeros(WIDTH, np.int32)
OFFSET_COLUMNS[START : DOCSTRING_END + 1] = 1
LINE_COLUMNS = np.zeros(WIDTH, np.int32)
LINE_COLUMNS[[START_LINE, END_LINE]] = 1


@dataclass(slots=True)
class FragmentMaker:
    """Makes the fragments of one tree, reusing those of the tree before it."""

    language: Language
    text: bytes
    names: Names
    reusable: dict[tuple[int, Scope], Fragment]
    made: dict[tuple[int, Scope], Fragment]

    def fragment(self, node: tree_sitter.Node, scope: Scope) -> Fragment:
        key = (node.id, scope)
        fragment = self.reusable.get(key)
        if fragment is None:
            body = _large_body(node)
            if body is None:
                fragment = read_node(self.language, self.text, node, scope, self.names)
            else:
                fragment = self._split(node, body, scope)
        self.made[key] = fragment
        return fragment

    def _split(self, node: tree_sitter.Node, body: tree_sitter.Node, scope: Scope) -> Fragment:
        header = read_node(self.language, self.text, node, scope, self.names, body)
        origin, first = node.start_byte, node.start_point[0]
        owner = _symbol_around(header.symbols, body.start_byte - origin, body.end_byte - origin)
        inner = scope
        if owner >= 0:
            kind = KINDS[header.symbols[owner, KIND]]
            inner = Scope(kind, scope.in_class or kind in CONTAINERS)
        children = []
        for child in body.children:
            if child.is_named:
                part = self.fragment(child, inner)
                children.append((child.start_byte - origin, child.start_point[0] - first, part))
        return replace(header, children=tuple(children), owner=owner)


def whole(language: Language, text: bytes, root: tree_sitter.Node) -> tuple[Fragment, Names]:
    """All of a tree as one fragment: the plain way, used for files on disk."""
    names = Names()
    fragment = read_node(language, text, root, Scope(None, False), names)
    return grouped(((root.start_byte, root.start_point[0], fragment),)), names


def grouped(children: tuple[tuple[int, int, Fragment], ...]) -> Fragment:
    """A fragment of a whole text, made of (offset, line, fragment) of its parts."""
    nothing = Fragment(EMPTY_ROWS[WIDTH], (), (), EMPTY_ROWS[3], (), EMPTY_ROWS[4])
    return replace(nothing, children=children)


def _large_body(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The body at which a large node is split, also through a decorator or an export."""
    if node.end_byte - node.start_byte < SPLIT_BYTES:
        return None
    end = node.end_byte
    if "enum" in node.type:  # their members are told by the body around them
        return None
    for _ in range(3):
        body = node.child_by_field_name("body")
        if body is not None:
            # Nothing may stand after the body: the header is all that is read besides it.
            return body if body.child_count > 1 and body.end_byte == end else None
        inner = node.child_by_field_name("definition") or node.child_by_field_name("declaration")
        if inner is None:
            return None
        node = inner
    return None


def _symbol_around(symbols: NDArray[np.int32], start: int, end: int) -> int:
    around = np.flatnonzero((symbols[:, START] <= start) & (symbols[:, END] >= end))
    return int(around[-1]) if len(around) else -1


def read_node(
    language: Language,
    text: bytes,
    node: tree_sitter.Node,
    scope: Scope,
    names: Names,
    body: tree_sitter.Node | None = None,
) -> Fragment:
    """Runs the facts query over a node; with `body`, over what stands before the body only."""
    cursor = tree_sitter.QueryCursor(language.facts_query)
    limit = node.end_byte + 1
    if body is not None:
        limit = body.start_byte
        cursor.set_byte_range(node.start_byte, limit)
    heads = language.facts_heads
    definitions: dict[int, Match] = {}
    references: dict[int, tuple[int, int]] = {}
    others: list[tuple[str, tree_sitter.Node, dict[str, list[tree_sitter.Node]]]] = []
    for pattern, captures in cursor.matches(node):
        head = heads[pattern]
        found = captures[head][0]
        role = REFERENCE_ROLES.get(head)
        if role is not None:
            start = found.start_byte
            known = references.get(start)
            if known is None or known[1] < role:
                references[start] = (found.end_byte, role)
        elif head.startswith("definition."):
            keep_match(definitions, pattern, head[11:], captures, limit)
        elif found.start_byte < limit:
            others.append((head, found, captures))
    origin, first = node.start_byte, node.start_point[0]
    rows, details, owners = symbol_rows(language, text, definitions, scope, names, origin, first)
    imports = _imports(language, text, others, origin)
    return Fragment(
        rows,
        details,
        owners,
        _references(text, references, imports, names, origin, limit),
        imports,
        _comments(others, origin, first),
        _parameters(text, others, origin),
    )


Others = list[tuple[str, tree_sitter.Node, dict[str, list[tree_sitter.Node]]]]
"""Matches that are neither definitions nor references: (what, where, captures)."""


def _imports(language: Language, text: bytes, others: Others, origin: int) -> tuple[Import, ...]:
    statements: dict[int, Statement] = {}
    for what, node, captures in others:
        if what == "import":
            statements.setdefault(node.start_byte, Statement(node)).add(captures)
    return imports_of(language, text, statements, origin)


def _comments(others: Others, origin: int, first: int) -> NDArray[np.int32]:
    rows = [
        (
            node.start_byte - origin,
            node.end_byte - origin,
            node.start_point[0] - first,
            node.end_point[0] - first,
        )
        for what, node, _ in others
        if what == "comment"
    ]
    return np.array(rows, np.int32).reshape(-1, 4)


def _parameters(text: bytes, others: Others, origin: int) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            node.start_byte - origin,
            text_of_node(text, node),
            type_names(captures["type"], text, False),
        )
        for what, node, captures in others
        if what == "parameter"
    )


def _references(
    text: bytes,
    references: dict[int, tuple[int, int]],
    imports: tuple[Import, ...],
    names: Names,
    origin: int,
    limit: int,
) -> NDArray[np.int32]:
    number = names.number
    rows = [
        (number(text[start:end]), start - origin, role)
        for start, (end, role) in sorted(references.items())
        if start < limit
    ]
    table = np.array(rows, np.int32).reshape(-1, 3)
    for clause in imports:
        low, high = np.searchsorted(table[:, 1], (clause.start, clause.end))
        table[low:high, 2] = IMPORTED
    return table
