"""Names in suggestions that nothing knows."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fixture import index_of, parse

PYTHON = """
-- a.py --
import os
import lib
from lib import Model, Magic, helper
LIMIT = 3
for loop_name in range(3): pass
def other(elsewhere):
    global late
    late = 1
class A(Model):
    kind = 1
    def f(self, count, *args):
        total = 0
        for item in args:
            pass
        $0
-- lib.py --
class Base:
    def save(self, force=False): ...
class Model(Base):
    name = 1
class Magic:
    def __getattr__(self, name): ...
def helper(): ...
"""
TYPESCRIPT = """
-- a.ts --
import { Model } from "./lib";
const { top: above } = process.env;
export function f<T>(count: number, thing: T) {
  const model = new Model();
  $0
}
-- lib.ts --
export class Model { name = 1; save() {} }
-- globals.d.ts --
declare const FLAG: boolean;
"""


def unknown(source: str, text: str) -> list[str]:
    fixture = parse(source)
    index = index_of(fixture)
    before = index.document(fixture.path).text  # type: ignore[union-attr]
    found = index.unknown_names(fixture.path, fixture.offset, text)
    assert index.document(fixture.path).text == before  # type: ignore[union-attr]
    for one in found:
        assert text.encode()[max(0, one.start) : one.end].decode() in one.name
        assert one.why
    return [one.name for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "total += item",
        "return os.path.join(count, LIMIT)",
        "x = helper()\n        return x + loop_name + late",
        "self.save(force=True, **other(elsewhere=1))",
        "self.fresh = 1\n        self.fresh += 1",
        "[q for q in args if q.name]",
        "with open(count) as file: file.read()",
        "def inner(a, *, b): return a + b\n        inner(1)",
        "try: pass\n        except ValueError as e: raise e",
        "Magic().whatever_you_want",
        "lib.Model.save(self)",
        "import json\n        json.dumps(count)",
        "print(f'{total} of {count}')",
        "# some words nobody knows",
        "'some words nobody knows'",
        "super().save()",
        "__file__",
        "total = (count +",
    ],
)
def test_good_python_raises_no_alarm(text: str) -> None:
    assert unknown(PYTHON, text) == []


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("totl += item", ["totl"]),
        ("return coutn + elsewhere", ["coutn", "elsewhere"]),
        ("hlper()", ["hlper"]),
        ("self.svae()", ["svae"]),
        ("Model().nmae", ["nmae"]),
        ("lib.halper()", ["halper"]),
        ("os.path.jion(count)", ["jion"]),
        ("[q for q in args if p]", ["p"]),
        ("lambda u: u + v", ["v"]),
        ("print(f'{totall}')", ["totall"]),
        ("kind", ["kind"]),
    ],
)
def test_unknown_names_in_python(text: str, expect: list[str]) -> None:
    assert unknown(PYTHON, text) == expect


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("model.save();", []),
        ("console.log(count, JSON.stringify(model), above, FLAG);", []),
        ("const x: T = thing; return x;", []),
        ("[1].map((a) => a + count).filter(Boolean);", []),
        ("const { name, ...rest } = model; f(name, rest);", []),
        ("return { count, key: 1 };", []),
        ("model.svae();", ["svae"]),
        ("return { count, key: coutn };", ["coutn"]),
        ("setTimeuot(() => count, 1);", ["setTimeuot"]),
        ("const x: Modle = model;", ["Modle"]),
    ],
)
def test_typescript(text: str, expect: list[str]) -> None:
    assert unknown(TYPESCRIPT, text) == expect


def test_a_name_that_the_text_continues_is_checked_whole() -> None:
    fixture = parse("total = 1\nprint(to$0)\n")
    index = index_of(fixture)
    assert index.unknown_names(fixture.path, fixture.offset, "tal") == ()
    (found,) = index.unknown_names(fixture.path, fixture.offset, "tla")
    assert (found.name, found.start, found.end) == ("totla", -2, 3)


def test_imports_without_files_leave_room_for_doubt() -> None:
    assert unknown("from elsewhere import *\n$0", "anything()") == ["anything"]
    source = "from elsewhere import *\n$0\n-- b.py --\nanything = 1\n"
    assert unknown(source, "anything()") == []


def test_languages_without_lists_give_no_verdict() -> None:
    assert unknown("-- a.c --\nint f(int a) { $0 }\n", "return anything(a);") == []


def test_no_verdict_without_a_document() -> None:
    fixture = parse("$0")
    index = index_of(fixture)
    assert index.unknown_names("/nowhere.py", 0, "a") == ()
    assert index.unknown_names(fixture.path, 99, "a") == ()


def test_lines_of_the_standard_library_raise_no_alarm() -> None:
    """Each line that is a statement of its own, taken out and put back as a suggestion."""
    path = importlib.import_module("textwrap").__file__
    assert path is not None
    lines = Path(path).read_text("utf-8").splitlines(keepends=True)
    alarms = []
    for number in range(0, len(lines), 7):
        line = lines[number].rstrip("\n")
        if not line.strip() or line.lstrip().startswith(("#", "def ", "class ")):
            continue
        rest = "".join([*lines[:number], "$0\n", *lines[number + 1 :]])
        fixture = parse(f"-- textwrap.py --\n{rest}") if "$0" not in lines else None
        assert fixture is not None
        index = index_of(fixture)
        found = index.unknown_names(fixture.path, fixture.offset, line)
        alarms += [(line, one.name) for one in found]
    assert alarms == []


@settings(max_examples=60, deadline=None)
@given(st.text("ab.()[]{}\"'=: \n\t,#é_", max_size=20), st.integers(0, 200))
def test_any_text_at_any_place_has_a_verdict(text: str, place: int) -> None:
    fixture = parse(PYTHON)
    index = index_of(fixture)
    for one in index.unknown_names(fixture.path, min(place, len(fixture.text)), text):
        assert one.start < one.end
