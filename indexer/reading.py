"""Reads the facts of a syntax tree: in one go, or node by node with memory of what did not change.

Both ways give the same facts. In one go the query runs once over the whole tree. With memory, large
nodes are split at their body into a header and statements; what the same text, as the same kind of
node in the same surroundings, gave before is used again.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import NamedTuple

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.clauses import Statement, imports_of
from indexer.definitions import (
    OUTER,
    OUTER_CLASS,
    Match,
    Scope,
    keep_match,
    name_range,
    symbol_rows,
    text_of_node,
    type_names,
)
from indexer.facts import CONTAINERS, END, KIND, KINDS, ROLE_NUMBER, START, Import, Role
from indexer.fragments import Fragment, Parameter, Part, joined
from indexer.language import Language
from indexer.names import Names

SPLIT_BYTES = 3_000
"""Nodes from this size on are split at their body."""
MAX_LEAVES, MAX_NAMES = 10_000, 50_000
REFERENCE_ROLES = {f"reference.{role}": number for role, number in ROLE_NUMBER.items()}
WORDS = "reference.words"
"""Captures a node with several names, divided by spaces: the value of `class` in a page."""
NAMED = ROLE_NUMBER[Role.NAME]
WORD = re.compile(rb"[^ \t\r\n\f]+")
IMPORTED = ROLE_NUMBER[Role.IMPORT]
TOP = Scope(None, False)


class Key(NamedTuple):
    """What decides about the facts of a node without errors."""

    kind: int
    scope: Scope
    size: int
    digest: bytes


def read_tree(language: Language, text: bytes, root: tree_sitter.Node, names: Names) -> Fragment:
    """The facts of a whole text in one go."""
    fragment = read_node(language, text, root, TOP, names)
    return joined([Part(root.start_byte, root.start_point[0], fragment)])


class Memory:
    """Reads the trees of one document again and again, each node only when it changed."""

    def __init__(self, language: Language) -> None:
        self.names = Names()
        self._language = language
        self._text = b""
        self._leaves: dict[Key, Fragment] = {}
        self._split: dict[Key, Fragment] = {}  # large ones: only those of the last two readings
        self._split_now: dict[Key, Fragment] = {}

    def read_tree(self, text: bytes, root: tree_sitter.Node) -> Fragment:
        """The facts of a whole text."""
        if len(self.names.strings) > MAX_NAMES:
            self._leaves, self._split, self.names = {}, {}, Names()
        if len(self._leaves) > MAX_LEAVES:  # the half that was used last stays
            self._leaves = dict(islice(self._leaves.items(), MAX_LEAVES // 2, None))
        if self._spans(root.type):
            return read_tree(self._language, text, root, self.names)
        self._text, self._split_now = text, {}
        parts = [
            Part(node.start_byte, node.start_point[0], self._fragment(node, TOP))
            for node in root.children
            if node.is_named
        ]
        self._split = self._split_now
        return joined(parts)

    def _spans(self, root: str) -> bool:
        """Whether some pattern tells what stands at the top by the root around it."""
        return re.search(rb"\(%s\b" % root.encode(), self._language.facts_source) is not None

    def _fragment(self, node: tree_sitter.Node, scope: Scope) -> Fragment:
        if node.has_error:  # how errors are cut up depends on what is around
            return self._make(node, scope)
        start, end = node.byte_range
        digest = hashlib.blake2b(self._text[start:end], digest_size=16).digest()
        key = Key(node.kind_id, scope, end - start, digest)
        if end - start < SPLIT_BYTES:
            fragment = self._leaves.pop(key, None) or self._make(node, scope)
            self._leaves[key] = fragment  # at the end, as the one used last
            return fragment
        fragment = self._split.get(key) or self._make(node, scope)
        self._split_now[key] = fragment
        return fragment

    def _make(self, node: tree_sitter.Node, scope: Scope) -> Fragment:
        body = _large_body(node)
        if body is None:
            return read_node(self._language, self._text, node, scope, self.names)
        header = read_node(self._language, self._text, node, scope, self.names, body)
        origin, first = node.start_byte, node.start_point[0]
        owner = _symbol_around(header.symbols, body.start_byte - origin, body.end_byte - origin)
        inner, owner_class = scope, OUTER_CLASS
        if owner != OUTER:
            kind = KINDS[header.symbols[owner, KIND]]
            owner_class = owner if kind in CONTAINERS else OUTER_CLASS
            inner = Scope(kind, scope.in_class or kind in CONTAINERS)
        parts = [Part(0, 0, header)]
        parts += [
            Part(
                child.start_byte - origin,
                child.start_point[0] - first,
                self._fragment(child, inner),
            )
            for child in body.children
            if child.is_named
        ]
        return joined(parts, owner, owner_class)


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
    return int(around[-1]) if len(around) else OUTER


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
            start, end = name_range(text, *found.byte_range, language.sigils)
            known = references.get(start)
            if start < end and (known is None or known[1] < role):
                references[start] = (end, role)
        elif head == WORDS:
            for word in WORD.finditer(text, found.start_byte, found.end_byte):
                references.setdefault(word.start(), (word.end(), NAMED))
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
