"""From the clauses of import statements, as patterns find them, to imports.

Most languages need nothing here. One whose statements are too nested for patterns has a function
`split` beside its `candidates`; one in which a module is known by part of its path has
`default_binding`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from indexer.facts import Import
from indexer.language import Language

Clause = tuple[str, int, tuple[tuple[str, str], ...], str, bool]
"""module, level, names, binds, star"""


def resolved(language: Language, text: bytes, found: Sequence[Import]) -> Iterator[Import]:
    """The imports of statements of which `found` has the clauses, one by one."""
    for (start, end), group in groupby(found, key=lambda clause: (clause.start, clause.end)):
        clauses = tuple((one.module, one.level, one.names, one.binds, one.star) for one in group)
        for clause in _read(language.imports_of, text[start:end], clauses):
            module, level, names, binds, star = clause
            yield Import(module, names, binds, level, star, start, end)


@lru_cache(maxsize=4_000)
def _read(folder: str, statement: bytes, clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    """Kept because a keystroke changes one statement of many, if any."""
    rules = importlib.import_module(f"indexer.languages.{folder}.imports")
    if hasattr(rules, "split"):
        return merged(rules.split(statement.decode("utf-8", "replace")))
    binding = rules.default_binding
    starred = {clause[0] for clause in clauses if clause[4]}
    return merged(
        clause
        if clause[2] or clause[3] or clause[4]
        else (*clause[:3], "" if clause[0] in starred else binding(clause[0]), clause[4])
        for clause in clauses
    )


def merged(clauses: Iterator[Clause] | Sequence[Clause]) -> tuple[Clause, ...]:
    """Puts the names that one statement takes from one module into one clause."""
    found: dict[tuple[str, int, str], Clause] = {}
    for module, level, names, binds, star in clauses:
        key = (module, level, binds)
        known = found.get(key)
        if known is not None:
            fresh = tuple(pair for pair in names if pair not in known[2])
            names, star = known[2] + fresh, star or known[4]
        found[key] = (module, level, names, binds, star)
    return tuple(found.values())
