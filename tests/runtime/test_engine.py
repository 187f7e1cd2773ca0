"""The engine over a scripted runner: what runs when, what comes out, and how things end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from numpy.typing import NDArray

from runtime.config import EngineConfig, Priority
from runtime.engine import MAX_RESULTS
from runtime.errors import EngineBusy, PromptTooLong
from runtime.model_runner import Chunk
from runtime.sequence import Request, Usage
from tests.support.byte_tokenizer import ByteTokenizer
from tests.support.schedule import TracedEngine, request
from tests.support.scripted_runner import ScriptedRunner, noise, spelling

SMALL = EngineConfig(prefill_chunk=8)
ALONE = EngineConfig(max_running=1)


def check_text(text: str, expect: str, **sampling: object) -> TracedEngine:
    """A model that spells `text` must yield `expect`, in pieces that are whole characters."""
    engine = TracedEngine(ScriptedRunner(spelling({"prompt ": text})))
    engine.add(request("prompt ", **{"max_tokens": 200, **sampling}))
    engine.run_to_end()
    assert engine.texts["a"] == engine.result(0).text == expect
    return engine


def test_prefills_in_chunks_then_decodes() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({"a long prompt, ": "ok"})), SMALL)
    engine.add(request("a long prompt, "))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:8]
prefill a[8:15]
decode a
decode a | finish a (stop)\
""")
    result = engine.result(0)
    assert (result.text, result.finish_reason) == ("ok", "stop")
    assert result.usage == Usage(prompt=15, reused=0, computed=17, generated=3)


@given(
    seed=st.integers(0, 1000),
    temperature=st.sampled_from([0.0, 0.7, 5.0]),
    forced=st.sampled_from(["", "ab"]),
)
@settings(max_examples=30, deadline=None)
def test_rows_past_the_tokenizer_are_never_chosen(
    seed: int, temperature: float, forced: str
) -> None:
    """Models are padded: here to 64 rows more, each far likelier than any token."""
    known, rows = ByteTokenizer.vocab_size, ByteTokenizer.vocab_size + 64

    def logits(context: Sequence[int]) -> NDArray[np.float32]:
        row = noise(seed, vocab_size=rows)(context)
        row[known:] += 1000
        return row

    options: dict[str, object] = {"max_tokens": 24, "temperature": temperature, "start": forced}
    padded = TracedEngine(ScriptedRunner(logits, vocab_size=rows))
    plain = TracedEngine(ScriptedRunner(lambda context: logits(context)[:known]))
    results = []
    for engine in (padded, plain):
        engine.add(request("prompt ", logprobs=True, **options))
        engine.run_to_end()
        results.append(engine.result(0))
    assert max(results[0].tokens) < known
    # As if the rows were not there, probabilities included.
    assert results[0].tokens == results[1].tokens
    assert results[0].logprobs == results[1].logprobs


def test_a_prompt_with_an_id_past_the_tokenizer_is_refused() -> None:
    rows = ByteTokenizer.vocab_size + 64
    engine = TracedEngine(ScriptedRunner(noise(vocab_size=rows), vocab_size=rows))
    with pytest.raises(ValueError, match=r"outside of 0\.\.256"):
        engine.add(Request((rows - 1,)))


def test_shared_prefix_is_not_computed_again() -> None:
    runner = ScriptedRunner(spelling({"def f(x): ": "pass", "def f(y): ": "return"}))
    engine = TracedEngine(runner, SMALL)
    for prompt in ("def f(x): ", "def f(y): "):
        engine.add(request(prompt))
        engine.run_to_end()
    assert engine.run_to_end() == snapshot("""\
prefill a[0:8]
prefill a[8:10]
decode a
decode a
decode a
decode a | finish a (stop)
prefill b[6:10]
decode b
decode b
decode b
decode b
decode b
decode b | finish b (stop)\
""")
    assert engine.result(1).usage == Usage(prompt=10, reused=6, computed=10, generated=7)


def test_a_whole_prompt_that_is_held_computes_its_last_token() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({"again ": "x"})), SMALL)
    for _ in range(2):
        engine.add(request("again "))
        engine.run_to_end()
    assert engine.run_to_end() == snapshot("""\
prefill a[0:6]
decode a | finish a (stop)
prefill b[5:6]
decode b | finish b (stop)\
""")
    assert engine.texts == {"a": "x", "b": "x"}


