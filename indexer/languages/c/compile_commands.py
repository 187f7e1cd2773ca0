"""Include folders from compile_commands.json, which build systems write for tools like ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from indexer.files import FileTable, closeness, name_of, normal, parent_of

NAME = "compile_commands.json"
FOLDERS = ("", "build", "out", "builddir", "cmake-build-debug", "cmake-build-release", ".vscode")
"""Where it lies, relative to the root of a project."""
FLAG = re.compile(
    r"""(?:^|\s)["']?(-iquote|-isystem|-idirafter|-I|/I|-imsvc)\s*(?:"([^"]+)"|'([^']+)'|([^\s"']+))"""
)
MAX_FOLDERS = 200
Folders = tuple[tuple[str, ...], tuple[str, ...]]
"""Those that only names in quotes are looked for in, and those for all names; in their order."""


@dataclass(frozen=True, slots=True)
class Database:
    """The include folders of each compiled file, and of all of them together."""

    by_file: dict[str, Folders]
    by_stem: dict[str, list[str]]  # compiled files by name without ending, for their headers
    together: Folders


def include_folders(path: str, files: FileTable) -> Folders | None:
    """Those of a file; of a header those of the source called like it, else those of all."""
    database = _nearest(path, files)
    if database is None:
        return None
    known = database.by_file.get(path)
    if known is None:
        sources = database.by_stem.get(_stem(path), ())
        nearest = min(sources, key=lambda source: closeness(source, path), default=None)
        known = database.by_file[nearest] if nearest is not None else database.together
    return known


def _nearest(path: str, files: FileTable) -> Database | None:
    folder = parent_of(path)
    while folder:
        for inside in FOLDERS:
            place = f"{folder}/{inside}/{NAME}" if inside else f"{folder}/{NAME}"
            found = _at(place, files)
            if found is not None:
                return found
        if folder in files.contents.roots:
            return None
        folder = parent_of(folder)
    return None


def _at(place: str, files: FileTable) -> Database | None:
    contents = files.contents
    if files.has(place):
        return contents.derived(("compiled", place), lambda: _database(contents.json(place)))
    return contents.json_on_disk(place, _database)


def _database(entries: Any) -> Database | None:
    if not isinstance(entries, list):
        return None
    by_file: dict[str, Folders] = {}
    by_stem: dict[str, list[str]] = {}
    known: dict[tuple[str, str], Folders] = {}  # most files are compiled alike
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
            continue
        directory = str(entry.get("directory") or "")
        flags = _flags(entry)
        key = (directory, repr(flags))
        if key not in known:
            known[key] = _folders(flags, directory)
        file = _absolute(entry["file"], directory)
        if file not in by_file:
            by_file[file] = known[key]
            by_stem.setdefault(_stem(file), []).append(file)
    if not by_file:
        return None
    together = (
        _joined(one[0] for one in known.values()),
        _joined(one[1] for one in known.values()),
    )
    return Database(by_file, by_stem, together)


def _flags(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """The flags of a compiler call that add folders, with these."""
    arguments, command = entry.get("arguments"), entry.get("command")
    if isinstance(arguments, list):
        words = [one for one in arguments if isinstance(one, str)]
        command = " ".join(f"'{one}'" if " " in one and one[0] != "-" else one for one in words)
    if not isinstance(command, str):
        return []
    return [(flag, next(filter(None, values))) for flag, *values in FLAG.findall(command)]


def _folders(flags: Iterable[tuple[str, str]], directory: str) -> Folders:
    """In the compiler's order: -I before -isystem before -idirafter."""
    found: dict[str, list[str]] = {}
    for flag, value in flags:
        kind = "-I" if flag in ("/I", "-I") else flag
        found.setdefault(kind, []).append(_absolute(value, directory))
    system = [*found.get("-isystem", ()), *found.get("-imsvc", ()), *found.get("-idirafter", ())]
    return tuple(found.get("-iquote", ())), tuple(dict.fromkeys([*found.get("-I", ()), *system]))


def _joined(many: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_each(many)))[:MAX_FOLDERS]


def _each(many: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for folders in many:
        yield from folders


def _absolute(written: str, directory: str) -> str:
    written = written.replace("\\", "/")
    is_absolute = written.startswith("/") or written[1:3] == ":/"
    return normal(written if is_absolute else f"{directory}/{written}/.").rstrip("/")


def _stem(path: str) -> str:
    return name_of(path).split(".", 1)[0]
