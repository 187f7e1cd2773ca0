"""Scopes and bindings: Python's against the compiler's own symbol tables, others by example."""

from __future__ import annotations

import importlib
import re
import symtable
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.bindings import CLASS, MODULE, Bindings, LocalScope, outermost_scope
from indexer.language import languages
from tests.support.fixture import parse

LIBRARY = (
    "argparse",
    "ast",
    "dataclasses",
    "inspect",
    "json.decoder",
    "tarfile",
    "typing",
    "zipfile",
)


def bindings_of(language: str, text: bytes) -> Bindings:
    known = languages()[language]
    return Bindings(known, known.parse(text).root_node, 0, len(text))


def scopes_of(bindings: Bindings) -> list[LocalScope]:
    """All scopes, in the order in which they start."""
    found = {id(scope): scope for _, scope, _ in bindings._regions if scope.kind != MODULE}
    return sorted(found.values(), key=lambda scope: (scope.start, -scope.end))


def tables_of(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from tables_of(child)


Shape = tuple[int, str, frozenset[str]]


def unmangled(name: str) -> str:
    """The compiler writes a private name of a class with the class in front of it."""
    return re.sub("^_[A-Za-z]+(?=__)", "", name)


def expected(source: str) -> list[Shape]:
    """Line, kind and own names of each scope, as the compiler sees them."""
    found: list[Shape] = []
    for table in tables_of(symtable.symtable(source, "test.py", "exec")):
        names = {one.get_name() for one in table.get_symbols() if one.is_local()}
        own = frozenset(unmangled(name) for name in names if not name.startswith("."))
        found.append((table.get_lineno(), str(table.get_type()).split(".")[-1].lower(), own))
    return sorted(found, key=lambda shape: (shape[0], shape[1], sorted(shape[2])))


def actual(source: str) -> list[Shape]:
    text = source.encode()
    found: list[Shape] = []
    for scope in scopes_of(bindings_of("python", text)):
        kind = "class" if scope.kind == CLASS else "function"
        line = text.count(b"\n", 0, scope.start) + 1
        found.append((line, kind, frozenset(scope.bindings)))
    return sorted(found, key=lambda shape: (shape[0], shape[1], sorted(shape[2])))


@pytest.mark.parametrize("name", LIBRARY)
def test_python_binds_what_the_compiler_binds(name: str) -> None:
    path = importlib.import_module(name).__file__
    assert path is not None
    source = Path(path).read_text("utf-8")
    assert actual(source) == expected(source)


NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.one_of(
    st.builds("{} = {}".format, NAMES, NAMES),
    st.builds("for {} in {}: pass".format, NAMES, NAMES),
    st.builds("with {} as {}: pass".format, NAMES, NAMES),
    st.builds("({}, *{}) = {}".format, NAMES, NAMES, NAMES),
    st.builds("[{} for {} in {}]".format, NAMES, NAMES, NAMES),
    st.builds("[({} := {}) for x in {}]".format, NAMES, NAMES, NAMES),
    st.builds("lambda {}, *x: {}".format, NAMES, NAMES),
    st.builds("import {}, os.path as {}".format, NAMES, NAMES),
    st.builds("from os import {} as {}, path".format, NAMES, NAMES),
    st.builds("{} += {}".format, NAMES, NAMES),
    st.builds("{}: {} = {}".format, NAMES, NAMES, NAMES),
    st.builds("try: pass\nexcept {} as {}: pass".format, NAMES, NAMES),
)


def indented(lines: list[str]) -> str:
    return "\n".join("    " + line for part in lines for line in part.split("\n"))


def defined(name: str, argument: str, escape: str, body: list[str]) -> str:
    declared = "" if escape in ("", argument) else f"    global {escape}\n"
    return f"def {name}({argument}, y={name}):\n{declared}{indented(body)}"


BLOCKS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            defined,
            NAMES,
            NAMES,
            st.sampled_from(["", "c"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(
            lambda name, body: f"class {name}({name}):\n{indented(body)}",
            NAMES,
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=4))
def test_python_binds_what_the_compiler_binds_in_any_nesting(parts: list[str]) -> None:
    source = "\n".join(parts) + "\n"
    try:
        want = expected(source)
    except SyntaxError:
        return
    assert actual(source) == want


def meaning(source: str) -> str:
    """The line (from 1) and scope of what the name at the cursor means, or "module"."""
    fixture = parse(source)
    language = next(one for one in languages().values() if fixture.path.endswith(one.extensions))
    text = fixture.text
    name = text[fixture.offset :].split(b" ")[0].decode()
    found = bindings_of(language.name, text).lookup(name, fixture.offset)
    if found is None:
        return "module"
    first = found.bindings[0]
    line = text.count(b"\n", 0, first.start) + 1
    return f"{line} {found.scope.kind} {first.how}".strip()


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        ("def f(a):\n    return $0a \n", "1 function parameter"),
        ("def f(a):\n    def g():\n        return $0a \n", "1 function parameter"),
        ("def f(a):\n    [$0a for a in a ]\n", "2 block"),
        ("def f(a):\n    [a for a in $0a ]\n", "1 function parameter"),
        ("def f(a):\n    lambda a: $0a \n", "2 function parameter"),
        ("def f(a):\n    lambda b=$0a : b\n", "1 function parameter"),
        ("def f(a):\n    class A:\n        a = 1\n        $0a = 2\n", "3 class"),
        ("def f(a):\n    class A:\n        a = 1\n        def g(): $0a \n", "1 function parameter"),
        ("def f(a):\n    global a\n    $0a = 1\n", "module"),
        ("def f(a):\n    def g():\n        nonlocal a\n        $0a = 1\n", "1 function parameter"),
        ("def f():\n    return $0a \n", "module"),
        ("def f(a):\n    if (b := a): pass\n    return $0b \n", "2 function function"),
        ("def f(a):\n    try: pass\n    except E as e: $0e \n", "3 function"),
        ("def f(a):\n    match a:\n        case [x, *y]: $0y \n", "3 function"),
        ("def f(a):\n    import b.c\n    $0b = 1\n", "2 function import"),
        ("def f(g):\n    def g(): ...\n    return $0g \n", "1 function parameter"),
    ],
)
def test_python(source: str, expect: str) -> None:
    assert meaning(source) == expect


