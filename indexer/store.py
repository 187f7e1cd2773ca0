"""Facts of files on disk, from one start to the next: found again by what a text holds.

One SQLite database with a rollback journal, which several processes may read and write at once
and which a process killed in the middle of writing leaves whole. (A write-ahead log is mapped into
memory: whoever cuts that file ends every process that uses it.) Every row carries a checksum over
all that it claims, so what a disk, a power cut or a stranger changed is not found rather than found
wrong.

A text is known by its language and a hash that nobody finds two texts for, and the database by
everything that the extraction depends on: facts of another version of this package are in another
file. A path leads to
a text only in the state (times, size, inode) in which it was read, and only if that state was old
enough then that a later change must have given another one. Key material is not in the facts.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgpack

from indexer.facts import FileFacts
from indexer.generation import generation

T = TypeVar("T")
NAME, ENDING = "facts-", ".db"
SIDE_FILES = ("", "-journal")
CHECK = struct.Struct("<I")
BUSY_SECONDS = 2.0
TRIM_EVERY = 4_000_000
"""Bytes written after which the size is looked at again."""
KEPT_SHARE = 0.8
"""Trimming goes down to this share of the largest size, so that it is rare."""
DAY = 86_400
MOST_ASKED = 500
"""Files of one query: SQLite allows 999 values on old systems."""
SETUP = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = TRUNCATE;
PRAGMA synchronous = OFF;
PRAGMA mmap_size = 0;
PRAGMA cell_size_check = ON;
PRAGMA trusted_schema = OFF;
CREATE TABLE IF NOT EXISTS texts (
    id INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, used INTEGER NOT NULL, facts BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS texts_by_use ON texts (used);
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, entry BLOB NOT NULL) WITHOUT ROWID;
"""
WAIT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
GIVE_UP = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
    }
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What was known of a file: facts, or why there are none."""

    facts: FileFacts | None
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is to be kept of a file."""

    path: str
    state: int  # see indexer.known.state_of
    key: bytes  # of the text, as `text_key` makes it; b"" without facts
    facts: FileFacts | None
    reason: str  # why there are none


def text_key(language: str, text: bytes) -> bytes:
    """What a text in a language is known by."""
    return b"\1" + hashlib.sha256(text).digest()[:16] + language.encode()


