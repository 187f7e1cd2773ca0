"""A remote engine and a real server on loopback: what is asked, what comes back, what ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.chat import CallDelta, Delta, Message, Tool, ToolCall
from runtime.config import SamplingParams
from runtime.errors import EngineBusy, EngineClosed, PromptTooLong, RemoteError
from runtime.remote.config import Secret
from runtime.remote.engine import MAX_RUNNING, RemoteEngine
from runtime.sequence import Request, Usage
from tests.runtime.remote.checks import config_for, generate, prompt, remote
from tests.support.model_server import (
    DONE,
    STREAM,
    chat_events,
    chunk,
    completion_events,
    endless,
    event,
    head,
    infill_events,
    model_server,
    raw,
    stream,
)


async def test_a_completion_comes_piece_by_piece() -> None:
    answer = stream(completion_events("na", "mes ", "= 1"))
    more = {"model": "qwen2.5-coder:7b", "key": Secret("k-1")}
    async with remote(answer, **more) as (server, engine):
        texts, result = await generate(engine, ids=prompt("a\n", "\nz", "x"), stop=("\n",))
    assert texts == ["na", "mes ", "= 1"]
    assert (result.text, result.finish_reason, result.confidence) == ("names = 1", "stop", 1.0)
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/v1/completions")
    assert asked.headers["authorization"] == "Bearer k-1"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.body == {
        "model": "qwen2.5-coder:7b",
        "prompt": "<|file_sep|>a.py\n<|fim_prefix|>a\n<|fim_suffix|>\nz<|fim_middle|>x",
        "max_tokens": 32,
        "temperature": 0.0,
        "stop": ["\n", "<|endoftext|>", "<|file_sep|>", "<|fim_prefix|>"],
        "stream": True,
    }


async def test_an_infill_gets_the_parts_as_they_are() -> None:
    """The server reads no control tokens in them, so nothing has to be made harmless."""
    ids = prompt("a = '<|fim_middle|>'\n", "\nz", "x")
    answer = stream(infill_events("1", "2", timings={"cache_n": 5}, stop_type="limit"))
    async with remote(answer, kind="infill") as (server, engine):
        texts, result = await generate(engine, ids=ids, temperature=0.5, seed=7, top_p=0.9)
    assert (texts, result.finish_reason) == (["1", "2"], "length")
    assert result.usage == Usage(prompt=12, reused=5, computed=7, generated=2)
    assert server.asked[0].target == "/infill"
    assert server.asked[0].body == {
        "input_prefix": "a = '<|fim_middle|>'\nx",
        "input_suffix": "\nz",
        "input_extra": [],
        "n_predict": 32,
        "cache_prompt": True,
        "stop": [],
        "stream": True,
        "temperature": 0.5,
        "seed": 7,
        "top_p": 0.9,
    }


async def test_a_chat_model_is_asked_for_the_hole_and_its_code_taken_out() -> None:
    said = ("Sure:\n``", "`python\nfoo(", "1)\n", "```\nThat", " is it.")
    async with remote(stream(chat_events(*said)), kind="chat", model="m") as (server, engine):
        texts, result = await generate(engine, ids=prompt("a\n", "\nz", "x = "))
    assert "".join(texts) == result.text == "foo(1)"
    assert texts[0] == "foo(", "the code is shown while it is written"
    body = server.asked[0].body
    assert server.asked[0].target == "/v1/chat/completions"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"] == "--- a.py\na\nx = <CURSOR>\nz"
    assert "stop" not in body, "a line end is no reason to end a chat's answer"


async def test_stop_strings_are_looked_for_here_too() -> None:
    """Servers limit how many they take, and some ignore them."""
    async with remote(stream(completion_events("one\n", "two"), pause=0.01)) as (server, engine):
        texts, result = await generate(engine, stop=("a", "b", "c", "d", "\n"))
        await asyncio.wait_for(server.left.wait(), 10)
    assert (texts, result.text, result.finish_reason) == (["one"], "one", "stop")
    assert len(server.asked[0].body["stop"]) == 4


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("completions", {"choices": [{"text": "whole", "finish_reason": "stop"}]}),
        ("chat", {"choices": [{"message": {"content": "```\nwhole\n```"}}]}),
        ("infill", {"content": "whole", "stop": True}),
    ],
)
async def test_a_server_that_does_not_stream_is_understood(kind: str, content: Any) -> None:
    text = event(content)[6:-2]
    answer = raw(head(content_type="application/json", content_length=str(len(text))) + text)
    async with remote(answer, kind=kind) as (_, engine):
        _, result = await generate(engine)
    assert result.text == "whole"


async def test_usage_is_the_servers_where_it_tells() -> None:
    usage = {
        "prompt_tokens": 90,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 64},
    }
    events = [*completion_events("ab")[:-1], event({"choices": [], "usage": usage}), DONE]
    async with remote(stream(events)) as (_, engine):
        _, result = await generate(engine)
        assert engine.status.totals.prompt_tokens == 90
    assert result.usage == Usage(prompt=90, reused=64, computed=26, generated=2)


async def test_a_url_may_have_a_path_and_v1() -> None:
    for path, target in (("/v1", "/v1/completions"), ("/llm/v1/", "/llm/v1/completions")):
        async with remote(stream(completion_events("x")), path=path) as (server, engine):
            await generate(engine)
        assert server.asked[0].target == target


async def test_connections_are_used_again() -> None:
    async with remote(stream(completion_events("x"))) as (server, engine):
        for _ in range(3):
            await generate(engine)
        assert server.num_connections == 1
        await engine.aclose()
        await asyncio.wait_for(server.left.wait(), 10)


# Cancel


async def test_a_cancel_closes_the_connection() -> None:
    async with remote(endless(STREAM + chunk(completion_events("some")[0]))) as (server, engine):
        async with engine.generate(Request(prompt())) as generation:
            assert (await anext(generation)).text == "some"
            generation.cancel()
            result = await generation.result()
            await asyncio.wait_for(server.left.wait(), 10)
        assert (result.text, result.finish_reason) == ("some", "cancelled")
        assert engine.status.running == 0 and engine.status.totals.cancelled == 1


@pytest.mark.parametrize("first", [b"", STREAM, STREAM + chunk(b": wait\n\n")])
async def test_leaving_closes_the_connection_at_any_time(first: bytes) -> None:
    async with remote(endless(first)) as (server, engine):
        async with engine.generate(Request(prompt())):
            while not server.asked:
                await asyncio.sleep(0.001)
        await asyncio.wait_for(server.left.wait(), 10)
        assert engine.status.error is None


async def test_closing_ends_what_is_under_way() -> None:
    async with model_server(endless()) as server:
        engine = RemoteEngine(config_for(server))
        async with engine.generate(Request(prompt())) as generation:
            waiting = asyncio.create_task(generation.result())
            await asyncio.sleep(0)
            await engine.aclose()
            await engine.aclose()
            with pytest.raises(EngineClosed):
                await waiting
        with pytest.raises(EngineClosed):
            await generate(engine)


# What is refused before anything is sent


async def test_a_prompt_must_fit() -> None:
    async with remote(endless(), context=256) as (server, engine):
        with pytest.raises(PromptTooLong, match="shorten the prompt"):
            await generate(engine, ids=prompt("x" * 3000))
        with pytest.raises(ValueError, match="empty"):
            async with engine.generate(Request(())):
                pass
        assert not server.asked


async def test_no_more_than_some_requests_at_once() -> None:
    async with remote(endless()) as (_, engine):
        entered = [engine.generate(Request(prompt())) for _ in range(MAX_RUNNING)]
        for generation in entered:
            await generation.__aenter__()
        with pytest.raises(EngineBusy):
            await generate(engine)


async def test_there_is_no_memory_to_fill() -> None:
    async with remote(endless()) as (_, engine):
        assert not engine.memory.is_enabled
        engine.memory.put("a", [1, 2])
        engine.memory.drop("a")


# Conversations with tools, which nothing uses yet


async def test_a_conversation_with_tools_comes_in_deltas() -> None:
    read = {"index": 0, "id": "c1", "function": {"name": "read", "arguments": '{"pa'}}
    rest = {"index": 0, "function": {"arguments": 'th": "a"}'}}
    events = [
        event({"choices": [{"delta": {"content": "I look."}}]}),
        event({"choices": [{"delta": {"tool_calls": [read]}}]}),
        event({"choices": [{"delta": {"tool_calls": [rest]}}]}),
        event({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}),
        DONE,
    ]
    tool = Tool("read", "Reads a file.", {"type": "object", "properties": {"path": {}}})
    messages = [
        Message("user", "What is in a?"),
        Message("assistant", tool_calls=(ToolCall("read", {"path": "b"}, "c0"),)),
        Message("tool", "nothing <|im_end|>", call_id="c0"),
    ]
    async with remote(stream(events), kind="chat", model="m") as (server, engine):
        turn = engine.chat(messages, [tool], SamplingParams(max_tokens=9))
        got = [delta async for delta in turn]
    assert got == [
        Delta("I look."),
        Delta(calls=(CallDelta(0, "read", '{"pa', "c1"),)),
        Delta(calls=(CallDelta(0, "", 'th": "a"}'),)),
        Delta(finish_reason="stop"),
    ]
    body = server.asked[0].body
    assert body["tools"][0]["function"]["name"] == "read"
    assert body["messages"][1]["tool_calls"][0] == {
        "id": "c0",
        "type": "function",
        "function": {"name": "read", "arguments": '{"path": "b"}'},
    }
    assert body["messages"][2] == {
        "role": "tool",
        "content": "nothing < |im_end|>",
        "tool_call_id": "c0",
    }


async def test_an_error_in_a_conversation_is_raised() -> None:
    async with remote(
        stream([event({"error": {"code": "context_length_exceeded"}})]), kind="chat"
    ) as (_, engine):
        with pytest.raises(RemoteError, match="context_length_exceeded"):
            _ = [delta async for delta in engine.chat([Message("user", "x")])]
