"""Opens a bundle and starts its engine: the one place where settings meet the runtime."""

from __future__ import annotations

from pathlib import Path

from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenCache
from lsp_server.settings import EngineSettings
from runtime import AsyncEngine, EngineConfig, build_engine


def bundle_path(settings: EngineSettings) -> Path:
    """The folder of the bundle that the settings choose."""
    from runtime.bundle import default_bundle_path

    return Path(settings.bundle).expanduser() if settings.bundle else default_bundle_path()


def open_model(settings: EngineSettings) -> Model:
    """Loads the model and starts its thread. Raises EngineError; takes seconds."""
    # These load the tokenizer's library and ONNX Runtime, for which no client should have to wait.
    from runtime.bundle import Bundle
    from runtime.prompt_format import PromptFormat

    bundle = Bundle.open(bundle_path(settings))
    engine = build_engine(bundle, EngineConfig(threads=settings.threads))
    prompt_format = PromptFormat.from_manifest(bundle.prompt_format, engine.tokenizer)
    return Model(
        name=bundle.name,
        engine=AsyncEngine(engine),
        tokens=TokenCache(engine.tokenizer.encode),
        prompt_format=prompt_format,
        context=min(bundle.context, engine.runner.max_context),
        sampling=bundle.sampling,
    )
