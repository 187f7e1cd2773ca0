"""Names that are no identifiers of a grammar, found by what the facts of a file say.

Classes in pages, custom properties of style sheets, aliases of data: their nodes are values or
texts to the grammar, and the queries of the language alone know which of them are names.
"""

from __future__ import annotations

import numpy as np

from indexer.facts import NAME_END, NAME_START, FileFacts, Role


def name_at(facts: FileFacts, offset: int) -> str | None:
    """The name that a file defines or uses at an offset."""
    table = facts.table
    inside = (table[:, NAME_START] <= offset) & (table[:, NAME_END] >= offset)
    for index in np.flatnonzero(inside).tolist():
        return facts.symbol(index).name
    uses = facts.uses
    last = int(np.searchsorted(uses[:, 1], offset, side="right")) - 1
    if last < 0:
        return None
    number, start, _ = uses[last].tolist()
    name = facts.names[number]
    return name if offset <= start + len(name.encode()) else None


def places_of(facts: FileFacts, name: str) -> list[tuple[int, int, str]]:
    """Where a file names something, in the order of its text: (start, end, role)."""
    places = [
        (symbol.name_start, symbol.name_end, "definition") for symbol in facts.symbols_named(name)
    ]
    places += [(use.start, use.end, _role(use.role)) for use in facts.references_named(name)]
    return sorted(places)


def _role(role: Role) -> str:
    return "read" if role in (Role.NAME, Role.ATTRIBUTE) else str(role)


def module_at(facts: FileFacts, text: bytes, offset: int) -> int | None:
    """The number of the import whose module is written at an offset."""
    for number, clause in enumerate(facts.imports):
        if not clause.start <= offset <= clause.end or not clause.module:
            continue
        written = ("." * clause.level + clause.module).encode()
        at = text.find(written, clause.start, clause.end)
        while at >= 0:
            if at <= offset <= at + len(written):
                return number
            at = text.find(written, at + 1, clause.end)
    return None
