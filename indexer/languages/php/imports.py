"""Where PHP's classes, functions and included files lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of

Clause = tuple[str, int, tuple[tuple[str, str], ...], str, bool]
COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
INCLUDE = re.compile(r"(?:include|require)(?:_once)?\b")
STRING = re.compile(r"[\"']([^\"'$]+\.\w+)[\"']")
WORD = re.compile(r"^(?:function|const)\s+", re.IGNORECASE)
ALIAS = re.compile(r"\s+as\s+", re.IGNORECASE)
RESOLUTION = re.compile(r"(?<![\\\s])\s*\{.*", re.DOTALL)
"""What follows the names of traits: which of their methods count."""
COMMA = re.compile(r",(?![^{]*\})")
"""A comma that is not inside braces."""
HERE = 1
"""The level of a path that starts at the including file's folder."""


def split(statement: str) -> list[Clause]:
    """`use A\\B\\C as D, E\\{F, function g};` by namespace; `require __DIR__ . '/x.php'` whole."""
    if INCLUDE.match(statement):
        path = STRING.search(statement)
        if path is None:
            return []
        here = "__DIR__" in statement or "dirname(__FILE__)" in statement
        return [(path.group(1).lstrip("/") if here else path.group(1), HERE * here, (), "", True)]
    text = COMMENT.sub(" ", statement).strip().rstrip(";").partition(" ")[2]
    text = RESOLUTION.sub("", text)
    return [clause for part in COMMA.split(text) for clause in _clauses(part.strip())]


def _clauses(part: str) -> Iterator[Clause]:
    part = WORD.sub("", part)
    prefix, brace, inside = part.partition("{")
    for member in inside.rstrip("} \t\r\n").split(",") if brace else [prefix]:
        name, *alias = ALIAS.split(WORD.sub("", member.strip()), maxsplit=1)
        path = (prefix.strip() + name if brace else name).strip().strip("\\")
        namespace, _, last = path.rpartition("\\")
        if last:
            yield namespace, 0, ((last, (alias or [last])[0].strip()),), "", False


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """An included file by its path; a class by the end of its path, as autoloaders look for it.

    The files that declare the namespace are asked before these.
    """
    if clause.star:
        beside = list(files.existing(f"{parent_of(importer)}/{clause.module}"))
        yield from beside
        if not beside and not clause.level:
            yield from files.ending_with(clause.module.lstrip("./"), near=importer)[:2]
        return
    parts = clause.module.split("\\") if clause.module else []
    for name, _ in clause.names:
        for first in range(len(parts) + 1):
            found = files.ending_with("/".join([*parts[first:], f"{name}.php"]), near=importer)
            if found:
                yield from found[:2]
                break
