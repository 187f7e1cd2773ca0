"""Follows one growing context through the repository memory and the document around the cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.sequence import TokenIds

MATCH_LIMIT = 32  # Longer matches say nothing more.
LIVE_LIMIT = 65_536  # Tokens of the open document that are looked at on either side.
SEPARATOR = -1

Positions = NDArray[np.int32]
Tokens = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class KeyCodec:
    """Packs the last `width` tokens, the latest in the highest of `bits` bits, into 64 bits."""

    bits: int
    width: int

    @classmethod
    def of(cls, vocab_size: int) -> KeyCodec:
        # Each token is stored plus one: zero stands for a separator.
        bits = (vocab_size + 1).bit_length()
        return cls(bits, 64 // bits)

    def keys(self, tokens: Tokens) -> NDArray[np.uint64]:
        """Return the key of every position of `tokens`, which must begin with separators."""
        fields = (tokens + 1).astype(np.uint64)
        keys = fields << np.uint64(self.bits * (self.width - 1))
        for back in range(1, self.width):
            shift = np.uint64(self.bits * (self.width - 1 - back))
            keys[back:] |= fields[:-back] << shift
        return keys

    def bounds(self, context: Tokens) -> NDArray[np.uint64]:
        """Return the first key of each length 1..width that matches, and the first beyond it.

        Shape [2 * n] with n the lengths that the context allows: lows, then highs.
        """
        lows, highs, key = [], [], 0
        for back in range(min(self.width, len(context))):
            shift = self.bits * (self.width - 1 - back)
            key |= (int(context[-1 - back]) + 1) << shift
            lows.append(key)
            highs.append(key + (1 << shift))
        return np.array(lows + highs, np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Sorted positions of some documents that lie end to end in `tokens`, separators between them.

    `keys[i]` belongs to `positions[i]`. `spans` says where a document begins and ends.
    """

    tokens: Tokens
    keys: NDArray[np.uint64]
    positions: Positions
    spans: Mapping[str, tuple[int, int]]
    is_dead: NDArray[np.bool_] | None = None


class Source(Protocol):
    """One place where matches are looked for."""

    @property
    def longest(self) -> int:
        """The length of the longest match, 0 where there is none, 32 at most."""

    def next_tokens(self, length: int) -> Tokens:
        """The token after each match of at least `length`."""

    def continuation(self, count: int) -> Tokens:
        """Up to `count` tokens after one of the longest matches."""

    def extend(self, context: Tokens) -> None:
        """Go on to a context that has one more token than the last one."""


class Matcher:
    """The matches of one context in all sources, kept up as the context grows."""

    def __init__(
        self,
        codec: KeyCodec,
        parts: list[tuple[Part, tuple[int, int] | None]],
        before: TokenIds,
        after: TokenIds,
        room: int,
        max_matches: int,
    ) -> None:
        head = np.array(before, np.int32)[-LIVE_LIMIT:]
        self._buffer = np.concatenate([head, np.zeros(room, np.int32)])
        self._length = len(head)
        tail = np.array(after, np.int32)[:LIVE_LIMIT]
        self._live: list[Source] = [
            LiveMatches(self._buffer, self.context, is_own=True, max_matches=max_matches),
            LiveMatches(tail, self.context, is_own=False, max_matches=max_matches),
        ]
        self._stored: list[Source] = [
            PartMatches(part, codec, excluded, self.context, max_matches)
            for part, excluded in parts
        ]

    @property
    def context(self) -> Tokens:
        return self._buffer[: self._length]

    @property
    def longest(self) -> int:
        return max(source.longest for source in [*self._live, *self._stored])

    def next_tokens(self, length: int) -> tuple[Tokens, Tokens]:
        """The token after each match of at least `length`: in the open document, and elsewhere."""
        live = [source.next_tokens(length) for source in self._live]
        stored = [source.next_tokens(length) for source in self._stored]
        return np.concatenate(live), np.concatenate([EMPTY, *stored])

    def continuation(self, count: int) -> tuple[int, Tokens]:
        """The length of the longest match, and up to `count` tokens that follow it.

        Of matches of one length that in the open document counts.
        """
        best = max([*self._live, *self._stored], key=lambda source: source.longest)
        length = best.longest
        return (length, best.continuation(count)) if length else (0, EMPTY)

    def extend(self, token: int) -> None:
        """Append a token to the context. What it rules out is dropped, the rest is one longer."""
        self._buffer[self._length] = token
        self._length += 1
        for source in [*self._live, *self._stored]:
            source.extend(self.context)


EMPTY = np.empty(0, np.int32)


