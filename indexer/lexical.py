"""BM25 over the identifiers of chunks, in memory, changed in place.

Postings are one array of uint32 a term: the chunk's slot in the upper bits, the term's count in the
lower six. Slots of chunks that are gone stay in the postings, masked, until half of all are dead;
then the postings are written anew. A query costs one vector operation a term.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.facts import Chunk

K1, B = 1.2, 0.75
COUNT_BITS = 6
MAX_COUNT = (1 << COUNT_BITS) - 1
COMMON = 0.3
"""A term in more than this share of many chunks tells nothing and is skipped."""


@dataclass(frozen=True, slots=True)
class Hit:
    path: str
    chunk: Chunk
    score: float


class ChunkIndex:
    """All chunks of all files."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._postings: dict[str, array[int]] = {}
        self._places: list[tuple[str, Chunk] | None] = []  # by slot
        self._slots: dict[str, list[int]] = {}  # by path
        self._lengths: array[int] = array("I")
        self._dead: set[int] = set()
        self._dead_terms: Counter[str] = Counter()  # postings of dead chunks, by term
        self._total_length = 0

    @property
    def chunk_count(self) -> int:
        return len(self._places) - len(self._dead)

    def put(self, path: str, chunks: tuple[Chunk, ...]) -> None:
        """Sets the chunks of a file; those whose terms did not change keep their slots."""
        known: dict[tuple[tuple[str, ...], bytes], list[int]] = {}
        for slot in self._slots.pop(path, ()):
            place = self._places[slot]
            if place is not None:
                known.setdefault((place[1].terms, place[1].counts), []).append(slot)
        slots: list[int] = []
        for chunk in chunks:
            same = known.get((chunk.terms, chunk.counts))
            if same:
                slot = same.pop()
                self._places[slot] = (path, chunk)
            else:
                slot = self._add(path, chunk)
            slots.append(slot)
        for rest in known.values():
            for slot in rest:
                self._remove(slot)
        if slots:
            self._slots[path] = slots
        if len(self._dead) > 1_000 and 2 * len(self._dead) > len(self._places):
            self._rewrite()

    def _add(self, path: str, chunk: Chunk) -> int:
        slot = len(self._places)
        self._places.append((path, chunk))
        length = sum(chunk.counts)
        self._lengths.append(length)
        self._total_length += length
        postings = self._postings
        base = slot << COUNT_BITS
        for term, count in zip(chunk.terms, chunk.counts, strict=True):
            posting = postings.get(term)
            if posting is None:
                posting = postings[term] = array("I")
            posting.append(base | (count if count < MAX_COUNT else MAX_COUNT))
        return slot

    def _remove(self, slot: int) -> None:
        place = self._places[slot]
        if place is not None:
            self._dead_terms.update(place[1].terms)
        self._places[slot] = None
        self._dead.add(slot)
        self._total_length -= self._lengths[slot]

    def _rewrite(self) -> None:
        places = [place for place in self._places if place is not None]
        self._clear()
        for path, chunk in places:
            self._slots.setdefault(path, []).append(self._add(path, chunk))

    def paths_with(self, term: str) -> set[str]:
        """Files in which a term occurs."""
        posting = self._postings.get(term)
        if posting is None:
            return set()
        places = (self._places[entry >> COUNT_BITS] for entry in posting)
        return {place[0] for place in places if place is not None}

    def chunk_frequency(self, term: str) -> int:
        """In how many chunks a term occurs."""
        posting = self._postings.get(term)
        return 0 if posting is None else len(posting) - self._dead_terms[term]

    def search(
        self, query: Mapping[str, int], limit: int, skip: Iterable[tuple[str, int, int]] = ()
    ) -> list[Hit]:
        """The best chunks for a query of terms and their counts, best first.

        `skip` holds (path, start, end) ranges; chunks that touch one are left out.
        """
        count = self.chunk_count
        if not count:
            return []
        scores = self._scores(query)
        if self._dead:
            scores[np.fromiter(self._dead, np.int64, len(self._dead))] = 0.0
        for path, start, end in skip:
            for slot in self._slots.get(path, ()):
                place = self._places[slot]
                if place is not None and place[1].start < end and place[1].end > start:
                    scores[slot] = 0.0
        best = np.flatnonzero(scores > 0.0)
        if len(best) > 4 * limit:
            best = best[np.argpartition(-scores[best], 4 * limit)[: 4 * limit]]
        hits = [
            Hit(*place, float(scores[slot]))
            for slot in best.tolist()
            if (place := self._places[slot]) is not None
        ]
        hits.sort(key=lambda hit: (-hit.score, hit.path, hit.chunk.start))
        return hits[:limit]

    def _scores(self, query: Mapping[str, int]) -> NDArray[np.float32]:
        scores = np.zeros(len(self._places), np.float32)
        count = self.chunk_count
        average = max(1.0, self._total_length / count)
        lengths = np.frombuffer(self._lengths, np.uint32)
        norms = (K1 * (1 - B + B / average * lengths)).astype(np.float32)
        for term, weight in query.items():
            posting = self._postings.get(term)
            holding = self.chunk_frequency(term)
            if posting is None or not holding or (count > 200 and holding > COMMON * count):
                continue
            entries = np.frombuffer(posting, np.uint32)
            slots = entries >> COUNT_BITS
            found = (entries & MAX_COUNT).astype(np.float32)
            rarity = math.log(1 + (count - holding + 0.5) / (holding + 0.5))
            if rarity > 0:
                factor = np.float32(weight * rarity * (K1 + 1))
                scores[slots] += factor * found / (found + norms[slots])
        return scores
