"""Where Scala classes, objects and packages lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable

Clause = tuple[str, int, tuple[tuple[str, str], ...], str, bool]
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
COMMA = re.compile(r",(?![^{]*\})")
"""A comma that is not inside braces."""
ALIAS = re.compile(r"\s*=>\s*|\s+as\s+")
WILDCARDS = ("_", "*", "given")
ENDINGS = (".scala", ".java", ".kt")
"""A package has parts in other languages of the same machine too."""


def split(statement: str) -> list[Clause]:
    """`import a.b.{C, D => E, _}, f.G` and Scala 3's `import a.b.{D as E, *}`."""
    text = COMMENT.sub(" ", statement).strip().rstrip(";").partition(" ")[2]
    return [clause for path in COMMA.split(text) for clause in _clauses(path.strip())]


def _clauses(path: str) -> Iterator[Clause]:
    if path.endswith("}") and "{" in path:
        module, _, inside = path[:-1].partition("{")
        selectors = inside.split(",")
    else:
        module, _, last = path.rpartition(".")
        selectors = [last]
    module = module.strip().rstrip(".").removeprefix("_root_.").replace("`", "")
    names: list[tuple[str, str]] = []
    star = False
    for selector in selectors:
        there, *here = ALIAS.split(selector.strip(), maxsplit=1)
        if there.split(" ")[0] in WILDCARDS:
            star = True
        elif there and here != ["_"]:
            names.append((there.strip("`"), (here or [there])[0].strip("`")))
    if module or names:
        yield module, 0, tuple(names), "", star


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files that an import may mean by their path, likeliest first.

    A file may lie anywhere and hold any name of its package, so the files that declare the package
    are asked after these.
    """
    folder = clause.module.replace(".", "/")
    for name, _ in clause.names:
        for ending in ENDINGS:
            yield from files.ending_with(f"{folder}/{name}{ending}".lstrip("/"), near=importer)
    if not folder:
        return
    for ending in ENDINGS:  # members of an object
        yield from files.ending_with(f"{folder}{ending}", near=importer)
    yield from files.ending_with(f"{folder}/package.scala", near=importer)
    for found in files.folders_ending_with(folder, near=importer):
        yield from (path for path in files.in_folder(found) if path.endswith(ENDINGS))
