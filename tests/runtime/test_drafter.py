"""Drafts make the same text faster: never another one."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from runtime.config import EngineConfig
from runtime.drafter import PRIORS, Draft, Drafter, StepCosts, prior_costs
from runtime.memory import RepositoryMemory
from runtime.sequence import MemoryScope, Request
from tests.runtime.fixture_bundles import bundle_of
from tests.runtime.test_engine_bundle import CONFIG, known, run
from tests.support.byte_tokenizer import ByteTokenizer
from tests.support.schedule import TracedEngine, request
from tests.support.scripted_runner import ScriptedRunner, noise, spelling

TEXT = "for name in names:\n    total += price_of(name)\n"


def engine_of(text: str, *, max_draft: int = 6, **more: Any) -> TracedEngine:
    """An engine whose model writes `text` after "go "; its clock stands still."""
    runner = ScriptedRunner(spelling({"go ": text}))
    return TracedEngine(runner, max_draft=max_draft, clock=lambda: 0.0, **more)


def asked(max_tokens: int = 200, **more: Any) -> Request:
    return replace(request("go ", max_tokens=max_tokens), **more)


def check(engine: TracedEngine, asked: Request, text: str) -> Any:
    engine.add(asked)
    engine.run_to_end()
    result = engine.result(0)
    assert result.text == engine.texts["a"] == text
    return result


def test_an_expected_text_is_checked_several_tokens_at_a_time() -> None:
    engine = engine_of("abcdefgh")
    result = check(engine, asked(expected=tuple(b"abcdefgh")), "abcdefgh")
    assert engine.trace == snapshot(["prefill a[0:3]", "verify a+6", "decode a | finish a (stop)"])
    assert (result.usage.drafted, result.usage.accepted) == (6, 6)
    assert result.usage.generated == 9 and len(result.tokens) == len(result.confidences) == 9


def test_a_wrong_expectation_costs_one_step_and_is_given_up() -> None:
    engine = engine_of("abcdefgh")
    result = check(engine, asked(expected=tuple(b"abXYZ")), "abcdefgh")
    assert (result.usage.drafted, result.usage.accepted) == (4, 1)


def test_what_the_repository_has_written_before_is_a_draft() -> None:
    tokens: Any = ByteTokenizer()
    memory = RepositoryMemory(257)
    engine = TracedEngine(
        ScriptedRunner(spelling({"go ": TEXT})), max_draft=6, memory=memory, clock=lambda: 0.0
    )
    memory.put("other", tokens.encode("x\ngo " + TEXT))
    scope = MemoryScope(None, tuple(b"x\ngo "))
    result = check(engine, asked(scope=scope), TEXT)
    assert result.usage.accepted > 0.6 * len(TEXT)
    assert len(engine.trace) < 0.4 * len(TEXT)


def test_what_the_sequence_itself_has_said_is_a_draft() -> None:
    result = check(engine_of(TEXT * 6), asked(max_tokens=400), TEXT * 6)
    assert result.usage.accepted > 2 * len(TEXT)


def test_a_stop_inside_a_draft_ends_the_text_there() -> None:
    sampling = request("", max_tokens=50, stop=("c",)).sampling
    engine = engine_of("abcdefgh")
    result = check(engine, asked(sampling=sampling, expected=tuple(b"abcdefgh")), "ab")
    assert result.tokens == tuple(b"abc")
    assert result.finish_reason == "stop" and len(result.confidences) == 3


def test_the_length_inside_a_draft_ends_the_text_there() -> None:
    engine = engine_of("abcdefgh")
    result = check(engine, asked(max_tokens=4, expected=tuple(b"abcdefgh")), "abcd")
    assert result.finish_reason == "length"


def test_a_draft_takes_no_blocks_from_others() -> None:
    runner = ScriptedRunner(spelling({"go ": "abcdefgh"}), num_blocks=2, block_size=4)
    engine = TracedEngine(runner, max_draft=6, clock=lambda: 0.0)
    result = check(engine, asked(max_tokens=5, expected=tuple(b"abcdefgh")), "abcde")
    assert result.finish_reason == "length"


SAMPLED = {"max_tokens": 30, "temperature": 1.1, "top_p": 0.9, "repetition_penalty": 1.1}


@settings(max_examples=60, deadline=None)
@given(
    prompts=st.lists(st.text("ab", min_size=1, max_size=12), min_size=1, max_size=3),
    expected=st.lists(st.integers(97, 98), max_size=20),
    greedy=st.booleans(),
    seed=st.integers(0, 3),
    spare=st.integers(0, 6),
)
def test_drafts_change_no_token(
    prompts: list[str], expected: list[int], greedy: bool, seed: int, spare: int
) -> None:
    """Over a model of two letters, so that guesses are right now and then."""

    def logits(context: Any) -> Any:
        row = np.full(257, -1e9, np.float32)
        row[97:99] = noise(seed)(context[-2:])[97:99]
        return row

    sampling = {"max_tokens": 30} if greedy else SAMPLED
    texts = []
    for max_draft in (0, 6):
        runner = ScriptedRunner(logits, num_blocks=11 + spare)
        memory = RepositoryMemory(257)
        memory.put("other", list(b"abbaabab" * 3))
        config = EngineConfig(prefill_chunk=5, max_running=2)
        engine = TracedEngine(runner, config, max_draft, memory=memory, clock=lambda: 0.0)
        for index, prompt in enumerate(prompts):
            scope = MemoryScope(None, tuple(prompt.encode()))
            one = request(prompt, scope=scope, seed=index, **sampling)
            engine.add(replace(one, expected=tuple(expected)))
        engine.run_to_end()
        results = [engine.result(index) for index in range(len(prompts))]
        texts.append([(r.tokens, r.text, r.finish_reason, r.confidence) for r in results])
        assert engine.status().used_blocks == 0
    assert texts[0] == texts[1]


async def test_a_real_model_writes_the_same() -> None:
    from runtime import InlineEngine, build_engine

    asked, continuation = known(0)
    bundle = bundle_of("tied", "fp32", "fp32")
    wrong = (*continuation[:3], (continuation[3] + 1) % 300, *continuation[4:])
    for expected in (continuation, wrong):
        config = replace(CONFIG, max_draft=8)
        async with InlineEngine(build_engine(bundle, config)) as engine:
            result = await run(engine, replace(asked, expected=expected))
            assert result.tokens == continuation
            assert result.usage.accepted >= 3


# When and how long


def test_drafts_that_never_hold_are_not_made_any_more() -> None:
    drafter = Drafter(8, StepCosts((1.0, 1.6, 2.2, 2.8)))
    draft = Draft(np.arange(4), 16)
    assert drafter._worthwhile(PRIORS[16], 8) > 0
    for _ in range(60):
        drafter.learn(draft, 0)
    assert drafter._worthwhile(drafter._held[16], 8) == 0
    for _ in range(200):
        drafter.learn(draft, 4)
    assert drafter._worthwhile(drafter._held[16], 8) > 0


def test_what_is_free_to_check_is_checked_as_far_as_it_goes() -> None:
    drafter = Drafter(8, StepCosts((1.0,) * 9))
    assert drafter._worthwhile(0.1, 8) == 8
    assert drafter._worthwhile(0.0, 8) == 0


def test_measured_costs_take_the_place_of_the_shape() -> None:
    costs = StepCosts((1.0, 1.8))
    assert costs.of(2) == costs.of(7) == 1.8
    costs.observe(1, 0.010)
    assert costs.of(2) == 1.8
    costs.observe(2, 0.012)
    assert costs.of(2) == pytest.approx(1.2)


def test_costs_of_the_shape_of_a_mixture() -> None:
    costs = prior_costs(bundle_of("tied", "fp32", "fp32").config, 8)
    assert costs[0] == 1 and all(a < b for a, b in itertools.pairwise(costs))
    assert costs[7] < 8


def test_a_dense_model_reads_the_same_weights_for_any_number_of_tokens() -> None:
    assert prior_costs(bundle_of("qwen2", "fp32", "fp32").config, 4) == (1, 1, 1, 1)


def test_only_experts_make_more_tokens_dearer() -> None:
    """Of 3 layers two have 4 experts, 2 for a token: 8 tokens reach nearly all."""
    config = bundle_of("qwen2_moe", "fp32", "fp32").config
    expert, always = 3 * 32 * 40, 3 * 32 * 32 * 4 + 272 * 32 + 3 * 32 * 64 + 2 * 3 * 32 * 96
    reached = [2 * 4 * expert * (1 - 0.5**tokens) for tokens in (1, 2)]
    wanted = (always + reached[1]) / (always + reached[0])
    assert prior_costs(config, 2)[1] == pytest.approx(wanted)
