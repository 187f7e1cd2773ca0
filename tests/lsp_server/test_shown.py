"""Suggestions by the texts that they are the answer for."""

from __future__ import annotations

from lsp_server.features.completion import Completion, Receipt
from lsp_server.features.shown import Shown


def made(text: str, start: int, confidence: float = 0.5) -> Completion:
    return Completion(text, start, start, confidence, Receipt("m"))


def test_what_was_made_ahead_waits_behind_what_is_shown() -> None:
    shown = Shown()
    shown.add(b"x = ", made("foo(", 4))
    shown.keep(b"x = foo(", made("bar)", 8))
    assert shown.expected(b"x = f", 5) == "oo(", "of the one that is shown"
    following = shown.rest(b"x = foo(", 8)
    assert following is not None and following.text == "bar)"
    shown.clear()
    shown.keep(b"x = foo(", made("bar)", 8))
    assert shown.rest(b"x = foo(", 8) is None, "it was made before the change"


def test_an_outcome_is_told_once() -> None:
    shown = Shown()
    assert shown.outcome(b"") is None
    shown.add(b"x = ", made("foo", 4, 0.25))
    assert shown.outcome(b"x = foo.bar") == (0.25, True)
    assert shown.outcome(b"x = foo.bar") is None
    shown.add(b"x = ", made("foo", 4, 0.25))
    assert shown.outcome(b"x = other") == (0.25, False)


def test_only_so_many_states_are_kept() -> None:
    shown = Shown()
    for number in range(100):
        shown.add(b"%d" % number, made("x", len(b"%d" % number)))
    assert shown.rest(b"99", 2) is not None and shown.rest(b"1", 1) is None
    for number in range(4):
        shown.add(b"y" * 3_000_000 + b"%d" % number, made("x", 3_000_001))
    assert shown.rest(b"99", 2) is None, "large texts leave no room for others"
