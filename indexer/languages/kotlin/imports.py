"""Where Kotlin classes, functions and properties lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable

STATEMENT = re.compile(r"import\s+([\w.`]+?)(\s*\.\s*\*)?(?:\s+as\s+(\w+))?\s*;?\s*$")
ENDINGS = (".kt", ".java", ".kts")
"""A package has parts in Java too; scripts come last."""


def split(statement: str) -> list[tuple[str, int, tuple[tuple[str, str], ...], str, bool]]:
    """`import a.b.C as D` takes C from the package a.b; `import a.b.*` takes all of it."""
    match = STATEMENT.match(statement)
    if match is None:
        return []
    name = match.group(1).replace("`", "")
    if match.group(2):
        return [(name, 0, (), "", True)]
    module, _, last = name.rpartition(".")
    return [(module, 0, ((last, match.group(3) or last),), "", False)]


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files that an import may mean by their path, likeliest first.

    A file may lie anywhere and hold any name of its package, so the files that declare the package
    are asked after these.
    """
    folder = clause.module.replace(".", "/")
    for name, _ in clause.names:
        for ending in ENDINGS:
            yield from files.ending_with(f"{folder}/{name}{ending}", near=importer)
    for ending in ENDINGS:  # a class in a class, or a member of an object
        yield from files.ending_with(f"{folder}{ending}", near=importer)
    for found in files.folders_ending_with(folder, near=importer):
        yield from (path for path in files.in_folder(found) if path.endswith(ENDINGS))
