"""The tables of the index, kept in step: what is known of each file, and files by their words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.answers import Answers
from indexer.facts import FileFacts
from indexer.files import FileTable
from indexer.history import History
from indexer.lexical import ChunkIndex
from indexer.native.changes import FactChanges, changed_facts
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
        self.defined = History()  # names that a known file has begun or ceased to define
        self.answers = Answers(self.files, self.history, self.defined)

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
            self.defined.record(self._redefined(before, after, changes))
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

    def _redefined(
        self, before: NDArray[np.int32], after: NDArray[np.int32], changes: FactChanges
    ) -> Iterator[str]:
        """Names that a file defines in only one of two states, given the numbers of its names."""
        start, old_end, end = changes.names
        had = before[start : min(old_end, changes.defined_before)]
        has = after[start : min(end, changes.defined)]
        return self._vocabulary.names_of(set(had.tolist()) ^ set(has.tolist()))

    @property
    def nbytes(self) -> int:
        """About how many bytes the tables take, the facts apart."""
        return self.symbols.nbytes + self.chunks.nbytes + self._vocabulary.nbytes
