"""From matches of import patterns to imports.

A language whose statements are too nested for patterns has a function `split` beside its
`candidates`; one in which a module is known by part of its path has `default_binding`.
"""

from __future__ import annotations

import tree_sitter

from indexer.definitions import text_of_node
from indexer.facts import Import
from indexer.language import Language


class Statement:
    """Collects the matches of one import statement."""

    def __init__(self, node: tree_sitter.Node) -> None:
        self.node = node
        self.clauses: list[dict[str, list[tree_sitter.Node]]] = []

    def add(self, captures: dict[str, list[tree_sitter.Node]]) -> None:
        self.clauses.append(captures)


def imports_of(
    language: Language, text: bytes, found: dict[int, Statement], origin: int
) -> tuple[Import, ...]:
    clauses: list[Import] = []
    for start in sorted(found):
        parts = found[start]
        node = parts.node
        split = getattr(language.imports, "split", None)
        if split is not None:
            read = split(text_of_node(text, node))
        else:
            read = [_clause(captures, text) for captures in parts.clauses]
            read = _with_bindings(language, read)
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
        return text_of_node(text, nodes[0]).strip("\"'`<>")

    module = get("module")
    level = len(module) - len(module.lstrip(".")) if "/" not in module else 0
    imported = get("imported")
    here = "default" if "exported.default" in captures else get("alias") or imported
    names = ((imported, here),) if imported else ()
    if "default" in captures:
        names = (("default", get("default")),)
    return module[level:].strip(), level, names, get("binds"), "star" in captures


def _with_bindings(language: Language, clauses: list[Clause]) -> list[Clause]:
    """Gives modules that are imported as a whole the local name that the language gives them."""
    binding = getattr(language.imports, "default_binding", None)
    if binding is None:
        return clauses
    starred = {clause[0] for clause in clauses if clause[4]}
    return [
        clause
        if clause[2] or clause[3] or clause[4]
        else (*clause[:3], "" if clause[0] in starred else binding(clause[0]), clause[4])
        for clause in clauses
    ]


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
