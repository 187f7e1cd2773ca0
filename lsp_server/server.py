"""The server: one table, method to handler. Everything else is in the handlers and the session."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server import protocol
from lsp_server.about import server_version
from lsp_server.handlers import (
    completion,
    copilot,
    lifecycle,
    navigation,
    next_edit,
    notebook,
    status,
    sync,
)
from lsp_server.handlers.connection import Connection
from lsp_server.protocol import CopilotProtocol, describe, make_converter
from lsp_server.session import Session
from lsp_server.wire import BadFrame, FrameReader

log = logging.getLogger(__name__)

Handler = Callable[[Connection, Any], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A method, its handler, what is advertised for it, and the answer when the handler fails."""

    method: str
    handler: Handler
    options: Any = None
    empty: Any = None


ROUTES = (
    Route(types.INITIALIZE, lifecycle.initialize),
    Route(types.INITIALIZED, lifecycle.initialized),
    Route(types.SHUTDOWN, lifecycle.shutdown),
    Route(types.WORKSPACE_DID_CHANGE_CONFIGURATION, lifecycle.did_change_configuration),
    Route(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, lifecycle.did_change_workspace_folders),
    Route(types.TEXT_DOCUMENT_DID_OPEN, sync.did_open),
    Route(types.TEXT_DOCUMENT_DID_CHANGE, sync.did_change),
    Route(types.TEXT_DOCUMENT_DID_SAVE, sync.did_save, types.SaveOptions(include_text=False)),
    Route(types.TEXT_DOCUMENT_DID_CLOSE, sync.did_close),
    Route(types.NOTEBOOK_DOCUMENT_DID_OPEN, notebook.did_open),
    Route(types.NOTEBOOK_DOCUMENT_DID_CHANGE, notebook.did_change),
    Route(types.NOTEBOOK_DOCUMENT_DID_CLOSE, notebook.did_close),
    Route(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, sync.did_change_watched_files),
    # Without options pygls does not advertise inline completion at all.
    Route(
        types.TEXT_DOCUMENT_INLINE_COMPLETION,
        completion.inline_completion,
        types.InlineCompletionOptions(),
        types.InlineCompletionList(items=[]),
    ),
    Route(types.WORKSPACE_SYMBOL_RESOLVE, navigation.resolve_workspace_symbol),
    Route(protocol.EXPLAIN, completion.explain),
    Route(protocol.STATUS, status.status),
    Route(protocol.SET_KEY, lifecycle.set_key),
    *(Route(*each) for each in (*copilot.METHODS.items(), *next_edit.METHODS.items())),
)
# Only for clients without inline completion: others would show every suggestion twice.
FALLBACK = Route(
    types.TEXT_DOCUMENT_COMPLETION,
    completion.completion,
    types.CompletionOptions(trigger_characters=[".", "(", " "]),
    types.CompletionList(is_incomplete=True, items=[]),
)
# Registered once the client is known: each is offered at once, later, or not at all.
NAVIGATION = tuple(
    Route(method, feature.handler, feature.options)
    for method, feature in navigation.FEATURES.items()
)
COMMANDS = {protocol.ACCEPT_COMMAND: completion.accept}


class CopilotServer(LanguageServer):
    """Bytes of one client in, bytes out through a writer. Who moves them is up to the caller."""

    protocol: CopilotProtocol

    def __init__(self) -> None:
        super().__init__(
            "sopilka",
            server_version(),
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=notebook.SYNC,
            protocol_cls=CopilotProtocol,
            converter_factory=make_converter,
        )
        self.connection = Connection(self.protocol, version=server_version())
        self.connection.session = Session(listener=self.connection)
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reader = FrameReader()
        self._gone = False
        self.connection.on_release = self._handle
        for route in ROUTES:
            self._register(route)
        for name, handler in COMMANDS.items():
            self.command(name)(self._guarded_command(name, handler))
        self.feature(types.EXIT)(lambda params: self._exit())

    def feed(self, data: bytes) -> None:
        """Takes bytes from the client and handles every message that they complete, in order."""
        self._reader.feed(data)
        self._handle()

    def _handle(self) -> None:
        """Handles what has come, until a message has to be waited for."""
        while not self.connection.is_held:
            item = next(self._reader.messages(), None)
            if item is None:
                break
            if isinstance(item, BadFrame):
                log.warning("bytes that are no message were skipped: %s", item.reason)
            elif not self.protocol.receive(item):
                self._reader.feed_again(item)
        if self._gone and not self.connection.is_held:
            self.end(1)

    def end(self, code: int) -> None:
        """The client has gone or has said so: whoever moves the bytes stops."""
        if code == 1 and self.connection.is_held:
            self._gone = True  # What it said last is heard first.
        elif not self.ended.done():
            self.ended.set_result(code)

    async def aclose(self) -> None:
        """Ends background work and the engine."""
        self.connection.session.stop()
        self.connection.cancel_tasks()
        model = self.connection.session.model
        if model is not None:
            await model.engine.aclose()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Replies tell the client of errors; a message box about each would help nobody."""
        log.warning("pygls reports %s", type(error).__name__)

    def _register(self, route: Route) -> None:
        self.feature(route.method, route.options)(self._guarded(route))

    def _guarded(self, route: Route) -> Callable[[Any], Any]:
        """A handler that fails answers empty and is logged; it ends neither request nor session."""

        def run(params: Any) -> Any:
            try:
                result = route.handler(self.connection, params)
            except JsonRpcException:
                raise
            except Exception as error:
                log.error("%s failed: %s", route.method, describe(error))
                return route.empty
            if route.method in (types.INITIALIZE, types.INITIALIZED):
                self._offer(route.method)
            return self._awaited(route, result) if inspect.iscoroutine(result) else result

        return run

    def _offer(self, moment: str) -> None:
        """Fits the table to the client: what is in it when `initialize` returns is advertised."""
        if moment == types.INITIALIZE and not self.connection.has_inline_completion:
            self._register(FALLBACK)
        known = self.protocol.fm.features
        for route in NAVIGATION:
            now = moment == types.INITIALIZED or navigation.is_static(self.connection, route.method)
            if now and route.method not in known:
                self._register(route)

    async def _awaited(self, route: Route, work: Any) -> Any:
        try:
            return await work
        except JsonRpcException:
            raise
        except Exception as error:
            log.error("%s failed: %s", route.method, describe(error))
            return route.empty

    def _guarded_command(self, name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            try:
                return handler(self.connection, *arguments)
            except Exception as error:
                log.error("%s failed: %s", name, describe(error))
                return None

        return run

    def _exit(self) -> None:
        self.end(0 if self.protocol.has_shut_down else 1)
