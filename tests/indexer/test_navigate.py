"""Definitions, references and occurrences of the name at the cursor."""

from __future__ import annotations

import re
import time

import pytest

from indexer import ByteEdit, Edit, Index, IndexConfig, Open
from tests.indexer.samples import SAMPLES
from tests.support.fixture import ROOT, Fixture, index_of, parse


def place(fixture: Fixture, path: str, start: int, end: int) -> str:
    """`file:line:text`, lines from 1."""
    text = fixture.files[path]
    line = text.count(b"\n", 0, start) + 1
    return f"{path.removeprefix(ROOT + '/')}:{line}:{text[start:end].decode()}"


def definitions(source: str) -> list[str]:
    fixture = parse(source)
    return [
        place(fixture, one.path, one.name_start, one.name_end) + ("" if one.certain else " ?")
        for one in index_of(fixture).definitions_at(fixture.path, fixture.offset)
    ]


def references(source: str, here: bool = False, definition: bool = True) -> list[str]:
    fixture = parse(source)
    index = index_of(fixture)
    if here:
        found = index.occurrences_in(fixture.path, fixture.offset)
    else:
        found = index.references_at(fixture.path, fixture.offset, definition)
    return [
        f"{place(fixture, one.path, one.start, one.end)} {one.role}{'' if one.certain else ' ?'}"
        for one in found
    ]


LIBRARY = """
-- pkg/__init__.py --
from .models import Model, make
from . import tools
-- pkg/models.py --
class Base:
    limit = 3

    def save(self, force=False):
        return self.limit

class Model(Base):
    def save_all(self):
        super().save()

def make() -> Model: ...
-- pkg/tools.py --
def go(): ...
"""


