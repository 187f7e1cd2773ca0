"""Documents open, change, save and close. Plain functions: they run in the order of arrival."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from lsprotocol import types

from indexer import Close, Edit, Language, Open, Replace, language_of
from indexer.document import to_bytes
from indexer.ignore import IGNORE_FILES
from lsp_server.background import in_thread, load_language
from lsp_server.convert import edits_of, path_of
from lsp_server.handlers.connection import Connection
from lsp_server.protocol import describe

log = logging.getLogger(__name__)
CHANGES_AT_A_TIME = 100
# Places of one message that count as edited lately.
MAX_NOTED = 4


def did_open(connection: Connection, params: types.DidOpenTextDocumentParams) -> None:
    """The first document of a language waits until that is loaded; what follows waits too."""
    language = language_of(path_of(params.text_document.uri), params.text_document.language_id)
    if language is None or language.name in connection.languages:
        _open(connection, params.text_document)
    else:
        connection.hold(_load_and_open(connection, language, params.text_document))


async def _load_and_open(
    connection: Connection, language: Language, document: types.TextDocumentItem
) -> None:
    connection.languages.add(language.name)
    try:
        await in_thread(load_language, language)
    except Exception as error:
        log.error("%s cannot be loaded: %s", language.name, describe(error))
    _open(connection, document)


def _open(connection: Connection, document: types.TextDocumentItem) -> None:
    path = path_of(document.uri)
    session = connection.session
    session.index.apply(Open(path, document.language_id, document.version, document.text))
    session.opened(path, document.language_id)


def did_change(connection: Connection, params: types.DidChangeTextDocumentParams) -> None:
    path, version = path_of(params.text_document.uri), params.text_document.version
    session = connection.session
    session.edited(path)
    document = session.index.document(path)
    if document is None:
        log.warning("a change came for a document that is not open")
        return
    changes = params.content_changes
    whole = next((at for at in reversed(range(len(changes))) if not _is_partial(changes[at])), None)
    if whole is not None:
        # What stood before a whole new text does not matter.
        session.index.apply(Replace(path, version, changes[whole].text))
        session.recent.forget(path)
        session.typing.forget(path)
        session.edits.forget(path)
        changes = changes[whole + 1 :]
    edits = edits_of(document.line_index, changes, connection.encoding)
    before = document.text
    session.index.apply(Edit(path, version, edits))
    session.changed(path, before, document.text, edits)
    for edit in edits[:MAX_NOTED]:
        line = document.line_index.line_of(edit.start)
        session.recent.note(path, line, line + to_bytes(edit.text).count(b"\n"))


def _is_partial(change: types.TextDocumentContentChangeEvent) -> bool:
    return isinstance(change, types.TextDocumentContentChangePartial)


def did_save(connection: Connection, params: types.DidSaveTextDocumentParams) -> None:
    """The text is known already. An ignore file that was saved counts from now on."""
    path = path_of(params.text_document.uri)
    if path.endswith(IGNORE_FILES):
        connection.session.files_changed((path,))


def did_close(connection: Connection, params: types.DidCloseTextDocumentParams) -> None:
    path = path_of(params.text_document.uri)
    session = connection.session
    session.index.apply(Close(path))
    session.closed(path)


async def did_change_watched_files(connection: Connection, params: Any) -> None:
    """Thousands of changes come at once when a branch is checked out: taken in slices."""
    changes = params.get("changes") if isinstance(params, dict) else None
    paths: list[str] = []
    for number, change in enumerate(changes if isinstance(changes, list) else ()):
        uri = change.get("uri") if isinstance(change, dict) else None
        if isinstance(uri, str):
            with suppress(ValueError):
                paths.append(path_of(uri))
        if number % CHANGES_AT_A_TIME == CHANGES_AT_A_TIME - 1:
            await asyncio.sleep(0)
    connection.session.files_changed(tuple(paths))
