"""The host over a real socket, with a model that writes what the test says."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import (
    AsyncEngine,
    Engine,
    EngineBusy,
    EngineClosed,
    EngineConfig,
    EngineStatus,
    PromptTooLong,
    RepositoryMemory,
    Request,
)
from runtime.client import EngineClient
from runtime.driver import EngineDriver
from runtime.endpoint import connect
from runtime.frames import PROTOCOL_VERSION, frame, read_frame
from runtime.host import EngineHost
from runtime.sequence import MemoryScope
from tests.support.byte_tokenizer import END, ByteTokenizer
from tests.support.schedule import request
from tests.support.scripted_runner import ScriptedRunner, noise, spelling

TEXTS = {"one ": "first", "two ": "second", "їжак ": "🦔!"}


class Hosted:
    """A host in this process, and clients of it."""

    def __init__(self, address: Path, runner: ScriptedRunner, config: EngineConfig) -> None:
        memory = RepositoryMemory(runner.vocab_size)
        tokenizer: Any = ByteTokenizer()
        self.engine = Engine(runner, tokenizer, config, memory, stop_ids=(END,))
        self.address = str(address)
        self.driver = AsyncEngine(self.engine)
        self.host = EngineHost(self.driver, {"model": "scripted"}, idle=3600)
        self.serving = asyncio.ensure_future(self.host.serve(self.address))
        self.clients: list[EngineClient] = []

    async def client(self, workspace: str = "w") -> EngineClient:
        tokenizer: Any = ByteTokenizer()
        client = EngineClient(Path(), EngineConfig(), tokenizer, workspace=workspace)
        client._connected = self._connected_of(client)  # type: ignore[method-assign]
        await client._connected()
        self.clients.append(client)
        return client

    def _connected_of(self, client: EngineClient) -> Any:
        async def connected() -> None:
            if client._writer is None:
                await client._greet(*await self.stream())

        return connected

    async def stream(self) -> Any:
        while (stream := await connect(self.address)) is None:
            await asyncio.sleep(0.001)
        return stream

    async def close(self) -> None:
        for client in self.clients:
            await client.aclose()
        self.host.stop()
        await self.serving
        await self.driver.aclose()


@asynccontextmanager
async def hosted(
    tmp_path: Path, runner: ScriptedRunner | None = None, **config: Any
) -> AsyncIterator[Hosted]:
    found = Hosted(
        tmp_path / "s", runner or ScriptedRunner(spelling(TEXTS)), EngineConfig(**config)
    )
    try:
        yield found
    finally:
        await found.close()


async def text_of(engine: EngineDriver, prompt: str, **sampling: Any) -> str:
    async with engine.generate(request(prompt, **sampling)) as generation:
        pieces = [output.text async for output in generation]
        result = await generation.result()
    assert "".join(pieces) == result.text
    return result.text


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


async def test_a_client_gets_what_the_engine_says(tmp_path: Path) -> None:
    async with hosted(tmp_path) as found:
        client = await found.client()
        texts = await asyncio.gather(*(text_of(client, prompt) for prompt in TEXTS))
        assert texts == list(TEXTS.values())
        assert (client.vocab_size, client.max_context) == (257, 4096)


async def test_results_are_those_of_an_engine_in_this_process(tmp_path: Path) -> None:
    sampled = request("seed", max_tokens=9, temperature=1.0, seed=4, logprobs=True)
    async with hosted(tmp_path, ScriptedRunner(noise(3))) as found:
        client = await found.client()
        async with client.generate(sampled) as generation:
            theirs = await generation.result()
        async with found.driver.generate(sampled) as generation:
            ours = await generation.result()
    assert (theirs.tokens, theirs.logprobs) == (ours.tokens, ours.logprobs)
    assert (theirs.confidence, theirs.text) == (ours.confidence, ours.text)


async def test_errors_arrive_as_they_are(tmp_path: Path) -> None:
    runner = ScriptedRunner(spelling(TEXTS), max_context=10)
    async with hosted(tmp_path, runner) as found:
        client = await found.client()
        with pytest.raises(PromptTooLong, match="the model's context holds 10"):
            await text_of(client, "a prompt that is too long")
        with pytest.raises(ValueError, match="empty"):
            await text_of(client, "")
        assert await text_of(client, "one ") == "first"


async def test_a_full_queue_says_so(tmp_path: Path) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(*_: object) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(20)

    runner = ScriptedRunner(spelling(TEXTS), before_token=wait)
    async with hosted(tmp_path, runner, max_waiting=1, max_running=1) as found:
        client = await found.client()
        async with client.generate(request("one ")) as first:
            await until(lambda: found.engine.status().running == 1)
            async with client.generate(request("two ")) as second:
                with pytest.raises(EngineBusy):
                    await text_of(client, "three ")
                gate.set()
                assert (await first.result()).text == "first"
                assert (await second.result()).text == "second"


async def test_leaving_a_generation_and_leaving_the_host_cancel(tmp_path: Path) -> None:
    endless = ScriptedRunner(lambda _: np.eye(257, dtype=np.float32)[65] * 9, max_context=50_000)
    async with hosted(tmp_path, endless) as found:
        client = await found.client()
        async with client.generate(request("x", max_tokens=40_000)) as generation:
            await anext(generation)
            assert found.engine.status().running == 1
        await until(lambda: found.engine.status().running == 0)
        async with client.generate(request("x", max_tokens=40_000)) as generation:
            await anext(generation)
            generation.cancel()
            assert (await generation.result()).finish_reason == "cancelled"
        other = await found.client()
        async with other.generate(request("y", max_tokens=40_000)) as generation:
            await anext(generation)
            other._writer.transport.abort()  # type: ignore[union-attr]
            with pytest.raises(EngineClosed, match="the engine host ended"):
                await generation.result()
        await until(lambda: found.engine.status().running == 0)


async def test_workspaces_remember_apart_and_editors_of_one_together(tmp_path: Path) -> None:
    words = ScriptedRunner(lambda _: np.zeros(257, np.float32))
    async with hosted(tmp_path, words) as found:
        ours, same, other = [await found.client(name) for name in ("a", "a", "b")]
        ours.memory.put("file", list(b"total = price_of(name)\n" * 3))
        await until(lambda: found.engine.status().memory_documents == 1)
        prompt = list(b"total = price_")
        scope = MemoryScope(None, tuple(prompt))

        async def said(client: EngineClient) -> str:
            asked = Request(tuple(prompt), request("x", max_tokens=4).sampling, scope=scope)
            async with client.generate(asked) as generation:
                return (await generation.result()).text

        assert await said(ours) == await said(same) == "of(n"
        assert await said(other) != "of(n"
        await ours.aclose()
        await asyncio.sleep(0.05)
        assert await said(same) == "of(n"
        await same.aclose()
        await until(lambda: found.engine.status().memory_documents == 0)


async def test_the_status_is_told(tmp_path: Path) -> None:
    async with hosted(tmp_path) as found:
        client = await found.client()
        client.memory.put("file", list(b"some text"))
        await until(lambda: client.status.memory_tokens == 9)
        client.memory.drop("file")
        await until(lambda: client.status.memory_tokens == 0)
        assert isinstance(client.status, EngineStatus) and client.status.error is None
        await client.aclose()
        assert client.status.error == "the engine is closed"
        with pytest.raises(EngineClosed):
            await text_of(client, "one ")


async def test_a_description_has_counts_and_no_text(tmp_path: Path) -> None:
    async with hosted(tmp_path) as found:
        client = await found.client()
        await text_of(client, "one ")
        reader, writer = await found.stream()
        writer.write(frame("describe"))
        told = await read_frame(reader)
        writer.close()
        assert told is not None
        description = told["description"]
        assert (description["model"], len(description["clients"])) == ("scripted", 1)
        assert description["engine"]["running"] == 0
        assert "one " not in str(told) and "first" not in str(told)


async def test_the_socket_is_the_users_alone(tmp_path: Path) -> None:
    async with hosted(tmp_path) as found:
        await found.client()
        assert stat.S_IMODE(Path(found.address).stat().st_mode) == 0o600


async def test_another_version_is_refused_in_words(tmp_path: Path) -> None:
    async with hosted(tmp_path) as found:
        reader, writer = await found.stream()
        writer.write(frame("hello", version=PROTOCOL_VERSION + 1, name="n", workspace="w"))
        told = await read_frame(reader)
        assert told is not None and "update the older one" in told["message"]
        assert await read_frame(reader) is None


HELLO = frame("hello", version=PROTOCOL_VERSION, name="fuzz", workspace="w")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
KINDS = st.sampled_from(["generate", "cancel", "put", "drop", "hello", "stop!", "output"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(0, 3) | PLAIN,
        "key": st.text(max_size=3) | PLAIN,
        "tokens": PLAIN | st.binary(max_size=16),
        "request": PLAIN
        | st.fixed_dictionaries(
            {"prompt": st.lists(st.integers(-2, 300), max_size=4) | PLAIN},
            optional={"sampling": PLAIN, "priority": PLAIN, "scope": PLAIN, "client": PLAIN},
        ),
    },
)
MESSAGES = st.builds(lambda kind, fields: frame(kind, **fields), KINDS, FIELDS)
BYTES = st.lists(MESSAGES | st.binary(max_size=30), min_size=1, max_size=6).map(b"".join)


async def test_no_bytes_hurt_the_host_or_another_client(tmp_path: Path) -> None:
    async with hosted(tmp_path) as found:
        client = await found.client()
        count = 0

        async def send(data: bytes) -> None:
            reader, writer = await found.stream()
            writer.write(data)
            with suppress(ConnectionError):
                if writer.can_write_eof():
                    writer.write_eof()
                async with asyncio.timeout(20):
                    while await reader.read(65536):
                        pass
            writer.close()

        @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(BYTES, st.booleans())
        def attack(data: bytes, greets: bool) -> None:
            nonlocal count
            count += 1
            wanted = send((HELLO if greets else b"") + data)
            asyncio.run_coroutine_threadsafe(wanted, loop).result(30)

        loop = asyncio.get_running_loop()
        await asyncio.to_thread(attack)
        assert count >= 400
        assert await text_of(client, "one ") == "first"
        await until(lambda: len(found.host._clients) == 1)


async def test_a_frame_that_announces_too_much_is_refused(tmp_path: Path) -> None:
    async with hosted(tmp_path) as found:
        reader, writer = await found.stream()
        writer.write(b"\xff\xff\xff\xff")
        told = await read_frame(reader)
        assert told is not None and "65536 at most" in told["message"]


async def test_a_client_that_does_not_read_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.host.MAX_UNSENT", 20_000)
    endless = ScriptedRunner(lambda _: np.eye(257, dtype=np.float32)[65] * 9, max_context=20_000)
    async with hosted(tmp_path, endless) as found:
        reader, writer = await found.stream()
        writer.write(HELLO)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(8):
            asked = request(f"{number}", max_tokens=3000)
            writer.write(frame("generate", id=number, request=asked))
        await until(lambda: len(found.host._clients) == 1)
        await until(lambda: len(found.host._clients) == 0)
        await until(lambda: found.engine.status().running == 0)
