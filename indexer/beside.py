"""What is visible in a file without an import: the other files of its folder or package."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from indexer.facts import KIND, KIND_NUMBER, NAME, FileFacts, Kind
from indexer.files import closeness, name_of, parent_of
from indexer.language import languages
from indexer.repository import Repository
from indexer.symbol_search import TEST_PATH

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

    roots = repository.files.contents.roots

    def unlike(path: str) -> tuple[bool, int, tuple[int, int, str]]:
        shared = 0
        for one, other in zip(name_of(path), own, strict=False):
            if one != other:
                break
            shared += 1
        return is_test(path, roots), -shared, closeness(path, facts.path)

    wanted = (path for path in found if path.endswith(ending))
    if not is_test(facts.path, roots):  # what is no test never needs one
        wanted = (path for path in wanted if not is_test(path, roots))
    return sorted(wanted, key=unlike)[:MAX_FILES]


def is_test(path: str, roots: Iterable[str]) -> bool:
    """Whether a file holds tests, by its name and those of its folders below a root."""
    root = next((root for root in roots if path.startswith(f"{root}/")), "")
    return TEST_PATH.search(path, len(root)) is not None


def package_of(repository: Repository, path: str) -> list[str]:
    """The files of the package that a file stands for, tests left out; itself in most languages."""
    facts = repository.table.facts(path)
    if facts is None or languages()[facts.language].visible != "directory":
        return [path]
    ending = path[path.rfind(".") :]
    others = sorted(repository.files.in_folder(parent_of(path)))
    tests = f"_test{ending}"
    return [other for other in others if other.endswith(ending) and not other.endswith(tests)]
