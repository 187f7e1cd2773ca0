"""Whatever bytes come from outside, the index answers; it raises only what it promises to."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import (
    ByteEdit,
    Close,
    Edit,
    Index,
    IndexConfig,
    Open,
    Replace,
    extract,
    language_of,
    mask_secrets,
    syntax_errors,
)
from tests.indexer.samples import SAMPLES

ROOT = "/repo"
FRAGMENTS = re.compile(rb"\s+|\w+|[^\w\s]")
PIECES = sorted({piece for text in SAMPLES.values() for piece in FRAGMENTS.findall(text.encode())})
shuffled = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)), max_size=120).map(
    b"".join
)
texts = st.one_of(st.binary(max_size=300), shuffled)
names = st.sampled_from(sorted(SAMPLES))


@settings(max_examples=150, deadline=None)
@given(names, texts)
def test_any_bytes_have_facts_within_the_text(name: str, text: bytes) -> None:
    language = language_of(name)
    assert language is not None
    facts = extract(name, language, text)
    for symbol in facts.symbols:
        assert 0 <= symbol.start <= symbol.name_start <= symbol.name_end <= len(text)
        assert symbol.start <= symbol.signature_start <= symbol.signature_end <= symbol.end
        assert symbol.end <= len(text)
        assert symbol.parent < symbol.index
    for use in facts.references:
        assert 0 <= use.start <= len(text)
    covered = b"".join(text[chunk.start : chunk.end] for chunk in facts.chunks)
    assert covered.split() == text.split()
    assert syntax_errors(language.name, text) >= 0
    assert len(mask_secrets(text)) == len(text)


@settings(max_examples=60, deadline=None)
@given(
    names,
    texts,
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 50), texts), max_size=6),
    st.integers(0, 400),
)
def test_any_edits_leave_an_index_that_answers(
    name: str, text: bytes, edits: list[tuple[int, int, bytes]], where: int
) -> None:
    index = Index(IndexConfig(workers=0), (ROOT,))
    for other, sample in SAMPLES.items():
        index.apply(Open(f"{ROOT}/lib/{other}", None, 1, sample))
    path = f"{ROOT}/{name}"
    index.apply(Open(path, None, 1, text))
    for start, length, new in edits:
        start = min(start, len(text))
        end = min(start + length, len(text))
        index.apply(Edit(path, 2, (ByteEdit(start, end, new),)))
        text = text[:start] + new + text[end:]
    document = index.document(path)
    assert document is not None and document.text == text
    offset = min(where, len(text))
    for snippet in index.definitions_needed(path, offset, 5) + index.similar_chunks(
        path, offset, 5
    ):
        assert snippet.text and snippet.end >= snippet.start
    scope = document.scope_at(offset)
    assert 0 <= scope.start <= offset <= scope.end <= len(text)
    document.has_error_in(0, len(text))
    index.apply(Replace(path, 3, ""))
    assert index.symbols(path) == ()
    index.apply(Close(path))
    assert path not in index.paths()


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_string_may_be_typed(text: str, more: str) -> None:
    """Strings as JSON may carry them: lone surrogates too."""
    index = Index(IndexConfig(workers=0), (ROOT,))
    path = f"{ROOT}/a.py"
    index.apply(Open(path, "python", 1, text + "\ud800"))
    document = index.document(path)
    assert document is not None
    end = len(document.text)
    index.apply(Edit(path, 2, (ByteEdit(end, end, more + "\udc00"),)))
    assert document.text.decode() == f"{text}\ufffd{more}\ufffd"


NAMES = st.sampled_from(["a", "b", "c", "m", "n"])
STATEMENTS = st.one_of(
    st.builds("{} = {}.{}()\n".format, NAMES, NAMES, NAMES),
    st.builds("{}: {}.{}\n".format, NAMES, NAMES, NAMES),
    st.builds("class {}({}.{}, {}): {} = {}.{}()\n".format, *[NAMES] * 7),
    st.builds("def {}({}: {}.{}) -> {}.{}: ...\n".format, *[NAMES] * 6),
    st.builds("from {} import {} as {}\n".format, NAMES, NAMES, NAMES),
    st.builds("from .{} import *\n".format, NAMES),
    st.builds("import {}, {} as {}\n".format, NAMES, NAMES, NAMES),
)
MODULES = st.lists(STATEMENTS, max_size=8).map("".join)


@settings(max_examples=150, deadline=None)
@given(MODULES, MODULES, MODULES, NAMES, NAMES)
def test_definitions_that_go_in_circles_end(
    here: str, one: str, two: str, receiver: str, member: str
) -> None:
    index = Index(IndexConfig(workers=0), (ROOT,))
    text = f"{here}\nclass a(b):\n    def f(self, c: n.m):\n        self.{receiver}.{member}"
    for name, source in (("main", text), ("m", one), ("n", two), ("__init__", two)):
        index.apply(Open(f"{ROOT}/{name}.py", None, 1, source))
    for ending in ("", f"\n        {receiver}.", "\n        super()."):
        end = len(text.encode())
        index.apply(Edit(f"{ROOT}/main.py", 2, (ByteEdit(end, end, ending),)))
        text += ending
        index.definitions_needed(f"{ROOT}/main.py", len(text.encode()), 20)
