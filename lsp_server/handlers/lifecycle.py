"""Initialize, configuration, workspace folders, shutdown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from lsprotocol import types

from lsp_server.convert import choose_encoding, path_of
from lsp_server.handlers import navigation
from lsp_server.handlers.connection import Connection
from lsp_server.protocol import invalid_params
from lsp_server.settings import from_client
from lsp_server.user_files import user_settings
from runtime import RemoteError

log = logging.getLogger(__name__)


def initialize(connection: Connection, params: types.InitializeParams) -> None:
    """Takes in what the client says of itself. The answer is made from the table in server.py."""
    connection.capabilities = params.capabilities
    connection.encoding = choose_encoding(params.capabilities)
    client = params.client_info
    log.info(
        "client %s %s, positions in %s",
        client.name if client else "unknown",
        (client.version if client else None) or "",
        connection.encoding,
    )
    take_settings(connection, without_key(connection, plain(params.initialization_options)))
    connection.session.set_roots(roots_of(params))


def without_key(connection: Connection, options: Any) -> Any:
    """Takes the key that an editor's secret store hands over out of `initializationOptions`."""
    if not isinstance(options, dict) or "remoteKey" not in options:
        return options
    try:
        connection.session.remote.take_key(options["remoteKey"])
    except RemoteError as error:
        connection.session.listener.warn(f"initializationOptions.remoteKey: {error}.")
    return {name: value for name, value in options.items() if name != "remoteKey"}


def set_key(connection: Connection, params: Any) -> None:
    """`sopilka/setKey {key}`: the key of the remote model, from the editor's secret store."""
    session = connection.session
    try:
        session.remote.take_key(getattr(params, "key", None))
    except RemoteError as error:
        raise invalid_params(str(error)) from error
    if session.settings.remote.kind != "off":
        session.load_model()


def roots_of(params: types.InitializeParams) -> tuple[str, ...]:
    if params.workspace_folders:
        return tuple(path_of(folder.uri) for folder in params.workspace_folders)
    if params.root_uri:
        return (path_of(params.root_uri),)
    return (params.root_path,) if params.root_path else ()


def initialized(connection: Connection, params: types.InitializedParams) -> None:
    """Loads the index and the model behind the client's back, with the client's own settings."""
    connection.register()
    connection.session.watches_files = not connection.tells_of_files
    connection.spawn(_start(connection))


async def _start(connection: Connection) -> None:
    if connection.can_pull_configuration:
        await _pull(connection)
    connection.session.start(connection.spawn)
    await navigation.offer(connection)


def did_change_configuration(
    connection: Connection, params: types.DidChangeConfigurationParams
) -> Coroutine[Any, Any, None]:
    """Clients that can be asked send an empty notice and are asked; others send the settings."""
    if not connection.can_pull_configuration:
        take_settings(connection, params.settings)
    return _configured(connection)


async def _configured(connection: Connection) -> None:
    if connection.can_pull_configuration:
        await _pull(connection)
    await navigation.offer(connection)


async def _pull(connection: Connection) -> None:
    try:
        sent = await asyncio.wait_for(connection.pull_configuration(), timeout=10)
    except Exception as error:
        log.warning("the client did not give its settings: %s", type(error).__name__)
        return
    take_settings(connection, sent)


def take_settings(connection: Connection, sent: Any) -> None:
    """Uses what is right of the settings that were sent, and names the rest to the user."""
    session = connection.session
    own, own_problems = user_settings()
    settings, problems = from_client(plain(sent), session.settings, own)
    for problem in (*own_problems, *problems):
        session.listener.warn(f"Setting {problem.key} {problem.message}.")
    if settings != session.settings:
        session.use(settings)


def plain(value: Any) -> Any:
    """pygls hands free-form values over as named tuples or objects; this makes them JSON again."""
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def did_change_workspace_folders(
    connection: Connection, params: types.DidChangeWorkspaceFoldersParams
) -> None:
    gone = {path_of(folder.uri) for folder in params.event.removed}
    added = tuple(path_of(folder.uri) for folder in params.event.added)
    roots = connection.session.index.rules.roots
    kept = tuple(root for root in roots if root not in gone)
    connection.session.set_roots((*kept, *(root for root in added if root not in kept)))


def shutdown(connection: Connection, params: None) -> None:
    connection.session.stop()