@pytest.mark.parametrize(
    ("name", "source", "expect"),
    [
        ("a.js", "function f(a) {\n { let a = 1;\n $0a ; } }\n", "2 block"),
        ("a.js", "function f(a) {\n { let a = 1; }\n $0a ; }\n", "1 function parameter"),
        ("a.js", "function f() {\n { var a = 1; }\n $0a ; }\n", "2 function function"),
        ("a.js", "function f() {\n $0g ();\n function g() {} }\n", "3 block outer"),
        ("a.js", "const f = function g() {\n $0g ; };\n", "1 function"),
        ("a.js", "function f({ a, b: c, ...d }) {\n $0d ; }\n", "1 function"),
        ("a.js", "function f([a, b = 1]) {\n $0b ; }\n", "1 function"),
        ("a.js", "function f() {\n for (const a of b) {\n $0a ; } }\n", "2 block"),
        ("a.js", "function f(a) {\n [a, b] = [b, a];\n $0a ; }\n", "1 function parameter"),
        ("a.js", "const f = a => $0a ;\n", "1 function parameter"),
        ("a.js", "try {} catch (e) {\n $0e ; }\n", "1 block"),
        ("a.ts", "function f<T>(a: $0T ) {}\n", "1 function parameter"),
        ("a.ts", "function f(a?: number) {\n $0a ; }\n", "1 function parameter"),
        ("a.ts", "class A {\n f(...a: T[]) {\n $0a ; } }\n", "2 function parameter"),
        ("A.java", "class A { void f(int a) {\n g(p -> $0a ); } }\n", "1 function parameter"),
        ("A.java", "class A { void f() {\n $0a ();\n int a = 1; } }\n", "module"),
        ("A.java", "class A { void f() {\n for (int i = 0;;) {\n $0i ; } } }\n", "2 block after"),
        ("A.java", "class A { void f() {\n for (B b : bs) {\n $0b ; } } }\n", "2 block"),
        ("a.go", "package a\nfunc f(a int) {\n a := $0a + 1\n}\n", "2 function parameter"),
        ("a.go", "package a\nfunc f(a int) {\n a := a + 1\n $0a ++ }\n", "3 block after"),
        ("a.go", "package a\nfunc f() {\n for i, v := range x {\n $0v ++ } }\n", "3 block"),
        ("a.go", "package a\nfunc f() {\n if e := g(); $0e != nil {}\n }\n", "3 block after"),
        ("a.rs", "fn f(a: i32) {\n let a = $0a ;\n }\n", "1 function parameter"),
        ("a.rs", "fn f(a: i32) {\n let a = 1;\n let a = $0a ;\n }\n", "2 block new"),
        ("a.rs", "fn f() {\n if let Some(a) = b {\n $0a ; } }\n", "2 block new"),
        ("a.rs", "fn f() {\n match b { A { c, d: e } =>\n $0e , } }\n", "2 block new"),
        ("a.rs", "fn f() {\n g(|a, b| $0b );\n }\n", "2 function parameter"),
        ("a.c", "int f(char *a) {\n return $0a [0]; }\n", "1 function parameter"),
        ("a.c", "int f(int a) {\n { int a = 1;\n $0a ; } }\n", "2 block after"),
        ("a.cpp", "int f(const T &a) {\n return $0a .b; }\n", "1 function parameter"),
        ("a.cpp", "int f() {\n for (auto &v : w) {\n $0v ++; } }\n", "2 block"),
        ("a.cpp", "int f() {\n auto [p, q] = r;\n $0q ++; }\n", "2 block after"),
        ("a.cpp", "int f(int a) {\n g([&](int b) { return $0a ; }); }\n", "1 function parameter"),
    ],
)
def test_braces(name: str, source: str, expect: str) -> None:
    assert meaning(f"-- {name} --\n{source}") == expect


def test_every_scopes_query_compiles() -> None:
    found = {name for name, language in languages().items() if language.scopes_query is not None}
    assert {"python", "javascript", "typescript", "tsx", "java", "go", "rust", "c", "cpp"} <= found


def test_the_outermost_function_around_an_offset() -> None:
    fixture = parse("x = 1\nclass A:\n    def f(self):\n        def g():\n            $0pass\n")
    language = languages()["python"]
    root = language.parse(fixture.text).root_node
    found = outermost_scope(language, root, fixture.offset)
    assert found is not None
    assert fixture.text[slice(*found)].startswith(b"def f(self)")
    assert outermost_scope(language, root, 0) is None