class Store:
    """Facts on disk. Never raises for what the disk does: what cannot be found is read anew.

    Its methods may be called from any thread.
    """

    def __init__(self, folder: str, max_bytes: int, known_generation: str = "") -> None:
        """`known_generation` is `generation()`, where the caller knows it."""
        self.problem = ""
        """Why nothing is kept any more, in words; "" while all is well."""
        self._folder = Path(folder)
        self._path = self._folder / f"{NAME}{known_generation or generation()}{ENDING}"
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._today = int(time.time()) // DAY
        self._used: list[int] = []  # ids of texts that were not used today before
        self._written = TRIM_EVERY  # since the size was looked at
        self._is_full = False
        self._was_rebuilt = False
        self._guarded(self._open, None)

    def _open(self) -> None:
        try:
            _make_private(self._folder)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            self.problem = f"{self._folder} cannot be used: {error.strerror or error}"
            return
        self._connection = sqlite3.connect(
            self._path, BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.executescript(SETUP)
        self._drop_others()

    def knows(self, folder: str) -> bool:
        """Whether it holds anything of the files below a folder."""
        return self._guarded(lambda: self._knows(_encoded(folder.rstrip("/"))), False)

    def _knows(self, folder: bytes) -> bool:
        if self._connection is None:
            return False
        found = self._connection.execute(
            "SELECT 1 FROM files WHERE path > ? AND path < ? LIMIT 1",
            (folder + b"/", folder + b"0"),  # "0" is what follows "/"
        )
        return found.fetchone() is not None

    def find(self, path: str, state: int) -> Stored | None:
        """What is known of a file in a state that `save` was told, or None."""
        return self.find_all([(path, state)]).get(path)

    def find_all(self, files: Sequence[tuple[str, int]]) -> dict[str, Stored]:
        """As `find`, of many files with their states: what is known, by path."""
        found: dict[str, Stored] = {}
        for start in range(0, len(files), MOST_ASKED):
            piece = files[start : start + MOST_ASKED]
            nothing: dict[str, Stored] = {}
            found |= self._guarded(partial(self._find, piece), nothing)
        return found

    def _find(self, files: Sequence[tuple[str, int]]) -> dict[str, Stored]:
        if self._connection is None:
            return {}
        asked = {_encoded(path): (path, state) for path, state in files}
        rows = self._connection.execute(
            "SELECT path, entry, id, used, facts FROM files LEFT JOIN texts"
            f" ON key = substr(entry, 13) WHERE path IN ({', '.join('?' * len(asked))})",
            tuple(asked),
        )
        found: dict[str, Stored] = {}
        for name, blob, *text in rows:
            path, state = asked[name]
            entry = _checked(blob, name)
            if entry is None or len(entry) < 8 or entry[:8] != state.to_bytes(8, "little"):
                continue
            key = entry[8:]
            if key[:1] == REFUSED:
                found[path] = Stored(None, key[1:].decode("utf-8", "replace"))
            elif text[0] is not None:
                facts = self._facts(path, key, text)
                if facts is not None:
                    found[path] = Stored(facts, "")
        return found

    def find_text(self, path: str, key: bytes) -> FileFacts | None:
        """The facts of a text, under a path where it may not have stood before, or None."""
        return self._guarded(lambda: self._find_text(path, key), None)

    def _find_text(self, path: str, key: bytes) -> FileFacts | None:
        if self._connection is None:
            return None
        row = self._connection.execute(
            "SELECT id, used, facts FROM texts WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else self._facts(path, key, row)

    def _facts(self, path: str, key: bytes, row: Sequence[Any]) -> FileFacts | None:
        text_id, used, blob = row
        body = _checked(blob, key)
        if body is None:
            return None
        if used != self._today:
            self._used.append(text_id)
        return FileFacts.from_row((path, *msgpack.unpackb(body)))

    def save(self, files: Iterable[Kept]) -> None:
        """Keeps what is known of some files. With state 0 the path leads to nothing."""
        texts: list[tuple[bytes, int, bytes]] = []
        entries: list[tuple[bytes, bytes]] = []
        for file in files:
            key = file.key
            if file.facts is None:
                key = REFUSED + file.reason.encode("utf-8", "replace")
            else:
                body = msgpack.packb(file.facts.to_row()[1:])
                texts.append((key, self._today, _with_check(body, key)))
            if file.state:
                name = _encoded(file.path)
                entry = file.state.to_bytes(8, "little") + key
                entries.append((name, _with_check(entry, name)))
        if texts or entries or self._used:
            self._guarded(lambda: self._write(texts, entries), None)

    def _write(
        self, texts: list[tuple[bytes, int, bytes]], entries: list[tuple[bytes, bytes]]
    ) -> None:
        if self._connection is None:
            return
        if self._written >= TRIM_EVERY:
            self._trim(self._connection)
        if self._is_full:
            return
        used, self._used = [(self._today, text_id) for text_id in self._used], []
        with _Transaction(self._connection) as connection:
            connection.executemany(
                "INSERT INTO texts (key, used, facts) VALUES (?, ?, ?) ON CONFLICT (key)"
                " DO UPDATE SET used = excluded.used, facts = excluded.facts",
                texts,
            )
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", entries)
            connection.executemany("UPDATE texts SET used = ? WHERE id = ?", used)
        self._written += sum(len(text[2]) for text in texts) + 100 * len(entries)

    def _trim(self, connection: sqlite3.Connection) -> None:
        """Drops what was not used for longest, never what was used today: it would come back."""
        self._written = 0
        wanted = int(KEPT_SHARE * self._max_bytes)
        self._is_full = False
        if _size(connection) <= self._max_bytes:
            return
        while _size(connection) > wanted and not self._is_full:
            with _Transaction(connection):
                gone = connection.execute(
                    "DELETE FROM texts WHERE id IN"
                    " (SELECT id FROM texts WHERE used < ? ORDER BY used LIMIT 500)",
                    (self._today,),
                ).rowcount
            connection.execute("PRAGMA incremental_vacuum").fetchall()
            self._is_full = gone == 0 and _size(connection) > self._max_bytes
            if gone == 0:
                break
        with _Transaction(connection):
            connection.execute(
                "DELETE FROM files WHERE substr(entry, 13, 1) != ?"
                " AND substr(entry, 13) NOT IN (SELECT key FROM texts)",
                (REFUSED,),
            )

    def _drop_others(self) -> None:
        """Removes databases of other versions, the oldest first, until all fit."""
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.glob(f"{NAME}*{ENDING}"):
            if path != self._path:
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        total = self._path.stat().st_size + sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total > self._max_bytes:
                _remove(path)
                total -= size

    def close(self) -> None:
        """Writes what is left to write; nothing is found afterwards."""
        self.save(())
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                try:
                    connection.close()
                except sqlite3.Error as error:
                    self.problem = str(error)

    def _guarded(self, action: Callable[[], T], otherwise: T) -> T:
        """Does something with the database, alone; copes with what the disk does to it."""
        with self._lock:
            try:
                return action()
            except (sqlite3.Error, OSError, ValueError, TypeError) as error:
                self._failed(error)
                return otherwise

    def _failed(self, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in WAIT:
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as again:
                error = again
        if code in GIVE_UP or self._was_rebuilt:
            self.problem = f"{self._path} cannot be used: {error}"
            return
        self._was_rebuilt = True  # damaged: it is only a cache
        try:
            _remove(self._path)
            self._open()
        except (sqlite3.Error, OSError) as again:
            self._connection = None
            self.problem = f"{self._path} cannot be used: {again}"


class _Transaction:
    """All of it or nothing, and no other writer meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


REFUSED = b"\0"
"""What the key of a file without facts starts with; the reason follows."""


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _with_check(body: bytes, name: bytes) -> bytes:
    """A checksum over a row and what it is the row of, then the row."""
    return CHECK.pack(zlib.crc32(body, zlib.crc32(name))) + body


def _checked(blob: Any, name: bytes) -> bytes | None:
    """The row of `_with_check`, None if anything was changed."""
    if not isinstance(blob, bytes) or len(blob) < CHECK.size:
        return None
    body = blob[CHECK.size :]
    return body if CHECK.unpack_from(blob) == (zlib.crc32(body, zlib.crc32(name)),) else None


def _size(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _make_private(folder: Path) -> None:
    """Makes a folder that only its owner may look into; one that is there stays as it is.

    The database itself is for its owner alone in either. Raises OSError.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise PermissionError(13, "the folder belongs to somebody else")


def _remove(path: Path) -> None:
    for ending in SIDE_FILES:
        path.with_name(path.name + ending).unlink(missing_ok=True)
