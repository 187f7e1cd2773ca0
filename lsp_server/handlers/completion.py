"""textDocument/inlineCompletion, and textDocument/completion for clients without it.

The plain part of a handler runs in the order of arrival and reads all that it needs; the coroutine
that it returns waits for the engine and touches the document no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from lsprotocol import types

from indexer import Document
from lsp_server.convert import (
    completion_items,
    inline_item,
    offset_of,
    path_of,
)
from lsp_server.features.candidates import candidates
from lsp_server.features.completion import Ask, Completion, Prepared, Silence, finish
from lsp_server.features.edits import Edit, apply
from lsp_server.handlers.connection import Connection
from lsp_server.protocol import (
    InlineCompletionParams,
    content_modified,
    invalid_params,
)
from lsp_server.receipt import prompt_pieces, receipt_json
from lsp_server.session import Session, Ticket
from runtime import EngineError

log = logging.getLogger(__name__)
Answer = Coroutine[Any, Any, Any]
Render = Callable[[Sequence[tuple[Completion, str]]], Any]


def inline_completion(connection: Connection, params: InlineCompletionParams) -> Answer | Any:
    session, encoding = connection.session, connection.encoding
    path, version = path_of(params.text_document.uri), params.text_document.version
    document = session.index.document(path)
    ticket = session.begin(path)
    nothing = types.InlineCompletionList(items=[])
    if document is None or (version is not None and version < document.version):
        # Not open, or the client has typed on since: it will ask again.
        return nothing
    lines, selected = document.line_index, params.context.selected_completion_info
    ask = ask_of(document, path, offset_of(lines, params.position, encoding))
    if selected is not None:
        start, end = (
            offset_of(lines, place, encoding)
            for place in (selected.range.start, selected.range.end)
        )
        chosen = selected.text.encode()
        text = apply(document.text, [Edit(start, end, chosen)])
        ask = replace(ask, text=text, offset=start + len(chosen), is_own_text=False)
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    tab_size = params.formatting_options.tab_size if params.formatting_options else 4
    ask = replace(ask, automatic=not invoked, tab_size=tab_size)

    def render(found: Sequence[tuple[Completion, str]]) -> types.InlineCompletionList:
        return types.InlineCompletionList(
            items=[inline_item(one, name, lines, encoding, selected) for one, name in found]
        )

    return respond(connection, ticket, ask, render, nothing)


def completion(connection: Connection, params: types.CompletionParams) -> Answer | Any:
    session, encoding = connection.session, connection.encoding
    path = path_of(params.text_document.uri)
    document = session.index.document(path)
    ticket = session.begin(path)
    nothing = types.CompletionList(is_incomplete=True, items=[])
    if document is None:
        return nothing
    lines, context = document.line_index, params.context
    invoked = context is None or context.trigger_kind == types.CompletionTriggerKind.Invoked
    ask = ask_of(document, path, offset_of(lines, params.position, encoding))

    def render(found: Sequence[tuple[Completion, str]]) -> types.CompletionList:
        items = [
            item for one, name in found for item in completion_items(one, name, lines, encoding)
        ]
        for number, item in enumerate(items):
            item.sort_text = f"{number:02}"
        return types.CompletionList(is_incomplete=True, items=items)

    return respond(connection, ticket, replace(ask, automatic=not invoked), render, nothing)


def ask_of(document: Document, path: str, offset: int) -> Ask:
    language = document.language.name if document.language else None
    return Ask(path, document.text, offset, language, document.version)


def respond(
    connection: Connection, ticket: Ticket, ask: Ask, render: Render, nothing: Any
) -> Answer | Any:
    """All that must see the document as it is now; then the answer, or what waits for it."""
    session = connection.session
    ask = session.with_cells_above(ask)
    prepared = session.prepare(ask)
    if isinstance(prepared, Silence):
        return nothing
    if isinstance(prepared, Completion):
        return show(connection, [prepared], ask, render)
    return wait_for(connection, ticket, prepared, ask, render, nothing)


async def wait_for(
    connection: Connection,
    ticket: Ticket,
    prepared: Prepared,
    ask: Ask,
    render: Render,
    nothing: Any,
) -> Any:
    """The engine's part, which an edit, a newer request or the client may end at any time."""
    session = connection.session
    if ticket.dropped_by is None:
        ticket.task = asyncio.current_task()
        try:
            found = await ask_model(session, prepared)
        except asyncio.CancelledError:
            if ticket.dropped_by is None:
                raise
        except EngineError as error:
            # The engine's process died, or too many wait: the status says so, the next one works.
            log.warning("no suggestion: %s", error)
            session.end(ticket)
            session.tell()
            return nothing
        else:
            session.end(ticket)
            if ticket.dropped_by is None:
                return (
                    nothing if isinstance(found, Silence) else show(connection, found, ask, render)
                )
    if ticket.dropped_by == "edit":
        raise content_modified()
    raise asyncio.CancelledError


async def ask_model(session: Session, prepared: Prepared) -> Sequence[Completion] | Silence:
    """What the model suggests; several where the user asked for it by a key."""
    options = session.settings.completion
    if not prepared.ask.automatic:
        return await candidates(prepared, session.settings, session.clock)
    await asyncio.sleep(max(options.debounce_ms / 1000, session.pace.delay))
    began = session.clock()
    found = await finish(prepared, session.settings, session.clock)
    session.pace.answered(session.clock() - began)
    return found if isinstance(found, Silence) else (found,)


def show(connection: Connection, found: Sequence[Completion], ask: Ask, render: Render) -> Any:
    """The answer, which is remembered: the best of it is what typing on is compared with."""
    session = connection.session
    named = [(one, session.remember(one, ask)) for one in reversed(found)]
    session.look_ahead(ask, found[0])
    own = [
        (replace(one, start=one.start - ask.above, end=one.end - ask.above), name)
        for one, name in reversed(named)
    ]
    return render(own)


def accept(connection: Connection, *arguments: Any) -> None:
    """The command that an editor runs when a suggestion was taken."""
    connection.session.suggestions.note("accepted", str(arguments[0]) if arguments else "")


def explain(connection: Connection, params: Any) -> dict[str, Any]:
    """`sopilka/explainCompletion {id}`: why a suggestion is what it is, with its whole prompt.

    `id` is the argument of the suggestion's command.
    """
    identifier = getattr(params, "id", None)
    found = (
        connection.session.suggestions.latest.get(identifier)
        if isinstance(identifier, str)
        else None
    )
    if found is None:
        raise invalid_params(f"no suggestion has the id {identifier!r}, or it is too old")
    model = connection.session.model
    if model is None or model.name != found.receipt.model:
        raise invalid_params("the model of this suggestion is not loaded any more")
    pieces = prompt_pieces(found.receipt, model)
    return {**receipt_json(str(identifier), found), "prompt": pieces}
