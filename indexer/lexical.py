"""BM25 over the identifiers of chunks, in memory, changed in place.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
Scores are added as whole numbers, so they do not depend on the order in which chunks came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.facts import Chunk, FileFacts
from indexer.native.changes import Span
from indexer.postings import Postings, grown
from indexer.shards import Shards
from indexer.vocabulary import Vocabulary

K1, B = 1.2, 0.75
COUNT_BITS = 6
MAX_COUNT = (1 << COUNT_BITS) - 1
COMMON = 0.3
"""A term in more than this share of many chunks tells nothing and is skipped."""
MAX_ENTRIES = 16_384
"""Chunks that the terms of a search have together, counted term by term, the rarest first: the
commoner terms are left out. It bounds what a search costs in a large repository."""
SCALE = float(1 << 24)
FIRST_TERM, LAST_TERM = 4, 5
NO_ROWS = np.empty((0, 2), np.int32)
ONE = np.int32(1)  # of the frequencies' own type: ten times as fast as a plain 1


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; unpacked when somebody looks at it."""

    facts: FileFacts
    place: int  # among the chunks of its file
    score: float

    @property
    def path(self) -> str:
        return self.facts.path

    @property
    def chunk(self) -> Chunk:
        return self.facts.chunk(self.place)


class ChunkIndex:
    """All chunks of all files. A chunk has a slot, which is its owner in the postings."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._postings = Postings(bits=COUNT_BITS)
        self._files: Shards[int] = Shards()  # number of a file, by path
        self._facts: list[FileFacts | None] = []  # by number of the file
        self._free_files: list[int] = []
        self._slots: list[bytes] = []  # int32, by number of the file: one a chunk
        self._file_of = np.zeros(64, np.int32)  # by slot
        self._place_of = np.zeros(64, np.int32)  # by slot: position in the file's chunks
        self._lengths = np.zeros(64, np.int32)  # by slot: how many words
        self._frequencies = np.zeros(64, np.int32)  # by term: in how many chunks it occurs
        self._total_length = 0
        self._chunk_count = 0

    @property
    def chunk_count(self) -> int:
        return self._chunk_count

    @property
    def nbytes(self) -> int:
        """Bytes that the table takes, the facts apart."""
        by_slot = self._file_of.nbytes + self._place_of.nbytes + self._lengths.nbytes
        return self._postings.nbytes + by_slot + self._frequencies.nbytes

    def put_new(self, files: Sequence[FileFacts], numbers: NDArray[np.int32]) -> None:
        """Adds files that are not known yet; `numbers` are those of all their names, in order."""
        names = [facts.packed_names.count(b"\0") for facts in files]
        chunks = [facts.chunk_count for facts in files]
        rows = np.concatenate([facts.terms for facts in files])
        pieces = np.concatenate([facts.pieces for facts in files])
        first_name = np.cumsum([0, *names[:-1]])
        term_counts = [len(facts.chunk_terms) // 8 for facts in files]
        terms = numbers[rows[:, 0] + np.repeat(first_name, term_counts)]
        lasts = pieces[:, LAST_TERM] - pieces[:, FIRST_TERM]
        slots = self._add(terms, rows[:, 1], lasts)
        numbers_of_files = np.fromiter(map(self._enter, files), np.int32, len(files))
        self._file_of[slots] = np.repeat(numbers_of_files, chunks)
        ends = np.cumsum(chunks)
        self._place_of[slots] = np.arange(len(slots)) - np.repeat(ends - chunks, chunks)
        packed, end = slots.tobytes(), 0
        for number, count in zip(numbers_of_files.tolist(), chunks, strict=True):
            self._slots[number] = packed[end : end + 4 * count]
            end += 4 * count

    def _enter(self, facts: FileFacts) -> int:
        number = self._free_files.pop() if self._free_files else len(self._facts)
        if number == len(self._facts):
            self._facts.append(None)
            self._slots.append(b"")
        self._facts[number] = facts
        self._files[facts.path] = number
        return number

    def _add(
        self, terms: NDArray[np.int32], counts: NDArray[np.int32], sizes: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Slots of new chunks, whose terms follow one another; `sizes` says how many each has."""
        slots = self._postings.new_owners(len(sizes))
        if not len(slots):
            return slots
        top = int(slots.max()) + 1
        self._file_of = grown(self._file_of, top)
        self._place_of = grown(self._place_of, top)
        self._lengths = grown(self._lengths, top)
        sums = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
        ends = np.cumsum(sizes)
        self._lengths[slots] = sums[ends] - sums[ends - sizes]
        self._total_length += int(sums[-1])
        self._chunk_count += len(slots)
        if len(terms):
            self._frequencies = grown(self._frequencies, int(terms.max()) + 1)
            np.add.at(self._frequencies, terms, ONE)
        owners = np.repeat(slots, sizes).astype(np.uint32)
        noted = np.minimum(counts, MAX_COUNT).astype(np.uint32)
        self._postings.add(terms, (owners << np.uint32(COUNT_BITS)) | noted)
        return slots

    def change(
        self,
        facts: FileFacts,
        before: NDArray[np.int32],
        after: NDArray[np.int32],
        changed: Span,
    ) -> None:
        """Sets the chunks of a known file; those at both ends with the same terms keep their slots.

        `before` and `after` are the numbers of its names before and now, `changed` says which of
        its chunks differ.
        """
        number = self._files.part(facts.path)[facts.path]
        old = self._facts[number]
        assert old is not None
        self._facts[number] = facts
        start, old_end, end = changed
        if start == old_end and start == end:
            return
        slots = np.frombuffer(self._slots[number], np.int32)
        self._drop(slots[start:old_end], old, start, old_end, before)
        pieces = facts.pieces[start:end]
        rows = (
            facts.terms[pieces[0, FIRST_TERM] : pieces[-1, LAST_TERM]] if end > start else NO_ROWS
        )
        sizes = pieces[:, LAST_TERM] - pieces[:, FIRST_TERM]
        new = self._add(after[rows[:, 0]], rows[:, 1], sizes)
        slots = np.concatenate((slots[:start], new, slots[old_end:]))
        self._slots[number] = slots.tobytes()
        self._file_of[new] = number
        moved = slots[start : end if end == old_end else None]
        self._place_of[moved] = np.arange(start, start + len(moved))

    def _drop(
        self,
        slots: NDArray[np.int32],
        facts: FileFacts,
        start: int,
        end: int,
        numbers: NDArray[np.int32],
    ) -> None:
        """Forgets the chunks [start, end) of a file, which have these slots."""
        if start == end:
            return
        low, high = int(facts.pieces[start, FIRST_TERM]), int(facts.pieces[end - 1, LAST_TERM])
        np.subtract.at(self._frequencies, numbers[facts.terms[low:high, 0]], ONE)
        self._total_length -= int(self._lengths[slots].sum())
        self._chunk_count -= len(slots)
        self._postings.retire(slots)

    def remove(self, path: str, numbers: NDArray[np.int32]) -> None:
        """Forgets a known file, whose names have these numbers."""
        number = self._files.pop(path)
        facts = self._facts[number]
        assert facts is not None
        slots = np.frombuffer(self._slots[number], np.int32)
        self._drop(slots, facts, 0, len(slots), numbers)
        self._facts[number], self._slots[number] = None, b""
        self._free_files.append(number)

    def paths_with(self, term: str) -> set[str]:
        """Files in which a term occurs."""
        number = self._vocabulary.find(term)
        slots = self._postings.of(number) >> COUNT_BITS
        facts = (self._facts[file] for file in set(self._file_of[slots].tolist()))
        return {one.path for one in facts if one is not None}

    def chunk_frequency(self, term: str) -> int:
        """In how many chunks a term occurs."""
        number = self._vocabulary.find(term)
        return int(self._frequencies[number]) if 0 <= number < len(self._frequencies) else 0

    def numbers(self, words: Iterable[str]) -> NDArray[np.int32]:
        """Numbers of words, for `frequencies`. They stay the same; new words get new ones."""
        joined = "\0".join(words)
        return self._vocabulary.numbers(f"{joined}\0".encode() if joined else b"")

    def frequencies(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """In how many chunks each of some words occurs."""
        if len(numbers):
            self._frequencies = grown(self._frequencies, int(numbers.max()) + 1)
        return self._frequencies[numbers]

    def search(
        self,
        query: Mapping[str, int],
        limit: int,
        skip: Iterable[tuple[str, int, int]] = (),
        least: float = 0.0,
    ) -> list[Hit]:
        """The best chunks for a query of terms and their counts, best first.

        `skip` holds (path, start, end) ranges; chunks that touch one are left out, and so are those
        that have not `least` of the score that the query has as a chunk of the usual length.
        """
        scores, own = self._scores(query)
        for path, start, end in skip:
            number = self._files.get(path)
            facts = self._facts[number] if number is not None else None
            if number is not None and facts is not None:
                slots = np.frombuffer(self._slots[number], np.int32)
                pieces = facts.pieces
                scores[slots[(pieces[:, 0] < end) & (pieces[:, 1] > start)]] = 0.0
        best = np.flatnonzero((scores > 0.0) & (scores >= least * own))
        if len(best) > limit > 0:  # all that score like the last one are kept, to sort them by path
            least = np.partition(scores[best], len(best) - limit)[len(best) - limit]
            best = best[scores[best] >= least]
        found: list[Hit] = []
        for slot, score in zip(best.tolist(), scores[best].tolist(), strict=True):
            facts = self._facts[self._file_of[slot]]
            assert facts is not None
            found.append(Hit(facts, int(self._place_of[slot]), score))
        found.sort(key=lambda hit: (-hit.score, hit.path, hit.place))
        return found[:limit]

    def _scores(self, query: Mapping[str, int]) -> tuple[NDArray[np.float64], float]:
        """BM25 of each slot, 0 for those that are free: float64 [slots]; and of the query."""
        count = self._chunk_count
        known = [(self._vocabulary.find(term), weight) for term, weight in sorted(query.items())]
        terms, weights = np.array([one for one in known if one[0] >= 0], np.int32).reshape(-1, 2).T
        holding = self.frequencies(terms)
        telling = np.flatnonzero((holding > 0) & ((holding <= COMMON * count) | (count <= 200)))
        rarest = telling[np.argsort(holding[telling], kind="stable")]
        entries = np.cumsum(holding[rarest])
        chosen = rarest[(entries <= MAX_ENTRIES) | (np.arange(len(rarest)) == 0)]
        terms, holding, weights = terms[chosen], holding[chosen], weights[chosen]
        rarity = np.log1p((count - holding + 0.5) / (holding + 0.5))
        factors = weights * rarity * (K1 + 1)
        own = float((factors * weights / (weights + K1)).sum())
        values, whose = self._postings.of_many(terms)
        slots = values >> COUNT_BITS
        found = (values & MAX_COUNT).astype(np.float64)
        average = max(1.0, self._total_length / max(1, count))
        norms = K1 * (1 - B + B / average * self._lengths[slots])
        shares = factors[whose] * found / (found + norms)
        whole = np.rint(shares * SCALE)
        return np.bincount(slots, whole, len(self._postings.alive)) / SCALE, own
