"""The server: one table, method to handler. Everything else is in the handlers and the session."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server import protocol
from lsp_server.client import Client
from lsp_server.handlers import completion, lifecycle, status, sync
from lsp_server.protocol import CopilotProtocol, describe, make_converter
from lsp_server.session import Session
from lsp_server.wire import BadFrame, FrameReader

log = logging.getLogger(__name__)

Handler = Callable[[Session, Any], Any]


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
    Route(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, sync.did_change_watched_files),
    # Without options pygls does not advertise inline completion at all.
    Route(
        types.TEXT_DOCUMENT_INLINE_COMPLETION,
        completion.inline_completion,
        types.InlineCompletionOptions(),
        types.InlineCompletionList(items=[]),
    ),
    Route(protocol.RECEIPT, completion.receipt),
    Route(protocol.STATUS, status.status),
)
# Only for clients without inline completion: others would show every suggestion twice.
FALLBACK = Route(
    types.TEXT_DOCUMENT_COMPLETION,
    completion.completion,
    types.CompletionOptions(trigger_characters=[".", "(", " "]),
    types.CompletionList(is_incomplete=True, items=[]),
)
COMMANDS = {protocol.ACCEPT_COMMAND: completion.accept}


def server_version() -> str:
    try:
        return version("sopilka")
    except PackageNotFoundError:
        return "unknown"
