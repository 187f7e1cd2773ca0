"""Where Java classes lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable

STATEMENT = re.compile(r"import\s+(static\s+)?([\w.]+?)(\s*\.\s*\*)?\s*;?\s*$")

ENDINGS = (".java", ".kt", ".scala")
"""A package has parts in other languages of the same machine too."""


def split(statement: str) -> list[tuple[str, int, tuple[tuple[str, str], ...], str, bool]]:
    """`import a.b.C;` takes C from the package a.b; `import a.b.*;` takes all of it."""
    match = STATEMENT.match(statement)
    if match is None:
        return []
    name = match.group(2)
    if match.group(3):
        return [(name, 0, (), "", True)]
    module, _, last = name.rpartition(".")
    return [(module, 0, ((last, last),), "", False)]


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files that an import may mean, likeliest first."""
    folder = clause.module.replace(".", "/")
    for name, _ in clause.names:
        for ending in ENDINGS:
            yield from files.ending_with(f"{folder}/{name}{ending}", near=importer)
    for ending in ENDINGS:  # a class in a class, or static
        yield from files.ending_with(f"{folder}{ending}", near=importer)
    if clause.star:
        for found in files.folders_ending_with(folder, near=importer):
            yield from (path for path in files.in_folder(found) if path.endswith(ENDINGS))
