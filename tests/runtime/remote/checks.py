"""One request to a server of the test's own, and what came of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from runtime.config import SamplingParams
from runtime.driver import Generation
from runtime.remote.config import Address, RemoteConfig
from runtime.remote.engine import RemoteEngine
from runtime.remote.pieces import PieceTokenizer
from runtime.sequence import Request, Result
from tests.support.model_server import Answer, ModelServer, model_server

TOKENIZER = PieceTokenizer()


def config_for(server: ModelServer, kind: Any = "completions", **more: Any) -> RemoteConfig:
    address = Address.of(server.url + more.pop("path", ""))
    return RemoteConfig(kind=kind, address=address, **{"retries": 0, **more})


@asynccontextmanager
async def remote(
    *answers: Answer, kind: Any = "completions", tls: ssl.SSLContext | None = None, **more: Any
) -> AsyncIterator[tuple[ModelServer, RemoteEngine]]:
    """A server that gives these answers, and an engine that asks it."""
    async with (
        model_server(*answers, tls=tls) as server,
        RemoteEngine(config_for(server, kind, **more)) as engine,
    ):
        yield server, engine


def prompt(prefix: str = "x = ", suffix: str = "", line: str = "") -> tuple[int, ...]:
    """As `PromptFormat` renders it with this tokenizer."""
    encode, role = TOKENIZER.encode, TOKENIZER.token_id
    ids = [role("file_sep"), *encode("a.py\n"), role("fim_prefix"), *encode(prefix)]
    ids += [role("fim_suffix"), *encode(suffix), role("fim_middle"), *encode(line)]
    return tuple(token for token in ids if token is not None)


async def generate(
    engine: RemoteEngine, *, ids: tuple[int, ...] | None = None, **sampling: Any
) -> tuple[list[str], Result]:
    """The pieces of text as they came, and the whole."""
    request = Request(ids or prompt(), SamplingParams(**{"max_tokens": 32, **sampling}))
    async with engine.generate(request) as generation:
        return await read(generation)


async def read(generation: Generation) -> tuple[list[str], Result]:
    texts = [output.text async for output in generation]
    return [text for text in texts if text], await generation.result()
