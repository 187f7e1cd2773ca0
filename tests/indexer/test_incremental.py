"""After any edits the state of the index is that of a fresh one."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import (
    ByteEdit,
    Close,
    Document,
    Edit,
    Index,
    IndexConfig,
    LineIndex,
    Open,
    Replace,
    extract,
    language_of,
)
from indexer.document import changed_bytes
from indexer.extract import DocumentExtractor
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
    if document.tree.root_node.has_error or fresh_tree.root_node.has_error:
        # Error recovery may depend on history, and symbols of better times are kept: see below.
        assert index.facts(path) is not None
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


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.lists(edits, min_size=1, max_size=8), st.booleans())
def test_rows_of_any_tree_are_those_of_a_fresh_reading(
    name: str, script: list[tuple[float, int, str]], big: bool
) -> None:
    """Trees with errors included, when nothing is kept from better times."""
    text = SAMPLES[name] * (6 if big else 1)
    language = language_of(name)
    assert language is not None
    document = Document(name, language, 0, text, 10**9)
    extractor = DocumentExtractor(language, keep_last_good=False)
    document._extractor = extractor
    for version, (where, length, piece) in enumerate(script):
        assert document.tree is not None
        extractor.extract(name, document.text, document.tree)
        edit, text = plan(text, where, length, piece)
        document.edit(version, (edit,))
    tree = document.tree
    assert tree is not None
    fresh = DocumentExtractor(language).extract(name, document.text, tree)
    assert extractor.extract(name, document.text, tree) == fresh


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.lists(edits, min_size=1, max_size=8))
def test_what_was_broken_and_mended_is_as_before(
    name: str, script: list[tuple[float, int, str]]
) -> None:
    index, path = Index(IndexConfig(workers=0), (ROOT,)), f"{ROOT}/{name}"
    # What has errors from the start is read anew in another way, as the parser left off elsewhere.
    for text in (SAMPLES[name] * 3, SAMPLES[name]):
        index.apply(Open(path, None, 0, text))
        before = index.facts(path)
        assert before is not None
        if not before.has_errors:
            break
    undo: list[ByteEdit] = []
    for version, (where, length, piece) in enumerate(script):
        edit, after = plan(text, where, length, piece)
        removed = text.encode()[edit.start : edit.end]
        inserted = edit.start + len(after.encode()) - len(text.encode()) + len(removed)
        undo.append(ByteEdit(edit.start, inserted, removed))
        text = after
        index.apply(Edit(path, version, (edit,)))
        facts = index.facts(path)
        assert facts is not None
        for symbol in facts.symbols:
            assert 0 <= symbol.start <= symbol.name_start <= symbol.name_end <= len(text.encode())
    for one in reversed(undo):
        index.apply(Edit(path, 0, (one,)))
    assert index.facts(path) == before


@pytest.mark.parametrize("break_it", ['"', '"""', "(", "[", "{", "(:", "'", "`", "/*"])
@pytest.mark.parametrize(
    "name", ["people.py", "people.ts", "Person.java", "people.go", "people.rs"]
)
def test_a_broken_keystroke_takes_no_symbol_away(name: str, break_it: str) -> None:
    """The rest of the file may be one string for the parser: its symbols stay, at their places."""
    path = f"{ROOT}/{name}"
    index = Index(IndexConfig(workers=0), (ROOT,))
    text = SAMPLES[name] * 3
    index.apply(Open(path, None, 0, text))
    before = index.symbols(path)
    where = text.encode().index(b"\n", len(text) // 3) + 1
    index.apply(Edit(path, 1, (ByteEdit(where, where, break_it + "\n"),)))
    shift = len(break_it) + 1
    moved = {
        (one.name, one.name_start + (shift if one.name_start >= where else 0)) for one in before
    }
    assert moved <= {(symbol.name, symbol.name_start) for symbol in index.symbols(path)}
    index.apply(Edit(path, 2, (ByteEdit(where, where + shift, ""),)))
    assert index.symbols(path) == before


def test_what_is_typed_while_the_text_is_broken_is_seen() -> None:
    path = f"{ROOT}/a.py"
    index = Index(IndexConfig(workers=0), (ROOT,))
    text = "def first(): pass\n" + "x = 1\n" * 40 + "def last(): pass\n"
    index.apply(Open(path, None, 0, text))
    index.apply(Edit(path, 1, (ByteEdit(0, 0, "y = (\n\n\n"),)))
    assert {"first", "last"} <= index.facts(path).defined_names()  # type: ignore[union-attr]
    end = len(text) + 8
    index.apply(Edit(path, 2, (ByteEdit(end, end, "\n\ndef fresh(): return 1\n"),)))
    known = index.facts(path)
    assert known is not None and known.has_errors
    assert {"first", "last", "x", "fresh"} <= known.defined_names()


def test_a_slow_parser_is_not_waited_for_and_comes_to_the_same_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With next to no time for each reading, over edits that come faster than trees."""
    monkeypatch.setattr("indexer.document.PARSE_SECONDS", 1e-6)
    monkeypatch.setattr("indexer.document.PAUSE_SECONDS", 0.0)
    for name in ("people.py", "people.ts"):
        path, text = f"{ROOT}/{name}", SAMPLES[name] * 40
        language = language_of(name)
        assert language is not None
        index = Index(IndexConfig(workers=0), (ROOT,))
        index.apply(Open(path, None, 0, text))
        before = index.facts(path)
        assert before is not None
        where = text.index("\n", len(text) // 2) + 1
        unsettled = 0
        for version, character in enumerate("value = 1\nfresh = 2\n"):
            at = len(text[:where].encode()) + version
            index.apply(Edit(path, version, (ByteEdit(at, at, character),)))
            facts, document = index.facts(path), index.document(path)
            assert facts is not None and document is not None
            assert facts.size == len(document.text)
            assert before.defined_names() <= facts.defined_names()
            unsettled += not document.is_settled
        assert unsettled > 0
        document = index.document(path)
        assert document is not None
        for _ in range(10_000):
            if document.is_settled:
                break
            index.facts(path)
        assert index.facts(path) == extract(path, language, document.text)


def test_typing_keeps_no_old_text_and_closing_keeps_none() -> None:
    path, text = f"{ROOT}/a.py", "".join(f"def f{n}(a): return a + {n}\n" for n in range(4_000))
    index = Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, text))
    middle = len(text) // 2
    middle = text.index("\n", middle) + 1
    taken: list[int] = []
    tracemalloc.start()
    try:
        for version, character in enumerate("value = 1\n" * 6):
            at = middle + version
            index.apply(Edit(path, version, (ByteEdit(at, at, character),)))
            assert index.facts(path) is not None
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert taken[-1] - taken[20] < 2 * len(text)
    document = index.document(path)
    assert document is not None
    closed = weakref.ref(document)
    del document
    index.apply(Close(path))
    gc.collect()
    assert closed() is None


pieces = st.sampled_from(["a", "\r", "\n", "\r\n", "b = 1\n", "é", ""])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(pieces, max_size=12),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), pieces), max_size=6),
)
def test_rows_of_edits_are_those_of_the_text(
    start: list[str], script: list[tuple[float, int, str]]
) -> None:
    """Whatever line ends there are: the grammar counts \\n alone, lines count \\r too."""
    text = "".join(start)
    document = Document("a.py", language_of("a.py"), 0, text, 10**9)
    for version, (where, length, piece) in enumerate(script):
        edit, text = plan(text, where, length, piece)
        document.edit(version, (edit,))
        for offset in range(len(document.text) + 1):
            before = document.text[:offset]
            column = offset - before.rfind(b"\n") - 1
            assert document._start_of(offset) == (before.count(b"\n"), column)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "é", "ê", "🦀", "\r\n"]), max_size=12),
    st.lists(st.sampled_from(["a", "b", "é", "ê", "🦀", "\r\n"]), max_size=12),
)
def test_what_differs_between_two_texts(before: list[str], after: list[str]) -> None:
    old, new = "".join(before).encode(), "".join(after).encode()
    start, end, new_end = changed_bytes(old, new)
    assert 0 <= start <= end <= len(old) and start <= new_end <= len(new)
    assert old[:start] + new[start:new_end] + old[end:] == new
    for piece in (old[:start], old[start:end], new[start:new_end], old[end:]):
        piece.decode()  # no character is cut
    if old == new:
        assert start == end == new_end


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.lists(edits, min_size=1, max_size=6), st.booleans())
def test_whole_texts_that_differ_little_equal_fresh_ones(
    name: str, script: list[tuple[float, int, str]], is_read: bool
) -> None:
    """Clients that cannot send edits send everything for each key."""
    path, text = f"{ROOT}/{name}", SAMPLES[name] * 3
    index = Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, text))
    index.symbols(path)
    document, language = index.document(path), language_of(path)
    assert document is not None and language is not None
    extractor, is_edited = document._extractor, True
    for version, (where, length, piece) in enumerate(script):
        _, text = plan(text, where, length, piece)
        is_edited = is_edited and len(piece.encode("utf-8", "replace")) + 4 * length < len(text) / 4
        index.apply(Replace(path, version, text))
        assert document.text == text.encode()
        if is_read:
            index.symbols(path)
    assert not is_edited or document._extractor is extractor
    assert document.line_index.starts.tolist() == LineIndex(document.text).starts.tolist()
    assert document.tree is not None
    if document.tree.root_node.has_error or language.parse(document.text).root_node.has_error:
        assert index.facts(path) is not None
    else:
        assert index.facts(path) == extract(path, language, document.text)


def test_a_document_that_is_too_much_for_the_query_is_known_as_far_as_possible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("indexer.document.PAUSE_SECONDS", 0.0)
    path, slow = f"{ROOT}/a.py", "a" + ".a" * 60_000 + "\n"
    first = "def first(): return one()\n" * 20
    index = Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, first + slow))
    language = language_of(path)
    assert language is not None
    facts = index.facts(path)
    assert facts is not None and facts.size == len(first + slow)
    assert {"first"} <= facts.defined_names()
    for version in range(8):  # typing goes on, and nothing that is known is lost
        index.apply(Edit(path, version, (ByteEdit(0, 0, f"def fresh{version}(): pass\n"),)))
        facts = index.facts(path)
        assert facts is not None and {"first"} <= facts.defined_names()
    document = index.document(path)
    assert document is not None
    start = document.text.index(b"a.a.a")
    index.apply(Edit(path, 9, (ByteEdit(start, len(document.text), "last = 1\n"),)))
    for _ in range(10_000):
        if index.facts(path) is not None and document.is_settled:
            break
    assert index.facts(path) == extract(path, language, document.text)


def test_a_document_on_which_the_query_takes_too_long_still_answers() -> None:
    path = f"{ROOT}/a.py"
    index = Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, "a" + ".a" * 50_000))
    assert index.facts(path) is not None
    index.apply(Edit(path, 1, (ByteEdit(0, 0, "x = 1\n"),)))
    facts = index.facts(path)
    assert facts is not None and facts.size == 100_007


def test_a_text_with_errors_keeps_its_symbols_when_it_breaks_further() -> None:
    """A string without end is one error where there were several small ones."""
    name, path = "shop.lua", f"{ROOT}/shop.lua"
    text = SAMPLES[name] * 3  # It returns in the middle.
    index = Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, text))
    before = index.facts(path)
    assert before is not None and before.has_errors
    quote = text.index('"json"')
    index.apply(Edit(path, 1, (ByteEdit(quote, quote + 1, ""),)))
    after = index.facts(path)
    assert after is not None
    assert len(after.symbols) > 0.9 * len(before.symbols)
