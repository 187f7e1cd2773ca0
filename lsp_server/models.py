"""Opens a bundle and finds or starts its engine: the one place where settings meet the runtime."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server.cache import cache_folder
from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenCache
from lsp_server.settings import EngineSettings, Settings
from runtime import AsyncEngine, EngineConfig, EngineDriver, build_engine

if TYPE_CHECKING:
    from runtime.bundle import Bundle
    from runtime.remote.config import Secret

log = logging.getLogger(__name__)


def bundle_path(settings: EngineSettings) -> Path:
    """The folder of the bundle that the settings choose. Raises BundleError for a name of none."""
    from lsp_server.model_store import SHIPPED, ModelStore
    from runtime.bundle import default_bundle_path

    if settings.bundle:
        return Path(settings.bundle).expanduser()
    if settings.model in ("", SHIPPED):
        return default_bundle_path()
    return ModelStore.of(settings).path(settings.model)


def engine_config(settings: EngineSettings) -> EngineConfig:
    return EngineConfig(
        threads=settings.threads,
        kv_bytes=settings.cache_megabytes * 1024 * 1024,
        kv_bits=8 if settings.small_cache else 32,
    )


async def open_model(
    settings: Settings, roots: tuple[str, ...] = (), key: Secret | None = None
) -> Model:
    """The model of the settings: behind a server, in the host's process or in this one.

    Raises EngineError.
    """
    if settings.remote.kind == "off":
        return await open_bundle(settings.engine, roots)
    from lsp_server.remote import open_remote_model, remote_config

    return await open_remote_model(remote_config(settings.remote, key, os.environ))


async def open_bundle(settings: EngineSettings, roots: tuple[str, ...] = ()) -> Model:
    """The model of a bundle. Takes seconds. Raises EngineError.

    Editors of the same workspace folders share what the host remembers of them.
    """
    # These load the tokenizer's library and ONNX Runtime, for which no client should have to wait.
    from runtime.bundle import Bundle
    from runtime.prompt_format import PromptFormat

    path = bundle_path(settings)
    bundle = await asyncio.to_thread(Bundle.open, path, verify=not settings.shared)
    engine = await _driver(settings, bundle, roots)
    return Model(
        name=bundle.name,
        engine=engine,
        tokens=TokenCache(engine.tokenizer.encode),
        prompt_format=PromptFormat.from_manifest(bundle.prompt_format, engine.tokenizer),
        context=min(bundle.context, engine.max_context),
        sampling=bundle.sampling,
    )


def _kept(settings: EngineSettings) -> Path | None:
    return cache_folder(os.environ, sys.platform) if settings.keep_cache else None


async def _driver(settings: EngineSettings, bundle: Bundle, roots: tuple[str, ...]) -> EngineDriver:
    config = engine_config(settings)
    if settings.shared:
        from runtime.client import EngineClient
        from runtime.endpoint import EndpointError

        # The host needs to tell workspaces apart, not to know where they are.
        workspace = hashlib.sha256("\0".join(roots).encode("utf-8", "surrogateescape")).hexdigest()
        try:
            return await EngineClient.open(
                bundle.path,
                config,
                name="lsp-server",
                workspace=workspace,
                idle=60.0 * settings.idle_minutes,
                keep=_kept(settings),
            )
        except EndpointError as error:
            log.warning("the model is not shared: %s", error)
    return AsyncEngine(await asyncio.to_thread(build_engine, bundle, config))
