"""Text in, text out: each filter against the failure it exists for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.features.brackets import (
    bracket_balance,
    first_unmatched_closer,
    replaced_after,
    unclosed,
)
from lsp_server.features.place import can_complete, place_at, wants_multiline
from lsp_server.features.postprocess import FILTERS, is_enough, postprocess
from lsp_server.features.repetition import are_near


def check(around: str, model: str, multiline: bool | None = None, language: str = "python") -> str:
    """What is left of the model's text at `$0`, or `<name of the filter that left nothing>`."""
    before, after = around.split("$0")
    place = place_at(before + after, len(before), language)
    wants = wants_multiline(place, "auto") if multiline is None else multiline
    place = place_at(before + after, len(before), language, multiline=wants)
    done = postprocess(model, place)
    return done.text if done.dropped_by is None else f"<{done.dropped_by}>"


def check_line(line: str, model: str) -> str:
    """The whole line after the suggestion was accepted."""
    before, after = line.split("$0")
    place = place_at(before + after, len(before), "python")
    text = postprocess(model, place).text
    return before + text + after[replaced_after(text, place) :]


# One line or several


@pytest.mark.parametrize(
    ("around", "several"),
    [
        ("def f():\n    $0", True),
        ("def f():$0", True),
        ("def f():\n    $0\n\ndef g(): pass", True),
        ("def f():\n    $0\n    return 1", False),
        ("def f():\n    x = 1\n    $0", False),
        ("x = $0", False),
        ("if (a) {$0}", False),
        ("if (a) {$0\n}", True),
        ("# note:\n$0", False),
        ("f(a, $0)", False),
        ("$0", False),
    ],
)
def test_several_lines_only_where_an_empty_block_begins(around: str, several: bool) -> None:
    before, after = around.split("$0")
    place = place_at(before + after, len(before), "python")
    assert wants_multiline(place, "auto") is several
    assert wants_multiline(place, "never") is False
    assert wants_multiline(place, "always") is not bool(place.line_after.strip())


@pytest.mark.parametrize(
    ("line", "possible"),
    [
        ("x = $0", True),
        ("f($0)", True),
        ('f("$0")', True),
        ("f($0, x)", False),
        ("na$0me = 1", False),
        ("$0name", False),
        ("f($0);", True),
        ("name$0 = 1", False),
    ],
)
def test_nothing_in_the_middle_of_code(line: str, possible: bool) -> None:
    before, after = line.split("$0")
    assert can_complete(place_at(before + after, len(before), None)) is possible


# The filters


def test_a_single_line_place_gets_the_first_line_only() -> None:
    assert check("x = $0", "1\ny = 2\n") == "1"
    assert check("x = $0", "1\r\ny = 2") == "1"
    assert check("x = 1$0", "\ny = 2") == "<cut_lines>"


def test_spelt_control_tokens_and_fences_end_the_text() -> None:
    assert check("x = $0", "1<|endoftext|>import os") == "1"
    assert check("x = $0", "<|fim_middle|>1") == "<cut_at_markers>"
    assert check("def f():\n    $0", "return 1\n```\nThis function returns 1.") == "return 1"
    assert check("x = 1\n$0", "diff --git a/x b/x") == "<cut_at_markers>"
    assert check("$0", "```python", language="markdown") == "```python"
    # Shifts and comparisons are not markers.
    assert check("x = $0", "a <| b", language="fsharp") == "a <| b"


def test_what_a_chat_model_puts_around_code_goes() -> None:
    place = "def f():\n    $0"
    assert check(place, "```python\nreturn 1\n```\nThis returns 1.") == "return 1"
    assert check(place, "Sure, here is the code:\n\n```py\nreturn 1\n```") == "return 1"
    assert check("x = $0", "Here's the missing part:\n1") == "1"
    assert check("x = $0", "<think>\nIt wants a number.\n</think>\n\n1") == "1"
    assert check("x = $0", "<think>It wants") == "<unwrap_answer>"
    # Code may begin with such words.
    assert check("$0", "sure = {a: 1}\n") == "sure = {a: 1}"
    assert check(place, "here = x[1:]\n    return here") == "here = x[1:]\n    return here"


def test_the_head_of_another_file_ends_the_text() -> None:
    place = "def f():\n    $0"
    assert check(place, "return 1\n\n# src/other.py\nimport os") == "return 1"
    assert check(place, "return 1\n// File: lib/a/b.ts\n", language="typescript") == "return 1"
    assert check("a = 1\n$0", "pkg/other_file.py\nimport os") == "<cut_at_file_header>"
    # A path in code is code, and some files have nothing but paths.
    assert check("x = a/$0", "b/c.py") == "b/c.py"
    assert check("- a/b.md\n$0", "docs/c.md", language="markdown") == "docs/c.md"


