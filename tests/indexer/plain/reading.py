"""Reads the facts of a syntax tree with py-tree-sitter, one match at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.clauses import Clause, merged
from indexer.facts import ROLE_NUMBER, Import, Role
from indexer.language import Language
from tests.indexer.plain.definitions import (
    Match,
    keep_match,
    name_range,
    symbol_rows,
    text_of_node,
    type_names,
)
from tests.indexer.plain.names import Names

REFERENCE_ROLES = {f"reference.{role}": number for role, number in ROLE_NUMBER.items()}
NAMED = ROLE_NUMBER[Role.NAME]
IMPORTED = ROLE_NUMBER[Role.IMPORT]
WORD = re.compile(rb"[^ \t\r\n\f]+")
BLANKS = " \t\n\r\f\v"
Captures = dict[str, list[tree_sitter.Node]]


class Parameter(NamedTuple):
    start: int
    name: str
    type: str


@dataclass
class Found:
    """What was read; names are numbered by `names`."""

    names: Names
    symbols: NDArray[np.int32]
    details: tuple[str, ...]
    owners: tuple[tuple[int, str], ...]
    references: NDArray[np.int32]
    imports: tuple[Import, ...]
    comments: list[tuple[int, int]]
    parameters: list[Parameter]


def read_tree(language: Language, text: bytes, root: tree_sitter.Node) -> Found:
    names = Names()
    definitions: dict[int, Match] = {}
    references: dict[int, tuple[int, int]] = {}
    statements: dict[int, tuple[tree_sitter.Node, list[Captures]]] = {}
    comments: list[tuple[int, int]] = []
    parameters: list[Parameter] = []

    def refer(start: int, end: int, role: int) -> None:
        known_end, known_role = references.get(start, (0, -1))
        if start < end and (role > known_role or (role == known_role and end < known_end)):
            references[start] = (end, role)

    for pattern, captures in tree_sitter.QueryCursor(language.facts_query).matches(root):
        head = language.facts_heads[pattern]
        node = captures[head][0]
        if head == "reference.words":
            for word in WORD.finditer(text, node.start_byte, node.end_byte):
                refer(word.start(), word.end(), NAMED)
        elif head in REFERENCE_ROLES:
            refer(*name_range(text, *node.byte_range, language.sigils), REFERENCE_ROLES[head])
        elif head.startswith("definition."):
            keep_match(definitions, pattern, head[11:], captures)
        elif head == "import":
            statements.setdefault(node.start_byte, (node, []))[1].append(captures)
        elif head == "comment":
            comments.append(node.byte_range)
        elif head == "parameter":
            declared = type_names(captures["type"], text, False)
            parameters.append(Parameter(node.start_byte, text_of_node(text, node), declared))
    rows, details, owners = symbol_rows(language, text, definitions, names)
    uses = [
        [names.number(text[start:end]), start, role]
        for start, (end, role) in sorted(references.items())
    ]
    table = np.array(uses, np.int32).reshape(-1, 3)
    imports: list[Import] = []
    for start, (node, matches) in sorted(statements.items()):
        low, high = np.searchsorted(table[:, 1], node.byte_range)
        table[low:high, 2] = IMPORTED
        for module, level, named, binds, star in _clauses(language, text, node, matches):
            imports.append(Import(module, named, binds, level, star, start, node.end_byte))
    comments.sort()
    parameters.sort(key=lambda parameter: parameter.start)
    return Found(names, rows, details, owners, table, tuple(imports), comments, parameters)


def _clauses(
    language: Language, text: bytes, node: tree_sitter.Node, matches: list[Captures]
) -> tuple[Clause, ...]:
    rules = language.imports
    if hasattr(rules, "split"):
        return merged(rules.split(text_of_node(text, node)))
    clauses = [_clause(captures, text) for captures in matches]
    if hasattr(rules, "default_binding"):
        starred = {clause[0] for clause in clauses if clause[4]}
        clauses = [
            clause
            if clause[2] or clause[3] or clause[4]
            else (
                *clause[:3],
                "" if clause[0] in starred else rules.default_binding(clause[0]),
                clause[4],
            )
            for clause in clauses
        ]
    return merged(clauses)


def _clause(captures: Captures, text: bytes) -> Clause:
    def get(key: str) -> str:
        nodes = captures.get(key)
        return text_of_node(text, nodes[0]).strip("\"'`<>") if nodes else ""

    module = get("module")
    level = len(module) - len(module.lstrip(".")) if "/" not in module else 0
    imported = get("imported")
    here = "default" if "exported.default" in captures else get("alias") or imported
    names = ((imported, here),) if imported else ()
    if "default" in captures:
        names = (("default", get("default")),)
    return module[level:].strip(BLANKS), level, names, get("binds"), "star" in captures
