"""What kinds of definitions mean to the passes that nest them, and the shape of names in types."""

from __future__ import annotations

import re

from indexer.facts import Import, Kind, Symbol

DOTTED = re.compile(
    rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*(?:(?:\.|::)[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)*"
)
FUNCTIONS = frozenset({Kind.FUNCTION, Kind.METHOD})
VALUES = frozenset({Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD, Kind.STYLE})
"""What holds no other definitions and is assigned again and again: the first time counts."""
CUTTING = frozenset(Kind) - {Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD}
"""What begins a chunk where it can."""


def assigns(symbol: Symbol, clause: Import) -> bool:
    """Whether a variable is there for an import: `const fs = require("fs")`."""
    return symbol.kind in VALUES and symbol.start <= clause.start and clause.end <= symbol.end


def outwards(package: str) -> list[str]:
    """`A.B.C`, `A.B`, `A`: what lies in outer namespaces is visible too."""
    parts = package.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
