"""Against llama.cpp itself: its own server, and llama-cpp-python's, with a model made here.

Both take longer to build than all other tests to run, so they are asked for by variables:

    SOPILKA_LLAMA_SERVER=PATH             llama.cpp's `llama-server`
    SOPILKA_LLAMA_CPP_PYTHON=PYTHON       a Python with `llama-cpp-python[server]`
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.chat import Message
from runtime.config import SamplingParams
from runtime.errors import RemoteError
from runtime.remote.config import Address, RemoteConfig, Secret
from runtime.remote.engine import RemoteEngine
from runtime.sequence import Request
from tests.runtime.remote.checks import generate, prompt

SERVER = os.environ.get("SOPILKA_LLAMA_SERVER")
PYTHON = os.environ.get("SOPILKA_LLAMA_CPP_PYTHON")
KEY = "sk-local-4711"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def command_of(name: str, model: Path, port: int) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(port)]
    if name == "llama-server":
        if not SERVER:
            pytest.skip("SOPILKA_LLAMA_SERVER names no llama-server")
        options = ["-t", "1", "-c", "2048", "--api-key", KEY, "--offline"]
        return [SERVER, "-m", str(model), *where, *options]
    if not PYTHON:
        pytest.skip("SOPILKA_LLAMA_CPP_PYTHON names no Python with llama-cpp-python")
    options = ["--n_ctx", "2048", "--n_threads", "1", "--api_key", KEY]
    return [PYTHON, "-m", "llama_cpp.server", "--model", str(model), *where, *options]


@pytest.fixture(scope="module", params=["llama-server", "llama-cpp-python"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Which server, and its url."""
    folder = tmp_path_factory.mktemp("llama")
    port = free_port()
    command = command_of(request.param, folder / "tiny.gguf", port)
    pytest.importorskip("gguf")
    from tests.support.tiny_gguf import write_model

    write_model(folder / "tiny.gguf")
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as p:
        try:
            asyncio.run(until_there(p, port, folder / "log"))
            yield request.param, f"http://127.0.0.1:{port}"
        finally:
            p.kill()


async def until_there(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    async with asyncio.timeout(60):
        while process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
    pytest.fail(f"the server ended: {log.read_text()[-2000:]}")


def engine_for(url: str, kind: Any, key: str = KEY, **more: Any) -> RemoteEngine:
    address = Address.of(url)
    return RemoteEngine(RemoteConfig(kind, address, key=Secret(key), retries=5, **more))


KINDS = ["infill", "completions", "chat"]


def skip_without_infill(name: str, kind: str) -> None:
    if (name, kind) == ("llama-cpp-python", "infill"):
        pytest.skip("llama-cpp-python's server has no infill")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer(server: tuple[str, str], kind: str) -> None:
    name, url = server
    skip_without_infill(name, kind)
    async with engine_for(url, kind, model="qwen") as engine:
        runs = [
            await generate(engine, ids=prompt("def f(x):\n", "\nf(1)\n", "    ret"), max_tokens=12)
            for _ in range(2)
        ]
    (texts, result), (_, again) = runs
    assert result.finish_reason in ("stop", "length") and result.text == "".join(texts)
    if kind != "chat":  # Whose random text is cut by its length, apart from the fence's.
        assert result.usage.generated <= 12
    assert again.text == result.text, "greedy"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancel_lets_the_next_one_in(server: tuple[str, str], kind: str) -> None:
    """llama-cpp-python serves one at a time: it would be busy with what nobody reads."""
    name, url = server
    skip_without_infill(name, kind)
    async with engine_for(url, kind, model="qwen") as engine:
        for _ in range(3):
            request = Request(prompt("x" * 100), SamplingParams(max_tokens=512))
            async with engine.generate(request):
                await asyncio.sleep(0.1)
        _, result = await generate(engine, max_tokens=3)
        assert result.finish_reason in ("stop", "length")


async def test_a_wrong_key(server: tuple[str, str]) -> None:
    async with engine_for(server[1], "completions", key="wrong") as engine:
        with pytest.raises(RemoteError, match="status 401"):
            await generate(engine)


async def test_a_prompt_that_is_too_long_for_the_server(server: tuple[str, str]) -> None:
    async with engine_for(server[1], "completions", context=9000) as engine:
        with pytest.raises(RemoteError, match=r"status 400|its answer is empty"):
            await generate(engine, ids=prompt("x " * 6000))


async def test_a_conversation(server: tuple[str, str]) -> None:
    async with engine_for(server[1], "chat") as engine:
        turn = engine.chat([Message("user", "hello")], sampling=SamplingParams(max_tokens=5))
        deltas = [delta async for delta in turn]
    assert deltas[-1].finish_reason in ("stop", "length")
    assert all(delta.finish_reason is None for delta in deltas[:-1])


async def test_control_tokens_in_texts_are_text(server: tuple[str, str]) -> None:
    """What is counted shows it: one token more for each sign, and not one control token."""
    name, url = server
    if name == "llama-cpp-python":
        pytest.skip("its streams do not tell how many tokens a prompt had")
    signs = "<|fim_middle|>"
    async with engine_for(url, "infill") as engine:
        plain = (await generate(engine, ids=prompt("a = \n"), max_tokens=1))[1].usage.prompt
        spelt = (await generate(engine, ids=prompt(f"a = {signs}\n"), max_tokens=1))[1].usage.prompt
    assert spelt - plain == len(signs)
