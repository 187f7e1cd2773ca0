"""textDocument/inlineCompletion, and textDocument/completion for clients without it.

The plain part of a handler runs in the order of arrival and reads all that it needs; the coroutine
that it returns waits for the engine and touches the document no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from lsprotocol import types

from lsp_server.convert import (
    completion_items,
    inline_item,
    offset_of,
    path_of,
)
from lsp_server.features.completion import Ask, Completion, Prepared, Silence, finish
from lsp_server.handlers.connection import Connection
from lsp_server.protocol import (
    InlineCompletionParams,
    content_modified,
    invalid_params,
)
from lsp_server.receipt import receipt_json
from lsp_server.session import Ticket

Answer = Coroutine[Any, Any, Any]


def inline_completion(connection: Connection, params: InlineCompletionParams) -> Answer | Any:
    session = connection.session
    path = path_of(params.text_document.uri)
    document = session.index.document(path)
    version = params.text_document.version
    ticket = session.begin(path)
    if document is None or (version is not None and version < document.version):
        # Not open, or the client has typed on since: it will ask again.
        return types.InlineCompletionList(items=[])
    lines, selected = document.line_index, params.context.selected_completion_info
    text, offset, chosen = document.text, offset_of(lines, params.position, connection.encoding), ""
    if selected is not None:
        start = offset_of(lines, selected.range.start, connection.encoding)
        end = offset_of(lines, selected.range.end, connection.encoding)
        chosen = selected.text
        text = text[:start] + chosen.encode() + text[end:]
        offset = start + len(chosen.encode())
    options = params.formatting_options
    ask = Ask(
        path=path,
        text=text,
        offset=offset,
        language=document.language.name if document.language else None,
        version=document.version,
        automatic=params.context.trigger_kind != types.InlineCompletionTriggerKind.Invoked,
        selected=chosen,
        tab_size=options.tab_size if options else 4,
    )
    prepared = session.prepare(ask)
    if isinstance(prepared, Silence):
        return types.InlineCompletionList(items=[])

    def answer(completion: Completion | None) -> types.InlineCompletionList:
        if completion is None:
            return types.InlineCompletionList(items=[])
        identifier = session.remember(completion, ask)
        item = inline_item(completion, identifier, lines, connection.encoding, selected)
        return types.InlineCompletionList(items=[item])

    if isinstance(prepared, Completion):
        return answer(prepared)
    return wait_for(connection, ticket, prepared, answer)


def completion(connection: Connection, params: types.CompletionParams) -> Answer | Any:
    session = connection.session
    path = path_of(params.text_document.uri)
    document = session.index.document(path)
    ticket = session.begin(path)
    nothing = types.CompletionList(is_incomplete=True, items=[])
    if document is None:
        return nothing
    lines = document.line_index
    context = params.context
    ask = Ask(
        path=path,
        text=document.text,
        offset=offset_of(lines, params.position, connection.encoding),
        language=document.language.name if document.language else None,
        version=document.version,
        automatic=context is not None
        and context.trigger_kind != types.CompletionTriggerKind.Invoked,
    )
    prepared = session.prepare(ask)
    if isinstance(prepared, Silence):
        return nothing

    def answer(completion: Completion | None) -> types.CompletionList:
        if completion is None:
            return nothing
        identifier = session.remember(completion, ask)
        items = completion_items(completion, identifier, lines, connection.encoding)
        return types.CompletionList(is_incomplete=True, items=items)

    if isinstance(prepared, Completion):
        return answer(prepared)
    return wait_for(connection, ticket, prepared, answer)


async def wait_for(connection: Connection, ticket: Ticket, prepared: Prepared, answer: Any) -> Any:
    """The engine's part, which an edit, a newer request or the client may end at any time."""
    session = connection.session
    if ticket.dropped_by is None:
        ticket.task = asyncio.current_task()
        try:
            if prepared.ask.automatic and session.settings.completion.debounce_ms:
                await asyncio.sleep(session.settings.completion.debounce_ms / 1000)
            found = await finish(prepared, session.settings, session.clock)
        except asyncio.CancelledError:
            if ticket.dropped_by is None:
                raise
        else:
            session.end(ticket)
            if ticket.dropped_by is None:
                return answer(found if isinstance(found, Completion) else None)
    if ticket.dropped_by == "edit":
        raise content_modified()
    raise asyncio.CancelledError


def accept(connection: Connection, *arguments: Any) -> None:
    """The command that an editor runs when a suggestion was taken. It is counted, no more."""
    connection.session.suggestions.accepted += 1


def receipt(connection: Connection, params: Any) -> dict[str, Any]:
    """`sopilka/receipt {id}`: why a suggestion is what it is; `id` is its command's argument."""
    identifier = getattr(params, "id", None)
    found = (
        connection.session.suggestions.latest.get(identifier)
        if isinstance(identifier, str)
        else None
    )
    if found is None:
        raise invalid_params(f"no suggestion has the id {identifier!r}, or it is too old")
    return receipt_json(str(identifier), found)
