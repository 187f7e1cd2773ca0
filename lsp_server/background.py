"""What is done behind the client's back: load the model, crawl the folders, fill the memory.

All of it runs on the session's loop, in slices, with the slow parts in threads and processes; only
frozen values come back. Every feature works meanwhile, on what there is.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from indexer import FileFound, IndexConfig, Rules, extract, language_of, mask_secrets
from indexer.index import read_file
from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenIds
from lsp_server.models import open_model
from runtime import EngineError

if TYPE_CHECKING:
    from lsp_server.session import Session

log = logging.getLogger(__name__)
T = TypeVar("T")

MODEL, INDEX, MEMORY = "model", "index", "memory"
FILES_AT_A_TIME = 16


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


async def load_model(session: Session) -> None:
    """Loads the bundle of the settings in place of the model that is there."""
    session.job(MODEL, "loading the model")
    opening = asyncio.ensure_future(in_thread(open_model, session.settings.engine))
    model, problem = None, None
    try:
        model = await asyncio.shield(opening)
    except EngineError as error:
        problem = str(error)
        log.error("the model cannot be loaded: %s", error)
    except asyncio.CancelledError:
        # Other settings came meanwhile. The thread cannot be stopped, but what it opens is closed.
        opening.add_done_callback(_close_unwanted)
        raise
    old, session.model, session.model_problem = session.model, model, problem
    session.fill_memory()
    session.job(MODEL, None)
    if old is not None:
        await old.engine.aclose()


def _close_unwanted(opening: asyncio.Future[Model]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        asyncio.ensure_future(opening.result().engine.aclose())  # noqa: RUF006


async def crawl(session: Session) -> None:
    """Reads the workspace folders into the index, then into the memory."""
    index = session.index
    session.job(INDEX, "indexing")
    if session.settings.index.enable:
        found = await in_thread(_find, index.rules.roots, index.config)
        for path, facts in found:
            index.apply(FileFound(path, facts))
    session.jobs.pop(INDEX)
    session.fill_memory()
    session.job(INDEX, None)


def _find(roots: tuple[str, ...], config: IndexConfig) -> list[Any]:
    import os

    rules = Rules(roots, config)
    out = []
    for root in roots:
        for folder, names, files in os.walk(root):
            names[:] = [n for n in names if rules.folder_verdict(f"{folder}/{n}").allowed]
            for name in files:
                path = f"{folder}/{name}"
                language = language_of(path)
                text = read_file(path, rules) if language else None
                if text is not None and language is not None:
                    out.append((path, extract(path, language, text)))
    return out


async def take_file_changes(session: Session, changes: tuple[tuple[str, bool], ...]) -> None:
    """Files that appeared, changed or vanished on disk."""


async def fill_memory(session: Session) -> None:
    """Puts the files of the index into the repository memory, up to the budget of the settings."""
    model, budget = session.model, session.settings.memory.max_tokens
    if model is None or not session.settings.memory.enable:
        session.job(MEMORY, None)
        return
    config, roots = session.index.config, session.index.rules.roots
    waiting = [path for path in session.index.paths() if session.index.document(path) is None]
    done = 0
    for paths in batches(waiting, FILES_AT_A_TIME):
        session.job(MEMORY, f"remembering files: {done} of {len(waiting)}", _percent(done, waiting))
        for path, ids in await in_thread(encode_files, model, paths, config, roots):
            budget -= len(ids)
            if budget >= 0 and session.index.document(path) is None:
                model.engine.memory.put(path, ids)
        done += len(paths)
        if budget < 0:
            log.info("the memory's budget is spent after %d of %d files", done, len(waiting))
            break
    session.job(MEMORY, None)


def encode_files(
    model: Model, paths: list[str], config: IndexConfig, roots: tuple[str, ...]
) -> list[tuple[str, TokenIds]]:
    """Token ids of files that the rules let pass, key material masked. Runs in a thread."""
    rules = Rules(roots, config)
    encoded = []
    for path in paths:
        text = read_file(path, rules)
        if text is not None:
            ids = model.engine.tokenizer.encode(mask_secrets(text).decode("utf-8", "replace"))
            encoded.append((path, np.array(ids, np.int32)))
    return encoded


def refresh_memory(session: Session, but: str) -> None:
    """Open documents other than the one at hand, as they are now."""
    model = session.model
    if model is None:
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


def _percent(done: int, of: list[Any]) -> int:
    return 100 * done // max(1, len(of))
