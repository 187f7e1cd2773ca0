"""What one editor's server holds, and the plain part of a completion. The loop's thread owns it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from indexer import ByteEdit, Crawler, Index, IndexConfig, Open, Rules, mask_secrets
from indexer.document import to_bytes
from indexer.ignore import IGNORE_FILES, secret_name
from lsp_server import background
from lsp_server.cache import read_keeping, store_folder, write_keeping
from lsp_server.features import completion as feature
from lsp_server.features.completion import Ask, Completion, Prepared, Silence
from lsp_server.features.edit_history import EditHistory
from lsp_server.features.keeping import Keeping
from lsp_server.features.model import Model
from lsp_server.features.notebooks import Notebooks
from lsp_server.features.pace import Pace
from lsp_server.features.recent import RecentEdits
from lsp_server.features.shown import Shown
from lsp_server.features.suggestions import Suggestions
from lsp_server.features.typing import Typing
from lsp_server.jobs import Jobs, Spawn
from lsp_server.remote import RemoteAccess
from lsp_server.settings import IndexSettings, Settings
from runtime import EngineError, Priority

log = logging.getLogger(__name__)
StatusKind = Literal["Normal", "Error", "Warning", "Inactive"]


@dataclass(frozen=True, slots=True)
class Status:
    """What the server is doing, for a status bar."""

    busy: bool
    message: str
    kind: StatusKind


class Listener(Protocol):
    """Who is told what happens in the background: an editor's client, or a terminal."""

    def status(self, status: Status) -> None: ...

    def progress(self, job: str, message: str | None, percentage: int | None) -> None:
        """A job got on; without a message it has ended."""

    def warn(self, message: str) -> None: ...


@dataclass(slots=True, eq=False)
class Ticket:
    """A completion request under way, so that an edit or a newer request can end it."""

    path: str
    task: asyncio.Task[Any] | None = None
    dropped_by: Literal["edit", "request"] | None = None

    def drop(self, reason: Literal["edit", "request"]) -> None:
        self.dropped_by = self.dropped_by or reason
        if self.task is not None:
            self.task.cancel()


@dataclass(frozen=True, slots=True)
class Ahead:
    """The text for which a suggestion is computed before anyone asks."""

    text: bytes
    task: asyncio.Task[Any] | None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


@dataclass(slots=True)
class DocumentState:
    """What is remembered of one open document between requests."""

    language_id: str | None = None
    ticket: Ticket | None = None
    shown: Shown = field(default_factory=Shown)
    # What would follow the suggestion that is shown is being computed.
    ahead: Ahead | None = None
    # Whether the repository memory has an older text of this document.
    is_stale_in_memory: bool = True


