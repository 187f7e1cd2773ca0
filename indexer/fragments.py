"""Facts of a syntax node, relative to where the node starts.

A fragment is what one run of the facts query over one node gives. Large nodes with a body are split
into a header and the statements of the body, each a fragment of its own. An incremental parse keeps
the identity of every subtree that an edit did not touch, so an open document keeps the fragments
by node identity and makes anew only those along the path to the edit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.facts import (
    CONTAINERS,
    DOCSTRING_END,
    END,
    END_LINE,
    KIND,
    KIND_NUMBER,
    KINDS,
    ROLE_NUMBER,
    START,
    START_LINE,
    WIDTH,
    Import,
    Kind,
    Role,
)
from indexer.language import Language

SPLIT_BYTES = 3_000
"""Nodes from this size on are split at their body."""
OUTER, OUTER_CLASS = -1, -2
"""Parents of a fragment's symbols that lie outside the fragment."""
MAX_TEXT = 200
"""Bytes of an annotation or a list of bases that are looked at."""
DOTTED = re.compile(
    rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*(?:(?:\.|::)[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)*"
)
FUNCTIONS = frozenset({Kind.FUNCTION, Kind.METHOD})
VALUES = frozenset({Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD})


class Scope(NamedTuple):
    """What is around a node: the kinds decide what an assignment in it defines."""

    kind: Kind | None  # of the innermost definition
    in_class: bool  # whether a class is anywhere around


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


class Names:
    """Numbers for strings, in order of first use."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self.strings: list[str] = []

    def number(self, name: bytes) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.strings)
            self.strings.append(name.decode("utf-8", "replace"))
        return number


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
    nothing = Fragment(EMPTY_ROWS[WIDTH], (), EMPTY_ROWS[3], (), EMPTY_ROWS[4])
    return replace(nothing, children=children)


def _large_body(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The body at which a large node is split, also through a decorator or an export."""
    if node.end_byte - node.start_byte < SPLIT_BYTES:
        return None
    end = node.end_byte
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


class _Found(NamedTuple):
    """A definition as matched, before its place among the others is known."""

    pattern: int
    kind: str
    node: tree_sitter.Node
    name: tree_sitter.Node
    captures: dict[str, list[tree_sitter.Node]]


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
    definitions: dict[int, _Found] = {}
    references: dict[int, tuple[int, int]] = {}
    imports: dict[int, _ImportParts] = {}
    comments: list[tuple[int, int, int, int]] = []
    parameters: list[Parameter] = []
    origin, first = node.start_byte, node.start_point[0]
    for pattern, captures in cursor.matches(node):
        for capture, nodes in captures.items():
            head = nodes[0]
            if capture.startswith("reference."):
                start = head.start_byte
                if start < limit:
                    role = ROLE_NUMBER[Role(capture[10:])]
                    known = references.get(start)
                    if known is None or known[1] < role:
                        references[start] = (head.end_byte, role)
                break
            if capture.startswith("definition."):
                _keep_definition(definitions, pattern, capture[11:], captures, limit)
                break
            if capture == "comment":
                if head.start_byte < limit:
                    comments.append(
                        (
                            head.start_byte - origin,
                            head.end_byte - origin,
                            head.start_point[0] - first,
                            head.end_point[0] - first,
                        )
                    )
                break
            if capture == "parameter":
                if head.start_byte < limit:
                    name = text[head.start_byte : head.end_byte].decode("utf-8", "replace")
                    declared = _type_names(captures["type"], text, False)
                    parameters.append(Parameter(head.start_byte - origin, name, declared))
                break
            if capture == "import":
                if head.start_byte < limit:
                    imports.setdefault(head.start_byte, _ImportParts(head)).add(captures)
                break
    rows, details = _symbols(language, text, definitions, scope, names, origin, first)
    found = _imports(language, text, imports, origin)
    return Fragment(
        rows,
        details,
        _references(text, references, found, names, origin),
        found,
        np.array(comments, np.int32).reshape(-1, 4),
        tuple(parameters),
    )


def _keep_definition(
    definitions: dict[int, _Found],
    pattern: int,
    kind: str,
    captures: dict[str, list[tree_sitter.Node]],
    limit: int,
) -> None:
    """Of several matches for one name keeps that of the earliest pattern, then the fullest."""
    for name in captures.get("name", ()):
        start = name.start_byte
        if start >= limit:
            continue
        known = definitions.get(start)
        if (
            known is None
            or pattern < known.pattern
            or (pattern == known.pattern and len(captures) > len(known.captures))
        ):
            node = captures["definition." + kind][0]
            definitions[start] = _Found(pattern, kind, node, name, captures)


def _symbols(
    language: Language,
    text: bytes,
    definitions: dict[int, _Found],
    scope: Scope,
    names: Names,
    origin: int,
    first: int,
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    rows: list[list[int]] = []
    details: list[str] = []
    ordered = sorted(
        definitions.values(),
        key=lambda found: (found.node.start_byte, -found.node.end_byte, found.name.start_byte),
    )
    around: list[
        tuple[int, Kind, int]
    ] = []  # (end, kind, row or -1 for a local) of open definitions
    for found in ordered:
        node = found.node
        while around and around[-1][0] <= found.name.start_byte:
            around.pop()
        kind, parent = _place(found, around, scope, language, text)
        if kind is None:
            continue
        name = text[found.name.start_byte : found.name.end_byte]
        if kind not in VALUES:
            around.append((node.end_byte, kind, len(rows)))
        rows.append(
            _row(language, found, node, names.number(name), kind, parent, text, origin, first)
        )
        details.append(_detail(found, text))
    table = np.array(rows, np.int32).reshape(-1, WIDTH)
    return table, tuple(details)


def _place(
    found: _Found,
    around: list[tuple[int, Kind, int]],
    scope: Scope,
    language: Language,
    text: bytes,
) -> tuple[Kind | None, int]:
    """The final kind of a definition and the row of its container; None for local names."""
    inner = around[-1][1] if around else scope.kind
    parent = around[-1][2] if around else OUTER
    if found.kind == "member":
        receiver = text[
            found.captures["receiver"][0].start_byte : found.captures["receiver"][0].end_byte
        ]
        if receiver.decode("utf-8", "replace") not in language.receivers:
            return None, parent
        for _, kind, row in reversed(around):
            if kind in CONTAINERS:
                return Kind.FIELD, row
        return (Kind.FIELD, OUTER_CLASS) if scope.in_class else (None, parent)
    kind = Kind(found.kind)
    if kind is Kind.FUNCTION and inner in CONTAINERS and inner is not Kind.MODULE:
        kind = Kind.METHOD
    if kind in (Kind.VARIABLE, Kind.CONSTANT):
        if inner in FUNCTIONS:
            return None, parent
        if inner in CONTAINERS and inner is not Kind.MODULE:
            kind = Kind.FIELD
    return kind, parent


def _row(
    language: Language,
    found: _Found,
    node: tree_sitter.Node,
    name: int,
    kind: Kind,
    parent: int,
    text: bytes,
    origin: int,
    first: int,
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
        node.start_byte - origin,
        node.end_byte - origin,
        found.name.start_byte - origin,
        found.name.end_byte - origin,
        signature.start_byte - origin,
        signature_end - origin,
        docstring[0] - origin,
        docstring[1] - origin,
        node.start_point[0] - first,
        end_line - first,
    ]


def _inside_docstring(body: tree_sitter.Node, none: tuple[int, int]) -> tuple[int, int]:
    statement = body.named_child(0) if body.named_child_count else None
    while statement is not None and statement.type == "comment":
        statement = statement.next_named_sibling
    if statement is None or statement.type != "expression_statement" or not statement.child_count:
        return none
    string = statement.child(0)
    return (string.start_byte, string.end_byte) if string.type == "string" else none


def _detail(found: _Found, text: bytes) -> str:
    """Bases of a class, or a declared or constructed type; `=name` for the type of a parameter."""
    bases = found.captures.get("bases")
    if bases:
        return _type_names(bases, text, True)
    types = found.captures.get("type")
    if types:
        return _type_names(types, text, False)
    value = found.captures.get("value")
    if value:
        return "=" + text[value[0].start_byte : value[0].end_byte].decode("utf-8", "replace")
    return ""


def _type_names(nodes: list[tree_sitter.Node], text: bytes, outermost: bool) -> str:
    """The dotted names in types, separated by spaces; of type arguments only on demand."""
    names: list[bytes] = []
    for node in nodes:
        source = text[node.start_byte : min(node.end_byte, node.start_byte + MAX_TEXT)]
        if outermost:
            source = _outermost(source)
        names += [name for name in DOTTED.findall(source) if name not in names]
    return b" ".join(name for name in names if name not in BASE_WORDS).decode("utf-8", "replace")


BASE_WORDS = frozenset(
    {
        b"extends",
        b"implements",
        b"public",
        b"private",
        b"protected",
        b"virtual",
        b"const",
        b"mut",
        b"dyn",
        b"final",
        b"static",
        b"struct",
        b"class",
    }
)
NESTED = re.compile(rb"\[[^\[\]]*\]|<[^<>]*>|\w+\s*=\s*[^,)]*")


def _outermost(source: bytes) -> bytes:
    """A list of bases without type arguments and keyword arguments."""
    previous = b""
    while previous != source:
        previous, source = source, NESTED.sub(b" ", source)
    return source


def _references(
    text: bytes,
    references: dict[int, tuple[int, int]],
    imports: tuple[Import, ...],
    names: Names,
    origin: int,
) -> NDArray[np.int32]:
    number = names.number
    rows = [
        (number(text[start:end]), start - origin, role)
        for start, (end, role) in sorted(references.items())
    ]
    table = np.array(rows, np.int32).reshape(-1, 3)
    for clause in imports:
        low, high = np.searchsorted(table[:, 1], (clause.start, clause.end))
        table[low:high, 2] = IMPORTED
    return table


IMPORTED = ROLE_NUMBER[Role.IMPORT]


class _ImportParts:
    """Collects the matches of one import statement."""

    def __init__(self, node: tree_sitter.Node) -> None:
        self.node = node
        self.clauses: list[dict[str, list[tree_sitter.Node]]] = []

    def add(self, captures: dict[str, list[tree_sitter.Node]]) -> None:
        self.clauses.append(captures)


def _imports(
    language: Language, text: bytes, found: dict[int, _ImportParts], origin: int
) -> tuple[Import, ...]:
    clauses: list[Import] = []
    for start in sorted(found):
        parts = found[start]
        node = parts.node
        source = text[node.start_byte : node.end_byte].decode("utf-8", "replace")
        split = getattr(language.imports, "split", None)
        if split is not None:
            read = split(source)
        else:
            read = [_clause(captures, text) for captures in parts.clauses]
        clauses += [
            Import(
                module,
                imported,
                binds,
                level,
                star,
                node.start_byte - origin,
                node.end_byte - origin,
            )
            for module, level, imported, binds, star in _merged(read)
        ]
    return tuple(clauses)


Clause = tuple[str, int, tuple[tuple[str, str], ...], str, bool]
"""module, level, names, binds, star"""


def _clause(captures: dict[str, list[tree_sitter.Node]], text: bytes) -> Clause:
    def get(key: str) -> str:
        nodes = captures.get(key)
        if not nodes:
            return ""
        return (
            text[nodes[0].start_byte : nodes[0].end_byte].decode("utf-8", "replace").strip("\"'`<>")
        )

    module = get("module")
    level = len(module) - len(module.lstrip(".")) if "/" not in module else 0
    imported = get("imported")
    names = ((imported, get("alias") or imported),) if imported else ()
    return module[level:].strip(), level, names, get("binds"), "star" in captures


def _merged(clauses: list[Clause]) -> list[Clause]:
    """Puts the names that one statement takes from one module into one clause."""
    merged: dict[tuple[str, int, str], Clause] = {}
    for module, level, names, binds, star in clauses:
        key = (module, level, binds)
        known = merged.get(key)
        if known is not None:
            fresh = tuple(pair for pair in names if pair not in known[2])
            names, star = known[2] + fresh, star or known[4]
        merged[key] = (module, level, names, binds, star)
    return list(merged.values())
