"""Where Ruby files lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of

STATEMENT = re.compile(
    r"(?:\w+\.)?(require|require_relative|autoload)\b[\s(]*(?::(\w+)\s*,\s*)?[\"']([^\"'#]+)[\"']"
)


def split(statement: str) -> list[tuple[str, int, tuple[tuple[str, str], ...], str, bool]]:
    """A required file is taken whole; `require_relative` has level 1, `autoload` names one."""
    match = STATEMENT.match(statement)
    if match is None:
        return []
    word, name, path = match.groups()
    if name:
        return [(path, 0, ((name, name),), "", False)]
    return [(path, int(word == "require_relative"), (), "", True)]


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """The file beside the importing one, or the one at the end of a load path."""
    name = clause.module if clause.module.endswith(".rb") else f"{clause.module}.rb"
    if clause.level:
        yield from files.existing(f"{parent_of(importer)}/{name}")
        return
    found = files.ending_with(f"lib/{name}", near=importer)
    yield from found or files.ending_with(name, near=importer)