def test_sequences_of_one_class_take_turns() -> None:
    runner = ScriptedRunner(spelling({"first prompt, long": "12", "2nd prompt, as long": "34"}))
    engine = TracedEngine(runner, SMALL)
    engine.add(request("first prompt, long"))
    engine.add(request("2nd prompt, as long"))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:8]
prefill b[0:8]
prefill a[8:16]
prefill b[8:16]
prefill a[16:18] | prefill b[16:19]
decode a | decode b
decode a | decode b | finish a (stop) | finish b (stop)\
""")
    assert engine.texts == {"a": "12", "b": "34"}


def test_typing_goes_before_an_agent() -> None:
    runner = ScriptedRunner(spelling({"agent's long prompt ": "thinking", "typing": "!"}))
    engine = TracedEngine(runner, SMALL)
    engine.add(request("agent's long prompt ", priority=Priority.AGENT))
    for _ in range(4):
        engine.step()
    engine.add(request("typing"))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:8]
prefill a[8:16]
prefill a[16:20]
decode a
prefill b[0:6]
decode b | finish b (stop)
decode a
decode a
decode a
decode a
decode a
decode a
decode a | finish a (stop)\
""")


def test_preempted_sequence_resumes_where_it_was() -> None:
    texts = {"agent one ": "first answer", "agent two ": "second answer", "typing": "!"}
    engine = TracedEngine(ScriptedRunner(spelling(texts)), replace(SMALL, max_running=2))
    engine.add(request("agent one ", priority=Priority.AGENT))
    engine.add(request("agent two ", priority=Priority.AGENT))
    for _ in range(6):
        engine.step()
    engine.add(request("typing"))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:8]
prefill b[0:8]
prefill a[8:10] | prefill b[8:10]
decode a | decode b
decode a | decode b
decode a | decode b
prefill c[0:6]
decode c | finish c (stop)
decode a | decode b
decode a | decode b
decode a | decode b
decode a | decode b
decode a | decode b
decode a | decode b
decode a | decode b
decode a | decode b
decode a | decode b | finish a (stop)
decode b | finish b (stop)\
""")
    assert engine.texts == {"a": "first answer", "b": "second answer", "c": "!"}
    assert engine.result(1).usage == snapshot(
        Usage(prompt=10, reused=13, computed=23, generated=14)
    )


def test_cancel_while_waiting() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({"one": "1", "two": "2"})), ALONE)
    engine.add(request("one"))
    engine.add(request("two"))
    engine.step()
    engine.cancel(1)
    assert engine.run_to_end() == snapshot("""\
prefill a[0:3]
decode a | finish b (cancelled) | finish a (stop)\
""")
    assert engine.result(1).finish_reason == "cancelled"
    assert engine.result(1).timings.waiting >= 0


def test_cancel_before_the_first_step() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({"one": "1"})))
    engine.cancel(engine.add(request("one")))
    assert engine.run_to_end() == "finish a (cancelled)"
    assert engine.runner.runs == []


def test_cancel_inside_a_prefill_interrupts_the_run() -> None:
    """What was held before the interrupted chunk stays valid, and only that."""

    def cancel_at_twelve(chunk: Chunk, computed: int) -> None:
        if computed == 12:
            engine.cancel(0)

    prompt = "a prompt of 40 tokens, more or less, ok?"
    runner = ScriptedRunner(spelling({prompt: "yes"}), before_token=cancel_at_twelve)
    engine = TracedEngine(runner, SMALL)
    engine.add(request(prompt))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:8]
prefill a[8:16] | finish a (cancelled)\
""")
    assert runner.num_interrupted == 1
    runner._before_token = None
    engine.add(request(prompt))
    engine.run_to_end()
    assert engine.result(1).text == "yes"
    assert engine.result(1).usage.reused == 8


def test_cancelling_one_prefill_costs_another_nothing_but_a_step() -> None:
    def cancel_first(chunk: Chunk, computed: int) -> None:
        if chunk.tokens[0] == ord("x") and computed == 2 and runner.num_interrupted == 0:
            engine.cancel(1)

    runner = ScriptedRunner(spelling({"abc": "kept", "xyz": "lost"}), before_token=cancel_first)
    engine = TracedEngine(runner)
    engine.add(request("abc"))
    engine.add(request("xyz"))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:3] | prefill b[0:3] | finish b (cancelled)
