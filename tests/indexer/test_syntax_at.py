"""Where a place is, and whether a block begins there, for all kinds of languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.language import languages
from indexer.syntax_at import SyntaxAt, syntax_at
from tests.support.fixture import index_of, parse


def at(language: str, source: str) -> SyntaxAt:
    """What is said of the place `$0`."""
    before, after = source.encode().split(b"$0")
    text = before + after
    return syntax_at(languages()[language].parse(text).root_node, text, len(before))


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "def f():\n    $0\n"),
        ("python", "def f():$0"),
        ("python", "if a:\n    $0\n"),
        ("python", "class A:  # why\n    $0\n"),
        ("python", "async def f(a,\n  b):\n    $0\n"),
        ("javascript", "function f() {$0}"),
        ("javascript", "x.map((a) => $0)"),
        ("javascript", "if (a) {\n  $0"),
        ("typescript", "class A {\n  f(): void {\n    $0\n  }\n}\n"),
        ("typescript", "interface A {\n  $0\n}\n"),
        ("java", "class A {\n  void f() {\n    $0\n  }\n}\n"),
        ("go", "func f() {\n\t$0\n}\n"),
        ("go", "if a {\n\t$0"),
        ("rust", "fn f() {\n    $0\n}\n"),
        ("rust", "match a {\n  1 => $0"),
        ("c", "int f(void) {\n  $0\n}\n"),
        ("c", "switch (a) {\ncase 1:\n  $0"),
        ("ruby", "def f(a)\n  $0\nend\n"),
        ("ruby", "x.each do |a|\n  $0\nend\n"),
        ("ruby", "if a\n  $0\nend\n"),
        ("ruby", "class A\n  $0\nend\n"),
        ("lua", "function f(a)\n  $0\nend\n"),
        ("lua", "if a then\n  $0\nend"),
        ("lua", "local f = function(a)\n  $0\nend"),
        ("bash", "if a; then\n  $0\nfi\n"),
        ("bash", "f() {\n  $0\n}\n"),
        ("bash", "for a in b; do\n  $0\ndone\n"),
        ("php", "<?php\nfunction f() {\n  $0\n}\n"),
        ("csharp", "class A { void F() {\n  $0\n} }"),
        ("csharp", "class A { int P => $0 }"),
        ("kotlin", "fun f() {\n  $0\n}\n"),
        ("scala", "def f() = {\n  $0\n}\n"),
    ],
)
def test_a_block_begins(language: str, source: str) -> None:
    assert at(language, source) == SyntaxAt("code", True)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "x = {$0"),
        ("python", "x = {\n    $0\n}\n"),
        ("python", "x: $0"),
        ("python", "f(a[1:$0"),
        ("python", "x = lambda a: $0"),
        ("python", 'x = "a"$0\n'),
        ("python", 'f"{a$0}"\n'),
        ("python", 'def f():\n    """Doc"""$0\n'),
        ("javascript", "const a = {$0}"),
        ("javascript", "const a = {\n  $0\n}"),
        ("javascript", "f({$0})"),
        ("javascript", "f({$0"),
        ("javascript", "return {$0"),
        ("javascript", "`a ${b$0} c`"),
        ("javascript", "/* x */$0"),
        ("java", "int[] a = {$0};"),
        ("go", "x := T{$0}"),
        ("rust", "let a = T {$0"),
        ("c", "int a[] = {$0};"),
        ("cpp", "class A {\npublic:\n  $0\n};"),
        ("ruby", "h = {$0}"),
        ("ruby", '"a #{b$0}"'),
        ("lua", "local t = {$0}"),
        ("php", "<?php\n$a = [$0"),
    ],
)
def test_no_block_begins(language: str, source: str) -> None:
    assert at(language, source) == SyntaxAt("code", False)


@pytest.mark.parametrize(
    ("language", "source", "inside"),
    [
        ("python", "# note$0\nx = 1\n", "comment"),
        ("python", 'x = "a$0"\n', "string"),
        ("python", 'x = "$0"\n', "string"),
        ("python", 'x = "a$0\n', "string"),
        ("python", 'def f():\n    """Doc$0"""\n', "string"),
        ("javascript", "`a $0 c`", "string"),
        ("javascript", "// x$0\n", "comment"),
        ("javascript", "/* x $0 */", "comment"),
        ("bash", 'echo "$0"', "string"),
    ],
)
def test_comments_and_strings(language: str, source: str, inside: str) -> None:
    assert at(language, source).inside == inside


def test_an_index_says_it_of_open_documents() -> None:
    fixture = parse("# a note$0\n")
    index = index_of(fixture)
    assert index.syntax_at(fixture.path, fixture.offset) == SyntaxAt("comment", False)
    assert index.syntax_at("/repo/other.py", 0) is None
    assert index.syntax_at(fixture.path, 10_000) is None


@given(
    st.sampled_from(["python", "javascript", "rust", "ruby", "bash", "c"]),
    st.lists(
        st.sampled_from(["x", " ", "\n", "{", "}", "(", ":", "'", '"', "`", "#", "//", "/*", "do"])
    ).map("".join),
    st.integers(0, 40),
)
def test_any_place_of_any_text(language: str, source: str, offset: int) -> None:
    text = source.encode()
    offset = min(offset, len(text))
    found = syntax_at(languages()[language].parse(text).root_node, text, offset)
    assert found.inside == "code" or not found.opens_block
