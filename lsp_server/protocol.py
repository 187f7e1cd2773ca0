"""What we add to LSP, typed, and how messages reach the handlers: in the order in which they came.

A handler is a plain function. What it does before it returns a coroutine happens in the order of
arrival, so a request sees every edit that was sent before it and none that came after, on any
transport and any Python. Only the coroutine runs later, beside others.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, Optional

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, default_converter

INLINE_COMPLETION = types.TEXT_DOCUMENT_INLINE_COMPLETION
ACCEPT_COMMAND = "sopilka.accept"
DID_CHANGE_STATUS = "didChangeStatus"
EXPLAIN = "sopilka/explainCompletion"
STATUS = "sopilka/status"
SET_KEY = "sopilka/setKey"

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INVALID_PARAMS = -32602
REQUEST_CANCELLED = -32800
CONTENT_MODIFIED = -32801

log = logging.getLogger(__name__)

StatusKind = Literal["Normal", "Error", "Warning", "Inactive"]

# pygls keeps a copy of every document and changes it before our handler runs. Ours is the single
# text, so these go to our handlers alone.
_NOT_BUILT_IN = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
    types.EXIT,
)


@attrs.define
class DidChangeStatusParams:
    """`didChangeStatus`, server to client: what the server is doing, for a status bar."""

    busy: bool
    message: str
    kind: StatusKind


# `Optional` and not `| None` below: this is how cattrs and lsprotocol spell it.
@attrs.define
class DocumentWithVersion:
    """A text document identifier; clients that follow Copilot's protocol add the version."""

    uri: str
    version: Optional[int] = None  # noqa: UP045


@attrs.define
class InlineCompletionParams:
    """`textDocument/inlineCompletion` with the version and the options that some clients add."""

    context: types.InlineCompletionContext
    text_document: DocumentWithVersion
    position: types.Position
    formatting_options: Optional[types.FormattingOptions] = None  # noqa: UP045


@attrs.define
class InlineCompletionRequest:
    id: int | str
    params: InlineCompletionParams
    method: str = INLINE_COMPLETION
    jsonrpc: str = "2.0"


@attrs.define
class WatchedFilesNotification:
    """`workspace/didChangeWatchedFiles`, its parameters as they came: there may be thousands."""

    params: Any
    method: str = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    jsonrpc: str = "2.0"


def make_converter() -> Converter:
    """pygls's converter, which drops what it does not know, taught the fields that we want."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    for kind in (DocumentWithVersion, InlineCompletionParams, InlineCompletionRequest):
        renamed = {
            item.name: override(rename=types_name)
            for item in attrs.fields(kind)
            if (types_name := _camel(item.name)) != item.name
        }
        converter.register_structure_hook(
            kind,
            make_dict_structure_fn(kind, converter, **renamed),  # type: ignore[arg-type]
        )
    return converter


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def content_modified() -> JsonRpcException:
    return JsonRpcException("the document has changed since the request", CONTENT_MODIFIED)


def invalid_params(message: str) -> JsonRpcException:
    return JsonRpcException(message, INVALID_PARAMS)


def describe(error: BaseException) -> str:
    """Where and what an error was, without its message, which may hold a document's text."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__} at\n{frames}"


class CopilotProtocol(LanguageServerProtocol):
    """pygls's protocol with our message types, our order of execution and quiet error reports."""

    def __init__(self, server: Any, converter: Converter) -> None:
        super().__init__(server, converter)
        for method in _NOT_BUILT_IN:
            self.fm.builtin_features.pop(method, None)

    @property
    def has_shut_down(self) -> bool:
        return self._shutdown

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        if method == INLINE_COMPLETION:
            return InlineCompletionRequest
        if method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES:
            return WatchedFilesNotification
        return super().get_message_type(method)

    def warm_up(self) -> None:
        """Makes the converters of the commonest messages; each takes tens of milliseconds."""
        document = {"uri": "", "languageId": "", "version": 0, "text": ""}
        place = {"line": 0, "character": 0}
        change = {"range": {"start": place, "end": place}, "text": ""}
        for method, params in (
            (types.INITIALIZE, {"capabilities": {}}),
            (types.TEXT_DOCUMENT_DID_OPEN, {"textDocument": document}),
            (
                types.TEXT_DOCUMENT_DID_CHANGE,
                {"textDocument": document, "contentChanges": [change]},
            ),
            (
                INLINE_COMPLETION,
                {"textDocument": document, "position": place, "context": {"triggerKind": 1}},
            ),
        ):
            self.structure_message(
                {"jsonrpc": self.VERSION, "id": 0, "method": method, "params": params}
            )

    def receive(self, body: bytes) -> bool:
        """Handles one message. False: the body was no JSON, and the client was told so."""
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            log.warning("a message is not JSON (%d bytes)", len(body))
            self._refuse(None, PARSE_ERROR, "the message is not JSON")
            return False
        if not isinstance(data, dict) or data.get("jsonrpc") != self.VERSION:
            log.warning("a message is not a JSON-RPC 2.0 object")
            self._refuse(None, INVALID_REQUEST, "the message is not a JSON-RPC 2.0 object")
            return True
        if self.has_shut_down and "id" in data and "method" in data:
            self._refuse(data["id"], INVALID_REQUEST, "the server has been shut down")
            return True
        try:
            self.handle_message(self.structure_message(data))
        except Exception as error:
            log.warning("a message could not be handled: %s", type(error).__name__)
            self._answer_unusable(data)
        return True

    def _answer_unusable(self, data: dict[str, Any]) -> None:
        """Tells the client that its request, or ourselves that its reply, cannot be used."""
        identifier = data.get("id")
        if not isinstance(identifier, int | str):
            return
        if "method" in data:
            self._refuse(identifier, INVALID_PARAMS, "the parameters do not have this form")
        elif (future := self._request_futures.pop(identifier, None)) is not None:
            future.set_exception(invalid_params("the reply does not have the right form"))

    def _refuse(self, identifier: Any, code: int, message: str) -> None:
        self._send_data(
            {
                "jsonrpc": self.VERSION,
                "id": identifier,
                "error": {"code": code, "message": message},
            }
        )

    def _execute_handler(
        self,
        msg_id: int | str,
        handler: Callable[..., Any],
        callback: Callable[[Future[Any]], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        if inspect.isgeneratorfunction(handler):
            # pygls's own handlers, which yield ours.
            super()._execute_handler(msg_id, handler, callback, args, kwargs)
            return
        future: Any = Future()
        try:
            result = handler(*(args or ()), **(kwargs or {}))
            if inspect.iscoroutine(result):
                future = asyncio.ensure_future(result)
                self._request_futures[msg_id] = future
            else:
                future.set_result(result)
        except Exception as error:
            future.set_exception(error)
        future.add_done_callback(callback)
