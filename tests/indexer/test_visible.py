"""Names in scope at the cursor."""

from __future__ import annotations

import builtins

import pytest

from tests.support.fixture import index_of, parse

SOURCE = """
-- main.py --
import os.path
from lib import Base, helper as h
from lib import *
LIMIT = 3
class A(Base):
    kind = 1
    {class_level}
    def f(self, count, *args):
        total = 0
        for item in args:
            {deep}
        del later
def last(): ...
-- lib.py --
class Base:
    name = ""
    def save(self): ...
def helper(): ...
def starred(): ...
"""


def names(source: str) -> tuple[str, ...]:
    fixture = parse(source)
    return index_of(fixture).names_in_scope(fixture.path, fixture.offset)


def at(place: str, text: str = "$0") -> tuple[str, ...]:
    places = {"class_level": "pass", "deep": "pass", place: text}
    return names(SOURCE.format(**places))


def test_the_nearest_names_come_first() -> None:
    found = at("deep")
    assert found[:5] == ("item", "total", "args", "count", "self")
    own = [name for name in found if not hasattr(builtins, name)]
    assert own[5:13] == ["LIMIT", "A", "last", "os", "os.path", "Base", "h", "helper"]
    assert "starred" in own and "kind" not in own and "print" in found
    assert len(set(found)) == len(found)


def test_class_level_names_are_visible_in_the_class_only() -> None:
    assert at("class_level")[:2] == ("kind", "f")


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("self.$0", ("kind", "f", "name", "save")),
        ("self.na$0", ("kind", "f", "name", "save")),
        ("super().$0", ("name", "save")),
        ("h.$0", ()),
        ("unknown.$0", ()),
    ],
)
def test_after_a_dot_the_members_of_the_receiver(text: str, expect: tuple[str, ...]) -> None:
    assert at("deep", text) == expect


def test_members_of_a_module() -> None:
    assert names("import lib\nlib.$0\n-- lib.py --\nx = 1\ndef f(): ...\n") == ("x", "f")


def test_members_are_names_in_languages_with_an_implicit_receiver() -> None:
    source = "-- A.java --\nclass A extends B { int n; void f(int k) { $0 } }\n"
    found = names(source + "-- B.java --\nclass B { int m; }\n")
    assert found[:4] == ("k", "n", "f", "m")


def test_blocks_end_the_visibility_of_names() -> None:
    found = names("-- a.ts --\nfunction f(a) { { const b = 1; } let c = 2; $0 }\n")
    assert found[:2] == ("c", "a") and "b" not in found


def test_no_names_where_there_is_no_document() -> None:
    fixture = parse("$0")
    index = index_of(fixture)
    assert index.names_in_scope("/nowhere.py", 0) == ()
    assert index.names_in_scope(fixture.path, 99) == ()
