from __future__ import annotations

import pytest

from tests.support.fixture import index_of, parse


def scope(source: str) -> str:
    fixture = parse(source)
    document = index_of(fixture).document(fixture.path)
    assert document is not None
    found = document.scope_at(fixture.offset)
    first_line = fixture.text[found.start : found.end].decode().split("\n")[0].strip()
    return f"{found.kind}{' empty' if found.is_empty_block else ''}: {first_line}"


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        ("def f(a):\n    $0", "function empty: def f(a):"),
        ("def f(a):\n    $0\n\n\ndef g(): ...\n", "function empty: def f(a):"),
        ('def f(a):\n    """Doc."""\n    $0\n', "function empty: def f(a):"),
        ("def f(a):\n    x = 1\n    $0\n", "function: def f(a):"),
        ("def f(\n    a,\n) -> int:\n    $0\n", "function empty: def f("),
        ("async def f():\n    if a:\n        $0\n    b()\n", "block empty: if a:"),
        ("class A:\n    x = 1\n    $0\n", "class: class A:"),
        (
            "class A:\n    def f(self):\n        return (\n            1 + $0\n",
            "function: def f(self):",
        ),
        ("x = 1\n$0\n", "module: x = 1"),
        ("$0", "module empty: "),
        ("def f():\n    pass\n$0", "module: def f():"),
    ],
)
def test_python(source: str, expect: str) -> None:
    assert scope(source) == expect


@pytest.mark.parametrize(
    ("name", "source", "expect"),
    [
        ("a.ts", "function f(a: number) {\n  $0\n}\n", "function empty: function f(a: number) {"),
        ("a.ts", "class A {\n  x = 1;\n  $0\n}\n", "class: class A {"),
        ("a.ts", "class A {\n  f() {\n    // note\n    $0\n  }\n}\n", "function empty: f() {"),
        ("a.ts", "const f = () => {\n  $0\n};\n", "function empty: () => {"),
        ("a.ts", "function f() {\n  if (x) {\n    $0\n  }\n}\n", "block empty: if (x) {"),
        ("a.ts", "function f( {\n  let = ;\n  while (a) {\n    $0", "block empty: while (a) {"),
        ("A.java", "class A {\n  int f() {\n    $0\n  }\n}\n", "function empty: int f() {"),
        ("a.go", "package a\nfunc f() {\n\t$0\n}\n", "function empty: func f() {"),
        (
            "a.rs",
            "impl A {\n    fn f(&self) {\n        $0\n    }\n}\n",
            "function empty: fn f(&self) {",
        ),
        ("a.c", "int f(void) {\n  $0\n}\n", "function empty: int f(void) {"),
        ("a.cpp", "class A {\n  $0\n};\n", "class empty: class A {"),
        ("a.c", "int x;\n$0", "module: int x;"),
        (
            "a.cs",
            "namespace N {\n class A {\n  void B() {\n   $0\n  }\n }\n}\n",
            "function empty: void B() {",
        ),
        ("a.php", "<?php\nclass A {\n  var $x;\n  $0\n}\n", "class: class A {"),
        ("a.kt", "class A {\n  $0\n}\n", "class empty: class A {"),
        ("a.scala", "object A {\n  def b() = {\n    $0\n  }\n}\n", "function empty: def b() = {"),
    ],
)
def test_braces(name: str, source: str, expect: str) -> None:
    assert scope(f"-- {name} --\n{source}") == expect


@pytest.mark.parametrize(
    ("name", "source", "expect"),
    [
        ("a.rb", "class A\n  def b(x)\n    $0\n  end\nend\n", "function empty: def b(x)"),
        ("a.rb", "class A\n  def b\n    1\n  end\n  $0\nend\n", "class: class A"),
        ("a.rb", "module A\n  # note\n  $0\nend\n", "class empty: module A"),
        ("a.rb", "def a\n  b.each do |c|\n    $0\n  end\nend\n", "block empty: do |c|"),
        ("a.rb", "def a\n  x = {b: 1}\n  $0\nend\n", "function: def a"),
        ("a.rb", "class A$0\nend\n", "module: class A"),
        ("a.rb", "def a\n  1\nend\n$0\n", "module: def a"),
        ("a.lua", "function f(x)\n  $0\nend\n", "function empty: function f(x)"),
        ("a.lua", "if a then\n  b()\n  $0\nend\n", "block: if a then"),
    ],
)
def test_blocks_that_close_with_end(name: str, source: str, expect: str) -> None:
    assert scope(f"-- {name} --\n{source}") == expect
