"""The tables of the index, kept in step: what is known of each file, and files by their words."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.facts import FileFacts
from indexer.files import FileTable
from indexer.history import History
from indexer.lexical import ChunkIndex
from indexer.native.changes import changed_facts
from indexer.symbol_table import SymbolTable
from indexer.vocabulary import Vocabulary


class Tables:
    """Takes the facts of files. New files cost least many at a time; changes what they changed."""

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self.symbols = SymbolTable(self._vocabulary)
        self.chunks = ChunkIndex(self._vocabulary)
        self.files = FileTable()
        self.history = History()

    def put(self, path: str, facts: FileFacts | None) -> None:
        """Sets or removes the facts of a file."""
        old = self.symbols.facts(path)
        self.history.record((path,))
        if facts is None:
            if old is not None:
                self.chunks.remove(path, self._vocabulary.numbers_of(old))
                self.symbols.remove(path)
                self.files.remove(path)
        elif old is None:
            self.put_new((facts,))
        elif old is not facts:
            before = self._vocabulary.numbers_of(old)
            after = self._vocabulary.numbers_of(facts)
            changes = changed_facts(old, before, facts, after)
            self.files.contents.changed(path)
            self.symbols.change(facts, before, after, changes)
            self.chunks.change(facts, before, after, changes.chunks)

    def put_new(self, files: Sequence[FileFacts]) -> None:
        """Adds files that are not known, each under the path that its facts say."""
        numbers = self._vocabulary.numbers(b"".join(facts.packed_names for facts in files))
        self.symbols.put_new(files, numbers)
        self.chunks.put_new(files, numbers)
        self.history.record(facts.path for facts in files)
        for facts in files:
            self.files.add(facts.path)

    @property
    def nbytes(self) -> int:
        """About how many bytes the tables take, the facts apart."""
        return self.symbols.nbytes + self.chunks.nbytes + self._vocabulary.nbytes
