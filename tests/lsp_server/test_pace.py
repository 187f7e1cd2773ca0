"""Waiting before a request: only where the model is slow, and about as long as a key takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.features.pace import MAX_SECONDS, Pace


def test_a_fast_model_is_asked_at_once() -> None:
    pace = Pace()
    for number in range(50):
        pace.key(number * 0.1)
        pace.answered(0.05)
    assert pace.delay == 0


def test_a_slow_model_is_asked_when_the_keys_pause() -> None:
    fast, slow = Pace(), Pace()
    for number in range(50):
        fast.key(number * 0.08)
        slow.key(number * 0.25)
        fast.answered(0.6)
        slow.answered(0.6)
    assert 0.08 < fast.delay < slow.delay <= MAX_SECONDS
    for _ in range(20):
        slow.answered(0.01)
    assert slow.delay == 0, "warm again"


@given(st.lists(st.floats(0, 1e6)), st.lists(st.floats(0, 1e3)))
def test_it_is_never_long(keys: list[float], answers: list[float]) -> None:
    pace = Pace()
    for now in keys:
        pace.key(now)
    for seconds in answers:
        pace.answered(seconds)
    assert 0 <= pace.delay <= MAX_SECONDS
