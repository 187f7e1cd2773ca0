"""A text that must begin with given characters does, and is the model's own apart from that."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config import EngineConfig, SamplingParams
from runtime.engine import Engine
from runtime.forced_start import TokenTable
from runtime.sequence import Request, Result
from tests.support.byte_tokenizer import END, ByteTokenizer
from tests.support.scripted_runner import ScriptedRunner, noise


class Pairs(ByteTokenizer):
    """Bytes, and some longer tokens, so that a start can be cut in several ways."""

    longer = (b"le", b"len", b"length", b" le", b"th", b"\xc3\xa9", b"\xff\xff")
    vocab_size = END + 1 + len(longer)

    def token_bytes(self, token_id: int) -> bytes:
        return self.longer[token_id - END - 1] if token_id > END else super().token_bytes(token_id)


def run(start: str, seed: int = 0, max_tokens: int = 12) -> tuple[Result, ScriptedRunner]:
    runner = ScriptedRunner(noise(seed, vocab_size=Pairs.vocab_size), vocab_size=Pairs.vocab_size)
    engine = Engine(runner, Pairs(), EngineConfig(), stop_ids=(END,))  # type: ignore[arg-type]
    sampling = SamplingParams(max_tokens=max_tokens, start=start, logprobs=True)
    number = engine.add(Request((1, 2, 3), sampling))
    while engine.has_work:
        engine.step()
    return engine.result(number), runner


@given(st.text("lengthé x", max_size=8), st.integers(0, 50))
def test_the_text_begins_with_the_start(start: str, seed: int) -> None:
    result, _ = run(start, seed)
    written = b"".join(map(Pairs().token_bytes, result.tokens))
    common = min(len(written), len(start.encode()))
    assert written[:common] == start.encode()[:common]
    assert common == len(start.encode()) or result.finish_reason == "length"


@given(st.binary(max_size=6))
def test_the_tokens_that_agree_are_those_that_a_look_at_each_finds(start: bytes) -> None:
    tokenizer = Pairs()
    found = TokenTable(tokenizer).agreeing(start)  # type: ignore[arg-type]
    spelt = {token: tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)}
    plain = {
        t
        for t, text in spelt.items()
        if text and (text.startswith(start) or start.startswith(text))
    }
    assert set(found.tolist()) == plain and len(found) == len(plain)


def test_probabilities_are_conditional_on_the_start() -> None:
    result, _ = run("é", max_tokens=3)
    first = math.exp(result.logprobs[0])
    logits = noise(0, vocab_size=Pairs.vocab_size)([1, 2, 3]).astype(np.float64)
    among = np.exp(logits[[0xC3, END + 1 + 5]])
    assert first == pytest.approx(among.max() / among.sum(), rel=1e-5)
