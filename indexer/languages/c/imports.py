"""Where included C and C++ files lie."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """The file beside the including one, else one whose path ends as written."""
    beside = list(files.existing(f"{parent_of(importer)}/{clause.module}"))
    yield from beside
    if not beside:
        yield from files.ending_with(clause.module.lstrip("./"), near=importer)[:2]
