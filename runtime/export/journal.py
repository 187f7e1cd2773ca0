"""Lets an export that was killed go on where it was: finished sections, vouched for by hashes.

The journal is a file of lines in JSON: first what the export is made from, then one line for each
finished section. A section counts only if its line has the SHA-256 that it gives of itself, and the
weights up to its end the one that it gives of them, so neither a torn line nor a torn file of
weights can get into a bundle.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FORMAT = 2
_PIECE = 1 << 22
_SECTION = {"name", "end", "sha256", "fragment", "result"}


class WeightsFile:
    """The file of weights: written from the beginning to the end, and hashed on the way."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._hash = hashlib.sha256()
        self._end = 0

    def write(self, data: bytes | memoryview, /) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._end += memoryview(data).nbytes

    def tell(self) -> int:
        return self._end

    def hexdigest(self) -> str:
        """Return the SHA-256 of all that was written or kept so far."""
        return self._hash.hexdigest()

    def advance(self, end: int) -> str:
        """Take what the file holds up to `end` as written; return the SHA-256 of all up to there.

        The digest is that of fewer bytes where the file ends before.
        """
        while self._end < end:
            piece = self._file.read(min(_PIECE, end - self._end))
            if not piece:
                break
            self._hash.update(piece)
            self._end += len(piece)
        return self.hexdigest()

    def restart(self) -> None:
        """Forget all that was taken or written."""
        self._file.seek(0)
        self._hash, self._end = hashlib.sha256(), 0

    def cut(self) -> None:
        """Drop what the file holds beyond the end of what was taken."""
        self._file.seek(self._end)
        self._file.truncate()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Write everything to the disk itself and close the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()


class Journal:
    """The journal of one export, in the file `path`; see `SectionJournal` in graph.py.

    `identity` is JSON that differs where anything differs that the result depends on. `told` hears
    of each section that is finished or taken over.
    """

    def __init__(
        self,
        path: Path,
        weights: WeightsFile,
        identity: dict[str, Any],
        told: Callable[[str, bool], None],
    ) -> None:
        self._weights = weights
        self._told = told
        self._sections = _sound_sections(path, weights, identity)
        self._next = 0
        head = {"format": _FORMAT, "identity": identity}
        lines = [json.dumps(head), *map(_vouched, self._sections)]
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        fresh.replace(path)
        self._file = path.open("a", encoding="utf-8")

    @property
    def kept(self) -> int:
        """How many sections an earlier export had finished."""
        return len(self._sections)

    def take(self, name: str) -> tuple[bytes, Any] | None:
        if self._next == len(self._sections):
            return None
        section = self._sections[self._next]
        if section["name"] != name:
            raise ValueError(f"the journal goes on with {section['name']}, not with {name}")
        self._next += 1
        self._told(name, True)
        return base64.b64decode(section["fragment"]), section["result"]

    def finish(self, name: str, fragment: bytes, result: Any) -> None:
        section = {
            "name": name,
            "end": self._weights.tell(),
            "sha256": self._weights.hexdigest(),
            "fragment": base64.b64encode(fragment).decode(),
            "result": result,
        }
        # The weights first: a line must never stand for bytes that are still in this process.
        self._weights.flush()
        self._file.write(f"{_vouched(section)}\n")
        self._file.flush()
        self._told(name, False)

    def close(self) -> None:
        self._file.close()


def _sound_sections(
    path: Path, weights: WeightsFile, identity: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the sections of an earlier journal whose weights are there, and take those weights."""
    sound: list[dict[str, Any]] = []
    lines = path.read_bytes().splitlines() if path.exists() else []
    entries = [_parse(line) for line in lines]
    if entries and entries[0] == {"format": _FORMAT, "identity": identity}:
        for entry in entries[1:]:
            if entry is None or weights.advance(entry["end"]) != entry["sha256"]:
                break
            sound.append(entry)
    if (
        not sound
        or weights.tell() != sound[-1]["end"]
        or weights.hexdigest() != sound[-1]["sha256"]
    ):
        weights.restart()
        if sound:
            weights.advance(sound[-1]["end"])
    weights.cut()
    return sound


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    if "identity" in value:
        return value
    digest = value.pop("line", None)
    return value if value.keys() == _SECTION and digest == _digest(value) else None


def _vouched(section: dict[str, Any]) -> str:
    return json.dumps({**section, "line": _digest(section)})


def _digest(section: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(section, sort_keys=True).encode()).hexdigest()