prefill a[0:3]
decode a
decode a
decode a
decode a | finish a (stop)\
""")
    assert engine.texts == {"a": "kept", "b": ""}


def test_cancel_while_decoding_keeps_the_text_so_far() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({"go ": "on and on"})))
    engine.add(request("go "))
    for _ in range(3):
        engine.step()
    engine.cancel(0)
    engine.run_to_end()
    result = engine.result(0)
    assert (result.text, result.finish_reason) == ("on ", "cancelled")


def test_cancel_after_the_end_changes_nothing() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({"one": "1"})))
    engine.add(request("one"))
    engine.run_to_end()
    engine.cancel(0)
    engine.cancel(17)
    assert engine.step() == []
    assert engine.result(0).finish_reason == "stop"


def test_cancel_in_the_step_that_ends_it_changes_nothing() -> None:
    def cancel(chunk: Chunk, computed: int) -> None:
        if computed == 4:
            engine.cancel(0)

    engine = TracedEngine(ScriptedRunner(spelling({"one": "1"}), before_token=cancel))
    engine.add(request("one"))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:3]
decode a | finish a (stop)\
""")
    assert not engine.has_work


def test_failing_run_ends_its_sequence_and_no_other() -> None:
    def fail_in_never(chunk: Chunk, computed: int) -> None:
        if computed == 7 and chunk.tokens[-1] == ord("v"):
            raise RuntimeError("no more memory for this one")

    runner = ScriptedRunner(
        spelling({"good ": "fine", "bad: ": "never seen", "next ": "lives on"}),
        before_token=fail_in_never,
    )
    engine = TracedEngine(runner)
    engine.add(request("good "))
    engine.add(request("bad: "))
    assert engine.run_to_end() == snapshot("""\
prefill a[0:5] | prefill b[0:5]
decode a | decode b
decode a | decode b
decode a | decode b | finish b (error)
decode a | finish a (stop)\
""")
    assert engine.texts == {"a": "fine", "b": "nev"}
    assert engine.result(1).error == "RuntimeError: no more memory for this one"
    runner._before_token = None
    # Nothing of the failed blocks is reused, although the prompt is the same.
    engine.add(request("bad: "))
    engine.run_to_end()
    assert engine.result(2).text == "never seen"
    assert engine.result(2).usage.reused == 0


def test_logits_that_are_no_numbers_end_the_sequence() -> None:
    def logits(context: object) -> NDArray[np.float32]:
        return np.full(257, np.nan, np.float32)

    engine = TracedEngine(ScriptedRunner(logits))
    engine.add(request("x"))
    engine.run_to_end()
    assert engine.result(0).error == "ValueError: the model returned logits that are not finite"


def test_stops_at_length() -> None:
    engine = check_text("abcdef", "abc", max_tokens=3)
    assert engine.result(0).finish_reason == "length"


def test_stops_at_the_end_of_the_context() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({"12345": "6789012345"}), max_context=10))
    engine.add(request("12345"))
    engine.run_to_end()
    assert (engine.result(0).text, engine.result(0).finish_reason) == ("67890", "length")


def test_stop_string_across_tokens() -> None:
    engine = check_text("first\n\nsecond", "first", stop=("\n\n",))
    assert engine.result(0).finish_reason == "stop"
    assert engine.result(0).tokens == tuple(b"first\n\n")


def test_start_of_a_stop_string_is_shown_once_it_is_none() -> None:
    check_text("a\nb\n", "a\nb\n", stop=("\n\n",))


def test_held_back_text_is_shown_at_the_end() -> None:
    check_text("a\n", "a\n", stop=("\n\n",))
    check_text("a\nb", "a\n", stop=("\n\n",), max_tokens=2)


def test_stop_id_of_the_request() -> None:
    engine = check_text("ab;cd", "ab", stop_ids=(ord(";"),))
    assert engine.result(0).finish_reason == "stop"


def test_characters_come_out_whole() -> None:
    engine = check_text("їжак 🦔!", "їжак 🦔!")
    assert "\ufffd" not in engine.texts["a"]


def test_character_cut_by_the_length_is_marked() -> None:
    check_text("aї", "a\ufffd", max_tokens=2)


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.sampled_from("ab\nї🦔"), max_size=20),
    stops=st.lists(st.text(st.sampled_from("ab\nї"), min_size=1, max_size=4), max_size=3),
)
def test_text_ends_before_the_stop_string_that_is_complete_first(
    text: str, stops: list[str]
) -> None:
    ends = [
        (end, -len(stop))
        for stop in stops
        for end in range(len(text) + 1)
        if text[:end].endswith(stop)
    ]
    expect = text if not ends else text[: min(ends)[0] + min(ends)[1]]
    check_text(text, expect, stop=tuple(stops))


