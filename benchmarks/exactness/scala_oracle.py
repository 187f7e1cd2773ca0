"""What Scalameta's syntax tree says Scala files define.

The rules of the comparison are those of the index: classes, functions and types count wherever
they stand, values outside of functions and blocks only; parameters of classes are fields, those
of the cases of an enum are not; packages without braces contain nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from benchmarks.exactness.compare import Definition

SCRIPT = Path(__file__).with_name("scala_oracle.cjs")


def version(package: Path | None) -> str:
    """What answers, "" where node or the folder of the package `scalameta-parsers` is missing."""
    if shutil.which("node") is None or package is None or not (package / "package.json").is_file():
        return ""
    number = json.loads((package / "package.json").read_text("utf-8"))["version"]
    return f"Scalameta {number}"


def read(package: Path, paths: Iterable[Path]) -> dict[str, list[Definition] | None]:
    """Definitions by path; None for files that Scalameta finds errors of syntax in."""
    said = subprocess.run(
        ["node", str(SCRIPT), str(package.resolve())],
        input="".join(f"{path}\n" for path in paths),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[Definition] | None] = {}
    for line in said.stdout.splitlines():
        path, errors, rows = json.loads(line)
        found[path] = None if errors else [Definition(*row) for row in rows]
    return found
