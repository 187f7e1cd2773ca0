"""Where to edit next: our own method for all places, and Copilot's for the nearest one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from lsp_server.convert import uri_of
from lsp_server.features.next_edit import NextEdit, found_edits, ordered
from lsp_server.handlers.connection import Connection
from lsp_server.handlers.copilot import Asked, asked_at, json_object, json_of
from lsp_server.handlers.navigation import Places
from lsp_server.protocol import ACCEPT_COMMAND, content_modified

# Seconds for which the loop may be held.
_SLICE = 0.004


def next_edit(connection: Connection, params: Any) -> Coroutine[Any, Any, dict[str, Any]] | Any:
    """`sopilka/nextEdit {textDocument, position}`: all places, the nearest first, in all files."""
    sent = json_object(params)
    place = asked_at(connection, json_object(sent.get("textDocument")), sent.get("position"))
    if place is None or not connection.session.settings.next_edit.enable:
        return {"edits": []}
    return _all(connection, place)


async def _all(connection: Connection, place: Asked) -> dict[str, Any]:
    places, edits = Places(connection), []
    for edit in await _find(connection, place):
        where = places.range(edit.path, edit.start, edit.end)
        document = connection.session.index.document(edit.path)
        if where is not None:
            edits.append(
                {
                    "uri": uri_of(edit.path),
                    "version": document.version if document is not None else None,
                    "range": json_of(connection, where),
                    "text": edit.text,
                    "why": edit.why,
                    "certain": edit.certain,
                }
            )
    return {"edits": edits}


def inline_edit(connection: Connection, params: Any) -> Coroutine[Any, Any, dict[str, Any]] | Any:
    """`textDocument/copilotInlineEdit`: the nearest place in the document itself."""
    sent = json_object(params)
    document = json_object(sent.get("textDocument"))
    place = asked_at(connection, document, sent.get("position"))
    if place is None or not connection.session.settings.next_edit.enable:
        return {"edits": []}
    return _nearest(connection, place, document)


async def _nearest(
    connection: Connection, place: Asked, document: dict[str, Any]
) -> dict[str, Any]:
    found = [edit for edit in await _find(connection, place) if edit.path == place.ask.path]
    nearest = next(iter(found), None)
    where = nearest and Places(connection).range(nearest.path, nearest.start, nearest.end)
    if nearest is None or where is None:
        return {"edits": []}
    command = {"title": nearest.why, "command": ACCEPT_COMMAND, "arguments": [""]}
    edit = {
        "text": nearest.text,
        "textDocument": {"uri": document["uri"], "version": place.ask.version},
        "range": json_of(connection, where),
        "command": command,
    }
    return {"edits": [edit]}


async def _find(connection: Connection, place: Asked) -> list[NextEdit]:
    """Keystrokes are taken in between, and make the answer worthless."""
    session, ask = connection.session, place.ask
    document = session.index.document(ask.path)
    found, episodes, end = list[NextEdit](), session.edits.episodes, session.clock() + _SLICE
    for edit in found_edits(session.index, session.edits, ask.path):
        if edit is not None:
            found.append(edit)
        if session.clock() > end:
            await asyncio.sleep(0)
            is_same = document is session.index.document(ask.path)
            if not is_same or session.edits.episodes is not episodes:
                raise content_modified()
            end = session.clock() + _SLICE
    return ordered(found, ask.path, ask.offset)


METHODS = {
    "sopilka/nextEdit": next_edit,
    "textDocument/copilotInlineEdit": inline_edit,
}
