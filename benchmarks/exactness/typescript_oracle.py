"""What the TypeScript compiler's own syntax tree says files define.

The rules of the comparison are those of the index: functions, classes and types count wherever
they stand; a function or class that a variable or property is initialised with counts under its
name; variables count outside of functions only; members of classes and types with computed or
quoted names don't count; members of an object that initialises a variable belong to the variable
(its functions always, its values outside of functions);
of several values of one name in one body the first counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.exactness import node_oracle
from benchmarks.exactness.compare import Definition

SCRIPT = Path(__file__).with_name("typescript_oracle.cjs")


def version(package: Path | None) -> str:
    """What answers, "" where node or the folder of the package `typescript` is missing."""
    return node_oracle.version(package, "TypeScript")


def read(package: Path, paths: Iterable[Path]) -> dict[str, list[Definition] | None]:
    """Definitions by path; None for files that TypeScript finds errors of syntax in."""
    return node_oracle.read(SCRIPT, package, paths)
