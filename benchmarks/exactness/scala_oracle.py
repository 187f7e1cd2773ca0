"""What Scalameta's syntax tree says Scala files define.

The rules of the comparison are those of the index: classes, functions and types count wherever
they stand, values outside of functions and blocks only; parameters of classes are fields, those
of the cases of an enum are not; packages without braces contain nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.exactness import node_oracle
from benchmarks.exactness.compare import Definition

SCRIPT = Path(__file__).with_name("scala_oracle.cjs")


def version(package: Path | None) -> str:
    """What answers, "" where node or the folder of the package `scalameta-parsers` is missing."""
    return node_oracle.version(package, "Scalameta")


def read(package: Path, paths: Iterable[Path]) -> dict[str, list[Definition] | None]:
    """Definitions by path; None for files that Scalameta finds errors of syntax in."""
    return node_oracle.read(SCRIPT, package, paths)
