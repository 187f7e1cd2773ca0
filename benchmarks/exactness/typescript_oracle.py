"""What the TypeScript compiler's own syntax tree says files define.

The rules of the comparison are those of the index: functions, classes and types count wherever
they stand; a function or class that a variable or property is initialised with counts under its
name; variables count outside of functions only; members of classes and types with computed or
quoted names don't count; members of an object that initialises a variable belong to the variable
(its functions always, its values outside of functions);
of several values of one name in one body the first counts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from benchmarks.exactness.compare import Definition

SCRIPT = Path(__file__).with_name("typescript_oracle.cjs")


def version(package: Path | None) -> str:
    """What answers, "" where node or the folder of the package `typescript` is missing."""
    if shutil.which("node") is None or package is None or not (package / "package.json").is_file():
        return ""
    number = json.loads((package / "package.json").read_text("utf-8"))["version"]
    return f"TypeScript {number}"


def read(package: Path, paths: Iterable[Path]) -> dict[str, list[Definition] | None]:
    """Definitions by path; None for files that TypeScript finds errors of syntax in."""
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
