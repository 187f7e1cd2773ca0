"""The engine over a real model in ONNX Runtime: a tiny one, whose continuations are known."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from runtime import (
    AsyncEngine,
    BundleError,
    EngineConfig,
    EngineDriver,
    InlineEngine,
    MemoryScope,
    Priority,
    Request,
    Result,
    SamplingParams,
    build_engine,
    load_engine,
)
from tests.runtime.fixture_bundles import bundle_of, reference

BUNDLE = ("tied", "fp32", "fp32")
CONFIG = EngineConfig(threads=1, use_memory=False)


def known(number: int) -> tuple[Request, tuple[int, ...]]:
    """A request, and the greedy continuation that the reference implementation gives."""
    tokens, length, _ = reference("tied", number)
    prompt, continuation = tokens[:length].tolist(), tokens[length:].tolist()
    return Request(tuple(prompt), SamplingParams(max_tokens=len(continuation))), tuple(continuation)


async def run(engine: EngineDriver, request: Request) -> Result:
    async with engine.generate(request) as generation:
        return await generation.result()


@pytest.mark.parametrize("chunk", [1, 3, 256])
async def test_greedy_text_is_the_reference_implementations(chunk: int) -> None:
    """Whatever the chunk, and again when all but one token of the prompt is held."""
    request, continuation = known(0)
    engine = build_engine(bundle_of(*BUNDLE), replace(CONFIG, prefill_chunk=chunk))
    async with InlineEngine(engine) as driver:
        for reused in (0, len(request.prompt) - 1):
            result = await run(driver, request)
            assert result.tokens == continuation
            assert result.usage.reused == reused


async def test_company_and_preemption_change_nothing() -> None:
    agent, agent_text = known(0)
    typing, typing_text = known(1)
    agent = replace(agent, priority=Priority.AGENT)
    config = replace(CONFIG, max_running=1, prefill_chunk=2)
    async with load_engine(bundle_of(*BUNDLE), config) as engine:
        slow = asyncio.create_task(run(engine, agent))
        results = await asyncio.gather(*(run(engine, typing) for _ in range(3)))
        assert [result.tokens for result in results] == [typing_text] * 3
        assert (await slow).tokens == agent_text


async def test_memory_changes_the_answer_and_its_absence_nothing() -> None:
    request, continuation = known(0)
    habit = tuple((token + 1) % 300 for token in continuation)
    scope = MemoryScope("open", request.prompt)
    request = replace(request, scope=scope)
    async with load_engine(bundle_of(*BUNDLE), replace(CONFIG, use_memory=True)) as engine:
        assert engine.memory.is_enabled
        plain = await run(engine, replace(request, scope=None))
        assert plain.tokens == continuation
        engine.memory.put("open", (*request.prompt, *habit))
        own = await run(engine, request)
        engine.memory.put("other", (*request.prompt, *habit) * 3)
        copied = await run(engine, request)
        assert copied.tokens[:4] == habit[:4] != own.tokens[:4]


async def test_cancelling_frees_the_engine() -> None:
    request, continuation = known(0)
    endless = Request(request.prompt[:2], SamplingParams(max_tokens=10_000))
    async with AsyncEngine(build_engine(bundle_of(*BUNDLE), CONFIG)) as engine:
        for _ in range(5):
            async with engine.generate(endless) as generation:
                await anext(generation)
        assert (await run(engine, request)).tokens == continuation
        assert engine.status.running == engine.status.waiting == 0


def test_a_bad_table_in_the_bundle_is_refused_in_one_line() -> None:
    bundle = replace(bundle_of(*BUNDLE), memory={"lengths": [3, 2]})
    with pytest.raises(BundleError, match="memory: lengths must ascend"):
        load_engine(bundle, CONFIG)
