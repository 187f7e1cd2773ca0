"""Which files define a name and which use it; patched by what a file's new facts changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.facts import FileFacts, Symbol
from indexer.native.changes import FactChanges
from indexer.postings import Postings
from indexer.shards import Shards
from indexer.vocabulary import Vocabulary

DEFINED = 1
"""The note in an entry for a name that the file defines; 0 is one that it only uses."""
MANY_OUTDATED = 200


class SymbolTable:
    """Facts by path, and paths by the names that they define or use.

    A name that an edit took out of a file keeps its entry for a while: what a query finds in a file
    that has changed counts only if its facts say so.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._postings = Postings(bits=1)
        self._owners: Shards[int] = Shards()  # by path
        self._facts: list[FileFacts | None] = []  # by owner
        self._outdated: dict[int, int] = {}  # how many entries of an owner hold no more
        self._symbol_count = 0
        self._reference_count = 0

    def put_new(self, files: Sequence[FileFacts], numbers: NDArray[np.int32]) -> None:
        """Adds files that are not known yet; `numbers` are those of all their names, in order."""
        noted: list[NDArray[np.int32]] = []
        first = 0
        for facts in files:
            noted.append(_noted(facts, numbers[first:]))
            first += facts.packed_names.count(b"\0")
            self._count(facts, 1)
        self._enter(files, noted)

    def _enter(self, files: Sequence[FileFacts], noted: list[NDArray[np.int32]]) -> None:
        owners = self._postings.new_owners(len(files))
        for facts, owner in zip(files, owners.tolist(), strict=True):
            self._owners[facts.path] = owner
            if owner == len(self._facts):
                self._facts.append(facts)
            else:
                self._facts[owner] = facts
        each = np.repeat(owners, [len(names) for names in noted])
        self._add(np.concatenate(noted), each)

    def _add(self, noted: NDArray[np.int32], owners: NDArray[np.int32] | int) -> None:
        owned = np.asarray(owners, np.uint32) << np.uint32(1)
        values = owned | (noted & DEFINED).astype(np.uint32)
        self._postings.add(noted >> 1, values)

    def change(
        self,
        facts: FileFacts,
        before: NDArray[np.int32],
        after: NDArray[np.int32],
        changes: FactChanges,
    ) -> None:
        """Sets the facts of a known file, given the numbers of its names before and now."""
        owner = self._owners.part(facts.path)[facts.path]
        old = self._facts[owner]
        assert old is not None
        self._symbol_count += facts.symbol_count - old.symbol_count
        self._reference_count += facts.reference_count - old.reference_count
        start, old_end, end = changes.names
        lost = set(_marked(before[start:old_end], changes.defined_before - start).tolist())
        gained = set(_marked(after[start:end], changes.defined - start).tolist())
        outdated = self._outdated.get(owner, 0) + len(lost - gained)
        if outdated > MANY_OUTDATED + changes.used:
            self._leave(facts.path)
            self._enter([facts], [_marked(after[: changes.used], changes.defined)])
            return
        self._facts[owner] = facts
        if outdated:
            self._outdated[owner] = outdated
        new = gained - lost
        if new:
            self._add(np.fromiter(new, np.int32, len(new)), owner)

    def remove(self, path: str) -> None:
        """Forgets a known file."""
        self._count(self._leave(path), -1)

    def _count(self, facts: FileFacts, times: int) -> None:
        self._symbol_count += times * facts.symbol_count
        self._reference_count += times * facts.reference_count

    def _leave(self, path: str) -> FileFacts:
        owner = self._owners.pop(path)
        facts = self._facts[owner]
        assert facts is not None
        self._facts[owner] = None
        self._outdated.pop(owner, None)
        self._postings.retire(np.array([owner], np.int32))
        return facts

    def facts(self, path: str) -> FileFacts | None:
        owner = self._owners.get(path)
        return None if owner is None else self._facts[owner]

    def paths(self) -> Iterator[str]:
        return iter(self._owners)

    def paths_defining(self, name: str) -> frozenset[str]:
        return frozenset(facts.path for facts in self._holding(name, DEFINED))

    def paths_using(self, name: str) -> frozenset[str]:
        """Files that refer to a name, or define it."""
        return frozenset(facts.path for facts in self._holding(name, 0))

    def _holding(self, name: str, note: int) -> Iterator[FileFacts]:
        number = self._vocabulary.find(name)
        if number < 0:
            return
        values = self._postings.of(number)
        if note:
            values = values[values & note != 0]
        outdated = self._outdated
        for owner in set((values >> 1).tolist()):
            facts = self._facts[owner]
            if facts is None:
                continue
            if owner in outdated:
                count = facts.defined_count if note else facts.used_count
                if not 0 <= facts.name_number(name) < count:
                    continue
            yield facts

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Which file uses which name: numbers of names, of files, and whether it defines it."""
        terms, values = self._postings.entries()
        owners = values >> 1
        outdated = np.fromiter(self._outdated, np.uint32, len(self._outdated))
        certain = ~np.isin(owners, outdated)
        found_terms, found_values = [terms[certain]], [values[certain]]
        for owner in self._outdated:
            facts = self._facts[owner]
            if facts is not None:
                noted = _noted(facts, self._vocabulary.numbers_of(facts))
                found_terms.append((noted >> 1).astype(np.uint32))
                value = (np.uint32(owner) << 1) | (noted & DEFINED).astype(np.uint32)
                found_values.append(value)
        keys = np.unique(
            np.concatenate(found_terms).astype(np.uint64) << 32 | np.concatenate(found_values)
        )
        held = (keys & 0xFFFFFFFF).astype(np.int64)
        return (keys >> 32).astype(np.int64), held >> 1, (held & DEFINED).astype(np.bool_)

    def path_of(self, number: int) -> str:
        """The path of a file in `entries`."""
        facts = self._facts[number]
        assert facts is not None
        return facts.path

    def names_of(self, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Names with their numbers in `entries`."""
        return zip(sorted(set(numbers)), self._vocabulary.names_of(numbers), strict=True)

    def definitions_of(self, name: str) -> Iterator[Symbol]:
        """Symbols called `name`, file by file in the order of their paths."""
        for facts in sorted(self._holding(name, DEFINED), key=lambda facts: facts.path):
            yield from facts.symbols_named(name)

    def names(self) -> Iterator[str]:
        """All names that something defines."""
        terms, values = self._postings.entries()
        defined = values & DEFINED != 0
        terms, owners = terms[defined], values[defined] >> 1
        certain = ~np.isin(owners, np.fromiter(self._outdated, np.uint32, len(self._outdated)))
        numbers = set(np.unique(terms[certain]).tolist())
        for owner in self._outdated:
            facts = self._facts[owner]
            if facts is not None:
                numbers.update(map(self._vocabulary.find, facts.defined_names()))
        return self._vocabulary.names_of(numbers)

    @property
    def file_count(self) -> int:
        return len(self._owners)

    @property
    def symbol_count(self) -> int:
        return self._symbol_count

    @property
    def reference_count(self) -> int:
        return self._reference_count

    @property
    def nbytes(self) -> int:
        """Bytes that the table takes, the facts apart."""
        return self._postings.nbytes + 8 * len(self._facts)


def _noted(facts: FileFacts, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Numbers of the names that a file defines or uses, each shifted by one, with its note."""
    defined, used = facts.name_counts
    return _marked(numbers[:used], defined)


def _marked(numbers: NDArray[np.int32], defined: int) -> NDArray[np.int32]:
    """Numbers shifted by one, with the note for so many of the first."""
    noted = numbers << 1
    noted[: max(0, defined)] |= DEFINED
    return noted