def test_full_queue_refuses() -> None:
    engine = TracedEngine(ScriptedRunner(noise()), EngineConfig(max_waiting=2))
    engine.add(request("a"))
    engine.add(request("b"))
    with pytest.raises(EngineBusy, match="2 requests are waiting already"):
        engine.add(request("c"))
    engine.step()
    engine.add(request("c"))


def test_bad_prompts_are_refused() -> None:
    engine = TracedEngine(ScriptedRunner(noise(), max_context=8))
    with pytest.raises(PromptTooLong, match="has 8 tokens and the model's context holds 8"):
        engine.add(request("12345678"))
    with pytest.raises(ValueError, match="empty"):
        engine.add(request(""))
    with pytest.raises(ValueError, match=r"outside of 0\.\.256"):
        engine.add(Request((1, 257)))
    with pytest.raises(ValueError, match="stop string"):
        engine.add(request("a", stop=("",)))
    assert not engine.has_work
    engine.add(request("1234567"))
    engine.run_to_end()
    assert engine.result(0).usage.generated == 1


def test_old_results_are_forgotten() -> None:
    engine = TracedEngine(ScriptedRunner(spelling({})))
    for _ in range(MAX_RESULTS + 1):
        engine.add(request("x"))
        engine.run_to_end()
    with pytest.raises(KeyError):
        engine.result(0)
    assert engine.result(1).finish_reason == "stop"


def test_logprobs_are_those_of_the_model() -> None:
    model = noise(3)
    engine = TracedEngine(ScriptedRunner(model))
    engine.add(request("seed", max_tokens=5, temperature=0.8, seed=9, logprobs=True))
    engine.run_to_end()
    result, context = engine.result(0), list(b"seed")
    for token, logprob, confidence in zip(
        result.tokens, result.logprobs, result.confidences, strict=True
    ):
        row = model(context).astype(np.float64)
        expected = row[token] - np.log(np.exp(row).sum())
        assert logprob == pytest.approx(expected, abs=1e-5)
        assert confidence == pytest.approx(np.exp(expected), abs=1e-5)
        context.append(token)
    assert result.confidence == pytest.approx(np.exp(sum(result.logprobs)), rel=1e-6)


SAMPLED = {"max_tokens": 12, "temperature": 1.1, "top_p": 0.9, "repetition_penalty": 1.1}


@settings(max_examples=40, deadline=None)
@given(
    prompts=st.lists(
        st.tuples(st.text("ab", min_size=1, max_size=20), st.sampled_from(Priority)),
        min_size=1,
        max_size=6,
    ),
    chunk=st.integers(1, 9),
    spare_blocks=st.integers(0, 6),
    max_running=st.integers(1, 3),
    data=st.data(),
)
def test_output_does_not_depend_on_what_runs_beside(
    prompts: list[tuple[str, Priority]],
    chunk: int,
    spare_blocks: int,
    max_running: int,
    data: st.DataObject,
) -> None:
    """Prefix reuse, chunk size, company, preemption and cancels of others change no token."""
    config = EngineConfig(prefill_chunk=chunk, max_running=max_running)
    engine = TracedEngine(ScriptedRunner(noise(), num_blocks=8 + spare_blocks), config)
    cancelled = set()
    for index, (prompt, priority) in enumerate(prompts):
        engine.add(request(prompt, priority=priority, seed=index, **SAMPLED))
        for _ in range(data.draw(st.integers(0, 8))):
            engine.step()
        if data.draw(st.booleans()):
            victim = data.draw(st.integers(0, index))
            engine.cancel(victim)
            cancelled.add(victim)
    engine.run_to_end()
    for index, (prompt, _) in enumerate(prompts):
        alone = TracedEngine(ScriptedRunner(noise()), ALONE)
        alone.add(request(prompt, seed=index, **SAMPLED))
        alone.run_to_end()
        got, want = engine.result(index), alone.result(0)
        if got.finish_reason == "cancelled":
            assert index in cancelled
            assert want.tokens[: len(got.tokens)] == got.tokens
        else:
            assert (got.tokens, got.text) == (want.tokens, want.text)
        assert got.usage.reused + got.usage.computed >= got.usage.generated
    assert engine.status().used_blocks == 0
