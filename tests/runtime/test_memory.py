"""The repository memory against a definition of it that looks at every position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from runtime.matcher import LIVE_LIMIT, MATCH_LIMIT, Matcher
from runtime.memory import MemoryLimits, RepositoryMemory

Tokens = tuple[int, ...]
Held = tuple[Matcher, tuple[Tokens, ...], Tokens]
# Key widths: 21 tokens, 7 tokens, 3 tokens.
VOCAB_SIZES = (5, 300, 151_936)


def followers(document: Sequence[int], context: Sequence[int], length: int) -> Counter[int]:
    """What follows each place in the document where the context's last `length` tokens stand."""
    tail = tuple(context[len(context) - length :])
    return Counter(
        document[end]
        for end in range(length, len(document))
        if length <= len(context) and tuple(document[end - length : end]) == tail
    )


def check_matches(
    matcher: Matcher, documents: Sequence[Tokens], context: Tokens, after: Tokens
) -> None:
    longest = 0
    for length in range(1, MATCH_LIMIT + 1):
        live = followers(context, context, length) + followers(after, context, length)
        stored: Counter[int] = Counter()
        for document in documents:
            stored += followers(document, context, length)
        got_live, got_stored = matcher.next_tokens(length)
        assert Counter(got_live.tolist()) == live, length
        assert Counter(got_stored.tolist()) == stored, length
        if live or stored:
            longest = length
    assert matcher.longest == longest


def check(
    documents: dict[str, str], before: str, after: str = "", key: str | None = None
) -> Matcher:
    memory = RepositoryMemory(300)
    for name, text in documents.items():
        memory.put(name, tuple(text.encode()))
    context, tail = tuple(before.encode()), tuple(after.encode())
    others = [tuple(text.encode()) for name, text in documents.items() if name != key]
    matcher = memory.matcher(key, context, tail)
    check_matches(matcher, others, context, tail)
    return matcher


def test_finds_what_followed() -> None:
    matcher = check({"one": "x = foo(1)\n", "two": "y = foo(2)\n"}, "z = foo(")
    assert matcher.longest == 7
    assert sorted(matcher.next_tokens(7)[1].tobytes()[::4]) == list(b"12")


def test_a_match_longer_than_a_key() -> None:
    text = "the quick brown fox jumps over the lazy dog"
    assert check({"one": text}, text[:-3]).longest == 32


def test_nothing_follows_the_end_of_a_document() -> None:
    assert check({"one": "ab", "two": "cd"}, "ab").longest == 0
    assert check({"one": "ab"}, "", "cab").longest == 0


def test_no_match_crosses_from_one_document_to_the_next() -> None:
    assert check({"one": "ab", "two": "cd", "three": "ab"}, "abc").longest == 1


def test_open_document_is_left_out_but_its_live_text_is_searched() -> None:
    matcher = check({"open": "old text"}, "new te", "new text", key="open")
    assert matcher.longest == 6


def test_empty_everything() -> None:
    assert check({}, "").longest == 0
    assert check({"empty": ""}, "a").longest == 0


def test_overlapping_repetition() -> None:
    assert check({}, "aaaaaa").longest == 5


def test_put_replaces_and_drop_forgets() -> None:
    memory = RepositoryMemory(300, MemoryLimits(recent_tokens=1))
    assert memory.put("a", tuple(b"one")) and memory.put("a", tuple(b"two"))
    memory.settle()
    assert (memory.num_documents, memory.num_tokens) == (1, 3)
    assert memory.drop("a") and not memory.drop("a")
    assert (memory.num_documents, memory.num_tokens) == (0, 0)


def test_bad_tokens_are_refused() -> None:
    memory = RepositoryMemory(10)
    with pytest.raises(ValueError, match=r"outside of 0\.\.9"):
        memory.put("a", (1, 10))
    with pytest.raises(ValueError, match=r"outside of 0\.\.9"):
        memory.put("a", (-1,))
    assert memory.num_documents == 0


def test_budget_forgets_what_was_put_longest_ago() -> None:
    memory = RepositoryMemory(300, MemoryLimits(max_tokens=10))
    for name in "abc":
        assert memory.put(name, tuple(b"1234"))
        assert memory.num_tokens <= 10
    assert not memory.drop("a")
    memory.put("b", tuple(b"1234"))  # Unchanged, but now the latest.
    memory.put("d", tuple(b"1234"))
    assert not memory.drop("c")
    assert memory.drop("b") and memory.drop("d")


def test_document_beyond_the_budget_is_refused_and_its_older_text_forgotten() -> None:
    memory = RepositoryMemory(300, MemoryLimits(max_tokens=3))
    assert memory.put("a", (1, 2, 3))
    assert not memory.put("a", (1, 2, 3, 4))
    assert memory.num_documents == 0


def test_the_caller_keeps_its_array() -> None:
    tokens = np.array([1, 2, 3], np.int32)
    memory = RepositoryMemory(300)
    memory.put("a", tokens)
    tokens[:] = 9
    assert memory.matcher(None, (1, 2)).longest == 2


def test_many_matches_are_thinned_evenly() -> None:
    memory = RepositoryMemory(300, MemoryLimits(max_matches=50))
    memory.put("a", (1, 2) * 1000 + (1, 3) * 1000)
    memory.put("b", (7, 1, 2))
    for before in [(1,), (7, 1)]:
        counts = Counter(memory.matcher(None, before).next_tokens(1)[1].tolist())
        assert sum(counts.values()) == 50
        assert abs(counts[2] - counts[3]) <= 2


