"""Both drivers of the engine: streaming, leaving, errors, closing, threads and loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.async_engine import AsyncEngine, EngineDriver, InlineEngine
from runtime.config import EngineConfig, Priority
from runtime.engine import Engine
from runtime.errors import EngineBusy, EngineClosed, PromptTooLong
from runtime.memory import RepositoryMemory
from runtime.model_runner import Chunk
from runtime.sequence import MemoryScope
from tests.support.byte_tokenizer import END, ByteTokenizer
from tests.support.schedule import request
from tests.support.scripted_runner import VOCAB_SIZE, ScriptedRunner, noise, spelling

Driver = Callable[[Engine], EngineDriver]
TEXTS = {"one ": "first", "two ": "second", "three ": "third"}


@pytest.fixture(params=[AsyncEngine, InlineEngine])
def driver(request: pytest.FixtureRequest) -> Driver:
    return request.param


def endless(context: object) -> NDArray[np.float32]:
    row = np.zeros(VOCAB_SIZE, np.float32)
    row[ord("x")] = 9.0
    return row


def engine_of(
    runner: ScriptedRunner,
    config: EngineConfig | None = None,
    memory: RepositoryMemory | None = None,
) -> Engine:
    return Engine(runner, ByteTokenizer(), config or EngineConfig(), memory, stop_ids=(END,))


async def text_of(engine: EngineDriver, prompt: str, **more: object) -> str:
    async with engine.generate(request(prompt, **more)) as generation:
        return (await generation.result()).text


async def test_streams_then_gives_the_result(driver: Driver) -> None:
    async with driver(engine_of(ScriptedRunner(spelling(TEXTS)))) as engine:
        async with engine.generate(request("one ")) as generation:
            outputs = [output async for output in generation]
            assert "".join(output.text for output in outputs) == "first"
            assert [output.finish_reason for output in outputs] == [None] * 5 + ["stop"]
            assert (await generation.result()).text == "first"
        assert (await generation.result()).usage.generated == 6


async def test_several_at_once(driver: Driver) -> None:
    async with driver(engine_of(ScriptedRunner(spelling(TEXTS)))) as engine:
        texts = await asyncio.gather(*(text_of(engine, prompt) for prompt in TEXTS))
        assert texts == list(TEXTS.values())


async def test_leaving_the_block_cancels(driver: Driver) -> None:
    runner = ScriptedRunner(endless, max_context=100_000)
    async with driver(engine_of(runner)) as engine:
        async with engine.generate(request("endless", max_tokens=90_000)) as generation:
            async for _ in generation:
                break
        with pytest.raises(RuntimeError, match="inside its `async with` block"):
            await generation.result()
        await text_of(engine, "another", max_tokens=3)
        assert engine.status.running == 0
    assert sum(len(run) for run in runner.runs) < 80_000


async def test_cancelled_task_cancels_its_sequence(driver: Driver) -> None:
    async with driver(engine_of(ScriptedRunner(endless, max_context=100_000))) as engine:
        task = asyncio.create_task(text_of(engine, "endless", max_tokens=90_000))
        while engine.status.running == 0:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await text_of(engine, "another", max_tokens=3)
        assert engine.status.running == 0


async def test_cancel_ends_with_the_text_so_far(driver: Driver) -> None:
    async with (
        driver(engine_of(ScriptedRunner(endless, max_context=100_000))) as engine,
        engine.generate(request("endless", max_tokens=90_000)) as generation,
    ):
        text = (await anext(generation)).text
        generation.cancel()
        result = await generation.result()
        assert result.finish_reason == "cancelled"
        assert result.text.startswith(text)


async def test_what_cannot_be_queued_is_refused_at_once(driver: Driver) -> None:
    runner = ScriptedRunner(noise(), max_context=10)
    async with driver(engine_of(runner, EngineConfig(max_waiting=1))) as engine:
        with pytest.raises(PromptTooLong):
            await text_of(engine, "a prompt that is too long")
        with pytest.raises(ValueError, match="empty"):
            await text_of(engine, "")


async def test_busy() -> None:
    release = threading.Event()

    def wait(chunk: Chunk, computed: int) -> None:
        assert release.wait(10)

    runner = ScriptedRunner(spelling(TEXTS), before_token=wait)
    config = EngineConfig(max_waiting=1, max_running=1)
    async with (
        AsyncEngine(engine_of(runner, config)) as engine,
        engine.generate(request("one ")) as running,
    ):
        while engine.status.running == 0:
            await asyncio.sleep(0.001)
        async with engine.generate(request("two ")) as waiting:
            with pytest.raises(EngineBusy):
                await text_of(engine, "three ")
            release.set()
            assert (await running.result()).text == "first"
            assert (await waiting.result()).text == "second"


async def test_leaving_interrupts_a_long_prefill() -> None:
    """The run is under way and would never end by itself."""
    is_running, give_up = threading.Event(), threading.Event()

    def crawl(chunk: Chunk, computed: int) -> None:
        is_running.set()
        while len(chunk.tokens) > 8 and not runner._is_cancelled and not give_up.wait(0.001):
            pass

    runner = ScriptedRunner(spelling(TEXTS), before_token=crawl)
    engine = AsyncEngine(engine_of(runner))
    async with engine.generate(request("a long prompt")):
        await asyncio.to_thread(is_running.wait, 10)
    assert await text_of(engine, "one ") == "first"
    assert runner.num_interrupted == 1
    give_up.set()
    await engine.aclose()


async def test_closing_ends_what_runs_and_waits(driver: Driver) -> None:
    runner = ScriptedRunner(endless, max_context=100_000)
    engine = driver(engine_of(runner))
    async with (
        engine.generate(request("endless", max_tokens=90_000)) as running,
        engine.generate(request("waiting", priority=Priority.AGENT)) as waiting,
    ):
        await anext(running)
        await engine.aclose()
        with pytest.raises(EngineClosed):
            await waiting.result()
        with pytest.raises(EngineClosed):
            await running.result()
    with pytest.raises(EngineClosed, match="closed"):
        await text_of(engine, "more")
    assert runner.is_closed
    assert engine.status.error == "the engine is closed"
    await engine.aclose()


async def test_death_of_the_thread_is_reported() -> None:
    class Broken(Engine):
        def schedule(self) -> list[object]:
            raise AssertionError("a bug")

    runner = ScriptedRunner(noise())
    engine = AsyncEngine(Broken(runner, ByteTokenizer(), EngineConfig()))
    async with engine.generate(request("x")) as generation:
        with pytest.raises(EngineClosed, match="died: AssertionError: a bug"):
            await generation.result()
    with pytest.raises(EngineClosed, match="died: AssertionError: a bug"):
        await text_of(engine, "y")
    assert "a bug" in str(engine.status.error)
    await engine.aclose()
    assert runner.is_closed


async def test_error_of_one_sequence_is_its_own(driver: Driver) -> None:
    def fail(chunk: Chunk, computed: int) -> None:
        if chunk.tokens[-1] == ord("!"):
            raise MemoryError("out of memory")

    runner = ScriptedRunner(spelling(TEXTS), before_token=fail)
    async with driver(engine_of(runner)) as engine:
        async with engine.generate(request("broken!")) as generation:
            result = await generation.result()
        assert (result.finish_reason, result.error) == ("error", "MemoryError: out of memory")
        assert await text_of(engine, "one ") == "first"


async def test_memory_is_filled_before_the_next_step(driver: Driver) -> None:
    """The model knows nothing; the memory knows how the line goes on."""

    def clueless(context: object) -> NDArray[np.float32]:
        row = np.zeros(VOCAB_SIZE, np.float32)
        row[END] = 1.0
        return row

    memory = RepositoryMemory(VOCAB_SIZE)
    scope = MemoryScope(None, tuple(b"?!"))
    async with driver(engine_of(ScriptedRunner(clueless), memory=memory)) as engine:
        assert await text_of(engine, "?!", scope=scope, max_tokens=2) == ""
        engine.memory.put("notes", tuple(b"so ?!42"))
        assert await text_of(engine, "?!", scope=scope, max_tokens=2) == "42"
        assert engine.status.memory_documents == 1
        engine.memory.drop("notes")
        assert await text_of(engine, "?!", scope=scope, max_tokens=2) == ""
        with pytest.raises(ValueError, match="names a token outside"):
            engine.memory.put("bad", (VOCAB_SIZE,))


async def test_without_memory_its_client_does_nothing(driver: Driver) -> None:
    async with driver(engine_of(ScriptedRunner(spelling(TEXTS)))) as engine:
        assert not engine.memory.is_enabled
        engine.memory.put("notes", (1, 2))
        engine.memory.drop("notes")
        assert await text_of(engine, "one ") == "first"


async def test_idle_engine_settles_its_memory() -> None:
    memory = RepositoryMemory(VOCAB_SIZE)
    async with AsyncEngine(engine_of(ScriptedRunner(noise()), memory=memory)) as engine:
        engine.memory.put("notes", tuple(b"text"))
        while memory.num_documents == 0 or memory.needs_settling:
            await asyncio.sleep(0.005)


def test_serves_loops_of_several_threads() -> None:
    engine = AsyncEngine(engine_of(ScriptedRunner(spelling(TEXTS))))
    texts: dict[str, str] = {}

    def run(prompt: str) -> None:
        texts[prompt] = asyncio.run(text_of(engine, prompt))

    threads = [threading.Thread(target=run, args=(prompt,)) for prompt in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    asyncio.run(engine.aclose())
    assert texts == TEXTS


def test_reader_whose_loop_is_gone_is_forgotten() -> None:
    release = threading.Event()

    def wait(chunk: Chunk, computed: int) -> None:
        assert release.wait(10)

    engine = AsyncEngine(engine_of(ScriptedRunner(endless, before_token=wait)))

    async def enter_and_vanish() -> None:
        await engine.generate(request("x", max_tokens=1000)).__aenter__()

    asyncio.run(enter_and_vanish())
    release.set()

    async def check() -> None:
        while engine.status.running or engine.status.waiting:
            await asyncio.sleep(0.005)
        await text_of(engine, "still alive", max_tokens=2)
        await engine.aclose()

    asyncio.run(check())


async def test_drivers_agree() -> None:
    """The thread changes nothing about the tokens."""
    tokens = []
    for make in (AsyncEngine, InlineEngine):
        async with make(engine_of(ScriptedRunner(noise()))) as engine:
            requests = [request(f"p{seed}", temperature=1.0, seed=seed) for seed in range(4)]

            async def tokens_of(one: object, engine: EngineDriver = engine) -> tuple[int, ...]:
                async with engine.generate(one) as generation:
                    return (await generation.result()).tokens

            tokens.append(await asyncio.gather(*map(tokens_of, requests)))
    assert tokens[0] == tokens[1]
