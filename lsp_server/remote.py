"""A model behind a server: settings and a key in, an engine out, and what the user is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenCache
from lsp_server.settings import RemoteSettings
from runtime import RemoteError

if TYPE_CHECKING:
    from runtime.remote.config import RemoteConfig, Secret

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RemoteAccess:
    """What one editor's server knows of remote models beyond the settings."""

    # What the editor's secret store gave; it goes before the environment's.
    key: Secret | None = None
    # What the user was told already: once a session for each server is enough.
    told: set[str] = field(default_factory=set)

    def take_key(self, value: object) -> None:
        """Keep a key that the editor hands over, or forget it. Raises RemoteError for no key."""
        from runtime.remote.config import Secret

        if value is None or value == "":
            self.key = None
        elif isinstance(value, str):
            self.key = Secret(value)
        else:
            raise RemoteError("the key must be a text, or null to forget it")

    def announce(self, model: Model, warn: Callable[[str], None]) -> None:
        """Say, once for each server, that text is sent to it."""
        if model.sent_to is None or model.sent_to in self.told:
            return
        self.told.add(model.sent_to)
        message = f"Text of your files is sent to {model.sent_to}, as sopilka.remote.kind says."
        log.warning("%s", message)
        warn(message)


def remote_config(
    settings: RemoteSettings, key: Secret | None, environment: Mapping[str, str]
) -> RemoteConfig:
    """Where the settings want text to be sent. Raises RemoteError, which says what to change."""
    from runtime.remote.config import Address, RemoteConfig, Secret

    assert settings.kind != "off"
    if not settings.url:
        raise RemoteError(
            f"sopilka.remote.kind is {settings.kind}, but sopilka.remote.url does not say where "
            "the server is"
        )
    if key is None and settings.key_variable:
        value = environment.get(settings.key_variable, "").strip()
        if not value:
            raise RemoteError(
                f"the environment variable {settings.key_variable}, which sopilka.remote."
                "keyVariable names, is not set where the server was started"
            )
        key = Secret(value)
    return RemoteConfig(
        kind=settings.kind,
        address=Address.of(settings.url),
        model=settings.model,
        template=settings.template,
        context=settings.context,
        key=key,
        ca_file=Path(settings.ca_file).expanduser() if settings.ca_file else None,
        use_proxy=settings.use_proxy,
        connect_seconds=settings.connect_seconds,
        first_seconds=settings.first_seconds,
        total_seconds=settings.total_seconds,
        retries=settings.retries,
    )


async def open_remote_model(config: RemoteConfig) -> Model:
    """The model behind a server. Nothing is sent yet. Raises RemoteError."""
    from runtime.prompt_format import PromptFormat
    from runtime.remote.dial import Dialer
    from runtime.remote.engine import RemoteEngine
    from runtime.remote.pieces import ROLES
    from runtime.remote.wire import has_suffix

    # Reads files of certificates, which may take a moment.
    engine = RemoteEngine(config, await asyncio.to_thread(Dialer, config))
    # The control tokens of the parts; the text of the prompt is written from these.
    roles = ROLES if has_suffix(config) else ROLES[:2]
    layout = {
        "layout": "fim" if has_suffix(config) else "prefix",
        "tokens": {role: role for role in roles},
    }
    return Model(
        name=config.shown_name,
        engine=engine,
        tokens=TokenCache(engine.tokenizer.encode),
        prompt_format=PromptFormat.from_manifest(layout, engine.tokenizer),
        context=config.context,
        sent_to=shown_place(config),
    )


def shown_place(config: RemoteConfig) -> str:
    """The server in words: its host, and what stands between it and us."""
    if config.address.is_loopback:
        return f"the server at {config.address.name} on this machine"
    kind = "" if config.address.is_tls else ", unencrypted"
    return f"{config.address.name}{kind}"
