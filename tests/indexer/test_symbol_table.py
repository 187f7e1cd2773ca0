"""Which files define and use a name, against dictionaries that are filled anew each time."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import postings, segments, symbol_table, vocabulary
from indexer.facts import FileFacts, packed
from indexer.native.names import NativeNames
from indexer.postings import Postings
from indexer.tables import Tables
from indexer.vocabulary import LayeredNames, Vocabulary
from tests.indexer.made_facts import made_facts

name = st.sampled_from(["a", "b", "ab", "abc", "名", "x", "xa", "b2", "c", "cc"])
names = st.lists(name, max_size=8)
contents = st.tuples(names, names, st.lists(names, max_size=3))
changes = st.lists(
    st.tuples(st.sampled_from(["p", "q", "r"]), st.none() | contents), min_size=1, max_size=25
)


def check_tables(tables: Tables, files: dict[str, FileFacts]) -> None:
    """Every answer is what a look through all files gives."""
    table = tables.symbols
    assert table.file_count == len(files)
    assert table.symbol_count == sum(len(facts.symbols) for facts in files.values())
    assert table.reference_count == sum(len(facts.references) for facts in files.values())
    assert set(table.paths()) == set(files)
    all_names = {name for facts in files.values() for name in facts.names}
    for one in {*all_names, "a", "none"}:
        defining = {path for path, facts in files.items() if one in facts.defined_names()}
        using = {path for path, facts in files.items() if one in facts.names[: facts.used_count]}
        holding = [
            (path, piece) for path, facts in files.items() for piece in facts.chunks
            if one in piece.terms
        ]  # fmt: skip
        assert table.paths_defining(one) == defining
        assert table.paths_using(one) == using
        symbols = [symbol for path in sorted(defining) for symbol in files[path].symbols_named(one)]
        assert list(table.definitions_of(one)) == symbols
        assert tables.chunks.chunk_frequency(one) == len(holding)
        assert tables.chunks.paths_with(one) == {path for path, _ in holding}
    defined = list(table.names())
    assert len(defined) == len(set(defined))
    assert set(defined) == {one for facts in files.values() for one in facts.defined_names()}
    for path in (*files, "none"):
        assert table.facts(path) is files.get(path)


@settings(max_examples=150, deadline=None)
@given(changes, st.integers(1, 3))
def test_tables_after_any_changes_are_those_of_the_last_facts(
    changes: Sequence[tuple[str, tuple[list[str], list[str], list[list[str]]] | None]], at_once: int
) -> None:
    tables = Tables()
    files: dict[str, FileFacts] = {}
    new: list[FileFacts] = []
    for path, content in changes:
        if content is None:
            facts = None
        else:
            defines, uses, bags = content
            facts = made_facts(path, defines, uses, bags)
        if facts is not None and path not in files and not any(f.path == path for f in new):
            new.append(facts)
            if len(new) < at_once:
                continue
        if new:
            tables.put_new(new)
            files |= {one.path: one for one in new}
            new = []
        if files.get(path) is not facts:
            tables.put(path, facts)
            files.pop(path, None)
            if facts is not None:
                files[path] = facts
    check_tables(tables, files)


def test_typing_a_name_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of keystrokes: old entries are renewed, cleaned away, and never found."""
    monkeypatch.setattr(symbol_table, "MANY_OUTDATED", 20)
    monkeypatch.setattr(postings, "CLEAN_FROM", 16)
    monkeypatch.setattr(postings, "RUN", 64)
    monkeypatch.setattr(vocabulary, "LAYER", 200)
    tables = Tables()
    other = made_facts("q", ["f", "w7"], ["g", "w8"], [["g", "w8"], ["f"]])
    tables.put("q", other)
    for number in range(600):
        uses = ["g", f"w{number % 90}", "h"]
        facts = made_facts("p", ["f", f"d{number}"], uses, [["h"], uses, ["i", "j"]])
        tables.put("p", facts)
        if number % 50 == 0:
            check_tables(tables, {"p": facts, "q": other})
    check_tables(tables, {"p": facts, "q": other})
    terms, _ = tables.symbols._postings.entries()
    assert len(terms) < 200
    assert tables.chunks._postings.nbytes < 20_000


