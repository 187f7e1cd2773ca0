"""A real process whose model is behind a server: where its text and its key go, and where not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import ROOT, over_stdio
from tests.support.model_server import completion_events, model_server, status, stream

KEY = "sk-canary-4711"


async def test_neither_key_nor_text_reaches_the_log(shop: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    answers = (stream(completion_events("(name)")), status(500, b"canary " + KEY.encode()))
    async with model_server(*answers) as server:
        remote = {"kind": "completions", "url": server.url, "retries": 0}
        async with over_stdio("--log-level", "debug", log=log) as client:
            options = {"remote": remote, "remoteKey": KEY}
            await client.initialize(shop, initializationOptions=options)
            await client.until_ready()
            uri = (shop / "main.py").as_uri()
            client.open(uri, "canary_word = 1\nprice_of")
            assert len(await client.inline(uri, 1, 8)) == 1
            client.type(uri, 1, 8, "_canary")
            assert await client.inline(uri, 1, 15) == []
            await client.request("sopilka/setKey", {"key": f"{KEY}-2"})
            await client.shut_down()
            await client.process.wait()
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
        assert "canary_word" in server.asked[0].body["prompt"]
    text = log.read_text(encoding="utf-8")
    assert f"127.0.0.1:{server.port}: status 500" in text
    assert "is sent to the server at 127.0.0.1" in text
    assert "canary" not in text


async def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lsp_server", *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def settings_for(url: str, **more: Any) -> list[str]:
    values = {"kind": "completions", "url": url, "model": "m", "retries": 0, **more}
    return [part for key in values for part in ("--set", f"remote.{key}={values[key]}")]


async def test_doctor_says_where_text_goes(shop: Path) -> None:
    async with model_server(stream(completion_events("os"))) as server:
        options = settings_for(server.url, keyVariable="MODELS_KEY")
        code, out, err = await run("doctor", "--json", *options, MODELS_KEY=KEY)
        found = {one["name"]: one for one in json.loads(out)["findings"]}
        place = f"the server at 127.0.0.1:{server.port} on this machine"
        said = f"text is sent to {place}, with a key (remote.kind completions)"
        assert found["remote"]["detail"] == said
        assert found["model"]["state"] == "ok" and "answers in" in found["model"]["detail"]
        assert code == 0 and KEY not in out + err
        assert server.asked[0].body["prompt"] == "import "


@pytest.mark.parametrize(("code", "advice"), [(404, "no model of this name"), (401, "wants a key")])
async def test_doctor_says_what_is_wrong(code: int, advice: str) -> None:
    async with model_server(status(code)) as server:
        exit_code, out, _ = await run("doctor", *settings_for(server.url))
        assert exit_code == 1
        assert f"127.0.0.1:{server.port}: status {code}" in out and advice in out


async def test_a_suggestion_in_the_terminal(shop: Path) -> None:
    async with model_server(stream(completion_events(" sum(1)"))) as server:
        target = f"{shop / 'main.py'}:5:13"
        code, out, err = await run("complete", target, "--json", *settings_for(server.url))
        assert code == 0 and json.loads(out)["model"] == f"m at 127.0.0.1:{server.port}"
        assert "Text of your files is sent to the server at 127.0.0.1" in err


async def test_a_key_on_the_command_line_is_refused(shop: Path) -> None:
    target = f"{shop / 'main.py'}:5:13"
    code, out, err = await run("complete", target, "--set", f"remote.apiKey={KEY}")
    assert code != 0 and "environment variable" in err and KEY not in out + err