def test_a_block_ends_where_the_indentation_does() -> None:
    assert check("def f(a):\n    $0", "b = a\n    return b\n\ndef g():\n    pass") == (
        "b = a\n    return b"
    )
    assert check("class A:\n    def f(self):\n        $0", "x = 1\n        y = 2\n    def g") == (
        "x = 1\n        y = 2"
    )


def test_behind_an_opener_the_block_is_indented_deeper() -> None:
    assert check("def f(a):$0", "\n    return a\n\nx = f(1)") == "\n    return a"
    assert check("def f(a):$0", "\nx = 1") == "<cut_at_scope_end>"
    assert check("def f(a):$0", " return a\nx = 1") == " return a"


def test_the_indentation_may_come_from_the_model() -> None:
    assert check("def f(a):\n$0", "    b = a\n    return b\nx = 1") == "    b = a\n    return b"


def test_a_closing_bracket_belongs_to_its_block_unless_it_is_there() -> None:
    go = "func f() int {\n\t$0"
    assert check(go, "return 1\n}\n\nfunc g() {") == "return 1\n}"
    assert check(go + "\n}", "return 1\n}\n\nfunc g() {") == "return 1"
    ruby = "def f\n  $0"
    assert check(ruby, "1\nend\n\ndef g", multiline=True, language="ruby") == "1\nend"
    assert check(ruby + "\nend", "1\nend", multiline=True, language="ruby") == "1"


def test_going_round_in_circles_is_cut() -> None:
    assert check("x = [$0", "1, " * 30) == "<cut_repetition>"
    assert check("def f():\n    $0", "a()\n    b()\n    a()\n    b()\n    a()") == ("a()\n    b()")
    assert check("def f():\n    $0", "a()\n" + "    a()\n" * 5) == "a()"
    assert check("x = '$0", "=" * 40) == "<cut_repetition>"
    counted = "".join(f"    assert_equal(compute({n}), expected)\n" for n in range(8))
    assert check("def f():\n    $0", counted.lstrip()) == "assert_equal(compute(0), expected)"
    # Two alike lines are no circle, nor are short ones with different names.
    assert check("def f():\n    $0", "a()\n    a()\n    b()") == "a()\n    a()\n    b()"
    fields = "\n".join(f"    self.{name} = {name}" for name in "abcdef").lstrip()
    assert check("def f():\n    $0", fields) == fields


def test_what_stands_below_is_not_written_again() -> None:
    assert check("x = 1\n$0\ny = x + 1\n", "y = x + 1") == "<cut_at_text_below>"
    assert check("def f():\n    $0\n\nreturned = f()", "a = 1\n    b = 2\nreturned = f()") == (
        "a = 1\n    b = 2"
    )
    assert check("x = f(\n    a,\n    $0\n    bcd,\n)", "bcd,") == "<cut_at_text_below>"
    long = "assert result.status_code == 200, result"
    assert check(f"x = 1\n$0\n{long}", long.replace("200", "201")) == "<cut_at_text_below>"
    assert check("x = 1\n$0\nitem_1 = f(1)", "item_0 = f(0)") == "item_0 = f(0)"
    # A lone bracket below is no reason.
    assert check("x = f(\n    a,\n    $0\n)", "b)") == "b)"


def test_the_line_above_is_not_written_again() -> None:
    assert check("total = total + 1\n$0", "total = total + 1") == "<drop_copy_of_line_above>"
    assert check("total = total + 1\nto$0", "tal = total + 1") == "<drop_copy_of_line_above>"
    assert check("    ],\n$0", "    ],") == "    ],"


def test_indentation_follows_the_file() -> None:
    tabs = "func f() {\n\ta()\n}\n\nfunc g() {\n\t$0"
    assert check(tabs, "b()\n    c()", multiline=True) == "b()\n\tc()"
    assert check("def f():\n    a()\n\ndef g():\n    $0", "b()\n\tc()") == "b()\n    c()"


def test_spaces() -> None:
    assert check("x = $0", " 1  ") == "1"
    assert check("x =$0", " 1") == " 1"
    assert check("    $0", "  x = 1") == "  x = 1"
    assert check("def f():\n    $0", "a()  \n    b()\n\n\n") == "a()\n    b()"


