"""Documents open, change, save and close. Plain functions: they run in the order of arrival."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from lsprotocol import types

from indexer import Close, Edit, Open, Replace
from indexer.ignore import IGNORE_FILES
from lsp_server.convert import edits_of, path_of
from lsp_server.handlers.connection import Connection

log = logging.getLogger(__name__)
CHANGES_AT_A_TIME = 100


def did_open(connection: Connection, params: types.DidOpenTextDocumentParams) -> None:
    document = params.text_document
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
        changes = changes[whole + 1 :]
    edits = edits_of(document.line_index, changes, connection.encoding)
    session.index.apply(Edit(path, version, edits))


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
