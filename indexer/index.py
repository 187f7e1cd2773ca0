"""The index: changes in, answers out. One thread owns it; nothing here waits or locks.

Edits of open documents are taken at once and their facts refreshed on the next question, so ten
keystrokes cost one extraction. An open document shadows the file of its path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from indexer import search
from indexer.changes import Change, Close, Edit, FileFound, FileGone, Open, Replace
from indexer.config import IndexConfig
from indexer.contents import Beside, Contents
from indexer.context import ContextSearch
from indexer.continuation import continuations
from indexer.disk import read_regular
from indexer.document import Document
from indexer.extract import digest_of
from indexer.facts import FileFacts, Import, Reference, Symbol
from indexer.files import name_of
from indexer.ignore import Rules, secret_name
from indexer.language import language_of
from indexer.navigate import Navigator, Occurrence, Target
from indexer.overlay import Overlay
from indexer.reference_graph import Graphs
from indexer.relations import Call, ImportedFile, ImportGraph, Related, Relations
from indexer.repository import Repository
from indexer.repository_map import repository_map
from indexer.secrets import mask_ranges, mask_secrets
from indexer.snippet import RecentSpan, Snippet
from indexer.symbol_search import SymbolSearch
from indexer.syntax_at import SyntaxAt, syntax_at
from indexer.tables import Tables
from indexer.unknown import Unknown, UnknownName
from indexer.visible import PLACEHOLDER, Visible
from indexer.walk import read_source


@dataclass(frozen=True, slots=True)
class Status:
    """Counts for people to look at."""

    files: int
    symbols: int
    references: int
    chunks: int
    documents: int
    stale: int  # files that changed on disk since they were read


class Index:
    """All that is known about the workspace."""

    def __init__(
        self, config: IndexConfig, roots: tuple[str, ...], beside: Beside | None = None
    ) -> None:
        """`beside` runs elsewhere what no question should wait for; without it questions wait."""
        self._beside = beside
        self.config = config
        self.rules = Rules(roots, config)
        self._documents: dict[str, Document] = {}
        self._disk: dict[str, FileFacts] = {}  # what the crawl said of open documents
        self._dirty: set[str] = set()  # open documents whose facts were not read since a change
        self._stale: set[str] = set()
        self._tables = Tables()
        self._table, self._chunks = self._tables.symbols, self._tables.chunks
        self._files = self._tables.files
        self._files.contents = self._contents()
        self._symbol_search = SymbolSearch(self._table, self._tables.history)
        self._graphs = Graphs(self._table, self._tables.history)
        self._repository = Repository(
            self._table,
            self._files,
            self._chunks,
            self._tables.answers,
            self._current_text,
            self._documents.__contains__,
        )
        self._import_graph = ImportGraph(self._repository, self._tables.history)
        self._contexts = ContextSearch(self._repository, self._tables.history)

    def use(self, config: IndexConfig, roots: tuple[str, ...]) -> None:
        """Takes other limits or roots. What is no longer wanted has to be told as gone."""
        self.config = config
        self.rules = Rules(roots, config)
        self._files.contents = self._contents()

    def _contents(self) -> Contents:
        return Contents(self._digest, self._current_text, self.rules.roots, self._beside)

    def apply(self, change: Change) -> None:
        """Takes one change. Raises ValueError for an edit that does not fit its document."""
        match change:
            case Open(path, language_id, version, text):
                facts = self._table.facts(path)
                if path not in self._documents and facts is not None:
                    self._disk[path] = facts
                language = language_of(path, language_id)
                limit = self.config.max_file_bytes
                self._documents[path] = Document(path, language, version, text, limit)
                self._dirty.add(path)
            case Edit(path, version, edits):
                self._opened(path).edit(version, edits)
                self._dirty.add(path)
            case Replace(path, version, text):
                self._opened(path).replace(version, text)
                self._dirty.add(path)
            case Close(path):
                if self._documents.pop(path, None) is not None:
                    self._dirty.discard(path)
                    self._tables.put(path, self._disk.pop(path, None))
            case FileFound() | FileGone():
                self.apply_found((change,))

    def apply_found(self, changes: Sequence[FileFound | FileGone]) -> None:
        """Takes what a crawl found. Many new files at a time cost least; each some 50 us."""
        new: dict[str, FileFacts] = {}
        for change in changes:
            path, facts = change.path, change.facts if isinstance(change, FileFound) else None
            self._stale.discard(path)
            if path in self._documents:
                if facts is not None:
                    self._disk[path] = facts
                else:
                    self._disk.pop(path, None)
            elif facts is not None and path not in new and self._table.facts(path) is None:
                new[path] = facts
            else:
                if path in new:
                    self._tables.put_new((new.pop(path),))
                self._tables.put(path, facts)
        if new:
            self._tables.put_new(tuple(new.values()))

    def _opened(self, path: str) -> Document:
        document = self._documents.get(path)
        if document is None:
            raise ValueError(f"{path} is not open: an Open change must come before its edits")
        return document

    def refresh(self) -> None:
        """Brings the facts of edited documents up to date; every question does so first."""
        if self._files.contents.has_news:
            self._files.contents.has_news = False
            self._tables.history.forget()
        for path in self._dirty:
            self._tables.put(path, None if self._is_refused(path) else self._documents[path].facts)
        self._dirty = {path for path in self._dirty if not self._documents[path].is_settled}

    def _is_refused(self, path: str) -> bool:
        """Whether the rules keep an open document out: what is open is no less secret for that."""
        if self.rules.root_of(path) is None:
            return secret_name(path)
        return not self.rules.verdict(path).allowed

    def document(self, path: str) -> Document | None:
        """The open document of a path."""
        return self._documents.get(path)

    def documents(self) -> Iterator[Document]:
        return iter(tuple(self._documents.values()))

    def text_of(self, path: str) -> bytes | None:
        """The text of a document or of a file, key material masked; None if the rules forbid it."""
        document = self._documents.get(path)
        if document is not None:
            return None if self._is_refused(path) else mask_secrets(document.text)
        text, _ = read_source(path, self.rules)
        return None if text is None else mask_secrets(text)

    def _digest(self, path: str) -> bytes | None:
        """Of the text that the facts of a path were taken from."""
        facts = self._table.facts(path)
        return facts.digest if facts is not None else None

    def _current_text(self, path: str) -> bytes | None:
        """The text that the facts of a path were taken from, key material masked.

        The rules have passed a text with this digest already, so they are not asked again.
        """
        facts = self._table.facts(path)
        if facts is None:
            return None
        document = self._documents.get(path)
        if document is not None:
            return mask_ranges(document.text, facts.secrets)
        try:
            text, _ = read_regular(path, facts.size)
        except OSError:
            text = b""
        if len(text) != facts.size or digest_of(text) != facts.digest:
            self._stale.add(path)
            return None
        return mask_ranges(text, facts.secrets)

    def take_stale(self) -> tuple[str, ...]:
        """Files found to have changed on disk since they were read; the crawler should know."""
        stale = tuple(sorted(self._stale))
        self._stale.clear()
        return stale

    def facts(self, path: str) -> FileFacts | None:
        self.refresh()
        return self._table.facts(path)

    def symbols(self, path: str) -> tuple[Symbol, ...]:
        """The definitions in a file, in their order."""
        facts = self.facts(path)
        return facts.symbols if facts is not None else ()

    def imports(self, path: str) -> tuple[Import, ...]:
        facts = self.facts(path)
        return facts.imports if facts is not None else ()

    def definitions_of(self, name: str) -> list[Symbol]:
        """All definitions of a name."""
        self.refresh()
        return list(self._table.definitions_of(name))

    def references_of(self, name: str) -> list[Reference]:
        """All uses of a name, definitions left out."""
        self.refresh()
        found: list[Reference] = []
        for path in sorted(self._table.paths_using(name)):
            facts = self._table.facts(path)
            if facts is not None:
                found += facts.references_named(name)
        return found

    def names(self) -> Iterator[str]:
        """All names that something defines."""
        self.refresh()
        return self._table.names()

    def definitions_needed(
        self, path: str, offset: int, limit: int, deadline: float | None = None
    ) -> list[Snippet]:
        """Definitions that the code at the cursor needs, the most needed first.

        `deadline` is a value of time.monotonic(); what was found by then is returned.
        """
        document = self._documents.get(path)
        if document is None:
            return []
        self.refresh()
        return search.definitions_needed(self._repository, document, offset, limit, deadline)

    def similar_chunks(
        self, path: str, offset: int, limit: int, deadline: float | None = None
    ) -> list[Snippet]:
        """Chunks elsewhere that look like the code around the cursor, the most alike first."""
        document = self._documents.get(path)
        if document is None:
            return []
        self.refresh()
        return search.similar_chunks(self._repository, document, offset, limit, deadline)

    def _navigator(self) -> Navigator:
        self.refresh()
        return Navigator(self._repository, self._documents.get)

    def definitions_at(self, path: str, offset: int) -> list[Target]:
        """Where the name at an offset is defined; several, uncertain, where nothing tells."""
        return self._navigator().definitions(path, offset)

    def references_at(
        self,
        path: str,
        offset: int,
        include_definition: bool = True,
        deadline: float | None = None,
    ) -> list[Occurrence]:
        """Where the workspace names what the name at an offset means, the nearest files first.

        `deadline` is a value of time.monotonic(); what was found by then is returned.
        """
        files = self.references_by_file(path, offset, include_definition, deadline)
        return [use for found in files for use in found]

    def references_by_file(
        self,
        path: str,
        offset: int,
        include_definition: bool = True,
        deadline: float | None = None,
    ) -> Iterator[list[Occurrence]]:
        """As `references_at`, a list for each file: many may have to be read and parsed."""
        return self._navigator().references(path, offset, include_definition, deadline)

    def occurrences_in(self, path: str, offset: int) -> list[Occurrence]:
        """Where the file itself names what the name at an offset means."""
        return self._navigator().occurrences(path, offset)

    def names_in_scope(self, path: str, offset: int) -> tuple[str, ...]:
        """Names that can be written at an offset, the nearest first; after a dot, the members."""
        overlay = self._overlay(path, offset, PLACEHOLDER)
        if overlay is None:
            return ()
        navigator = Navigator(self._repository, self._documents.get)
        return Visible(navigator.meanings, self._table, self._files).names(overlay)

    def unknown_names(self, path: str, offset: int, text: str) -> tuple[UnknownName, ...]:
        """Names in a text that nothing would know if the text were inserted at an offset."""
        overlay = self._overlay(path, offset, text.encode("utf-8", "replace"))
        if overlay is None:
            return ()
        navigator = Navigator(self._repository, self._documents.get)
        return Unknown(navigator.meanings, self._table).names(overlay)

    def syntax_at(self, path: str, offset: int) -> SyntaxAt | None:
        """What the tree of an open document says of a place; None where there is no tree."""
        document = self._documents.get(path)
        tree = document.tree if document is not None else None
        if document is None or tree is None or not 0 <= offset <= len(document.text):
            return None
        return syntax_at(tree.root_node, document.text, offset)

    def _overlay(self, path: str, offset: int, inserted: bytes) -> Overlay | None:
        """An open document with a text inserted; None if it has no grammar or is no such place."""
        self.refresh()
        document, facts = self._documents.get(path), self._table.facts(path)
        if document is None or document.tree is None or facts is None:
            return None
        if not 0 <= offset <= len(document.text):
            return None
        return Overlay(document, facts, offset, inserted)

    def continuation(
        self, path: str, offset: int, limit: int, deadline: float | None = None
    ) -> list[str]:
        """Texts that followed elsewhere after the words before an offset, the likeliest first.

        `deadline` is a value of time.monotonic(); what was found by then is returned.
        """
        document = self._documents.get(path)
        if document is None or not 0 <= offset <= len(document.text):
            return []
        self.refresh()
        text = document.text
        return continuations(self._repository, path, text, offset, limit, deadline)

    def imports_of_file(self, path: str) -> tuple[ImportedFile, ...]:
        """What a file imports, with the files that each import means."""
        self.refresh()
        return self._import_graph.imports_of(path)

    def importers_of(self, path: str) -> list[str]:
        """The files that import a file, the closest first."""
        self.refresh()
        return self._import_graph.importers_of(path)

    def related_files(self, path: str, limit: int) -> list[Related]:
        """Files that have to do with a file, with reasons, the closest first."""
        return self._relations().related_files(path, limit)

    def callers(self, symbol: Symbol, deadline: float | None = None) -> list[Call]:
        """Where a symbol is called; uncertain where nothing tells what is called there."""
        return self._relations().callers(symbol, deadline)

    def callees(self, symbol: Symbol) -> list[Call]:
        """What a symbol calls, in the order of the text."""
        return self._relations().callees(symbol)

    def _relations(self) -> Relations:
        return Relations(self._repository, self._import_graph, self._navigator())

    def repository_map(self, budget_tokens: int, focus: Collection[str] = ()) -> list[Snippet]:
        """The most important definitions of the repository, seen from the files in focus."""
        self.refresh()
        return repository_map(self._repository, self._graphs.current(), budget_tokens, focus)

    def symbols_matching(self, query: str, limit: int) -> list[Symbol]:
        """Symbols of the workspace whose names match what was typed, the best first."""
        self.refresh()
        return self._symbol_search.matching(query, limit)

    def context(
        self,
        path: str,
        offset: int,
        budget_tokens: int,
        deadline: float | None = None,
        recent: Sequence[RecentSpan] = (),
        count: Callable[[str], int] | None = None,
    ) -> list[Snippet]:
        """Pieces of other code for a prompt at an offset, the most useful first.

        Together they have at most `budget_tokens`, by `count` or else by four bytes a token.
        `recent` are places that were edited or looked at, the latest first. `deadline` is a value
        of time.monotonic(). Typing at the end of a line leaves the list as it is or adds to its
        end.
        """
        document = self._documents.get(path)
        if document is None:
            return []
        self.refresh()
        return self._contexts.context(document, offset, budget_tokens, deadline, recent, count)

    def paths(self) -> Iterator[str]:
        """Files with facts."""
        self.refresh()
        return iter(tuple(self._table.paths()))

    def status(self) -> Status:
        return Status(
            files=self._table.file_count,
            symbols=self._table.symbol_count,
            references=self._table.reference_count,
            chunks=self._chunks.chunk_count,
            documents=len(self._documents),
            stale=len(self._stale),
        )

    def relative(self, path: str) -> str:
        """A path as people say it: relative to its root, after that's name if there are several."""
        root = self.rules.root_of(path)
        if root is None or path == root:
            return name_of(path)
        inside = os.path.relpath(path, root).replace(os.sep, "/")
        return inside if len(self.rules.roots) == 1 else f"{name_of(root)}/{inside}"
