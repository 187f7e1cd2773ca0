"""`lsp-server engine` against a real host with a tiny model."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.cli import engine as command
from runtime import EngineConfig
from runtime.client import EngineClient
from tests.runtime.fixture_bundles import bundle_of
from tests.runtime.test_engine_bundle import known, run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="named pipes were never tried")


@pytest.fixture(autouse=True)
def place(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOPILKA_RUNTIME_DIR", str(short_folder / "run"))
    return short_folder / "run"


def lsp_server(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server", "engine", *arguments], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def test_what_runs_is_shown_stopped_and_gone() -> None:
    assert lsp_server("status") == "no engine is running\n"
    assert "no engine has run yet" in lsp_server("logs")
    bundle = bundle_of("tied", "fp32", "fp32")
    config = EngineConfig(threads=1, kv_bytes=1 << 22)
    async with await EngineClient.open(bundle.path, config, name="vim") as client:
        result = await run(client, known(0)[0])
        shown = await asyncio.to_thread(lsp_server, "status")
        assert f"{bundle.name} (process " in shown and "for vim" in shown
        assert f"1 requests, 0 cancelled, 0 failed; {result.usage.generated} tokens" in shown
        (told,) = json.loads(await asyncio.to_thread(lsp_server, "status", "--json"))
        assert told["engine"]["totals"]["generated_tokens"] == result.usage.generated
        lines = (await asyncio.to_thread(lsp_server, "status", "--prometheus")).splitlines()
        labels = f'{{model="{bundle.name}",host="{told["name"]}"}}'
        assert f"sopilka_finished_total{labels} 1" in lines
        assert "# TYPE sopilka_finished_total counter" in lines
        assert "ready after" in await asyncio.to_thread(lsp_server, "logs", "-n", "5")
        stopped = await asyncio.to_thread(lsp_server, "stop")
        assert stopped == f"stopped {bundle.name} (process {told['pid']})\n"
    assert lsp_server("status") == lsp_server("stop") == "no engine is running\n"


def test_names_with_odd_characters_are_quoted() -> None:
    host = {"model": 'a"b\\c\nd', "name": "x", "engine": {"totals": {}}}
    host["engine"] = {**dict.fromkeys(command.GAUGES, 0), "totals": {}}
    assert r'sopilka_running{model="a\"b\\c\nd",host="x"} 0' in list(command.prometheus([host]))


def test_a_folder_that_is_not_safe_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SOPILKA_RUNTIME_DIR", str(tmp_path / "file"))
    assert command.main(["status"]) == 1
    assert "set SOPILKA_RUNTIME_DIR" in capsys.readouterr().err
