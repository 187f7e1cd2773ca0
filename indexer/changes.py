"""What can happen to the texts that the index knows; `Index.apply` takes them in order."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.facts import FileFacts


@dataclass(frozen=True, slots=True)
class ByteEdit:
    """Replaces the bytes [start, end) of a text."""

    start: int
    end: int
    text: str | bytes


@dataclass(frozen=True, slots=True)
class Open:
    """An editor opened a document; from now on its text counts, not the file's."""

    path: str
    language_id: str | None
    version: int
    text: str | bytes


@dataclass(frozen=True, slots=True)
class Edit:
    """Edits of an open document, each on the text that the one before it left."""

    path: str
    version: int
    edits: tuple[ByteEdit, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """An open document got a whole new text."""

    path: str
    version: int
    text: str | bytes


@dataclass(frozen=True, slots=True)
class Close:
    """An editor closed a document; the file on disk counts again."""

    path: str


@dataclass(frozen=True, slots=True)
class FileFound:
    """A file on disk was read."""

    path: str
    facts: FileFacts


@dataclass(frozen=True, slots=True)
class FileGone:
    """A file on disk vanished, or the rules exclude it now."""

    path: str


Change = Open | Edit | Replace | Close | FileFound | FileGone
