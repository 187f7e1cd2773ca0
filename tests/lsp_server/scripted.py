"""The whole server in this process, with a model that writes what the test says."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server import background
from lsp_server.features.model import Model
from tests.lsp_server.check import continuing, scripted_model
from tests.support.client import InProcess
from tests.support.scripted_runner import ScriptedRunner

URI = "file:///work%20space/m%C3%A4in.py"
LINE = "total = price_of("


class Scripted:
    """A server whose model continues LINE with `text`, and waits while `gate` is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text = "min, max)"
        self.runner = ScriptedRunner(lambda context: continuing(LINE, self.text)(context))

        async def open_model(*_: object) -> Model:
            return scripted_model(self.runner)

        monkeypatch.setattr(background, "open_model", open_model)

    async def start(self, **options: Any) -> Any:
        self.process = InProcess()
        client = self.process.client
        reply = await client.initialize(**options)
        client.reply = reply["capabilities"]  # type: ignore[attr-defined]
        await client.until_ready()
        return client