@pytest.mark.parametrize("noise", ["", " ", "\t", "#", "  # ", "//", '"', ",", ";", "),", "=="])
def test_noise_is_not_shown(noise: str) -> None:
    assert check("x$0", noise).startswith("<")


def test_a_few_signs_are_shown_where_they_close_something() -> None:
    assert check("x = f(a[1$0", "])") == "])"
    assert check("if f(a$0", "):") == "):"
    assert check("x = f(a)$0", ")") == "<drop_noise>"


# The rest of the line


@pytest.mark.parametrize(
    ("line", "model", "accepted"),
    [
        ("foo($0)", "a, b)", "foo(a, b)"),
        ("foo($0)", "a, b", "foo(a, b)"),
        ("foo(bar($0))", "x)", "foo(bar(x))"),
        ("foo(bar($0))", "x))", "foo(bar(x))"),
        ("return foo($0)", "a, b) + 1", "return foo(a, b) + 1"),
        ("x = [$0]", "1, 2", "x = [1, 2]"),
        ("x = {'a': [$0]}", "1]", "x = {'a': [1]}"),
        ('print("$0")', 'hello")', 'print("hello")'),
        ("foo($0);", "a);", "foo(a);"),
        ("x = f($0)", "g(1)", "x = f(g(1))"),
        ("x = f($0)", "g(1))", "x = f(g(1))"),
    ],
)
def test_an_editor_that_closes_brackets_gets_none_twice(
    line: str, model: str, accepted: str
) -> None:
    assert check_line(line, model) == accepted


def test_brackets() -> None:
    assert unclosed("f(a[1], {") == "})"
    assert unclosed("f('(')") == ""
    assert first_unmatched_closer("a) + (b)") == 1
    assert first_unmatched_closer("f(a) + ')'") is None


# Stopping early


def test_the_model_stops_when_the_rest_would_be_cut() -> None:
    place = place_at("def f():\n    ", 13, "python", multiline=True)
    assert not is_enough("return 1", place)
    assert not is_enough("return 1\n", place)
    assert not is_enough("return 1\n    x\nde", place)
    assert is_enough("return 1\n    x\ndef g():\n", place)
    assert is_enough("a()\n    b()\n    a()\n    b()\n", place)
    braces = place_at("f() {\n\t", 7, "go", multiline=True)
    assert is_enough("return 1\n}\n", braces)
    single = place_at("x = ", 4, "python")
    assert is_enough("1\n", single)
    assert not is_enough("1", single)


pieces = st.sampled_from(
    ["x", " ", "    ", "\t", "\n", "(", ")", "{", "}", ":", "'", '"', "#", "<|a_b|>", "é", "```"]
)
codes = st.lists(pieces, max_size=25).map("".join)


@given(codes, codes, codes, st.booleans())
def test_any_text_at_any_place(before: str, after: str, model: str, multiline: bool) -> None:
    place = place_at(before + after, len(before), "python", multiline=multiline)
    text = postprocess(model, place).text
    assert text == text.rstrip()
    assert multiline or "\n" not in text
    assert 0 <= replaced_after(text, place) <= len(place.line_after)
    # Filtering what was filtered changes nothing.
    for rule in FILTERS:
        assert rule.__name__ and postprocess(text, place).text in (text, "")
    is_enough(model, place)


@given(codes, codes, codes)
def test_what_is_cut_early_is_cut_anyway(before: str, after: str, model: str) -> None:
    """Stopping the model as soon as `is_enough` says so changes nothing that is shown."""
    place = place_at(before + after, len(before), "python", multiline=True)
    for end in range(len(model) + 1):
        if is_enough(model[:end], place):
            assert postprocess(model[:end], place) == postprocess(model, place)
            break


def _distance(one: str, other: str) -> int:
    """Levenshtein's, the plain way."""
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        last, row[0] = row[0], number
        for at, against in enumerate(other, 1):
            best = min(last + (character != against), row[at] + 1, row[at - 1] + 1)
            last, row[at] = row[at], best
    return row[-1]


short = st.text(alphabet="ab", max_size=14)


@given(short, short, st.sampled_from([0.05, 0.1, 0.3, 0.6]))
def test_near_is_what_the_plain_distance_says(one: str, other: str, share: float) -> None:
    allowed = int(max(len(one), len(other)) * share)
    assert are_near(one, other, share) is (bool(one or other) and _distance(one, other) <= allowed)


@given(st.text(alphabet="()[]{}a", max_size=12))
def test_closing_what_is_unclosed_balances(text: str) -> None:
    if first_unmatched_closer(text) is None:
        assert bracket_balance(text + unclosed(text)) == (0, 0, 0)
