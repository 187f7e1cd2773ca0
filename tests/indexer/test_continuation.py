"""Guesses of what follows the cursor, taken from the repository."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.continuation import TOKEN
from tests.support.fixture import index_of, parse

OTHERS = """
-- one.py --
def first(request):
    form = LoginForm(request.POST)
    if form.is_valid():
        form.save(commit=False)
        return redirect("home")
    return None
-- two.py --
def second(request):
    form = LoginForm(request.POST)
    if form.is_valid():
        form.save(commit=True)
    for item in items_of(form):
        yield item
-- three.py --
def third(request):
    other = LoginForm(request.POST)
    if form.is_valid():
        form.save(commit=True)
"""


def guesses(before: str, limit: int = 4) -> list[str]:
    fixture = parse(f"-- main.py --\n{before}$0\n{OTHERS}")
    return index_of(fixture).continuation(fixture.path, fixture.offset, limit)


@pytest.mark.parametrize(
    ("before", "expect"),
    [
        ("def f(request):\n    form = LoginForm(", "request.POST)"),
        ("def f(request):\n    form = Login", "Form(request.POST)"),
        ("def f(request):\n    form =", " LoginForm(request.POST)"),
        ("def f(request):\n    form = ", "LoginForm(request.POST)"),
        ("if form.is_valid():\n    form.save(commit=", "True)"),
        (
            "  form = LoginForm(request.POST)\n  ",
            "if form.is_valid():\n      form.save(commit=False)",
        ),
    ],
)
def test_the_likeliest_guess(before: str, expect: str) -> None:
    found = guesses(before)
    assert found[0].startswith(expect) or found[0] == expect


def test_more_places_count_where_as_many_tokens_agree() -> None:
    found = guesses("if form.is_valid():\n    form.save(commit=")
    assert found[:2] == ["True)", 'False)\n    return redirect("home")']


def test_lines_below_are_indented_as_the_line_of_the_cursor() -> None:
    (found, *_) = guesses("\tfor item in items_of(", 1)
    assert found == "form):\n\t    yield item"


def test_the_file_itself_is_a_source() -> None:
    before = "alpha.beta(gamma, 1)\nother()\nalpha.beta("
    assert guesses(before)[0].split("\n")[0] == "gamma, 1)"


@pytest.mark.parametrize("before", ["", "x", "unknown_name(", "completely different words = "])
def test_nothing_is_guessed_where_too_little_agrees(before: str) -> None:
    assert guesses(before) == []


def test_no_more_than_the_limit_and_none_after_the_deadline() -> None:
    assert len(guesses("    if form.is_valid():\n        form.save(commit=", 1)) == 1
    fixture = parse(f"-- main.py --\n    form = LoginForm($0\n{OTHERS}")
    index = index_of(fixture)
    late = time.monotonic() - 1
    assert index.continuation(fixture.path, fixture.offset, 4, late) == []
    assert index.continuation("/nowhere.py", 0, 4) == []


@settings(max_examples=80, deadline=None)
@given(st.text("ab (.\n", max_size=12))
def test_every_guess_follows_the_same_tokens_somewhere(before: str) -> None:
    """A guess with the tokens before it stands in one of the files, blanks aside."""
    others = "a(b.a (b\n    a.b(a) (a\n  b b a.a(b)(\na b a b.a.b\n"
    fixture = parse(f"-- main.py --\n{before}$0\n-- other.py --\n{others}")
    for guess in index_of(fixture).continuation(fixture.path, fixture.offset, 9):
        line = (before.rsplit("\n", 1)[-1] + guess).split("\n")[0]
        tokens = [token.strip() for token in TOKEN.findall(line.encode())]
        joined = b" ".join(token for token in tokens if token)
        places = (others + before).encode().split(b"\n")
        spaced = [b" ".join(t.strip() for t in TOKEN.findall(place)) for place in places]
        last = b" ".join(joined.split(b" ")[-2:])
        assert any(last in place for place in spaced)
