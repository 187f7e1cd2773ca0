"""What is visible in a file without an import: the other files of its folder or package."""

from __future__ import annotations

import numpy as np

from indexer.facts import KIND, KIND_NUMBER, NAME, FileFacts, Kind
from indexer.files import closeness, name_of, parent_of
from indexer.language import languages
from indexer.repository import Repository

MAX_FILES = 80
MODULE_NUMBER = KIND_NUMBER[Kind.MODULE]


def files_beside(repository: Repository, facts: FileFacts) -> list[str]:
    """Other files whose names a file sees, those with the likest names and places first."""
    visible = languages()[facts.language].visible
    found: set[str] = set()
    if visible == "directory":
        found.update(repository.files.in_folder(parent_of(facts.path)))
    elif visible in ("package", "namespace"):
        rows = np.flatnonzero(facts.table[:, KIND] == MODULE_NUMBER)
        for number in facts.table[rows, NAME].tolist():
            found |= repository.table.paths_defining(facts.names[number])
    found.discard(facts.path)
    ending = facts.path[facts.path.rfind(".") :]
    own = name_of(facts.path)

    def unlike(path: str) -> tuple[int, tuple[int, int, str]]:
        shared = 0
        for one, other in zip(name_of(path), own, strict=False):
            if one != other:
                break
            shared += 1
        return -shared, closeness(path, facts.path)

    return sorted((path for path in found if path.endswith(ending)), key=unlike)[:MAX_FILES]


def package_of(repository: Repository, path: str) -> list[str]:
    """The files of the package that a file stands for, tests left out; itself in most languages."""
    facts = repository.table.facts(path)
    if facts is None or languages()[facts.language].visible != "directory":
        return [path]
    ending = path[path.rfind(".") :]
    others = sorted(repository.files.in_folder(parent_of(path)))
    tests = f"_test{ending}"
    return [other for other in others if other.endswith(ending) and not other.endswith(tests)]
