"""The part of Copilot's protocol that its clients need, so that they work with this server.

Method names and fields are those of the language server that Copilot's editors speak to: version
1.539 of it and, below `getCompletions`, the older form that copilot.vim and copilot.lua began with.
Nobody signs in here: the answers say that somebody has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lsprotocol import types

from indexer import LineIndex
from lsp_server.convert import inline_item, offset_of, path_of, range_of
from lsp_server.features.completion import Ask, Completion
from lsp_server.handlers.completion import ask_of, respond
from lsp_server.handlers.connection import Connection
from lsp_server.handlers.lifecycle import plain
from lsp_server.protocol import invalid_params

USER = "local"


def panel_completion(connection: Connection, params: Any) -> Any:
    """`textDocument/copilotPanelCompletion`: several suggestions, each sent as soon as it is there.

    With a `partialResultToken` they are streamed and the answer holds none of them again.
    """
    sent = json_object(params)
    token = sent.get("partialResultToken")
    asked = asked_at(connection, json_object(sent.get("textDocument")), sent.get("position"))
    if asked is None:
        return {"items": []}
    lines = asked.lines

    def render(found: Sequence[tuple[Completion, str]]) -> dict[str, Any]:
        items = [
            json_of(connection, inline_item(*one, lines, connection.encoding)) for one in found
        ]
        if token is None:
            return {"items": items}
        for one in items:
            connection.protocol.notify(
                types.PROGRESS, types.ProgressParams(token=token, value={"items": [one]})
            )
        return {"items": []}

    ask = replace(asked.ask, automatic=False)
    ticket = connection.session.begin(ask.path)
    return respond(connection, ticket, ask, render, {"items": []})


def get_completions(connection: Connection, params: Any) -> Any:
    """`getCompletions`: what ghost text was asked by before LSP had it."""
    return _legacy(connection, params, automatic=True)


def get_completions_cycling(connection: Connection, params: Any) -> Any:
    """`getCompletionsCycling`: the same, several of them."""
    return _legacy(connection, params, automatic=False)


def _legacy(connection: Connection, params: Any, automatic: bool) -> Any:
    document = json_object(json_object(params).get("doc"))
    asked = asked_at(connection, document, document.get("position"))
    nothing: dict[str, Any] = {"completions": []}
    if asked is None:
        return nothing
    tab_size = document.get("tabSize")
    ask = replace(
        asked.ask,
        automatic=automatic,
        tab_size=tab_size if isinstance(tab_size, int) and 0 < tab_size <= 64 else 4,
    )

    def one(completion: Completion, identifier: str) -> dict[str, Any]:
        """Its `text` is the whole line up to where the suggestion ends."""
        start = asked.lines.line_start(asked.lines.line_of(completion.start))
        place = range_of(asked.lines, start, completion.end, connection.encoding)
        line = asked.lines.text[start : completion.start].decode("utf-8", "replace")
        return {
            "uuid": identifier,
            "text": line + completion.text,
            "displayText": completion.text,
            "range": json_of(connection, place),
            "position": document["position"],
            "docVersion": ask.version,
        }

    def render(found: Sequence[tuple[Completion, str]]) -> dict[str, Any]:
        return {"completions": [one(*each) for each in found]}

    return respond(connection, connection.session.begin(ask.path), ask, render, nothing)


@dataclass(frozen=True, slots=True)
class Asked:
    """A place in an open document that a client asks about, and the document's lines."""

    ask: Ask
    lines: LineIndex


def asked_at(connection: Connection, document: dict[str, Any], position: Any) -> Asked | None:
    """The place; None if it is of another version, or of no document that is open.

    Raises InvalidParams where the parameters do not have the form.
    """
    uri, version, place = document.get("uri"), document.get("version"), json_object(position)
    line, character = (_count(place.get(name)) for name in ("line", "character"))
    if not isinstance(uri, str) or line is None or character is None:
        raise invalid_params("a document with a uri, and a position, are needed")
    path = path_of(uri)
    known = connection.session.index.document(path)
    if known is None or (isinstance(version, int) and version < known.version):
        return None
    at = offset_of(known.line_index, types.Position(line, character), connection.encoding)
    return Asked(ask_of(known, path, at), known.line_index)


