"""Fetches packages by name with the ordinary clients and reads the text files inside them.

A fetched archive is kept in a cache folder, so a second run needs no network.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


class FetchError(Exception):
    """The client could not bring the package; the message holds the end of what it said."""


@dataclass(frozen=True)
class Archive:
    """One fetched package: `kind` is "python", "npm" or "stdlib"; `path` a file or a folder."""

    kind: str
    name: str
    path: Path

    def sha256(self) -> str:
        """Return the archive's SHA-256 in hex; empty for a folder, which has no single digest."""
        if self.path.is_dir():
            return ""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def fetch(kind: str, name: str, version: str, cache: Path) -> Archive:
    """Return the package's archive, from the cache where it is there, else from its registry.

    An empty `version` asks for the newest one. Raises FetchError when the client fails.
    """
    folder = cache / kind / name.replace("/", "+")
    found = _cached(folder, version)
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        _run_client(kind, name, version, folder)
        found = _cached(folder, version)
    if found is None:
        raise FetchError(f"{name}: the client left no archive")
    return Archive(kind, name, found)


def _cached(folder: Path, version: str) -> Path | None:
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    matching = [file for file in files if file.is_file() and version in file.name]
    return matching[-1] if matching else None


def _run_client(kind: str, name: str, version: str, folder: Path) -> None:
    if kind == "python":
        wanted = f"{name}=={version}" if version else name
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--prefer-binary"]
        command = [*pip, "--dest", str(folder), wanted]
    else:
        wanted = f"{name}@{version}" if version else name
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder), wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise FetchError(f"{name}: {done.stderr.strip()[-300:]}")


def standard_library(prefix: Path) -> Archive:
    """Return the standard library of the Python installed under `prefix` as an archive."""
    folders = sorted((prefix / "lib").glob("python3.*"))
    if not folders:
        raise FetchError(f"no standard library under {prefix}")
    return Archive("stdlib", "cpython", folders[-1])


def members(archive: Archive) -> Iterator[tuple[str, bytes]]:
    """Yield (path inside the package, contents) for each regular file, sorted by path."""
    if archive.path.is_dir():
        yield from _folder_members(archive.path)
    elif archive.path.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive.path) as bundle:
            for name in sorted(bundle.namelist()):
                if not name.endswith("/"):
                    yield name, bundle.read(name)
    else:
        yield from _tar_members(archive.path)


def _folder_members(root: Path) -> Iterator[tuple[str, bytes]]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(root).as_posix(), path.read_bytes()


def _tar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    # Read in the archive's own order: a step back in a compressed stream starts it anew.
    contents: dict[str, bytes] = {}
    with tarfile.open(path) as bundle:
        for member in bundle:
            stream = bundle.extractfile(member) if member.isfile() else None
            if stream is not None:
                # Both npm and source archives wrap everything in one folder of no interest.
                contents[member.name.split("/", 1)[-1]] = stream.read()
    yield from sorted(contents.items())


def npm_manifest(archive: Archive) -> dict[str, object]:
    """Return the npm package's package.json; an empty mapping where there is none."""
    for name, contents in members(archive):
        if name == "package.json":
            loaded: dict[str, object] = json.loads(contents)
            return loaded
    return {}
