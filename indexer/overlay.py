"""A document as it would be with some text inserted; the document itself stays as it is."""

from __future__ import annotations

from indexer.document import Document
from indexer.facts import FileFacts
from indexer.meaning import Source


class Overlay(Source):
    """A source whose facts are those of the document before the insertion."""

    def __init__(self, document: Document, facts: FileFacts, offset: int, inserted: bytes) -> None:
        tree, language = document.tree, document.language
        if tree is None or language is None:
            raise ValueError(f"{document.path} has no syntax tree")
        old = document.text
        text = old[:offset] + inserted + old[offset:]
        self.inserted_at = offset
        self.inserted_end = offset + len(inserted)
        edited = tree.copy()
        edited.edit(
            offset,
            offset,
            self.inserted_end,
            _point(old, offset),
            _point(old, offset),
            _point(text, self.inserted_end),
        )
        super().__init__(document.path, language, text, language.parse(text, edited), facts)

    def in_facts(self, offset: int) -> int | None:
        if offset < self.inserted_at:
            return offset
        return None if offset < self.inserted_end else offset - self._length

    def is_new(self, offset: int) -> bool:
        """Whether an offset lies in the inserted text."""
        return self.inserted_at <= offset < self.inserted_end

    @property
    def _length(self) -> int:
        return self.inserted_end - self.inserted_at


def _point(text: bytes, offset: int) -> tuple[int, int]:
    return text.count(b"\n", 0, offset), offset - (text.rfind(b"\n", 0, offset) + 1)
