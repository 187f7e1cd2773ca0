"""The core that is compiled in, with its changes, makes the very trees that tree-sitter makes.

Each tree is told by one number for all its nodes: kinds, places, fields, errors, parse states.
"""

from __future__ import annotations

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import language_of
from indexer.language import Language, languages
from indexer.native import language_pointer, load_library, tree_pointer
from tests.indexer.samples import SAMPLES
from tests.indexer.test_incremental import PIECES, edits, plan

names = st.sampled_from(sorted(SAMPLES))


def check_tree(language: Language, text: bytes) -> None:
    library = load_library()
    grammar = importlib.import_module(language.grammar_module)
    pointer = language_pointer(getattr(grammar, language.grammar_function)())
    theirs = language.parse(text)
    expected = library.sopilka_tree_digest(tree_pointer(theirs))
    assert library.sopilka_text_digest(pointer, text, len(text)) == expected


def known(name: str) -> Language:
    language = language_of(name)
    assert language is not None
    return language


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_trees_of_samples(name: str) -> None:
    text = SAMPLES[name].encode()
    for one in (b"", b"\xef\xbb\xbf" + text, text.replace(b"\n", b"\r\n"), text * 20):
        check_tree(known(name), one)


@settings(max_examples=300, deadline=None)
@given(names, st.lists(edits, min_size=1, max_size=6), st.integers(1, 4))
def test_trees_of_broken_samples(
    name: str, script: list[tuple[float, int, str]], times: int
) -> None:
    text = SAMPLES[name] * times
    for where, length, piece in script:
        _, text = plan(text, where, length, piece)
        check_tree(known(name), text.encode())


@settings(max_examples=300, deadline=None)
@given(
    names,
    st.lists(
        st.one_of(st.sampled_from([piece.encode("utf-8", "replace") for piece in PIECES]),
                  st.binary(max_size=6)),
        max_size=60,
    ).map(b"".join),
)  # fmt: skip
def test_trees_of_any_bytes(name: str, text: bytes) -> None:
    check_tree(known(name), text)


def test_the_number_of_a_tree_tells_small_changes() -> None:
    library = load_library()
    language = known("a.py")
    trees = [language.parse(text) for text in (b"x = f(1)", b"x = f(2)", b"x = f(y)", b"x = f( 1)")]
    numbers = [library.sopilka_tree_digest(tree_pointer(tree)) for tree in trees]
    assert numbers[0] == numbers[1]  # the text itself is no part of a tree
    assert len(set(numbers)) == 3


def test_queries_of_all_languages_are_asked_about_few_nodes() -> None:
    walked = {name for name, language in languages().items() if language.native.is_walked}
    assert set(languages()) - walked == set()
