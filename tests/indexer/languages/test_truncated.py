"""A file that ends in the middle: nothing crashes, and what was defined before the end is kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import FileFacts, extract, language_of
from tests.indexer.samples import SAMPLES

NAMES = ("Shop.cs", "Shop.kt", "shop.php", "shop.rb", "shop.scala", "Person.java")
CONTAINERS = ("class", "interface", "enum", "module")
KEPT = 0.95


def read(name: str, text: bytes) -> FileFacts:
    language = language_of(name)
    assert language is not None
    return extract(name, language, text)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_defined_before_the_end_is_kept(name: str) -> None:
    text = SAMPLES[name].encode()
    whole = read(name, text).symbols
    wanted = kept = 0
    for end in range(0, len(text), 41):
        found = {(symbol.name, symbol.name_start) for symbol in read(name, text[:end]).symbols}
        for symbol in whole:
            begun = symbol.kind in CONTAINERS and symbol.signature_end < end
            if symbol.end < end or begun:
                wanted += 1
                kept += (symbol.name, symbol.name_start) in found
    assert kept >= KEPT * wanted > 0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_any_pieces_of_a_file_can_be_read(name: str, data: st.DataObject) -> None:
    text = SAMPLES[name].encode()
    places = st.integers(0, len(text))
    start, end, cut, size = (data.draw(places) for _ in range(4))
    piece = text[start:end] + text[cut : cut + size % 200]
    facts = read(name, piece)
    for symbol in facts.symbols:
        assert 0 <= symbol.start <= symbol.name_start < symbol.name_end <= symbol.end <= len(piece)
        assert symbol.start <= symbol.signature_start <= symbol.signature_end <= symbol.end
    for use in facts.references:
        assert piece[use.start : use.end].decode("utf-8", "replace") == use.name
