"""What C# takes from namespaces. No path says where a namespace lies: its files declare it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable

STATEMENT = re.compile(
    r"(?:global\s+)?using\s+(static\s+)?(?:unsafe\s+)?(?:(@?\w+)\s*=\s*)?([\w.:@]+)(?:\s*<.*>)?\s*;?\s*$",
    re.DOTALL,
)


def split(statement: str) -> list[tuple[str, int, tuple[tuple[str, str], ...], str, bool]]:
    """`using A.B;` takes all of A.B, `using static A.B.C;` the members of C, `using X = A.B.C;`
    one name."""
    match = STATEMENT.match(statement)
    if match is None:
        return []
    alias = match.group(2)
    name = match.group(3).removeprefix("global::").replace("::", ".").replace("@", "")
    if alias is None:
        return [(name, 0, (), "", True)]
    module, _, last = name.rpartition(".")
    return [(module, 0, ((last, alias.removeprefix("@")),), "", False)]


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """None: the files that declare a namespace are found by their declarations."""
    return iter(())
