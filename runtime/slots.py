"""KV slots: which tokens each of the runner's KV buffers holds, and who may write to it.

A slot keeps its tokens after its sequence has ended, so that the next sequence that begins alike
computes only the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Slot:
    """`tokens[:valid]` are those whose keys and values the buffer holds."""

    index: int
    tokens: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    valid: int = 0
    is_taken: bool = False
    last_used: int = 0


class Slots:
    """Hands out `count` slots."""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"at least one KV slot is needed, not {count}")
        self._slots = [Slot(index) for index in range(count)]
        self._uses = 0

    @property
    def num_free(self) -> int:
        return sum(not slot.is_taken for slot in self._slots)

    def take(self, tokens: NDArray[np.int64]) -> tuple[int, int]:
        """Take the free slot that shares the longest prefix with `tokens`, the least recently used
        of those that share as much. Return the slot and how many tokens need not be computed.

        The last token is always computed, because its logits are wanted.
        """
        free = [slot for slot in self._slots if not slot.is_taken]
        shared, slot = max(
            ((common_prefix(slot.tokens[: slot.valid], tokens), slot) for slot in free),
            key=lambda pair: (pair[0], -pair[1].last_used),
        )
        reused = min(shared, len(tokens) - 1)
        slot.is_taken = True
        slot.valid = reused
        return slot.index, reused

    def record(self, index: int, tokens: NDArray[np.int64], valid: int) -> None:
        """Note that slot `index` now holds the keys and values of `tokens[:valid]`."""
        slot = self._slots[index]
        slot.tokens, slot.valid = tokens, valid
        self._uses += 1
        slot.last_used = self._uses

    def release(self, index: int, *, keep: bool = True) -> None:
        """Give the slot back; with `keep` False nothing in it may be reused."""
        slot = self._slots[index]
        slot.is_taken = False
        if not keep:
            slot.tokens, slot.valid = np.empty(0, np.int64), 0


def common_prefix(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    """How many tokens the two begin with alike."""
    length = min(len(left), len(right))
    different = left[:length] != right[:length]
    return int(different.argmax()) if different.any() else length
