"""The engine over real models in ONNX Runtime: tiny ones, whose continuations are known.

One of each kind: experts, dense with biases, dense with normed heads and stretched positions,
experts beside a shared one.
"""

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
from runtime.bundle import Bundle
from tests.fixtures.models import VARIATIONS
from tests.runtime.fixture_bundles import bundle_of, reference

CONFIG = EngineConfig(threads=1, use_memory=False)
NAMES = ("tied", "qwen2", "qwen3-yarn", "qwen2_moe")
each_kind = pytest.mark.parametrize("name", NAMES)


def exact(name: str) -> Bundle:
    return bundle_of(name, "fp32", "fp32")


def known(number: int, name: str = "tied") -> tuple[Request, tuple[int, ...]]:
    """A request, and the greedy continuation that the reference implementation gives.

    Of a stretched model there is one request, longer than what it was made for.
    """
    tokens, length, _ = reference(name, 0 if name in VARIATIONS else number)
    prompt, continuation = tokens[:length].tolist(), tokens[length:].tolist()
    return Request(tuple(prompt), SamplingParams(max_tokens=len(continuation))), tuple(continuation)


async def run(engine: EngineDriver, request: Request) -> Result:
    async with engine.generate(request) as generation:
        return await generation.result()


@each_kind
@pytest.mark.parametrize("chunk", [1, 3, 256])
async def test_greedy_text_is_the_reference_implementations(chunk: int, name: str) -> None:
    """Whatever the chunk, and again when all but one token of the prompt is held."""
    request, continuation = known(0, name)
    engine = build_engine(exact(name), replace(CONFIG, prefill_chunk=chunk))
    async with InlineEngine(engine) as driver:
        for reused in (0, len(request.prompt) - 1):
            result = await run(driver, request)
            assert result.tokens == continuation
            assert result.usage.reused == reused


@each_kind
@pytest.mark.parametrize("max_running", [1, 8])
async def test_company_and_preemption_change_nothing(max_running: int, name: str) -> None:
    agent, agent_text = known(0, name)
    typing, typing_text = known(1, name)
    agent = replace(agent, priority=Priority.AGENT)
    config = replace(CONFIG, max_running=max_running, prefill_chunk=2)
    async with load_engine(exact(name), config) as engine:
        slow = asyncio.create_task(run(engine, agent))
        results = await asyncio.gather(*(run(engine, typing) for _ in range(3)))
        assert [result.tokens for result in results] == [typing_text] * 3
        assert (await slow).tokens == agent_text


@each_kind
async def test_a_prefix_of_another_prompt_is_taken_over(name: str) -> None:
    """Up to the middle of a block, and with one token changed there."""
    request, continuation = known(1, name)
    held = len(request.prompt) * 2 // 3
    other = (*request.prompt[:held], (request.prompt[held] + 1) % 264, *request.prompt[held + 1 :])
    async with InlineEngine(build_engine(exact(name), CONFIG)) as driver:
        await run(driver, replace(request, prompt=other))
        result = await run(driver, request)
        assert result.tokens == continuation
        assert result.usage.reused >= held


@each_kind
@pytest.mark.parametrize("kv_bits", [8, 32])
async def test_drafts_change_no_text(kv_bits: int, name: str) -> None:
    """Right ones, and ones that are wrong from the fourth token on.

    With keys and values of bytes these models too say what they say with floats.
    """
    request, continuation = known(0, name)
    config = replace(CONFIG, kv_bits=kv_bits, max_draft=8)
    async with InlineEngine(build_engine(exact(name), replace(config, max_draft=0))) as driver:
        assert (await run(driver, request)).tokens == continuation
    wrong = (*continuation[:3], (continuation[3] + 1) % 264, *continuation[4:])
    for expected in (continuation, wrong):
        async with InlineEngine(build_engine(exact(name), config)) as driver:
            result = await run(driver, replace(request, expected=expected))
            assert result.tokens == continuation
            assert result.usage.accepted >= 2


@each_kind
async def test_memory_changes_the_answer_and_its_absence_nothing(name: str) -> None:
    request, continuation = known(0, name)
    habit = tuple((token + 1) % 264 for token in continuation)
    scope = MemoryScope("open", request.prompt)
    request = replace(request, scope=scope)
    async with load_engine(exact(name), replace(CONFIG, use_memory=True)) as engine:
        assert engine.memory.is_enabled
        plain = await run(engine, replace(request, scope=None))
        assert plain.tokens == continuation
        engine.memory.put("open", (*request.prompt, *habit))
        own = await run(engine, request)
        engine.memory.put("other", (*request.prompt, *habit) * 3)
        copied = await run(engine, request)
        assert copied.tokens[:4] == habit[:4] != own.tokens[:4]


@each_kind
async def test_cancelling_frees_the_engine(name: str) -> None:
    request, continuation = known(0, name)
    endless = Request(request.prompt[:2], SamplingParams(max_tokens=10_000))
    async with AsyncEngine(build_engine(exact(name), CONFIG)) as engine:
        for _ in range(5):
            async with engine.generate(endless) as generation:
                await anext(generation)
        assert (await run(engine, request)).tokens == continuation
        assert engine.status.running == engine.status.waiting == 0


def test_a_bad_table_in_the_bundle_is_refused_in_one_line() -> None:
    bundle = replace(exact("tied"), memory={"lengths": [3, 2]})
    with pytest.raises(BundleError, match="memory: lengths must ascend"):
        load_engine(bundle, CONFIG)
