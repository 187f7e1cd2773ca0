"""Python: what bodies bind, beside what CPython's own parser says."""

from __future__ import annotations

import os
from pathlib import Path

from inline_snapshot import snapshot

from benchmarks.exactness import python_oracle
from benchmarks.exactness.compare import Comparison, index_definitions
from indexer import extract, language_of
from tests.indexer.checks import check_symbols
from tests.indexer.languages.checks import meanings


def differences(text: bytes) -> dict[str, list[str]]:
    """What the index and CPython's parser say differently about the definitions in a text."""
    language = language_of("a.py")
    expected = python_oracle.read(text)
    assert language is not None and expected is not None
    found = (one for one, _ in index_definitions(extract("a.py", language, text), text))
    comparison = Comparison()
    comparison.add("a.py", expected.definitions, found)
    return comparison.examples


def test_names_that_loops_with_and_walruses_bind() -> None:
    check_symbols(
        """\
for i in range(3): pass
for (a, (b, c)), *rest in pairs: pass
with open("x") as f, lock as (l, m): pass
if (n := 3) > 2: pass
(x, y), [z, *w] = values
one = two = 3
try: pass
except ValueError as gone: pass
def function():
    for local in (): pass
    inside, tuples = 1, 2
    return [each for each in ()]
""",
        snapshot("""\
variable i | i
variable a | a
variable b | b
variable c | c
variable rest | rest
variable f | f
variable l | l
variable m | m
variable n | n := 3
variable x | (x, y), [z, *w] = values
variable y | (x, y), [z, *w] = values
variable z | (x, y), [z, *w] = values
variable one | one = two = 3
variable two | two = 3
function function | def function():\
"""),
    )


def test_members_that_methods_assign_in_any_way() -> None:
    check_symbols(
        """\
class A:
    first, second = 1, 2
    for each in (1, 2): pass
    def method(self, other):
        self.a, (self.b, other.no) = 1, (2, 3)
        self.c: int
        for self.d in (): pass
        with other as self.e: pass
        self.a = 4
    @classmethod
    def make(cls):
        cls.count = 1
""",
        snapshot("""\
class A | class A:
field A.first | first, second = 1, 2
field A.second | first, second = 1, 2
field A.each | each
method A.method | def method(self, other):
field A.a | self.a, (self.b, other.no) = 1, (2,
field A.b | self.a, (self.b, other.no) = 1, (2,
field A.c <int> | self.c: int
field A.d | self.d
field A.e | self.e
method A.make | def make(cls):
field A.count | cls.count = 1\
"""),
    )


def test_definitions_equal_those_of_the_interpreters_own_parser() -> None:
    library = Path(os.__file__).parent
    for name in ("argparse.py", "ast.py", "enum.py", "typing.py", "asyncio/events.py"):
        assert differences((library / name).read_bytes()) == {}, name


def test_the_comparison_can_fail() -> None:
    class_in_string = b"exec('class A: pass')\nx = 1\n"
    assert differences(class_in_string) == {}
    language = language_of("a.py")
    assert language is not None
    comparison = Comparison()
    expected = python_oracle.read(b"x = 1\n")
    assert expected is not None
    facts = extract("a.py", language, b"y = 1\n")
    found = (one for one, _ in index_definitions(facts, b"y = 1\n"))
    comparison.add("a.py", expected.definitions, found)
    assert comparison.differences == {"missed: variable": 1, "only in the index: variable": 1}
    assert (comparison.total.recall, comparison.total.precision) == (0.0, 0.0)


def test_types_that_loops_tests_and_choices_tell() -> None:
    assert meanings(
        """\
-- a.py --
import b
class A:
    def __init__(self, stores: list[b.Store], named: dict[str, b.Store]):
        self.stores = stores
        self.named = named
    def run(self, given: "b.Store | None", anything):
        for store in self.stores: store.§open()
        for key, value in self.named.items(): value.§open()
        for number, each in enumerate(reversed(self.stores)): each.§open()
        [one.§open() for one in self.stores]
        self.stores[0].§open()
        self.named["x"].§open()
        if isinstance(anything, b.Store) and given:
            anything.§open()
        else:
            anything.§open()
        (given or b.Store()).§open()
        (given if given else None).§open()
        for line in b.Store(): line.§length
-- b.py --
class Store:
    def open(self): ...
    def __iter__(self) -> "Iterator[Line]": ...
class Line:
    length = 3
class Other:
    def open(self): ...
"""
    ) == snapshot("""\
open: b.py:2:open
open: b.py:2:open
open: b.py:2:open
open: b.py:2:open
open: b.py:2:open
open: b.py:2:open
open: b.py:2:open
open: b.py:2:open ?, b.py:7:open ?
open: b.py:2:open
open: b.py:2:open
length: b.py:5:length\
""")


def test_what_functions_return_without_saying_so() -> None:
    assert meanings(
        """\
-- a.py --
import b
made = b.make()
made.§open()
b.make().§again().§open()
b.Store.§new().§open()
-- b.py --
def make():
    if not 1:
        return None
    return Store()
class Store:
    def open(self): ...
    def again(self): return self.hidden()
    def hidden(self): return make()
    @classmethod
    def new(cls): return cls()
class Other:
    def open(self): ...
"""
    ) == snapshot("""\
open: b.py:6:open
again: b.py:7:again
open: b.py:6:open
new: b.py:10:new
open: b.py:6:open\
""")


def test_circles_end() -> None:
    assert meanings(
        """\
-- a.py --
class Ring:
    def __iter__(self) -> "Ring": ...
    def __getitem__(self): return self.step()
    def step(self): return self[0]
for ring in Ring():
    ring.§nothing
x = y.z()
y = x.z()
def f():
    for a in b: a.§nothing
    for b in a: b.§nothing
"""
    ) == snapshot("""\
nothing: nothing
nothing: nothing
nothing: nothing\
""")