@pytest.mark.parametrize(
    ("line", "expect"),
    [
        ("from pkg import Mod$0el", ["pkg/models.py:7:Model"]),
        ("from pkg import Model as M\nM$0()", ["pkg/models.py:7:Model"]),
        ("from pkg import tools\ntools.g$0o()", ["pkg/tools.py:1:go"]),
        ("import pkg.tools\npkg.tools.go$0()", ["pkg/tools.py:1:go"]),
        ("import pkg.mod$0els", ["pkg/models.py:1:"]),
        ("from pkg.mo$0dels import Base", ["pkg/models.py:1:"]),
        ("from pkg import *\nM$0odel()", ["pkg/models.py:7:Model"]),
        ("from pkg import Model\nModel().sav$0e()", ["pkg/models.py:4:save"]),
        ("from pkg import make\nmake().sav$0e()", ["pkg/models.py:4:save"]),
        ("from pkg import Model\nm = Model()\nm.save_all$0()", ["pkg/models.py:8:save_all"]),
        ("from pkg import Model\ndef f(m: Model): m.sav$0e()", ["pkg/models.py:4:save"]),
        ("from pkg import Model\ndef f(m: 'Model | None'): m.lim$0it", ["pkg/models.py:2:limit"]),
        (
            "from pkg import make\ndef f():\n    m = make()\n    m.sav$0e()",
            ["pkg/models.py:4:save"],
        ),
        (
            "from pkg import Model\nclass A:\n    def __init__(self, m: Model):\n"
            "        self.m = m\n    def f(self): self.m.sav$0e()",
            ["pkg/models.py:4:save"],
        ),
        (
            "from pkg import Model\nclass A(Model):\n    def f(self): super().sav$0e()",
            ["pkg/models.py:4:save"],
        ),
        ("from pkg import Model\nModel().save(for$0ce=True)", ["pkg/models.py:4:force"]),
        ("unknown.sav$0e()", ["pkg/models.py:4:save ?"]),
        ("unknown.nowhere$0()", []),
        ("def f(a): return a$0", ["main.py:1:a"]),
        ("def f(a):\n    def g(): ...\n    g$0()", ["main.py:2:g"]),
        ("class A:\n    x = 1\n    y = x$0", ["main.py:2:x"]),
        ("class A:\n    x = 1\n    def f(self): return x$0", ["main.py:2:x ?"]),
        ("def f():\n    from pkg import make as m\n    m$0()", ["pkg/models.py:11:make"]),
        ('"pkg mo$0dels"', []),
        ("# Mod$0el", []),
        ("ret$0urn", []),
        ("$0", []),
    ],
)
def test_definitions_in_python(line: str, expect: list[str]) -> None:
    assert definitions(f"-- main.py --\n{line}\n{LIBRARY}") == expect


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        (
            '-- a.ts --\nimport { A as B } from "./b";\nnew B().g$0o();\n'
            "-- b.ts --\nexport class A { go() {} }\n",
            ["b.ts:1:go"],
        ),
        (
            '-- a.ts --\nimport { A } from "./b$0";\n-- b.ts --\nexport class A {}\n',
            ["b.ts:1:"],
        ),
        (
            '-- a.ts --\nimport { make } from "./b";\n'
            "function f() { const a = make(); a.g$0o(); }\n"
            "-- b.ts --\nexport class A { go() {} }\nexport function make(): A {}\n",
            ["b.ts:1:go"],
        ),
        (
            "-- A.java --\nclass A { int n; int f() { return n$0; } }\n",
            ["A.java:1:n"],
        ),
        (
            "-- A.java --\nclass A extends B { int f() { return n$0; } }\n"
            "-- B.java --\nclass B { int n; }\n",
            ["B.java:1:n"],
        ),
        (
            "-- A.java --\nclass A { B b; int f(B c) { return b.n + c.n$0; } }\n"
            "-- B.java --\nclass B { int n; }\n",
            ["B.java:1:n"],
        ),
        (
            "-- a.go --\npackage a\nfunc f() { t := &T{X: 1}; t.X$0 = 2 }\n"
            "-- b.go --\npackage a\ntype T struct { X int }\n",
            ["b.go:2:X"],
        ),
        (
            "-- a.go --\npackage a\nfunc f() { t := T{X$0: 1} }\n"
            "-- b.go --\npackage a\ntype T struct { X int }\n",
            ["b.go:2:X"],
        ),
        (
            "-- a.rs --\nstruct S { x: i32 }\nimpl S { fn new() -> S { S { x: 1 } }\n"
            "  fn go(&self) {} }\nfn f() { let s = S::new(); s.g$0o(); }\n",
            ["a.rs:3:go"],
        ),
        (
            '-- a.cpp --\n#include "b.h"\nint f(B *p) { return p->g$0o(); }\n'
            "-- b.h --\nstruct B { int go(); };\n",
            ["b.h:1:go"],
        ),
    ],
)
def test_definitions_in_other_languages(source: str, expect: list[str]) -> None:
    assert definitions(source) == expect


def test_references_resolve_back_to_the_definition() -> None:
    source = """
-- a.py --
from b import go
from b import go as run
import b
go()
run(go)
b.go()
def f(go): return go
-- b.py --
def go$0(): ...
-- c.py --
def go(): ...
go()
-- d.py --
from b import other
thing.go()
"""
    assert references(source) == [
        "b.py:1:go definition",
        "a.py:1:go import",
        "a.py:2:go import",
        "a.py:2:run import",
        "a.py:4:go call",
        "a.py:5:run call",
        "a.py:5:go read",
        "a.py:6:go call",
    ]
    assert references(source, definition=False)[0] == "a.py:1:go import"


