"""Who computes how many tokens in the next step, and in which KV blocks.

Only sequences of the most urgent class that has any take part in a step: all that decode, and as
many prompt tokens as fit beside them. Others keep their blocks and go on where they were. When
blocks or places run out, the least urgent, latest arrived sequence gives way at the step's
boundary: it waits at the head of its queue and resumes with whatever of its prefix is still held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runtime.block_manager import BlockManager, Copy, NoBlocks
from runtime.config import Priority
from runtime.drafter import Draft
from runtime.fair_queue import FairQueue
from runtime.sequence import Sequence, Status


@dataclass(frozen=True, slots=True)
class Share:
    """One sequence's part of a step: its next `count` tokens are computed.

    The last of them may be a draft, which stands behind the sequence's own tokens.
    """

    sequence: Sequence
    count: int
    draft: Draft | None = None

    @property
    def drafted(self) -> int:
        return len(self.draft.tokens) if self.draft is not None else 0

    @property
    def is_complete(self) -> bool:
        """Whether all tokens are computed after it, so that the next one can be chosen."""
        return self.count - self.drafted == self.sequence.remaining


class Scheduler:
    """Owns the waiting and running sequences and the KV blocks; used by one thread."""

    def __init__(
        self,
        blocks: BlockManager,
        step_tokens: int,
        max_running: int,
        draft: Callable[[Sequence], Draft | None] = lambda _: None,
    ) -> None:
        if step_tokens < 1 or max_running < 1:
            raise ValueError(
                f"a step needs room for a token and a sequence, not {step_tokens}, {max_running}"
            )
        self.blocks = blocks
        self._step_tokens = step_tokens
        self._max_running = max_running
        self._waiting = {priority: FairQueue() for priority in Priority}
        self._running: list[Sequence] = []
        self._copies: list[Copy] = []
        self._draft = draft

    @property
    def num_waiting(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    @property
    def num_running(self) -> int:
        return len(self._running)

    def sequences(self) -> Iterator[Sequence]:
        yield from self._running
        for queue in self._waiting.values():
            yield from queue

    def add(self, sequence: Sequence) -> None:
        self._waiting[sequence.priority].push(sequence)

    def schedule(self) -> list[Share]:
        """Admit what can be admitted and return the step's shares, at most one a sequence."""
        priority = min((sequence.priority for sequence in self.sequences()), default=None)
        if priority is None:
            return []
        queue = self._waiting[priority]
        while len(queue) and self._make_place(priority):
            self._admit(queue.pop())
        shares = self._share_out([s for s in self._running if s.priority == priority])
        granted = [share for share in shares if self._make_room(share)]
        # A later share may have cost an earlier one its blocks.
        kept = [share for share in granted if share.sequence.status is Status.RUNNING]
        return [self._with_draft(share) for share in kept]

    def take_copies(self) -> list[Copy]:
        """Blocks to copy, in this order, before the shares are computed."""
        copies, self._copies = self._copies, []
        return copies

    def finish(self, sequence: Sequence, *, keep_blocks: bool = True) -> None:
        """Take a sequence out, running or waiting; its blocks may be reused if `keep_blocks`."""
        if sequence.status is Status.RUNNING:
            self._running.remove(sequence)
            self._release(sequence, keep=keep_blocks)
        elif sequence.status is Status.WAITING:
            self._waiting[sequence.priority].remove(sequence)
        sequence.status = Status.FINISHED

    def advance(self, sequence: Sequence, count: int) -> None:
        """Note that the next `count` tokens of a sequence are in its blocks."""
        assert sequence.table is not None
        first = sequence.computed
        sequence.computed += count
        self.blocks.record(sequence.table, sequence.tokens, first, sequence.computed)

    def _share_out(self, candidates: list[Sequence]) -> list[Share]:
        decoding = [sequence for sequence in candidates if sequence.remaining == 1]
        prefilling = [sequence for sequence in candidates if sequence.remaining > 1]
        shares = [Share(sequence, 1) for sequence in decoding]
        budget = self._step_tokens
        for sequence in prefilling:
            if budget == 0:
                break
            count = min(sequence.remaining, budget)
            shares.append(Share(sequence, count))
            budget -= count
            # Whoever had its turn goes to the end of the line.
            self._running.remove(sequence)
            self._running.append(sequence)
        return shares

    def _with_draft(self, share: Share) -> Share:
        """A draft takes only blocks that are free: nobody gives way for a guess."""
        sequence = share.sequence
        draft = self._draft(sequence) if sequence.remaining == 1 else None
        if draft is None:
            return share
        assert sequence.table is not None
        try:
            self.blocks.grow(sequence.table, sequence.length + len(draft.tokens))
        except NoBlocks:
            return share
        end = sequence.length + len(draft.tokens)
        sequence.tokens[sequence.length : end] = draft.tokens
        return Share(sequence, 1 + len(draft.tokens), draft)

    def _make_place(self, priority: Priority) -> bool:
        """Make way for one more, at the cost of a less urgent sequence if need be."""
        if len(self._running) < self._max_running:
            return True
        victims = [sequence for sequence in self._running if sequence.priority > priority]
        if not victims:
            return False
        self._preempt(_last(victims))
        return True

    def _make_room(self, share: Share) -> bool:
        """Give a share its blocks, if need be those of whoever comes after it."""
        sequence = share.sequence
        while sequence.status is Status.RUNNING:
            assert sequence.table is not None
            try:
                self.blocks.grow(sequence.table, sequence.computed + share.count)
                return True
            except NoBlocks:
                # The first in line never gives way, so somebody always gets on.
                self._preempt(_last(self._running))
        return False

    def _admit(self, sequence: Sequence) -> None:
        taken = self.blocks.take(sequence.tokens[: sequence.length])
        sequence.table, sequence.computed = taken.table, taken.valid
        if taken.copy is not None:
            self._copies.append(taken.copy)
        sequence.tokens_reused += sequence.computed
        sequence.status = Status.RUNNING
        self._running.append(sequence)

    def _preempt(self, sequence: Sequence) -> None:
        self._running.remove(sequence)
        self._release(sequence, keep=True)
        sequence.status = Status.WAITING
        self._waiting[sequence.priority].push_front(sequence)

    def _release(self, sequence: Sequence, *, keep: bool) -> None:
        assert sequence.table is not None
        self.blocks.release(sequence.table, keep=keep)
        sequence.table, sequence.computed = None, 0


def _last(sequences: list[Sequence]) -> Sequence:
    """The least urgent one, of these the one that came last."""
    return max(sequences, key=lambda sequence: (sequence.priority, sequence.sequence_id))
