"""The pipeline: context, prompt, model, filters; text in, text out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from numpy.typing import NDArray

from lsp_server.features.candidates import candidates
from lsp_server.features.completion import Completion, Prepared, Silence, complete, finish, prepare
from lsp_server.features.healing import Way, heals, ways_to_heal, without_held
from lsp_server.receipt import prompt_pieces
from lsp_server.settings import Settings
from runtime.prompt_format import ROLES, PromptFormat
from tests.lsp_server.check import (
    FIM,
    PREFIX,
    ask_of,
    check_completion,
    continuing,
    prompt_of,
    run_completion,
    scripted_model,
    settings_with,
)
from tests.support.byte_tokenizer import END, ByteTokenizer
from tests.support.fixture import index_of, parse
from tests.support.scripted_runner import MARGIN, ScriptedRunner


def test_a_line_is_continued() -> None:
    assert check_completion("total = pri$0\n", "ce * count\nmore") == snapshot(
        "insert 'ce * count'"
    )


def test_the_definitions_that_are_needed_are_in_the_context() -> None:
    source = """\
-- shop/price.py --
def price_of(name: str, *, taxed: bool = True) -> float:
    \"\"\"What a thing costs.\"\"\"
    return 1.0
-- main.py --
from shop.price import price_of

cost = price_of($0
"""
    assert check_completion(source, '"tea")') == snapshot("""\
insert '"tea")'
from shop/price.py:1-1 (definition of price_of)\
""")


def test_several_lines_in_an_empty_block() -> None:
    source = "def area(a, b):\n    $0\n\nprint(area(1, 2))\n"
    model = "c = a * b\n    return c\n\nprint(area(1, 2))"
    assert check_completion(source, model) == snapshot("insert 'c = a * b\\n    return c'")
    assert check_completion(source, model, multiline="never") == snapshot("insert 'c = a * b'")


def test_the_editors_closing_bracket_is_replaced() -> None:
    assert check_completion("x = max(a, $0)\n", "b) + 1") == snapshot(
        "insert 'b) + 1' in place of ')'"
    )
    assert check_completion("x = max(a, $0)\n", "b") == snapshot("insert 'b'")


def test_nothing_is_asked_in_the_middle_of_code() -> None:
    assert check_completion("x = $0foo(1)\n", "bar", automatic=True) == snapshot(
        "silence: the cursor is in the middle of code"
    )
    assert check_completion("x = $0foo(1)\n", "bar + ") == snapshot("insert 'bar +'")


@pytest.mark.parametrize(
    ("source", "model", "shown"),
    [
        ("x = $0\n", "foo bar(", None),
        ("x = $0\n", "foo(bar", "foo(bar"),
        ("x = foo(a$0\n", ", b)) + (", ", b)"),
        ("x = foo(a,$0\n", " b,", " b,"),
        ("x = foo(a, [$0])\n", "b, c", "b, c"),
        ("x = foo(\n    a,\n    $0\n)\n", "b=1,", "b=1,"),
        ("x = foo(\n    a,\n    $0\n)\n", "b = 1; c", None),
        ("def f(a):\n    $0\n", "b = a\n    c = = b", "b = a"),
        ("def f(a):\n    $0\n", '"""Return a', '"""Return a'),
        ("def f(a):\n    $0\n", '"""Return a."""', '"""Return a."""'),
        ("def f(a):\n    return$0\n\nx = (\n", " a b", None),
        ("def f(a):\n    return$0\n\nx = (\n", " a", " a"),
        ("for x in $0\n", "range(3):", "range(3):"),
        ("class A:\n    def f($0\n        return 1\n", "self):", "self):"),
        ("x = {\n    'a': $0\n}\n", "1,", "1,"),
        ("-- a.go --\nfunc f() {\n\tif x $0\n}\n", "{", "{"),
        ("-- a.js --\nconst a = [1, 2].map($0)\n", "(x) => x + 1", "(x) => x + 1"),
        ("-- a.js --\nfunction f() {\n  return $0\n}\n", "1 +;", None),
    ],
)
def test_only_what_parses_in_its_place_is_shown(source: str, model: str, shown: str | None) -> None:
    language = {"a.go": "go", "a.js": "javascript"}.get(source[3:7], "python")
    found = check_completion(source, model, language=language).split("\n")[0]
    wanted = "silence: the suggestion would add a syntax error"
    assert found == (wanted if shown is None else f"insert {shown!r}")


def test_an_unknown_language_is_not_parsed() -> None:
    assert check_completion("-- a.txt --\nfoo $0\n", "bar (", language=None) == snapshot(
        "insert 'bar ('"
    )


def test_low_confidence_is_silent_only_when_nobody_asked() -> None:
    unsure = {"min_confidence": 1.0}
    assert check_completion("x = $0\n", "1", automatic=True, **unsure) == snapshot(
        "silence: confidence 1.00 is below completion.minConfidence"
    )
    assert check_completion("x = $0\n", "1", **unsure) == snapshot("insert '1'")


def test_positions_at_the_ends_of_a_text() -> None:
    assert check_completion("$0", "import os") == snapshot("insert 'import os'")
    assert check_completion("import os\n$0", "import re") == snapshot("insert 'import re'")


def test_bytes_and_characters_are_not_confused() -> None:
    assert check_completion("é = '😀'; x = f(é$0)\n", ", 1)") == snapshot(
        "insert ', 1)' in place of ')'"
    )


# The prompt


def test_the_prompt_has_the_most_stable_parts_first() -> None:
    source = """\
-- b.py --
def helper(a):
    return a
-- main.py --
import b

b.helper($0
rest = 1
"""
    assert prompt_of(source) == snapshot("""\
<file>b.py
def helper(a):
<file>main.py
import b

b.helper\
""")
    assert prompt_of(source, prompt_format=FIM) == snapshot("""\
<file>b.py
def helper(a):
<file>main.py
<prefix>import b

<suffix>
rest = 1
<middle>b.helper\
""")


def test_a_long_text_is_cut_at_its_start_and_the_cut_moves_in_steps() -> None:
    lines = [f"name_{number} = {number}\n" for number in range(200)]
    shown = [
        prompt_of("".join(lines) + "x" * typed + " = $0", max_context=600, max_tokens=16)
        for typed in range(1, 60, 3)
    ]
    starts = {text.split("\n")[1] for text in shown}
    assert len(starts) <= 2
    assert all(len(text) <= 600 - 16 for text in shown)
    assert all(text.endswith(" =") for text in shown)


@settings(deadline=None)
@given(st.integers(200, 700), st.integers(1, 120), st.integers(0, 60), st.sampled_from("ab é"))
def test_prompt_and_answer_always_fit_the_context(
    max_context: int, max_tokens: int, lines: int, letter: str
) -> None:
    source = "word = 12\n" * lines + letter * lines + "$0\n" + "y = 1\n" * lines
    found, runner = run_completion(
        source, "= 1", max_context=max_context, max_tokens=max_tokens, prompt_format=FIM
    )
    assert isinstance(found, Completion | Silence)
    assert runner.runs


# Token healing


@pytest.mark.parametrize(
    ("line", "kept", "held"),
    [
        ("    return len", "    return", " len"),
        ("x = ", "x =", " "),
        ("    ", "", "    "),
        ("self.foo_ba", "self.foo", "_ba"),
        ("f(a, b)", "f(a, b", ")"),
        ("x = 12", "x = 12", ""),
        ("", "", ""),
        ("größe", "", "größe"),
    ],
)
def test_what_is_held_back(line: str, kept: str, held: str) -> None:
    way = ways_to_heal(line, elsewhere="")[0]
    assert (way.line, way.held) == (kept, held)


def test_the_model_must_write_the_unfinished_word_anew() -> None:
    assert heals("", " len") == "not yet"
    assert heals(" le", " len") == "not yet"
    assert heals(" lex", " len") == "no"
    assert heals(" length", " len") == "yes"
    assert heals("    x", "    ") == "yes"
    assert heals("     x", "    ") == "no"


def test_an_unknown_word_is_forced_a_known_one_is_left_to_the_model() -> None:
    assert ways_to_heal("x = leng", "length = 1") == (Way("x =", " leng", " leng"),)
    assert ways_to_heal("x = length", "length = 1") == (
        Way("x =", " length"),
        Way("x = length"),
    )
    assert ways_to_heal("x.length", "length = 1") == (Way("x", ".length", "."), Way("x.length"))
    assert ways_to_heal("x.leng", "length = 1") == (Way("x", ".leng", ".leng"),)
    assert ways_to_heal("a[10", "") == (Way("a[10"),)
    assert ways_to_heal("x = ", "") == (Way("x =", " "), Way("x = "))


def test_signs_stand_as_they_are_typed_and_may_be_the_beginning_of_a_longer_token() -> None:
    assert ways_to_heal("f(a, b)", "") == (Way("f(a, b", ")", ")"),)
    assert ways_to_heal("path.", "path.") == (Way("path", ".", "."),)
    assert ways_to_heal("x == (", "") == (Way("x ==", " (", " ("),)
    assert ways_to_heal("self.__", "") == (Way("self", ".__", ".__"),)


@pytest.mark.parametrize("known", [False, True])
def test_where_the_model_would_write_another_word(known: bool) -> None:
    """A word that is known may be finished: the model goes on behind it. An unknown one is not."""
    source = "pri = 1\nvalue = pri$0\n" if known else "value = pri$0\n"
    found, runner = run_completion(source, "ce * 2", line="value = other")
    prompts = [bytes(run[0].tokens.tolist()) for run in runner.runs if len(run[0].tokens) > 1]
    assert prompts[0].endswith(b"value =")
    assert any(prompt.endswith(b"pri") for prompt in prompts[1:]) is known
    assert isinstance(found, Completion | Silence)


@given(st.floats(0, 1), st.floats(0.01, 1))
def test_confidence_without_the_held_text_stays_a_probability(
    confidence: float, held: float
) -> None:
    adjusted = without_held(confidence, held)
    assert confidence - 1e-9 <= adjusted <= 1


# Unasked


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        ("# a no$0\n", {"in_comments": False}, "in a comment"),
        ('x = "a $0"\n', {"in_strings": False}, "in a string"),
        ("# a no$0\n", {}, None),
        ("x = a $0\n", {"in_comments": False, "in_strings": False}, None),
    ],
)
def test_comments_and_strings_can_be_left_alone(
    source: str, options: dict[str, bool], reason: str | None
) -> None:
    def shown(automatic: bool) -> str:
        return check_completion(source, "te one", automatic=automatic, min_confidence=0, **options)

    unasked = shown(True)
    assert (reason in unasked) if reason else ("cursor" not in unasked)
    assert "cursor" not in shown(False), "who asks gets an answer"


def test_the_first_line_is_shown_where_only_that_is_sure() -> None:
    source = "def area(a, b):\n    $0\n\nprint(area(1, 2))\n"
    script = [*b"    c = a * b\n    return c\n", END]

    def logits(context: Sequence[int]) -> NDArray[np.float32]:
        """Sure of the first line; of the second anything may be."""
        known = list(context)
        at = max(n for n in range(len(script)) if known[len(known) - n :] == script[:n])
        row = np.zeros(ByteTokenizer.vocab_size, np.float32)
        row[script[at]] = MARGIN if at <= script.index(10) else 1.0
        return row

    fixture = parse(source)
    model = scripted_model(ScriptedRunner(logits))
    ask = ask_of(fixture, automatic=True)
    for multiline in ("auto", "never"):
        settings = settings_with(multiline=multiline, min_confidence=0.2)
        found = asyncio.run(complete(index_of(fixture), model, ask, settings, time.monotonic))
        assert isinstance(found, Completion) and found.text == "c = a * b"
        assert found.confidence > 0.9


NAMES = """\
-- shop.py --
class Cart:
    def total(self) -> int:
        return 1
-- main.py --
from shop import Cart

def pay(cart: Cart, rate):
    $0
"""


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("return cart.total() * rate", "insert 'return cart.total() * rate'"),
        ("return cart.totl()", "silence: nothing here knows the name totl"),
        ("return amount", "silence: nothing here knows the name amount"),
        ("due = cart.total()\n    return amount", "insert 'due = cart.total()'"),
        ("due = rate\n    if due:\n        return amount", "insert 'due = rate'"),
        ("amount = rate\n    return amount", "insert 'amount = rate\\n    return amount'"),
    ],
)
def test_names_that_nothing_knows_are_not_suggested(model: str, shown: str) -> None:
    options = {"automatic": True, "min_confidence": 0}
    assert check_completion(NAMES, model, **options).split("\n")[0] == shown
    unchecked = check_completion(NAMES, model, **options, check_names=False)
    assert unchecked.startswith("insert"), "the setting"
    assert check_completion(NAMES, model).startswith("insert"), "who asks gets an answer"


def test_what_was_just_deleted_is_not_brought_back() -> None:
    fixture = parse("x = max($0\n")
    model = scripted_model(ScriptedRunner(continuing("x = max(", "min, max)")))
    for unwanted in (frozenset({"x = max(min, max)"}), frozenset({"x = max(min"})):
        prepared = prepare(
            index_of(fixture),
            model,
            ask_of(fixture, automatic=True),
            settings_with(min_confidence=0),
            time.monotonic,
            unwanted=unwanted,
        )
        assert isinstance(prepared, Prepared)
        found = asyncio.run(finish(prepared, settings_with(min_confidence=0), time.monotonic))
        is_same = "x = max(min, max)" in unwanted
        assert isinstance(found, Silence) is is_same
        assert not is_same or "deleted" in found.reason


async def test_who_asks_gets_several_that_differ() -> None:
    fixture = parse("x = max(one, $0)\n")
    rows = np.random.default_rng(1).normal(size=(7, ByteTokenizer.vocab_size)).astype(np.float32)
    rows[:, ord("a") : ord("f")] += 6
    model = scripted_model(ScriptedRunner(lambda context: rows[len(context) % 7]))
    settings = settings_with(candidates=4, max_tokens=6)
    ask = ask_of(fixture, automatic=False)
    prepared = prepare(index_of(fixture), model, ask, settings, time.monotonic)
    assert isinstance(prepared, Prepared)
    found = await candidates(prepared, settings, time.monotonic)
    assert not isinstance(found, Silence)
    texts = [one.text for one in found]
    assert len(texts) > 1 and len(set(texts)) == len(texts)
    assert found[0] == replace(await greedy(prepared, settings), receipt=found[0].receipt)
    rest = [one.confidence for one in found[1:]]
    assert rest == sorted(rest, reverse=True)


async def greedy(prepared: Prepared, settings: Settings) -> Completion:
    found = await finish(prepared, settings, time.monotonic)
    assert isinstance(found, Completion)
    return found


# Explained


@pytest.mark.parametrize("prompt_format", [FIM, PREFIX])
def test_a_receipt_rebuilds_the_prompt_byte_for_byte(prompt_format: PromptFormat) -> None:
    found, runner = run_completion(NAMES, "return cart.total()", prompt_format=prompt_format)
    assert isinstance(found, Completion)
    receipt = found.receipt
    sent = [token for run in runner.runs for chunk in run for token in chunk.tokens.tolist()]
    assert tuple(sent[: len(receipt.prompt)]) == receipt.prompt
    model = scripted_model(runner, prompt_format)
    pieces = prompt_pieces(receipt, model)
    roles = {role: token for role in ROLES if (token := getattr(prompt_format, role)) is not None}
    rebuilt: list[int] = []
    for piece in pieces:
        assert piece["first_token"] == len(rebuilt)
        control = piece.get("control")
        rebuilt += [roles[control]] if control else model.tokens.encode(piece["text"]).tolist()
        assert len(rebuilt) == piece["first_token"] + piece["tokens"]
    assert tuple(rebuilt) == receipt.prompt
    (span,) = receipt.context
    part = receipt.prompt[span.first_token : span.first_token + span.tokens]
    text = model.engine.tokenizer.decode(part[1:])
    assert text == "shop.py\nclass Cart:\n    def total(self) -> int:\n"
    assert span.score > 0
