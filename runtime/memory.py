"""Repository memory: token sequences under opaque keys, searched by what a context ends with.

A position of a stored document matches a context at length n when the n tokens up to and including
it are the context's last n; the token after it is then a proposal for what comes next. The idea is
the unbounded n-gram of Infini-gram (Liu et al., arXiv 2401.17377), kept up to date as a user types.

Every position is filed under a 64-bit key made of the last few tokens before its successor, read
backwards. In the sorted keys the matches of length 1, 2, 3... are ranges inside each other, found
by binary search; only what lies deeper than a key reaches is compared token by token. As in a
log-structured merge tree there is one large sorted part, one small part that is rebuilt when it
changed, and tombstones in the large part; from time to time everything alive is merged anew.
Parts are never changed once they are built, so a search that is under way keeps what it started on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.matcher import MATCH_LIMIT, SEPARATOR, KeyCodec, Matcher, Part
from runtime.sequence import TokenIds


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """`max_tokens` bounds all documents together; `recent_tokens` the part that is rebuilt.

    A search looks at no more than `max_matches` matches of one length in one part, spread evenly
    over all of them.
    """

    max_tokens: int = 2_000_000
    recent_tokens: int = 65_536
    max_matches: int = 512


class RepositoryMemory:
    """Documents of tokens below `vocab_size`, for one thread.

    When a new document would exceed the budget, those are forgotten whose last `put` is the longest
    ago. About 24 bytes are used for each token.
    """

    def __init__(self, vocab_size: int, limits: MemoryLimits | None = None) -> None:
        self.vocab_size = vocab_size
        self.limits = limits if limits is not None else MemoryLimits()
        self._codec = KeyCodec.of(vocab_size)
        self._documents: OrderedDict[str, NDArray[np.int32]] = OrderedDict()
        self._num_tokens = 0
        self._main = build_part({}, self._codec)
        self._recent = build_part({}, self._codec)
        # Documents outside of the main part, and documents of the main part that are gone.
        self._recent_documents: dict[str, NDArray[np.int32]] = {}
        self._recent_tokens = 0
        self._tombstones: set[str] = set()
        self._dead_tokens = 0
        self._is_recent_stale = False
        self._are_tombstones_stale = False

    @property
    def num_documents(self) -> int:
        return len(self._documents)

    @property
    def num_tokens(self) -> int:
        return self._num_tokens

    @property
    def needs_settling(self) -> bool:
        """Whether `settle` would have something to do."""
        return self._is_recent_stale or self._are_tombstones_stale or self._is_compaction_due(1)

    def put(self, key: str, tokens: TokenIds) -> bool:
        """Store a document, in place of an older one under the same key.

        Return False, and store nothing, where it alone exceeds the budget. Raises ValueError for a
        token outside of the vocabulary.
        """
        document = checked_tokens(tokens, self.vocab_size)
        known = self._documents.get(key)
        if known is not None and np.array_equal(known, document):
            self._documents.move_to_end(key)
            return True
        self.drop(key)
        if len(document) > self.limits.max_tokens:
            return False
        while self._num_tokens + len(document) > self.limits.max_tokens:
            self.drop(next(iter(self._documents)))
        self._documents[key] = self._recent_documents[key] = document
        self._num_tokens += len(document)
        self._recent_tokens += len(document)
        self._is_recent_stale = True
        return True

    def drop(self, key: str) -> bool:
        """Forget a document. Return whether there was one."""
        document = self._documents.pop(key, None)
        if document is None:
            return False
        self._num_tokens -= len(document)
        if self._recent_documents.pop(key, None) is not None:
            self._recent_tokens -= len(document)
            self._is_recent_stale = True
        else:
            self._tombstones.add(key)
            self._dead_tokens += len(document)
            self._are_tombstones_stale = True
        return True

    def settle(self) -> None:
        """Do now what the next search would have to, and merge the parts if that is due.

        For moments when nobody waits: merging a million tokens takes about a fifth of a second.
        """
        if self._is_compaction_due(1):
            self._compact()
        self._refresh()

    def matcher(
        self, key: str | None, before: TokenIds, after: TokenIds = (), room: int = 0
    ) -> Matcher:
        """Match what follows `before` against itself, against `after`, and against every document
        but `key`. The matcher can be extended by `room` tokens; later changes do not reach it.
        """
        self._refresh()
        parts = [(part, part.spans.get(key) if key else None) for part in self._parts()]
        return Matcher(self._codec, parts, before, after, room, self.limits.max_matches)

    def _parts(self) -> list[Part]:
        return [part for part in (self._main, self._recent) if len(part.positions)]

    def _refresh(self) -> None:
        # Without an owner that settles, the recent part must not grow for ever.
        if self._is_compaction_due(4):
            self._compact()
        if self._is_recent_stale:
            self._recent = build_part(self._recent_documents, self._codec)
            self._is_recent_stale = False
        if self._are_tombstones_stale:
            self._main = bury(self._main, self._tombstones)
            self._are_tombstones_stale = False

    def _is_compaction_due(self, factor: int) -> bool:
        limit = factor * self.limits.recent_tokens
        return self._recent_tokens > limit or self._dead_tokens > max(limit, self._num_tokens)

    def _compact(self) -> None:
        self._main = build_part(self._documents, self._codec)
        # Views of the part's own array, so that no token is stored twice.
        for key, (start, end) in self._main.spans.items():
            self._documents[key] = self._main.tokens[start:end]
        self._recent_documents, self._recent_tokens = {}, 0
        self._tombstones, self._dead_tokens = set(), 0
        self._is_recent_stale, self._are_tombstones_stale = True, False


def build_part(documents: Mapping[str, NDArray[np.int32]], codec: KeyCodec) -> Part:
    """Lay the documents end to end, with separators between, and sort their positions by key."""
    spans, start = {}, MATCH_LIMIT
    pieces = [np.full(MATCH_LIMIT, SEPARATOR, np.int32)]
    separator = np.full(1, SEPARATOR, np.int32)
    for key, document in documents.items():
        spans[key] = (start, start + len(document))
        pieces += [document, separator]
        start += len(document) + 1
    tokens = np.concatenate(pieces)
    keys = codec.keys(tokens)
    positions = np.flatnonzero((tokens[:-1] >= 0) & (tokens[1:] >= 0)).astype(np.int32)
    # A stable sort leaves the positions of one key in ascending order, which the matcher needs.
    order = np.argsort(keys[positions], kind="stable")
    positions = positions[order]
    return Part(tokens, keys[positions], positions, spans)


def bury(part: Part, keys: set[str]) -> Part:
    """Return the part with all documents of `keys` marked as dead."""
    is_dead = np.zeros(len(part.tokens), bool)
    for key in keys:
        start, end = part.spans[key]
        is_dead[start:end] = True
    return replace(part, is_dead=is_dead)


def checked_tokens(tokens: TokenIds, vocab_size: int) -> NDArray[np.int32]:
    """Return the tokens as an array of our own. Raises ValueError for one that does not exist."""
    document = np.array(tokens, np.int32)
    if len(document) and not (document.min() >= 0 and document.max() < vocab_size):
        raise ValueError(
            f"a document names a token outside of 0..{vocab_size - 1}; "
            "it was made with another tokenizer"
        )
    return document
