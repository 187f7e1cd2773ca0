"""Where Go packages lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable

VERSION = re.compile(r"v\d+")


def default_binding(module: str) -> str:
    """The name under which a package is known: the last part of its path that is no version."""
    parts = module.split("/")
    if len(parts) > 1 and VERSION.fullmatch(parts[-1]):
        parts.pop()
    return parts[-1].removeprefix("go-").split(".")[0]


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files of the package, found by the longest end of its path that is a folder here."""
    parts = clause.module.split("/")
    for first in range(len(parts)):
        folders = files.folders_ending_with("/".join(parts[first:]), near=importer)
        sources = [
            path
            for folder in folders[:1]
            for path in sorted(files.in_folder(folder))
            if path.endswith(".go") and not path.endswith("_test.go")
        ]
        if sources:
            yield from sources
            return