class LiveMatches:
    """Matches inside one side of the open document: short enough to look at every token.

    With `is_own` the tokens are the growing context itself, whose end has no successor yet.
    """

    def __init__(self, tokens: Tokens, context: Tokens, is_own: bool, max_matches: int) -> None:
        self._tokens = tokens
        self._is_own = is_own
        self._max_matches = max_matches
        # The match length that ends at each position, shifted by one so that 0 can precede 0.
        self._length_at = np.zeros(len(tokens) + 1, np.int8)
        self._positions = EMPTY
        self._lengths = np.empty(0, np.int8)
        self._end = 0
        if len(context):
            hits = self._find(context)
            self._remember(hits, backward_lengths(tokens, hits, context, 1).astype(np.int8))

    @property
    def longest(self) -> int:
        return int(self._lengths.max(initial=0))

    def next_tokens(self, length: int) -> Tokens:
        matches = self._positions[self._lengths >= length]
        return self._tokens[thinned(matches, self._max_matches) + 1]

    def continuation(self, count: int) -> Tokens:
        # The latest one: on the cursor's own side it is the nearest.
        place = int(self._positions[self._lengths == self.longest][-1]) + 1
        return self._tokens[place : min(place + count, self._end)]

    def extend(self, context: Tokens) -> None:
        hits = self._find(context)
        # Position p is at p + 1, so what ended just before it is at p.
        lengths = np.minimum(self._length_at[hits] + 1, MATCH_LIMIT).astype(np.int8)
        self._remember(hits, lengths)

    def _find(self, context: Tokens) -> Positions:
        self._end = len(context) if self._is_own else len(self._tokens)
        end = self._end - 1
        return np.flatnonzero(self._tokens[: max(end, 0)] == context[-1]).astype(np.int32)

    def _remember(self, positions: Positions, lengths: NDArray[np.int8]) -> None:
        self._length_at[self._positions + 1] = 0
        self._length_at[positions + 1] = lengths
        self._positions, self._lengths = positions, lengths


class PartMatches:
    """Matches inside one part of the repository memory.

    Up to the key's width they are ranges of the sorted positions. The longer ones ("deep") are
    listed with their lengths, and derived from the matches before the context grew.
    """

    def __init__(
        self,
        part: Part,
        codec: KeyCodec,
        excluded: tuple[int, int] | None,
        context: Tokens,
        max_matches: int,
    ) -> None:
        self._part = part
        self._codec = codec
        self._excluded = excluded
        self._max_matches = max_matches
        self._look_up(context)
        lengths = backward_lengths(part.tokens, self._full, context, codec.width)
        self._keep_deep(self._full, lengths)

    @property
    def longest(self) -> int:
        if len(self._deep):
            return int(self._deep_lengths.max())
        longest_first = range(len(self._starts), 0, -1)
        return next((length for length in longest_first if len(self.next_tokens(length))), 0)

    def next_tokens(self, length: int) -> Tokens:
        if length > self._codec.width:
            matches = self._deep[self._deep_lengths >= length]
        elif length == self._codec.width:
            return thinned(self._full_next, self._max_matches)
        elif length > len(self._starts):
            return EMPTY
        else:
            start, end = self._starts[length - 1], self._ends[length - 1]
            picked = thinned(self._part.positions[start:end], self._max_matches)
            matches = self._alive(picked)
        return self._part.tokens[thinned(matches, self._max_matches) + 1]

    def continuation(self, count: int) -> Tokens:
        place = self._first_of(self.longest) + 1
        tokens = self._part.tokens[place : place + count]
        ends = np.flatnonzero(tokens < 0)
        return tokens[: ends[0]] if len(ends) else tokens

    def _first_of(self, length: int) -> int:
        """A position where a match of this length ends."""
        if length > self._codec.width:
            return int(self._deep[self._deep_lengths >= length][0])
        if length == self._codec.width:
            return int(self._full[0])
        start, end = self._starts[length - 1], self._ends[length - 1]
        return int(self._alive(thinned(self._part.positions[start:end], self._max_matches))[0])

    def extend(self, context: Tokens) -> None:
        tokens, token = self._part.tokens, context[-1]
        grown = self._full[self._full_next == token] + 1
        deeper = tokens[self._deep + 1] == token
        lengths = np.full(len(grown), self._codec.width + 1)
        # Both lists ascend and the deep matches are among the full ones.
        lengths[np.searchsorted(grown, self._deep[deeper] + 1)] = np.minimum(
            self._deep_lengths[deeper] + 1, MATCH_LIMIT
        )
        self._look_up(context)
        has_successor = tokens[grown + 1] >= 0
        self._keep_deep(grown[has_successor], lengths[has_successor])

    def _look_up(self, context: Tokens) -> None:
        """Find the ranges of all lengths up to the key's width, and list the matches of the last.

        `_full` are those, ascending; empty while the context is shorter than a key.
        """
        width = self._codec.width
        found = np.searchsorted(self._part.keys, self._codec.bounds(context))
        self._starts, self._ends = np.split(found, 2)
        self._full = EMPTY
        if len(self._starts) == width:
            start, end = self._starts[-1], self._ends[-1]
            self._full = self._alive(self._part.positions[start:end])
        self._full_next = self._part.tokens[self._full + 1]

    def _keep_deep(self, positions: Positions, lengths: NDArray[np.int_]) -> None:
        is_deep = lengths > self._codec.width
        self._deep, self._deep_lengths = positions[is_deep], lengths[is_deep]

    def _alive(self, positions: Positions) -> Positions:
        if self._part.is_dead is not None:
            positions = positions[~self._part.is_dead[positions]]
        if self._excluded is not None:
            start, end = self._excluded
            positions = positions[(positions < start) | (positions >= end)]
        return positions


def backward_lengths(
    tokens: Tokens, positions: Positions, context: Tokens, known: int
) -> NDArray[np.int_]:
    """Return how many tokens up to each position equal the context's end, 32 at most.

    `known` of them are known to be equal already.
    """
    lengths = np.full(len(positions), known)
    matching = np.arange(len(positions))
    for length in range(known, min(MATCH_LIMIT, len(context))):
        earlier = positions[matching] - length
        is_equal = (earlier >= 0) & (tokens[earlier] == context[-1 - length])
        matching = matching[is_equal]
        if len(matching) == 0:
            break
        lengths[matching] = length + 1
    return lengths


def thinned(values: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """At most `count` of the values, spread evenly over all of them."""
    if len(values) <= count:
        return values
    return values[np.arange(count) * len(values) // count]