@dataclass(slots=True)
class Session:
    """One editor's state. A field more than these means that a type is missing."""

    listener: Listener
    settings: Settings = field(default_factory=Settings)
    index: Index = field(default_factory=lambda: new_index(IndexSettings(), ()))
    crawler: Crawler = field(default_factory=lambda: new_crawler(IndexSettings(), ()))
    model: Model | None = None
    # Why there is no model, in words for the user.
    model_problem: str | None = None
    documents: dict[str, DocumentState] = field(default_factory=dict)
    suggestions: Suggestions = field(default_factory=Suggestions)
    recent: RecentEdits = field(default_factory=RecentEdits)
    typing: Typing = field(default_factory=Typing)
    edits: EditHistory = field(default_factory=EditHistory)
    notebooks: Notebooks = field(default_factory=Notebooks)
    keeping: Keeping = field(default_factory=Keeping)
    pace: Pace = field(default_factory=Pace)
    remote: RemoteAccess = field(default_factory=RemoteAccess)
    jobs: Jobs = field(init=False)
    # Whether we watch the files ourselves, because the client does not tell of changes.
    watches_files: bool = False
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.jobs = Jobs(self._told)

    # Completion

    def prepare(self, ask: Ask) -> Prepared | Completion | Silence:
        """All of a completion that reads documents and index, or the reason for silence."""
        log.debug("completion asked at version %d, byte %d", ask.version, ask.offset)
        refusal = self.refusal(ask)
        if self.model is None or refusal is not None:
            return Silence(refusal or "no model is loaded")
        state, options = self.state(ask.path), self.settings.completion
        if ask.automatic:
            reason = self.typing.why_not(ask.path, options.after_deletion)
            if reason is not None:
                return Silence(reason)
            rest = state.shown.rest(ask.text, ask.offset)
            if rest is not None:
                return rest
            self._learn(state, ask)
        if state.ahead is not None:
            state.ahead.cancel()
            state.ahead = None
        return self.read(ask)

    def read(self, ask: Ask) -> Prepared | Silence:
        """Context and prompt for the model that is loaded."""
        assert self.model is not None
        state = self.state(ask.path)
        if self.settings.memory.enable:
            background.refresh_memory(self, but=ask.path)
        masked = replace(ask, text=mask_secrets(ask.text))
        return feature.prepare(
            self.index,
            self.model,
            masked,
            self._settings_now(),
            self.clock,
            self.recent.spans,
            state.shown.expected(ask.text, ask.offset),
            self.typing.unwanted(ask.path, self.clock()),
            self.keeping.probability if self.settings.completion.learn else float,
        )

    def _settings_now(self) -> Settings:
        """While the index is built, a name that it does not know says nothing."""
        if background.INDEX not in self.jobs.messages:
            return self.settings
        completion = replace(self.settings.completion, check_names=False)
        return replace(self.settings, completion=completion)

    def _learn(self, state: DocumentState, ask: Ask) -> None:
        """The user has gone on from the suggestion that was shown: with it, or without."""
        outcome = state.shown.outcome(ask.text)
        if self.model is None or not self.model.engine.forces_start:
            return  # Without probabilities there is no estimate to correct.
        if outcome is not None and self.settings.completion.learn:
            self.keeping.learn(*outcome)

    def with_cells_above(self, ask: Ask) -> Ask:
        """In a cell of a notebook what the cells above it say counts as text above."""
        above = self.notebooks.above(ask.path, self.index.text_of)
        if not above:
            return ask
        text, offset = above + ask.text, len(above) + ask.offset
        return replace(ask, text=text, offset=offset, above=len(above), is_own_text=False)

    def refusal(self, ask: Ask) -> str | None:
        """Why nothing may be suggested here, in words; None where it may."""
        options, state = self.settings.completion, self.state(ask.path)
        if self.model is None:
            return self.model_problem or "the model is not loaded yet"
        if not options.enable:
            return "completion is switched off (setting sopilka.completion.enable)"
        for language in (state.language_id, ask.language):
            if language in options.disabled_languages:
                return f"completion is switched off for {language}"
        rules = self.index.rules
        if rules.root_of(ask.path) is not None:
            verdict = rules.verdict(ask.path)
            return None if verdict.allowed else verdict.reason
        return "it may hold keys or credentials" if secret_name(ask.path) else None

    def remember(self, completion: Completion, ask: Ask) -> str:
        """Keeps a suggestion that is about to be shown, and gives it an identifier."""
        self.state(ask.path).shown.add(ask.text, completion)
        return self.suggestions.add(completion)

    def look_ahead(self, ask: Ask, shown: Completion) -> None:
        """Computes, behind all else, what would be suggested when this is accepted."""
        state = self.state(ask.path)
        if not (self.settings.completion.prefetch and ask.automatic and ask.is_own_text):
            return
        if self.model is None or self.model.sent_to is not None:
            return  # Others are asked for what is wanted now, and for nothing else.
        written = shown.text.encode()
        after = replace(
            ask,
            text=ask.text[: shown.start] + written + ask.text[shown.end :],
            offset=shown.start + len(written),
            is_own_text=False,
            priority=Priority.ACTION,
        )
        if state.shown.rest(after.text, after.offset) is not None:
            return
        if state.ahead is not None:
            if state.ahead.text == after.text:
                return
            state.ahead.cancel()
        state.ahead = Ahead(after.text, self.jobs.spawn(self._look_ahead(after, state)))

    async def _look_ahead(self, ask: Ask, state: DocumentState) -> None:
        prepared = self.read(ask) if self.model is not None else None
        if isinstance(prepared, Prepared):
            with suppress(EngineError):
                found = await feature.finish(prepared, self.settings, self.clock)
                if isinstance(found, Completion):
                    state.shown.keep(ask.text, found)

    def begin(self, path: str) -> Ticket:
        """A new request takes the place of the older one of the same document."""
        state = self.state(path)
        if state.ticket is not None:
            state.ticket.drop("request")
        state.ticket = Ticket(path)
        return state.ticket

    def end(self, ticket: Ticket) -> None:
        state = self.documents.get(ticket.path)
        if state is not None and state.ticket is ticket:
            state.ticket = None

    # Documents

    def state(self, path: str) -> DocumentState:
        return self.documents.setdefault(path, DocumentState())

    def opened(self, path: str, language_id: str | None) -> None:
        self.edited(path)
        self.documents[path] = DocumentState(language_id)
        self.jobs.spawn(background.warm_up(self, path))

    def focused(self, path: str) -> None:
        """The editor shows another document: what the first request asks is asked ahead."""
        if self.index.document(path) is not None:
            self.jobs.spawn(background.warm_up(self, path))

    def edited(self, path: str) -> None:
        """A document changed: what was asked about its old text is not answered any more."""
        state = self.state(path)
        for other, elsewhere in self.documents.items():
            if other != path:
                elsewhere.shown.clear()
        state.is_stale_in_memory = True
        if state.ticket is not None:
            state.ticket.drop("edit")
            state.ticket = None

    def changed(self, path: str, before: bytes, after: bytes, edits: Sequence[ByteEdit]) -> None:
        """How a document changed, for whether a suggestion is wanted now."""
        now = self.clock()
        inserted = [to_bytes(edit.text) for edit in edits]
        accepted = any(map(self.state(path).shown.is_accepted, inserted))
        self.typing.note(path, before, after, edits, accepted, now)
        self.edits.note(path, before, edits)
        self.pace.key(now)

    def closed(self, path: str) -> None:
        self.edited(path)
        self.edits.forget(path)
        state = self.documents.pop(path, None)
        if state is not None and state.ahead is not None:
            state.ahead.cancel()
        # The text on disk counts again.
        self.files_changed((path,))

    def files_changed(self, paths: tuple[str, ...] | None) -> None:
        """Files on disk appeared, changed or vanished; None: nobody knows which."""
        if paths is None or any(path.endswith(IGNORE_FILES) for path in paths):
            self.index.rules.forget()
        self.jobs.spawn(background.take_file_changes(self, paths))

    # Background work

    def start(self, spawn: Spawn) -> None:
        """Loads what the settings ask for, beside the messages."""
        self.jobs.start(spawn)
        self.keeping = read_keeping(self.settings)
        self.load_model()
        self.crawl()
        self.watch()

    def stop(self) -> None:
        write_keeping(self.settings, self.keeping)
        self.jobs.stop()
        self.crawler.cancel()
        for state in self.documents.values():
            if state.ticket is not None:
                state.ticket.drop("request")
            if state.ahead is not None:
                state.ahead.cancel()

    def use(self, settings: Settings) -> None:
        """Takes new settings and does anew what they change."""
        old, self.settings = self.settings, settings
        if settings.index != old.index:
            self.set_roots(self.index.rules.roots)
        if (settings.engine, settings.remote) != (old.engine, old.remote):
            self.load_model()
        if settings.memory != old.memory:
            self.fill_memory()
        self.tell()

    def set_roots(self, roots: tuple[str, ...]) -> None:
        """Other folders or other rules: a crawl tells the index what came and what is gone."""
        settings = self.settings.index
        config = index_config(settings)
        self.crawler.cancel()
        self.crawler.use(Rules(roots if settings.enable else (), config))
        self.index.use(config, roots)
        for document in self.index.documents():
            language_id = self.state(document.path).language_id
            self.index.apply(Open(document.path, language_id, document.version, document.text))
        self.crawl()
        self.watch()

    def load_model(self) -> None:
        self.jobs.run(background.MODEL, "loading the model", background.load_model(self))

    def crawl(self) -> None:
        self.jobs.run(background.INDEX, "indexing", background.crawl(self))

    def watch(self) -> None:
        self.jobs.run(background.WATCH, None, background.watch(self))

    def fill_memory(self) -> None:
        """When both are there: files, and a model to remember them for."""
        if self.model is not None and background.INDEX not in self.jobs.messages:
            work = background.fill_memory(self)
            self.jobs.run(background.MEMORY, "remembering files", work)

    def forgot_memory(self) -> None:
        """The engine began anew and remembers nothing: all is put into its memory again."""
        for state in self.documents.values():
            state.is_stale_in_memory = True
        self.fill_memory()
        self.tell()

    # Status

    def status(self) -> Status:
        busy = bool(self.jobs.messages)
        if self.model_problem is not None:
            return Status(busy, self.model_problem, "Error")
        if not self.settings.completion.enable:
            return Status(busy, "completion is switched off", "Inactive")
        if busy:
            kind: StatusKind = "Inactive" if self.model is None else "Normal"
            return Status(True, "; ".join(self.jobs.messages.values()), kind)
        if self.model is None:
            return Status(False, "no model is loaded", "Inactive")
        files, engine = self.index.status().files, self.model.engine.status
        if engine.error is not None:
            return Status(False, engine.error, "Warning")
        if self.model.sent_to is not None:
            place = f"text is sent to {self.model.sent_to}"
            return Status(False, f"ready: {self.model.name}, {place}, {files} files", "Normal")
        full = f" (the index is full: {n} left out)" if (n := self.crawler.left_out) else ""
        counts = f"{files} files{full}, {engine.memory_tokens} tokens in memory"
        return Status(False, f"ready: {self.model.name}, {counts}", "Normal")

    def tell(self) -> None:
        self.listener.status(self.status())

    def _told(self, job: str, message: str | None, percentage: int | None) -> None:
        self.listener.progress(job, message, percentage)
        self.tell()


def index_config(settings: IndexSettings) -> IndexConfig:
    return IndexConfig(
        max_file_bytes=settings.max_file_kb * 1024,
        workers=settings.workers or IndexConfig().workers,
        extra_ignore=settings.exclude,
        max_memory_bytes=settings.max_memory_mb * 1_000_000,
        store_folder=store_folder(settings, os.environ, sys.platform),
        max_store_bytes=max(1, settings.cache_mb) * 1_000_000,
    )


def new_index(settings: IndexSettings, roots: tuple[str, ...]) -> Index:
    return Index(index_config(settings), roots, background.beside)


def new_crawler(settings: IndexSettings, roots: tuple[str, ...]) -> Crawler:
    """A crawler has rules of its own: it reads them on other threads."""
    return Crawler(Rules(roots, index_config(settings)))