def test_files_that_come_and_go_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "CLEAN_FROM", 16)
    monkeypatch.setattr(postings, "RUN", 64)
    tables = Tables()
    for number in range(500):
        facts = made_facts(f"p{number}", ["f"], ["g"], [["a", "b"], ["b"]])
        tables.put(facts.path, facts)
        if number >= 3:
            tables.put(f"p{number - 3}", None)
    last = {
        f"p{number}": made_facts(f"p{number}", ["f"], ["g"], [["a", "b"], ["b"]])
        for number in range(497, 500)
    }
    assert {path: tables.symbols.facts(path) for path in tables.symbols.paths()} == last
    assert tables.symbols.paths_defining("f") == set(last)
    assert tables.chunks.chunk_count == 6 and tables.chunks.chunk_frequency("b") == 6
    assert len(tables.symbols._facts) < 100 and len(tables.chunks._facts) < 10


@settings(max_examples=200, deadline=None)
@given(st.lists(names, min_size=1, max_size=10), st.booleans())
def test_numbers_of_names_are_the_same_every_time(texts: list[list[str]], is_native: bool) -> None:
    """Also those that are told from the numbers of the text before."""
    known = Vocabulary(is_native)
    numbers: dict[str, int] = {}
    for text in texts:
        facts = made_facts("p", text)
        found = known.numbers_of(facts).tolist()
        assert len(found) == len(facts.names)
        for one, number in zip(facts.names, found, strict=True):
            assert numbers.setdefault(one, number) == number
    assert sorted(numbers.values()) == list(range(len(known)))
    assert {one: known.find(one) for one in numbers} == numbers
    assert known.find("none") == -1
    assert list(known.names_of([0, 1, 0])) == [
        one for one, number in numbers.items() if number in (0, 1)
    ]


def test_native_names_are_numbered_as_plain_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through all growth of both: many names, long ones, the empty one."""
    monkeypatch.setattr(vocabulary, "LAYER", 500)
    native, plain = NativeNames(), LayeredNames()
    chance = random.Random(0)
    for _ in range(60):
        words = [f"{'x' * chance.choice((0, 1, 9, 70_000))}{chance.randrange(9_000)}" for _ in "ab"]
        words += [f"name{chance.randrange(20_000)}" for _ in range(500)] + ["", "né", "名前"]
        blob = packed(words)
        assert native.numbers(blob).tolist() == plain.numbers(blob).tolist()
        assert native.count == plain.count
        for word in (*words[:20], "none", "né"):
            assert native.find(word.encode()) == plain.find(word.encode())
    order = np.arange(native.count, dtype=np.int32)[::-1]
    assert native.names(order) == plain.names(order)
    assert native.names(order[:0]) == b"" and native.numbers(b"").tolist() == []
    assert native.nbytes > 1_000_000
    with pytest.raises(IndexError, match="numbers of names are 0 to"):
        native.names(np.array([native.count], np.int32))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_postings_hold_what_living_owners_added(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "RUN", 8)
        patch.setattr(postings, "FANOUT", 2)
        patch.setattr(postings, "CLEAN_FROM", 4)
        patch.setattr(postings, "LARGE", 12)
        patch.setattr(segments, "STEP", 4)
        held = Postings(bits=2)
        alive: dict[int, list[tuple[int, int]]] = {}
        for _ in range(data.draw(st.integers(1, 60))):
            is_retiring = data.draw(st.booleans())
            if alive and is_retiring:
                gone = data.draw(st.lists(st.sampled_from(sorted(alive)), unique=True))
                for owner in gone:
                    del alive[owner]
                held.retire(np.array(gone, np.int32))
            pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=6)
            (owner,) = held.new_owners(1).tolist()
            assert owner not in alive
            alive[owner] = data.draw(pairs)
            terms = np.array([term for term, _ in alive[owner]], np.int32)
            notes = np.array([note for _, note in alive[owner]], np.uint32)
            held.add(terms, np.uint32(owner << 2) | notes)
        for term in range(8):
            expect = sorted(
                owner << 2 | note
                for owner, entries in alive.items()
                for other, note in entries
                if other == term
            )
            assert sorted(held.of(term).tolist()) == expect
        values, whose = held.of_many(np.array([3, 7, 1], np.int32))
        assert sorted(values[whose == 0].tolist()) == sorted(held.of(3).tolist())
        assert sorted(values[whose == 2].tolist()) == sorted(held.of(1).tolist())
        assert 1 not in whose.tolist()
        assert np.flatnonzero(held.alive).tolist() == sorted(alive)