def test_members_of_unknown_receivers_are_uncertain() -> None:
    source = """
-- a.py --
class A:
    def go$0(self): self.go()
class B:
    def go(self): self.go()
def f(a: A, b: B, c):
    a.go(), b.go(), c.go(), go()
"""
    assert references(source) == [
        "a.py:2:go definition",
        "a.py:2:go call",
        "a.py:6:go call",
        "a.py:6:go call ?",
    ]


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        (
            "def f(a):\n    a$0 = 1\n    a += 1\n    g(a=a)\n    return lambda a: a, x.a\n",
            ["1:a definition", "2:a write", "3:a write", "4:a read"],
        ),
        (
            "def f():\n    for i$0 in x:\n        i()\n    return [i for i in x]\n",
            ["2:i definition", "3:i call"],
        ),
        (
            "n$0 = 1\ndef f():\n    global n\n    n = 2\ndef g(n): return n\nprint(n)\n",
            ["1:n definition", "3:n read", "4:n write", "6:n read"],
        ),
        (
            "-- a.ts --\nfunction f(a: number) {\n  const o = { a, b: a$0 };\n  a++;\n"
            "  return o.a;\n}\n",
            ["1:a definition", "2:a read", "2:a read", "3:a write"],
        ),
        (
            "-- a.rs --\nfn f() {\n let s = 1;\n let s$0 = s + 1;\n g(s);\n}\n",
            ["3:s definition", "4:s read"],
        ),
        (
            "-- a.c --\nint f(int n$0) {\n  { int n = 1; n++; }\n  p->n = n;\n  n = 2;\n}\n",
            ["1:n definition", "3:n read", "4:n write"],
        ),
    ],
)
def test_occurrences_in_the_document(source: str, expect: list[str]) -> None:
    assert [one.split(":", 1)[1] for one in references(source, here=True)] == expect


def test_definitions_are_among_their_references() -> None:
    """From every occurrence of a name one gets to the same definition and the same references."""
    source = "def f(a, b=1):\n    c = a\n    for a in c: b(a, c)\n    return f(a), [c for c in b]\n"
    fixture = parse(source)
    index = index_of(fixture)
    for offset in range(len(fixture.text)):
        places = index.references_at(fixture.path, offset)
        for place in places:
            assert index.references_at(fixture.path, place.start) == places
            targets = index.definitions_at(fixture.path, place.start)
            assert targets == index.definitions_at(fixture.path, offset)
            assert (targets[0].name_start, targets[0].name_end) in [
                (one.start, one.end) for one in places
            ]


def test_a_deadline_that_has_passed_leaves_the_file_itself() -> None:
    fixture = parse("-- a.py --\nfrom b import go\ngo$0()\n-- b.py --\ndef go(): ...\n")
    index = index_of(fixture)
    found = index.references_at(fixture.path, fixture.offset, True, time.monotonic() - 1)
    assert {one.path for one in found} == {fixture.path}


def test_unknown_paths_and_files_without_a_grammar_have_no_names() -> None:
    fixture = parse("-- a.unknown --\nsome $0words\n")
    index = index_of(fixture)
    for path in (fixture.path, "/nowhere.py"):
        assert index.definitions_at(path, 2) == []
        assert index.references_at(path, 2) == []
        assert index.occurrences_in(path, 2) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_every_question_after_edits(name: str) -> None:
    """tree-sitter's own text of nodes is unusable after an edit, and ends the process."""
    text = SAMPLES[name].encode()
    path = f"{ROOT}/{name}"
    index = Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 1, text))
    index.symbols(path)
    words = [match.start() for match in re.finditer(rb"\b[A-Za-z]\w+", text)]
    for version, place in enumerate(words[:: max(1, len(words) // 8)], 2):
        index.apply(Edit(path, version, (ByteEdit(place, place, "q"),)))
        for offset in (place, place + 2, len(text)):
            index.definitions_at(path, offset)
            index.occurrences_in(path, offset)
            index.references_at(path, offset)
            index.names_in_scope(path, offset)
            index.unknown_names(path, offset, "x.y")
            index.context(path, offset, 500)
            index.syntax_at(path, offset)


def test_a_definition_is_found_while_its_use_is_typed() -> None:
    fixture = parse("class Shop:\n    def price(self, name):\n        return name\n")
    index = index_of(fixture)
    index.symbols(fixture.path)
    typed = "\nshop = Shop()\nshop.price(shop)\n"
    start = len(fixture.text)
    for at, key in enumerate(typed):
        index.apply(Edit(fixture.path, at, (ByteEdit(start + at, start + at, key),)))
    (target,) = index.definitions_at(fixture.path, start + typed.index("price"))
    assert fixture.text[target.name_start : target.name_end] == b"price"
