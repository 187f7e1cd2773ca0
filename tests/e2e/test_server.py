"""A real server process with the default model, over pipes and over TCP."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import (
    ErrorReply,
    over_stdio,
    over_tcp,
    recorded_capabilities,
    span,
)

TRANSPORTS = {"stdio": over_stdio, "tcp": over_tcp}
TYPED = "    return amount - disc"


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Any:
    return TRANSPORTS[request.param]


async def open_main(client: Any, shop: Path) -> str:
    """Opens main.py with the beginning of its last line typed; returns the URI."""
    uri = (shop / "main.py").as_uri()
    client.open(uri, (shop / "main.py").read_text(encoding="utf-8"))
    client.type(uri, 5, 0, TYPED)
    return uri


async def test_ghost_text_from_start_to_exit(transport: Any, shop: Path) -> None:
    async with transport() as client:
        # A search without a deadline that a busy machine could miss.
        patient = {"context": {"deadlineMs": 10_000}}
        reply = await client.initialize(shop, initializationOptions=patient)
        assert reply["serverInfo"]["name"] == "sopilka"
        assert reply["capabilities"]["inlineCompletionProvider"] == {}
        ready = await client.until_ready()
        assert ready["kind"] == "Normal" and "4 files" in ready["message"]
        uri = await open_main(client, shop)
        (item,) = await client.inline(uri, 5, len(TYPED))
        assert item["insertText"] == "ount_for(customer, amount)"
        assert item["range"] == span(5, len(TYPED))
        receipt = await client.request(
            "sopilka/explainCompletion", {"id": item["command"]["arguments"][0]}
        )
        assert {"context", "prompt", "prefill", "decode", "postprocess"} <= set(
            receipt["milliseconds"]
        )
        assert receipt["usage"]["generated"] > 0
        assert "shop/price.py" in {span["path"] for span in receipt["context"]}
        # Typing on along the suggestion needs no model, and gives what is left of it.
        client.type(uri, 5, len(TYPED), "ount")
        (rest,) = await client.inline(uri, 5, len(TYPED) + 4)
        assert rest["insertText"] == "_for(customer, amount)"
        await client.request(
            "workspace/executeCommand", {"command": "sopilka.accept", "arguments": ["1"]}
        )
        status = await client.request("sopilka/status", {})
        assert (status["accepted"], status["documents"]) == (1, 1)
        await client.shut_down()
        assert await asyncio.wait_for(client.process.wait(), 20) == 0


async def test_a_burst_of_edits_and_requests_keeps_its_order(
    transport: Any, shop: Path, tmp_path: Path
) -> None:
    """Each request sees the edit before it and not the one after it, though all arrive at once."""
    log = tmp_path / "server.log"
    async with transport("--log-level", "debug", "--log-file", str(log)) as client:
        await client.initialize(shop)
        await client.until_ready()
        uri = (shop / "main.py").as_uri()
        client.open(uri, (shop / "main.py").read_text(encoding="utf-8"))
        start = len((shop / "main.py").read_bytes())
        waiting = []
        with client.together():
            for column, key in enumerate(TYPED):
                version = client.type(uri, 5, column, key)
                waiting.append(client.begin_inline(uri, 5, column + 1, version=version)[1])
        replies = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)
        await client.shut_down()
    seen = re.findall(r"asked at version (\d+), byte (\d+)", log.read_text(encoding="utf-8"))
    expected = [(str(2 + at), str(start + at)) for at in range(len(TYPED))]
    assert seen == expected
    assert [isinstance(reply, ErrorReply) and reply.code for reply in replies[:-1]] == [-32801] * (
        len(TYPED) - 1
    )
    assert replies[-1]["items"][0]["insertText"] == "ount_for(customer, amount)"


async def test_a_newer_request_ends_the_older_one(shop: Path) -> None:
    async with over_stdio() as client:
        await client.initialize(shop)
        await client.until_ready()
        uri = await open_main(client, shop)
        with client.together():
            older = client.begin_inline(uri, 5, len(TYPED))[1]
            newer = client.begin_inline(uri, 5, len(TYPED))[1]
        assert (await newer)["items"]
        with pytest.raises(ErrorReply) as caught:
            await older
        assert caught.value.code == -32800


async def test_a_cancelled_request_is_answered_so(shop: Path) -> None:
    async with over_stdio() as client:
        await client.initialize(shop)
        await client.until_ready()
        uri = await open_main(client, shop)
        with client.together():
            identifier, reply = client.begin_inline(uri, 5, len(TYPED))
            client.notify("$/cancelRequest", {"id": identifier})
        with pytest.raises(ErrorReply) as caught:
            await reply
        assert caught.value.code == -32800
        # The engine is free for the next one.
        assert await client.inline(uri, 5, len(TYPED))


async def test_before_the_model_is_loaded_answers_are_empty(shop: Path) -> None:
    async with over_stdio() as client:
        await client.initialize(shop)
        uri = await open_main(client, shop)
        assert await client.inline(uri, 5, len(TYPED)) == []
        await client.until_ready()
        assert await client.inline(uri, 5, len(TYPED)) != []


@pytest.mark.parametrize("broken", ["missing", "empty"])
async def test_without_a_usable_model_the_server_lives_and_says_why(
    shop: Path, tmp_path: Path, broken: str
) -> None:
    bundle = tmp_path / "bundle"
    if broken == "empty":
        bundle.mkdir()
    async with over_stdio() as client:
        await client.initialize(shop, initializationOptions={"engine": {"bundle": str(bundle)}})
        status = await client.until_ready()
        assert status["kind"] == "Error" and str(bundle) in status["message"]
        uri = await open_main(client, shop)
        assert await client.inline(uri, 5, len(TYPED)) == []
        # A better setting mends it, without a new start.
        client.notify("workspace/didChangeConfiguration", {"settings": {"sopilka": {}}})
        await client.until(lambda: client.status["kind"] == "Normal" and not client.status["busy"])
        assert await client.inline(uri, 5, len(TYPED)) != []


@pytest.mark.parametrize("editor", ["vscode-1.139.1", "helix-25.01.1"])
async def test_columns_are_counted_as_the_editor_does(editor: str, shop: Path) -> None:
    capabilities = recorded_capabilities(editor)
    async with over_stdio() as client:
        client.answers["workspace/configuration"] = [{}]
        reply = (await client.initialize(shop, capabilities))["capabilities"]
        await client.until_ready()
        uri = (shop / "main.py").as_uri()
        typed = "é = '😀'; amount = sum(price_of(name)"
        client.open(uri, f"{typed}\n")
        units = {"utf-8": len(typed.encode()), "utf-16": len(typed) + 1}
        column = units[reply["positionEncoding"]]
        if "completionProvider" not in reply:
            (item,) = await client.inline(uri, 0, column)
            assert item["insertText"] == " for name in names)"
            assert item["range"] == span(0, column)
        else:
            params = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": column}}
            found = await client.request("textDocument/completion", params)
            assert found["items"][0]["textEdit"]["range"]["end"] == {
                "line": 0,
                "character": column,
            }
        await client.shut_down()


async def test_no_text_of_a_document_reaches_the_log(shop: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with over_stdio("--log-level", "debug", log=log) as client:
        await client.initialize(shop)
        await client.until_ready()
        uri = (shop / "main.py").as_uri()
        client.open(uri, "canary_word = 1\ncanary_")
        await client.inline(uri, 1, 7)
        client.notify("textDocument/didChange", {"textDocument": "canary_word"})
        client.notify("textDocument/didOpen", {"textDocument": {"text": "canary_word"}})
        client.change(uri, {"range": {"start": "canary_word"}, "text": "canary_word"})
        client.begin("textDocument/inlineCompletion", {"canary_word": ["canary_word"]})
        client.begin("canary_word/unknown", {"text": "canary_word"})
        client.send_bytes(b"Content-Length: 13\r\n\r\n{canary_word:")
        await client.shut_down()
        await client.process.wait()
    text = log.read_text(encoding="utf-8")
    assert "asked at version" in text
    assert "canary" not in text


async def test_logs_and_wire_are_apart(shop: Path, tmp_path: Path) -> None:
    """Nothing but messages is on stdout, whatever the log says."""
    async with over_stdio("--log-level", "debug", log=tmp_path / "log") as client:
        await client.initialize(shop)
        await client.until_ready()
        await client.shut_down()
        await client.process.wait()
        assert client.bad_frames == []
        assert json.loads(json.dumps(client.notifications))


async def test_the_end_of_the_pipe_ends_the_server(shop: Path) -> None:
    async with over_stdio() as client:
        await client.initialize(shop)
        client.process.stdin.close()
        assert await asyncio.wait_for(client.process.wait(), 30) == 1


async def test_exit_without_shutdown_is_an_error(shop: Path) -> None:
    async with over_stdio() as client:
        await client.initialize(shop)
        client.notify("exit")
        assert await asyncio.wait_for(client.process.wait(), 30) == 1
