"""Oracles that are packages for node: a script here reads paths and tells definitions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from benchmarks.exactness.compare import Definition


def version(package: Path | None, name: str) -> str:
    """What answers, under this name; "" where node or the package's folder is missing."""
    if shutil.which("node") is None or package is None or not (package / "package.json").is_file():
        return ""
    number = json.loads((package / "package.json").read_text("utf-8"))["version"]
    return f"{name} {number}"


def read(script: Path, package: Path, paths: Iterable[Path]) -> dict[str, list[Definition] | None]:
    """Definitions by path; None for files that the oracle finds errors of syntax in."""
    said = subprocess.run(
        ["node", str(script), str(package.resolve())],
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
