"""A whole server whose model is behind another one: what is sent, what the user is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.client import Client, ErrorReply, InProcess
from tests.support.model_server import (
    Answer,
    ModelServer,
    chat_events,
    completion_events,
    endless,
    infill_events,
    model_server,
    status,
    stream,
)

URI = "file:///shop/main.py"
TEXT = "def price_of(item):\n    return item.price\n\n\ntotal = pri\n"
KEY = "sk-canary-4711"


@asynccontextmanager
async def remote(
    *answers: Answer, kind: str = "completions", key: Any = None, **more: Any
) -> AsyncIterator[tuple[ModelServer, Client]]:
    """An editor whose settings name a server that gives these answers."""
    async with model_server(*answers) as server:
        settings = {"kind": kind, "url": server.url, "model": "qwen-coder", "retries": 0, **more}
        options: dict[str, Any] = {"sopilka": {"remote": settings}}
        if key is not None:
            options["remoteKey"] = key
        process = InProcess()
        try:
            await process.client.initialize(initializationOptions=options)
            await process.client.until_ready()
            process.client.open(URI, TEXT)
            yield server, process.client
        finally:
            await process.server.aclose()


def warnings(client: Client) -> list[str]:
    return [params["message"] for method, params in client.notifications if "showM" in method]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("completions", stream(completion_events("ce_of", "(1)"))),
        ("completions", stream(completion_events("price_of(1)"))),  # writes the word anew
        ("infill", stream(infill_events("ce_of(1)"))),
        ("chat", stream(chat_events("```python\n", "price_of(1)\n```"))),
        ("chat", stream(chat_events("Here:\n```\ntotal = price_of(1)", "\n```\nDone."))),
        ("chat", stream(chat_events("ce_of(1)"))),
    ],
)
async def test_a_suggestion_from_a_server(kind: str, answer: Answer) -> None:
    async with remote(answer, kind=kind) as (server, client):
        (item,) = await client.inline(URI, 4, 11)
        assert item["insertText"] == "ce_of(1)"
        receipt = await client.request(
            "sopilka/explainCompletion", {"id": item["command"]["arguments"][0]}
        )
        assert receipt["model"] == f"qwen-coder at 127.0.0.1:{server.port}"
        assert receipt["confidence"] == 1.0
        assert len(server.asked) == 1, "what may come next is not asked for"


async def test_what_is_sent_is_the_prompt_of_the_model() -> None:
    async with remote(stream(completion_events("x"))) as (server, client):
        await client.inline(URI, 4, 11)
        assert server.asked[0].body["prompt"] == (
            "<|repo_name|>shop\n<|file_sep|>main.py\n"
            "<|fim_prefix|>def price_of(item):\n    return item.price\n\n\n"
            "<|fim_suffix|>\n<|fim_middle|>total = pri"
        )
        assert server.asked[0].body["stop"][0] == "\n"


async def test_secrets_and_control_tokens_of_a_file_are_not_sent() -> None:
    text = "KEY = 'AKIAIOSFODNN7EXAMPLE'\nmark = '<|fim_middle|>'\nx = "
    async with remote(stream(completion_events("1"))) as (server, client):
        client.open("file:///shop/other.py", text)
        client.open("file:///shop/.env", "TOKEN=canary\n")
        await client.inline("file:///shop/other.py", 2, 4)
        await client.inline("file:///shop/.env", 0, 3)
    assert len(server.asked) == 1
    prompt = server.asked[0].body["prompt"]
    assert "AKIA" not in prompt and "canary" not in prompt
    assert prompt.count("<|fim_middle|>") == 1 and "< |fim_middle|>" in prompt


@pytest.mark.parametrize("end", ["edit", "request", "cancel", "close"])
async def test_what_nobody_waits_for_closes_the_connection(end: str) -> None:
    async with remote(endless()) as (server, client):
        number, reply = client.begin_inline(URI, 4, 11)
        await client.until(lambda: client.status)
        while not server.asked:
            await asyncio.sleep(0.005)
        if end == "edit":
            client.type(URI, 4, 11, "c")
        elif end == "request":
            client.begin_inline(URI, 4, 11)
        elif end == "cancel":
            client.notify("$/cancelRequest", {"id": number})
        else:
            client.close(URI)
        await asyncio.wait_for(server.left.wait(), 10)
        with pytest.raises(ErrorReply):
            await reply


async def test_nothing_is_learned_from_answers_without_an_estimate() -> None:
    """A confidence of 1 that was wrong would say that all estimates are too high."""
    async with (
        model_server(stream(completion_events("ce_of(1)"))) as server,
        InProcess() as process,
    ):
        client = process.client
        settings = {"kind": "completions", "url": server.url}
        await client.initialize(initializationOptions={"remote": settings})
        await client.until_ready()
        client.open(URI, TEXT)
        assert len(await client.inline(URI, 4, 11)) == 1
        client.type(URI, 4, 11, "x")
        await client.inline(URI, 4, 12)
        keeping = process.server.connection.session.keeping
        assert (keeping.seen, keeping.bias) == (0, 0.0)


# What the user is told


async def test_that_text_is_sent_is_said_once_and_always_seen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for package in ("lsp_server", "runtime"):
        caplog.set_level(logging.DEBUG, package)
    async with remote(stream(completion_events("x")), key=KEY) as (server, client):
        place = f"the server at 127.0.0.1:{server.port} on this machine"
        said = f"Text of your files is sent to {place}, as sopilka.remote.kind says."
        assert warnings(client) == [said]
        assert said in caplog.text
        assert client.status is not None
        assert f"text is sent to {place}" in client.status["message"]
        now = await client.request("sopilka/status")
        assert now["sentTo"] == place and now["memoryTokens"] == 0
        # The same server once more is nothing new.
        await client.request("sopilka/setKey", {"key": "other"})
        await client.until_ready()
        assert warnings(client) == [said]
    assert KEY not in caplog.text and "price_of" not in caplog.text


async def test_a_failure_shows_in_the_status_until_it_is_over() -> None:
    answers = (status(401), stream(completion_events("ce_of(1)")))
    async with remote(*answers) as (_, client):
        assert await client.inline(URI, 4, 11) == []
        failed = await client.until(
            lambda: client.status if client.status["kind"] == "Warning" else None
        )
        assert "status 401: it wants a key" in failed["message"]
        assert len(await client.inline(URI, 4, 11)) == 1
        assert (await client.request("sopilka/status"))["kind"] == "Normal"


# Keys


async def test_a_key_from_the_editors_secret_store() -> None:
    async with remote(stream(completion_events("x")), key=KEY) as (server, client):
        await client.inline(URI, 4, 11)
        await client.request("sopilka/setKey", {"key": "second"})
        await client.until_ready()
        await client.inline(URI, 4, 11)
        await client.request("sopilka/setKey", {"key": None})
        await client.until_ready()
        await client.inline(URI, 4, 11)
        asked = [one.headers.get("authorization") for one in server.asked]
        assert asked == [f"Bearer {KEY}", "Bearer second", None]
        assert KEY not in str(client.notifications), "not in a status either"


@pytest.mark.parametrize("value", [7, ["x"], "two words", {"a": 1}])
async def test_what_is_no_key_is_refused(value: Any) -> None:
    async with remote(stream(completion_events("x")), key=value) as (_, client):
        assert any("initializationOptions.remoteKey" in text for text in warnings(client))
        with pytest.raises(ErrorReply, match="key") as raised:
            await client.request("sopilka/setKey", {"key": value})
        assert "two words" not in str(raised.value)


async def test_a_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_KEY", f"{KEY}\n")
    more = {"keyVariable": "MODELS_KEY"}
    async with remote(stream(completion_events("x")), **more) as (server, client):
        await client.inline(URI, 4, 11)
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


async def until_error(process: InProcess) -> str:
    def failed() -> Any:
        now = process.client.status
        return now if now and now["kind"] == "Error" and not now["busy"] else None

    message: str = (await process.client.until(failed))["message"]
    return message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "chat"}, "sopilka.remote.url does not say where"),
        ({"kind": "chat", "url": "models.example"}, "must begin with http"),
        (
            {"kind": "chat", "url": "https://models.example", "keyVariable": "NOT_SET_ANYWHERE"},
            "NOT_SET_ANYWHERE, which sopilka.remote.keyVariable names, is not set",
        ),
        (
            {"kind": "chat", "url": "https://models.example", "caFile": "/nowhere.pem"},
            "cannot be read as certificates",
        ),
    ],
)
async def test_settings_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    process = InProcess()
    try:
        await process.client.initialize(initializationOptions={"remote": settings})
        assert message in await until_error(process)
    finally:
        await process.server.aclose()
