"""What the crawler remembers of the files it has read: their state on disk, and what they cost."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterable

from indexer.facts import FileFacts
from indexer.files import parent_of
from indexer.shards import Shards

UNKNOWN = 0
"""No state: a file that must be read again when it is met again."""
LEFT_OUT = 0
COARSE_NS, FINE_NS = 2_000_000_000, 50_000_000
"""How long after a change another one may get the same time, where a file system counts seconds
and where it counts less. A state that young tells nothing."""
FILE_BYTES, COLUMN_SHARE, TERM_BYTES = 3_000, 1.45, 8
"""What a file costs in memory: for itself, for a byte of its columns, for a term of a chunk."""


def state_of(stat: os.stat_result) -> int:
    """One number for a file's state on disk, never UNKNOWN; another state has another number."""
    state = hash((stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino))
    return state & (2**63 - 1) or 1


def settled_state(stat: os.stat_result | None) -> int:
    """As `state_of`, but UNKNOWN if the file may change once more without getting another state."""
    if stat is None:
        return UNKNOWN
    changed = max(stat.st_mtime_ns, stat.st_ctime_ns)
    window = FINE_NS if changed % 1_000_000_000 else COARSE_NS
    return state_of(stat) if time.time_ns() - changed > window else UNKNOWN


def cost_of(facts: FileFacts) -> int:
    """About how many bytes of memory the facts of a file and their place in the tables take."""
    columns = (
        facts.packed_names, facts.symbol_rows, facts.packed_details, facts.reference_rows,
        facts.packed_imports, facts.import_rows, facts.chunk_rows, facts.chunk_terms,
    )  # fmt: skip
    terms = len(facts.chunk_terms) // 8
    return FILE_BYTES + int(COLUMN_SHARE * sum(map(len, columns))) + TERM_BYTES * terms


class KnownFiles:
    """Files by path, a few bytes each: there may be a million.

    A file is kept (its facts were told) or left out (read, and refused for what it holds).
    """

    def __init__(self) -> None:
        self._slots: Shards[int] = Shards()  # in parts: no growth holds up who waits for the lock
        self._free: list[int] = []
        self._states = array("Q")
        self._costs = array("L")
        self._rounds = array("L")
        self._round = 0
        self.cost = 0  # bytes, of all that is kept

    def begin_round(self) -> None:
        """From now on files count as seen when they are met again."""
        self._round += 1

    def is_same(self, path: str, state: int) -> bool:
        """Whether a file was read in this very state; it is seen then."""
        slot = self._slots.get(path)
        if slot is None or state == UNKNOWN or self._states[slot] != state:
            return False
        self._rounds[slot] = self._round
        return True

    def is_seen(self, path: str) -> bool:
        """Whether a file was met in this round."""
        slot = self._slots.get(path)
        return slot is not None and self._rounds[slot] == self._round

    def doubt(self, path: str) -> None:
        """What was told of a file did not arrive: it may be kept or not, and was not seen."""
        self._set(path, UNKNOWN, max(1, self.cost_of(path)))
        self._rounds[self._slots.part(path)[path]] = 0

    def keeps(self, path: str) -> bool:
        slot = self._slots.get(path)
        return slot is not None and self._costs[slot] != LEFT_OUT

    def __len__(self) -> int:
        return len(self._slots)

    def keep(self, path: str, state: int, cost: int) -> None:
        self._set(path, state, max(1, cost))

    def leave_out(self, path: str, state: int) -> bool:
        """Returns whether the file was kept before."""
        was_kept = self.keeps(path)
        self._set(path, state, LEFT_OUT)
        return was_kept

    def _set(self, path: str, state: int, cost: int) -> None:
        slot = self._slots.get(path)
        if slot is None:
            if self._free:
                slot = self._free.pop()
            else:
                slot = len(self._states)
                for column in (self._states, self._costs, self._rounds):
                    column.append(0)
            self._slots[path] = slot
            self._costs[slot] = LEFT_OUT
        self.cost += cost - self._costs[slot]
        self._states[slot], self._costs[slot], self._rounds[slot] = state, cost, self._round

    def drop(self, path: str) -> bool:
        """Forgets a file; returns whether it was kept."""
        slot = self._slots.part(path).pop(path, None)
        if slot is None:
            return False
        cost = self._costs[slot]
        self.cost -= cost
        self._free.append(slot)
        return cost != LEFT_OUT

    def cost_of(self, path: str) -> int:
        slot = self._slots.get(path)
        return LEFT_OUT if slot is None else self._costs[slot]

    def unseen(self) -> list[str]:
        """Files that were not met in this round."""
        return [path for path, slot in self._slots.items() if self._rounds[slot] != self._round]

    def outside(self, folders: Iterable[str]) -> list[str]:
        """Files that lie in none of some folders."""
        heads, inside = frozenset(folders), dict[str, bool]()
        return [path for path in self._slots if not _is_below(parent_of(path), heads, inside)]

    def below(self, folders: Iterable[str], is_unseen: bool = False) -> list[str]:
        """Files that are, or lie in, some folders: all, or those not met in this round."""
        heads = frozenset(folders)
        inside: dict[str, bool] = {}
        found: list[str] = []
        for path, slot in self._slots.items():
            if is_unseen and self._rounds[slot] == self._round:
                continue
            folder = parent_of(path)
            if path in heads or _is_below(folder, heads, inside):
                found.append(path)
        return found


def _is_below(folder: str, heads: frozenset[str], known: dict[str, bool]) -> bool:
    """Whether a folder is or lies in one of some others; asked once a folder."""
    answer = known.get(folder)
    if answer is None:
        is_head = (folder or "/") in heads
        answer = is_head or (folder != "" and _is_below(parent_of(folder), heads, known))
        known[folder] = answer
    return answer
