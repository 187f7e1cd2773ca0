"""A server whose model is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.lsp_server.scripted import Scripted


@pytest.fixture
async def scripted(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    server = Scripted(monkeypatch)
    yield server
    await server.process.server.aclose()
