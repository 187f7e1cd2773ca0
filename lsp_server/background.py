"""What is done behind the client's back: load the model, crawl the folders, fill the memory.

All of it runs on the session's loop, in slices, with the slow parts in threads and processes; only
frozen values come back. Every feature works meanwhile, on what there is.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from indexer import (
    Batch,
    FileFound,
    FileGone,
    Index,
    IndexConfig,
    Language,
    Open,
    Rules,
    Watcher,
    language_of,
    mask_secrets,
)
from indexer.walk import read_source
from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenIds
from lsp_server.models import open_model
from runtime import EngineError
from runtime.client import EngineClient

if TYPE_CHECKING:
    from lsp_server.session import Session

log = logging.getLogger(__name__)
T = TypeVar("T")

MODEL, INDEX, MEMORY, WATCH = "model", "index", "memory", "watch"
FILES_AT_A_TIME = 16
# Seconds for which the loop may be held to apply what was crawled.
SLICE = 0.002
CHANGES_AT_A_TIME = 2
FREEZE_EVERY = 50


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Like asyncio.to_thread, in a daemon: a process that is told to end does not wait for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def hand_over(result: Callable[[], None]) -> None:
        try:
            loop.call_soon_threadsafe(lambda: None if future.done() else result())
        except RuntimeError:
            log.debug("the loop was closed before a thread had ended")

    def run() -> None:
        try:
            value = function(*arguments)
        except BaseException as error:
            # Bound by default: the name is gone when the except block ends.
            hand_over(lambda error=error: future.set_exception(error))  # type: ignore[misc]
        else:
            hand_over(lambda: future.set_result(value))

    threading.Thread(target=run, name=function.__name__, daemon=True).start()
    return await future


def beside(function: Callable[[], None]) -> None:
    """Runs something that answers to nobody in a thread."""
    threading.Thread(target=function, name="beside", daemon=True).start()


async def load_model(session: Session) -> None:
    """Loads the bundle of the settings in place of the model that is there."""
    roots = session.index.rules.roots
    key = session.remote.key
    opening = asyncio.ensure_future(open_model(session.settings, roots, key))
    model, problem = None, None
    try:
        model = await asyncio.shield(opening)
    except EngineError as error:
        problem = str(error)
        log.error("the model cannot be loaded: %s", error)
    except asyncio.CancelledError:
        # Other settings came meanwhile. A model that is half open is opened, and closed.
        opening.add_done_callback(_close_unwanted)
        raise
    old, session.model, session.model_problem = session.model, model, problem
    if model is not None:
        session.remote.announce(model, session.listener.warn)
    if model is not None and isinstance(model.engine, EngineClient):
        model.engine.on_restart = session.forgot_memory
    # The memory's job begins before this one ends: in between the server is not yet ready.
    session.fill_memory()
    session.jobs.end(MODEL)
    if old is not None:
        await old.engine.aclose()


def _close_unwanted(opening: asyncio.Future[Model]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        asyncio.ensure_future(opening.result().engine.aclose())  # noqa: RUF006


async def crawl(session: Session) -> None:
    """Reads the workspace folders into the index; then the memory can be filled from it."""
    languages: set[Language] = set()
    told = 0
    gc.freeze()
    async for batch in session.crawler.batches():
        await apply(session, batch)
        languages.update(filter(None, map(language_of, (one.path for one in batch.changes))))
        now = batch.progress
        share = 100 * now.done // max(1, now.found) if now.complete else None
        session.jobs.report(INDEX, f"indexing: {now.done} files", share)
        if now.done >= told + FREEZE_EVERY or now.complete:
            # What was crawled stays: without this, full garbage collections would walk all of it.
            gc.freeze()
            told = now.done
    await in_thread(load_queries, frozenset(languages))
    del session.jobs.messages[INDEX]
    session.fill_memory()
    session.jobs.end(INDEX)


def load_queries(languages: frozenset[Language]) -> None:
    """Compiles what the first question in a language needs; it would wait for tens of ms."""
    for language in languages:
        load_language(language)


def load_language(language: Language) -> None:
    """Loads a grammar and compiles its queries, by asking about an empty document."""
    _ = language.locals_query, language.scopes_query
    index, path = Index(IndexConfig(), ()), f"/empty.{language.name}"
    index.apply(Open(path, next(iter(language.client_ids), None), 1, ""))
    index.symbols(path)


async def warm_up(session: Session, path: str) -> None:
    """Asks what the first request will ask, so that it need not wait for the first parse."""
    document = session.index.document(path)
    if document is not None:
        session.index.symbols(path)
        await asyncio.sleep(0)
        session.index.context(path, len(document.text), 1_000)


async def watch(session: Session) -> None:
    """Notices changed files for a client that does not. Runs until it is cancelled."""
    if not (session.watches_files and session.settings.index.enable and session.index.rules.roots):
        return
    loop = asyncio.get_running_loop()

    def changed(paths: tuple[str, ...] | None) -> None:
        with suppress(RuntimeError):  # The loop was closed.
            loop.call_soon_threadsafe(session.files_changed, paths)

    watcher = Watcher(Rules(session.index.rules.roots, session.index.config), changed)
    try:
        problem = await in_thread(watcher.start)
        if problem:
            log.warning("%s; changes on disk are seen when a file is opened or saved", problem)
            return
        if watcher.unwatched:
            seconds = watcher.poll_seconds
            log.warning(
                "%d folders have no watch: all is looked at every %d s", watcher.unwatched, seconds
            )
        # What changed before the watches were set, but after the crawl had read it.
        session.files_changed(None)
        await asyncio.Event().wait()
    finally:
        threading.Thread(target=watcher.stop, daemon=True).start()


async def take_file_changes(session: Session, paths: tuple[str, ...] | None) -> None:
    """Files that appeared, changed or vanished, into the index and the memory; None: any."""
    if not session.settings.index.enable:
        return
    async for batch in session.crawler.batches(paths):
        await apply(session, batch)
        await remember(session, batch)


async def apply(session: Session, batch: Batch) -> None:
    """Changes in slices, so that a keystroke never waits for more than one of them."""
    index, end = session.index, session.clock() + SLICE
    for changes in batches(session.crawler.current(batch), CHANGES_AT_A_TIME):
        index.apply_found(changes)
        if session.clock() > end:
            await asyncio.sleep(0)
            end = session.clock() + SLICE


async def remember(session: Session, batch: Batch) -> None:
    """The files of a batch as they are on disk now, unless the editor has them open."""
    model, index = session.model, session.index
    if model is None or not (session.settings.memory.enable and model.engine.has_memory):
        return
    closed = [change for change in batch.changes if index.document(change.path) is None]
    for change in closed:
        if isinstance(change, FileGone):
            model.engine.memory.drop(change.path)
    paths = [change.path for change in closed if isinstance(change, FileFound)]
    for path, ids in await in_thread(encode_files, model, paths, index.config, index.rules.roots):
        if index.document(path) is None:
            model.engine.memory.put(path, ids)


async def fill_memory(session: Session) -> None:
    """Puts the files of the index into the repository memory, up to the budget of the settings."""
    model, budget, done = session.model, session.settings.memory.max_tokens, 0
    config, roots = session.index.config, session.index.rules.roots
    is_wanted = model is not None and session.settings.memory.enable and model.engine.has_memory
    waiting = tuple(session.index.paths()) if is_wanted else ()
    for paths in batches(waiting, FILES_AT_A_TIME):
        assert model is not None
        message = f"remembering files: {done} of {len(waiting)}"
        session.jobs.report(MEMORY, message, 100 * done // len(waiting))
        closed = [path for path in paths if session.index.document(path) is None]
        for path, ids in await in_thread(encode_files, model, closed, config, roots):
            budget -= len(ids)
            if budget >= 0 and session.index.document(path) is None:
                model.engine.memory.put(path, ids)
        done += len(paths)
        if budget < 0:
            log.info("the memory's budget is spent after %d of %d files", done, len(waiting))
            break
    session.jobs.end(MEMORY)


def encode_files(
    model: Model, paths: list[str], config: IndexConfig, roots: tuple[str, ...]
) -> list[tuple[str, TokenIds]]:
    """Token ids of files that the rules let pass, key material masked. Runs in a thread."""
    rules = Rules(roots, config)
    encoded = []
    for path in paths:
        text, _ = read_source(path, rules)
        if text is not None:
            ids = model.engine.tokenizer.encode(mask_secrets(text).decode("utf-8", "replace"))
            encoded.append((path, np.array(ids, np.int32)))
    return encoded


def refresh_memory(session: Session, but: str) -> None:
    """Open documents other than the one at hand, as they are now."""
    model = session.model
    if model is None or not model.engine.has_memory:
        return
    for path, state in session.documents.items():
        if path == but or not state.is_stale_in_memory:
            continue
        state.is_stale_in_memory = False
        text = session.index.text_of(path)
        rules = session.index.rules
        if text is not None and rules.root_of(path) is not None and rules.verdict(path).allowed:
            model.engine.memory.put(path, model.tokens.encode(text.decode("utf-8", "replace")))


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
