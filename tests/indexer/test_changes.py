"""What new facts say other than old ones, natively and by looking at lists."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.facts import FileFacts, packed
from indexer.native.changes import Span, changed_facts, changed_names
from indexer.vocabulary import Vocabulary
from tests.indexer.made_facts import made_facts

name = st.sampled_from(["a", "b", "ab", "abc", "名", "x", "xa", "b2", "", "aa"])
names = st.lists(name, max_size=8)
contents = st.tuples(names, names, st.lists(names, max_size=4))


def plain_span(old: Sequence[Hashable], new: Sequence[Hashable]) -> Span:
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    old_end, end = len(old), len(new)
    while min(old_end, end) > start and old[old_end - 1] == new[end - 1]:
        old_end, end = old_end - 1, end - 1
    return Span(start, old_end, end)


def noted(facts: FileFacts) -> list[tuple[str, bool]]:
    """Names that a file uses or defines, with whether it defines them."""
    used = facts.names[: facts.used_count]
    return [(one, number < facts.defined_count) for number, one in enumerate(used)]


def bags(facts: FileFacts) -> list[tuple[tuple[str, ...], bytes]]:
    return [(piece.terms, piece.counts) for piece in facts.chunks]


@settings(max_examples=300, deadline=None)
@given(contents, contents, names)
def test_changed_facts_are_those_that_differ(
    before: tuple[list[str], list[str], list[list[str]]],
    after: tuple[list[str], list[str], list[list[str]]],
    known: list[str],
) -> None:
    vocabulary = Vocabulary()
    vocabulary.numbers(packed(known))  # so that numbers are not those of the file
    old, new = made_facts("p", *before), made_facts("p", *after)
    numbers = [vocabulary.numbers(facts.packed_names) for facts in (old, new)]
    found = changed_facts(old, numbers[0], new, numbers[1])
    assert (found.defined_before, found.used_before) == old.name_counts
    assert (found.defined, found.used) == new.name_counts
    assert found.names == plain_span(noted(old), noted(new))
    assert found.chunks == plain_span(bags(old), bags(new))


@settings(max_examples=300, deadline=None)
@given(names, names, st.integers(1, 30))
def test_names_outside_of_a_change_are_the_same(old: list[str], new: list[str], times: int) -> None:
    """Also in long lists, which are compared many bytes at a time."""
    old, new = old * times, new * times
    blob = packed(new)
    start, end, before, after = changed_names(packed(old), blob)
    assert 0 <= start <= end <= len(blob) and before + after <= min(len(old), len(new))
    assert blob[:start] == packed(old[:before]) == packed(new[:before])
    rest = packed(new[len(new) - after :])
    assert blob[end:] == packed(old[len(old) - after :]) == rest
    middle = new[before : len(new) - after]
    assert blob[start:end] == packed(middle)
    if old == new:
        assert not middle
    else:
        span = plain_span(old, new)
        assert len(middle) <= span.end - span.start + 2  # whole names, one more at the most