def test_large_parts_are_searched_like_small_ones() -> None:
    """Enough tokens for the sort to take its other ways, with tombstones in the large part."""
    rng = np.random.default_rng(1)
    memory = RepositoryMemory(151_936, MemoryLimits(recent_tokens=6000, max_matches=10**6))
    documents = {str(n): tuple(rng.integers(0, 3, 2000).tolist()) for n in range(8)}
    for name, document in documents.items():
        memory.put(name, document)
        memory.settle()
    for name in "15":
        memory.drop(name)
        del documents[name]
    context = documents["3"][100:140]
    matcher = memory.matcher(None, context[:10], room=30)
    for token in context[10:]:
        matcher.extend(token)
    check_matches(matcher, list(documents.values()), context, ())
    assert matcher.longest == 32


def test_a_search_under_way_keeps_what_it_began_with() -> None:
    memory = RepositoryMemory(300, MemoryLimits(recent_tokens=1))
    documents = {name: tuple(b"shared text " + name.encode()) for name in "abcd"}
    for name, document in documents.items():
        memory.put(name, document)
    memory.settle()
    held, context = [], tuple(b"shared text ")
    for name in "abc":
        held.append((memory.matcher(None, context), list(documents.values())))
        memory.drop(name)
        del documents[name]
    held.append((memory.matcher(None, context), list(documents.values())))
    for matcher, expected in held:
        check_matches(matcher, expected, context, ())


def test_only_the_near_part_of_a_long_open_document_is_searched() -> None:
    memory = RepositoryMemory(300)
    filler = (5,) * LIVE_LIMIT
    assert memory.matcher(None, (1, 2, *filler, 1)).longest == 0
    assert memory.matcher(None, (1,), (*filler, 1, 2)).longest == 0
    assert memory.matcher(None, (1, 2, *filler[:-10], 1)).longest == 1


ALPHABET = st.integers(0, 2)
# Texts repeat themselves: documents and contexts are pieces of the same few sequences.
PIECES = ((0, 1), (0, 1, 2, 0, 2, 1, 1, 2, 0, 0, 2), (2,) * 9, (1, 0, 0, 1, 0, 1, 1))
DOCUMENT = st.lists(
    st.one_of(st.sampled_from(PIECES), ALPHABET.map(lambda token: (token,))), max_size=12
).map(lambda pieces: tuple(token for piece in pieces for token in piece))


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(DOCUMENT, min_size=1, max_size=4),
    before=DOCUMENT,
    after=DOCUMENT,
    grown=DOCUMENT,
    vocab_size=st.sampled_from(VOCAB_SIZES),
)
def test_extending_equals_searching_afresh(
    documents: list[Tokens], before: Tokens, after: Tokens, grown: Tokens, vocab_size: int
) -> None:
    memory = RepositoryMemory(vocab_size, MemoryLimits(recent_tokens=40))
    for index, document in enumerate(documents):
        memory.put(str(index), document)
    memory.settle()
    matcher = memory.matcher("0", before, after, len(grown))
    context = before
    for token in grown:
        matcher.extend(token)
        context = (*context, token)
        fresh = memory.matcher("0", context, after)
        assert matcher.longest == fresh.longest
        for length in range(1, MATCH_LIMIT + 1):
            for got, want in zip(
                matcher.next_tokens(length), fresh.next_tokens(length), strict=True
            ):
                assert got.tolist() == want.tolist()
    check_matches(matcher, documents[1:], context, after)


class MemoryMachine(RuleBasedStateMachine):
    """Whatever was put, dropped and merged: matches are those of the documents that are there."""

    matchers = Bundle("matchers")

    @initialize(
        vocab_size=st.sampled_from(VOCAB_SIZES),
        recent_tokens=st.sampled_from((1, 20, 100)),
        max_tokens=st.sampled_from((150, 10_000)),
    )
    def begin(self, vocab_size: int, recent_tokens: int, max_tokens: int) -> None:
        self.memory = RepositoryMemory(vocab_size, MemoryLimits(max_tokens, recent_tokens))
        self.documents: dict[str, Tokens] = {}

    @rule(key=st.sampled_from("abcd"), tokens=DOCUMENT)
    def put(self, key: str, tokens: Tokens) -> None:
        assert self.memory.put(key, tokens)
        self.documents.pop(key, None)
        self.documents[key] = tokens
        while sum(map(len, self.documents.values())) > self.memory.limits.max_tokens:
            del self.documents[next(iter(self.documents))]

    @rule(key=st.sampled_from("abcd"))
    def drop(self, key: str) -> None:
        assert self.memory.drop(key) == (self.documents.pop(key, None) is not None)

    @rule()
    def settle(self) -> None:
        self.memory.settle()
        assert not self.memory.needs_settling

    @rule(
        target=matchers, key=st.sampled_from(["a", "b", "", None]), before=DOCUMENT, after=DOCUMENT
    )
    def search(self, key: str | None, before: Tokens, after: Tokens) -> Held:
        matcher = self.memory.matcher(key, before, after, room=len(after))
        others = tuple(tokens for name, tokens in self.documents.items() if name != key)
        check_matches(matcher, others, before, after)
        return matcher, others, after

    @rule(held=matchers, count=st.integers(1, 8))
    def go_on(self, held: Held, count: int) -> None:
        """A search under way keeps what it began with, whatever has been changed since."""
        matcher, others, after = held
        for _ in range(count):
            grown = len(matcher.context) - len(matcher._buffer) + len(after)
            if grown == len(after):
                break
            matcher.extend(after[grown])
        check_matches(matcher, others, tuple(matcher.context.tolist()), after)

    @invariant()
    def counts_add_up(self) -> None:
        assert self.memory.num_documents == len(self.documents)
        assert self.memory.num_tokens == sum(map(len, self.documents.values()))


MemoryMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
TestMemory = MemoryMachine.TestCase
