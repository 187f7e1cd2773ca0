"""Where Ruby files lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of

STATEMENT = re.compile(
    r"(?:\w+\.)?(require|require_relative|autoload)\b[\s(]*(?::(\w+)\s*,\s*)?[\"']([^\"'#]+)[\"']"
)


MIXIN = re.compile(r"(?:include|extend|prepend)\b[\s(]*([A-Z][\w:]*(?:\s*,\s*[A-Z][\w:]*)*)")


def split(statement: str) -> list[tuple[str, int, tuple[tuple[str, str], ...], str, bool]]:
    """A required file is taken whole; `require_relative` has level 1, `autoload` names one.

    `include`, `extend` and `prepend` name modules without a file.
    """
    mixed = MIXIN.match(statement)
    if mixed is not None:
        names = [name.strip() for name in mixed.group(1).split(",")]
        return [("", 0, tuple((name, name.rpartition(":")[2]) for name in names), "", False)]
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
