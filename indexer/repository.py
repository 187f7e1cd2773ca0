"""The parts of the index that searches read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from indexer.answers import Answers
from indexer.files import FileTable
from indexer.lexical import ChunkIndex
from indexer.outline import Outlines
from indexer.resolve import Resolver
from indexer.symbol_table import SymbolTable
from indexer.texts import Sources
from indexer.usage import Written


@dataclass(frozen=True, slots=True)
class Repository:
    """One for an index; what it remembers checks itself against the facts."""

    table: SymbolTable
    files: FileTable
    chunks: ChunkIndex
    answers: Answers
    current_text: Callable[[str], bytes | None]
    """The text that the facts of a path were taken from, key material masked; None if it is gone
    or has changed since."""
    is_open: Callable[[str], bool]
    outlines: Outlines = field(init=False)
    sources: Sources = field(init=False)
    written: Written = field(init=False)

    def __post_init__(self) -> None:
        facts_of = self.table.facts
        object.__setattr__(self, "outlines", Outlines(facts_of))
        object.__setattr__(self, "written", Written(facts_of))
        object.__setattr__(self, "sources", Sources(self.current_text, facts_of, self.is_open))

    def resolver(self, document: str = "") -> Resolver:
        """A resolver for the index as it is now, and for the document at hand, if there is one."""
        self.answers.refresh()
        return Resolver(self.table, self.files, self.outlines, self.answers, document)