def did_show(connection: Connection, params: Any) -> None:
    """`textDocument/didShowCompletion {item}`, the same of an inline edit, `notifyShown {uuid}`."""
    connection.session.suggestions.note("seen", _identifier(params))


def did_partially_accept(connection: Connection, params: Any) -> None:
    """`textDocument/didPartiallyAcceptCompletion {item, acceptedLength}`.

    The length is counted in UTF-16 from the start of the item's text.
    """
    connection.session.suggestions.note("partially", _identifier(params))


def notify_accepted(connection: Connection, params: Any) -> str:
    """`notifyAccepted {uuid, acceptedLength?}`."""
    connection.session.suggestions.note("accepted", _identifier(params))
    return "OK"


def notify_rejected(connection: Connection, params: Any) -> str:
    """`notifyRejected {uuids}`."""
    listed = json_object(params).get("uuids")
    for identifier in listed if isinstance(listed, list) else ():
        connection.session.suggestions.note("rejected", str(identifier))
    return "OK"


def notify_shown(connection: Connection, params: Any) -> str:
    did_show(connection, params)
    return "OK"


def did_focus(connection: Connection, params: Any) -> None:
    """`textDocument/didFocus {textDocument?}`: the document that has the keyboard, if any."""
    uri = json_object(json_object(params).get("textDocument")).get("uri")
    if isinstance(uri, str):
        connection.session.focused(path_of(uri))


def check_status(connection: Connection, params: Any) -> dict[str, str]:
    """`checkStatus`: clients suggest nothing before somebody is signed in."""
    return {"status": "OK", "user": USER}


def sign_in(connection: Connection, params: Any) -> dict[str, str]:
    """`signIn`, `signInInitiate`, `signInConfirm`."""
    return {"status": "AlreadySignedIn", "user": USER}


def sign_out(connection: Connection, params: Any) -> dict[str, str]:
    """`signOut`: there is no account to leave."""
    return {"status": "OK"}


def get_version(connection: Connection, params: Any) -> dict[str, str]:
    return {"version": connection.version}


def set_editor_info(connection: Connection, params: Any) -> str:
    """`setEditorInfo`: who asks changes nothing."""
    return "OK"


def _identifier(params: Any) -> str:
    """The suggestion's id: the argument of the item's command, or `uuid` in the older form."""
    sent = json_object(params)
    command = json_object(json_object(sent.get("item")).get("command"))
    arguments = command.get("arguments")
    if isinstance(arguments, list) and arguments:
        return str(arguments[0])
    return str(sent.get("uuid", ""))


def json_object(value: Any) -> dict[str, Any]:
    """A JSON object as pygls hands it over; anything else counts as an empty one."""
    found = plain(value)
    if not isinstance(found, dict) and hasattr(value, "__dict__"):
        found = {name: plain(item) for name, item in vars(value).items()}
    return found if isinstance(found, dict) else {}


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None


def json_of(connection: Connection, value: Any) -> Any:
    return connection.protocol._converter.unstructure(value)


Handler = Callable[[Connection, Any], Any]
METHODS: dict[str, Handler] = {
    "textDocument/copilotPanelCompletion": panel_completion,
    "getCompletions": get_completions,
    "getCompletionsCycling": get_completions_cycling,
    "notifyShown": notify_shown,
    "notifyAccepted": notify_accepted,
    "notifyRejected": notify_rejected,
    "checkStatus": check_status,
    "signIn": sign_in,
    "signInInitiate": sign_in,
    "signInConfirm": sign_in,
    "signOut": sign_out,
    "getVersion": get_version,
    "setEditorInfo": set_editor_info,
    "textDocument/didShowCompletion": did_show,
    "textDocument/didPartiallyAcceptCompletion": did_partially_accept,
    "textDocument/didShowInlineEdit": did_show,
    "textDocument/didFocus": did_focus,
}
