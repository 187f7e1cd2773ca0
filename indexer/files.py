"""All known paths, searchable by folder and by ending."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator

from indexer.contents import Contents
from indexer.shards import Groups, Shards


class FileTable:
    """Paths of files with facts. The lookups are what import resolution asks for."""

    def __init__(self) -> None:
        self.contents = Contents()
        self.version = 0  # another one whenever a path comes or goes
        self._paths: Shards[None] = Shards()
        self._by_tail = Groups()  # by name, and by folder and name
        self._by_folder = Groups()
        self._folders_by_name = Groups()

    def add(self, path: str) -> None:
        if path in self._paths:
            return
        self._paths[path] = None
        self.version += 1
        self.contents.changed(path)
        folder, name = path.rsplit("/", 1) if "/" in path else ("", path)
        for tail in _tails(folder, name):
            self._by_tail.add(tail, path)
        if folder not in self._by_folder:
            self._folders_by_name.add(folder.rsplit("/", 1)[-1], folder)
        self._by_folder.add(folder, path)

    def remove(self, path: str) -> None:
        if path not in self._paths:
            return
        self._paths.pop(path)
        self.version += 1
        self.contents.changed(path)
        folder, name = path.rsplit("/", 1) if "/" in path else ("", path)
        for tail in _tails(folder, name):
            self._by_tail.discard(tail, path)
        self._by_folder.discard(folder, path)
        if folder not in self._by_folder:
            self._folders_by_name.discard(folder.rsplit("/", 1)[-1], folder)

    def has(self, path: str) -> bool:
        return path in self._paths

    def existing(self, *paths: str) -> Iterator[str]:
        return (path for path in map(normal, paths) if path in self._paths)

    def named(self, name: str) -> Iterable[str]:
        """Files of a name, in any folder."""
        return self._by_tail.of(name)

    def ending_with(self, ending: str, near: str) -> list[str]:
        """Files whose last path components are `ending`, those closest to `near` first."""
        ending = ending.strip("/")
        tail = "/".join(ending.rsplit("/", 2)[-2:])
        found = [
            path for path in self._by_tail.of(tail) if path.endswith("/" + ending) or path == ending
        ]
        return sorted(found, key=lambda path: closeness(path, near)) if len(found) > 1 else found

    def folders_ending_with(self, ending: str, near: str) -> list[str]:
        """Folders with files whose last path components are `ending`, the closest first."""
        ending = ending.strip("/")
        name = ending.rsplit("/", 1)[-1]
        found = [
            folder
            for folder in self._folders_by_name.of(name)
            if folder.endswith("/" + ending) or folder == ending
        ]
        return sorted(found, key=lambda folder: closeness(folder, near))

    def in_folder(self, folder: str) -> Iterable[str]:
        return self._by_folder.of(folder)


def _tails(folder: str, name: str) -> tuple[str, str]:
    return name, f"{folder.rsplit('/', 1)[-1]}/{name}"


def closeness(path: str, near: str) -> tuple[int, int, str]:
    """Sorts paths by how many leading folders they share with another, then the shortest."""
    shared = 0
    for one, other in zip(path.split("/"), near.split("/"), strict=False):
        if one != other:
            break
        shared += 1
    return -shared, len(path), path


def closest(paths: Iterable[str], near: str, limit: int) -> list[str]:
    """The first `limit` of paths by their `closeness`, without asking it of all when many."""
    rest = list(paths)
    found: list[str] = []
    folder = parent_of(near)
    while folder and len(rest) > limit - len(found) > 0:
        inside = [path for path in rest if path.startswith(f"{folder}/")]
        if inside:
            found += sorted(inside, key=lambda path: closeness(path, near))
            rest = [path for path in rest if not path.startswith(f"{folder}/")]
        folder = parent_of(folder)
    if len(found) < limit:
        found += sorted(rest, key=lambda path: closeness(path, near))
    return found[:limit]


def normal(path: str) -> str:
    return os.path.normpath(path).replace(os.sep, "/") if "/." in path or "//" in path else path


def parent_of(path: str) -> str:
    return path.rsplit("/", 1)[0] if "/" in path else ""


def name_of(path: str) -> str:
    return path.rsplit("/", 1)[-1]
