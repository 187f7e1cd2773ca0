"""After any edits the state of the index is that of a fresh one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import (
    ByteEdit,
    Close,
    Edit,
    Index,
    IndexConfig,
    LineIndex,
    Open,
    Replace,
    extract,
    language_of,
)
from tests.indexer.samples import SAMPLES

ROOT = "/repo"
PIECES = (
    "x", "\n", "\r\n", "\r", " ", "    ", "(", ")", "{", "}", '"', "'", '"""', "#", "//", "/*",
    "*/", "🦀", "é", "\U0001d4b3 = 1\n", "def f(a: int):\n    return a\n",
    "class B(A):\n    x = 1\n",
    "self.y = Y()\n", "import os\n", "from a import b as c\n", "function g() { return 1 }\n",
    "@dec\n", "", "\ud83e", "fn h() {}\n", "struct S { int a; };\n", "export const q = () => 1;\n",
)  # fmt: skip
edits = st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(PIECES))
steps = st.lists(
    st.one_of(st.lists(edits, min_size=1, max_size=4), st.sampled_from(["replace", "read"])),
    min_size=1,
    max_size=8,
)


def plan(text: str, where: float, length: int, piece: str) -> tuple[ByteEdit, str]:
    """An edit of whole characters, and the text after it."""
    start = int(where * len(text))
    end = min(len(text), start + length)
    low, high = (len(text[:at].encode("utf-8", "surrogatepass")) for at in (start, end))
    after = text[:start] + piece.replace("\ud83e", "\ufffd") + text[end:]
    return ByteEdit(low, high, piece), after


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), steps, st.booleans())
def test_edited_documents_equal_fresh_ones(
    name: str, script: list[list[tuple[float, int, str]] | str], big: bool
) -> None:
    path = f"{ROOT}/{name}"
    text = SAMPLES[name] * (6 if big else 1)  # big enough that its nodes are split
    index = Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, text))
    index.symbols(path)
    for version, step in enumerate(script, 1):
        if step == "read":
            index.symbols(path)
        elif step == "replace":
            text = SAMPLES[name][version:]
            index.apply(Replace(path, version, text))
        else:
            planned = []
            for where, length, piece in step:
                edit, text = plan(text, where, length, piece)
                planned.append(edit)
            index.apply(Edit(path, version, tuple(planned)))
    document = index.document(path)
    language = language_of(path)
    assert document is not None and language is not None and document.tree is not None
    assert document.text == text.encode()
    assert document.line_index.starts.tolist() == LineIndex(document.text).starts.tolist()
    fresh_tree = language.parse(document.text)
    if str(document.tree.root_node) != str(fresh_tree.root_node):
        # The grammar's error recovery may depend on history; the facts then follow our tree.
        assert fresh_tree.root_node.has_error or document.tree.root_node.has_error
        return
    assert index.facts(path) == extract(path, language, document.text)
    fresh = Index(IndexConfig(workers=0), (ROOT,))
    fresh.apply(Open(path, None, 0, text))
    for known in sorted(fresh.names()):
        assert index.definitions_of(known) == fresh.definitions_of(known)
    assert sorted(index.names()) == sorted(fresh.names())
    assert index.status() == fresh.status()


def test_a_closed_document_leaves_nothing_behind() -> None:
    index = Index(IndexConfig(workers=0), (ROOT,))
    for name, text in SAMPLES.items():
        index.apply(Open(f"{ROOT}/{name}", None, 0, text))
    assert index.definitions_of("Person")
    for name in SAMPLES:
        index.apply(Close(f"{ROOT}/{name}"))
    assert list(index.names()) == [] and list(index.paths()) == []
    assert index.status().chunks == index.status().symbols == 0


def test_what_is_forgotten_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for few fragments and names everything is dropped and read again all the time."""
    monkeypatch.setattr("indexer.reading.SPLIT_BYTES", 200)
    monkeypatch.setattr("indexer.reading.MAX_LEAVES", 12)
    monkeypatch.setattr("indexer.reading.MAX_NAMES", 60)
    rng = random.Random(0)
    for name in sorted(SAMPLES):
        path, language = f"{ROOT}/{name}", language_of(name)
        assert language is not None
        index = Index(IndexConfig(workers=0), (ROOT,))
        text = SAMPLES[name] * 3
        index.apply(Open(path, None, 0, text))
        for version in range(1, 8):
            edit, text = plan(text, rng.random(), 0, rng.choice(("x", "\n", "y = 1\n", " ")))
            index.apply(Edit(path, version, (edit,)))
            document = index.document(path)
            assert document is not None and document.tree is not None
            if str(document.tree.root_node) == str(language.parse(document.text).root_node):
                assert index.facts(path) == extract(path, language, document.text)
