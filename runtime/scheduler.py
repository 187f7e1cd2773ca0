"""Decides which sequences take part in a step, and with how many tokens.

The most urgent class that has work has the model to itself. Within a class all decoding sequences
advance by one token a step; what is left of the step's token budget goes to the sequences that
still prefill, one after the other, and another one begins in each step. Sequences that wait for a
slot are served in order of arrival. When every slot is taken, a more urgent sequence takes one at
the step's boundary from the least urgent, latest admitted one, which waits at the head of its
queue and resumes with whatever prefix its tokens still find in a slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.config import Priority
from runtime.sequence import Sequence, Status
from runtime.slots import Slots


@dataclass(frozen=True, slots=True)
class Share:
    """One sequence's part of a step: its next `count` tokens are computed."""

    sequence: Sequence
    count: int


class Scheduler:
    """Owns the waiting and running sequences and the KV slots; used by one thread."""

    def __init__(self, slots: Slots, step_tokens: int) -> None:
        if step_tokens < 1:
            raise ValueError(f"a step must have room for a token, not {step_tokens}")
        self.slots = slots
        self._step_tokens = step_tokens
        self._waiting = {priority: deque[Sequence]() for priority in Priority}
        self._running: list[Sequence] = []

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
        self._waiting[sequence.priority].append(sequence)

    def schedule(self) -> list[Share]:
        """Admit what can be admitted and return the step's shares, at most one a sequence."""
        priority = min((sequence.priority for sequence in self.sequences()), default=None)
        if priority is None:
            return []
        queue = self._waiting[priority]
        while queue and self._make_room(priority):
            self._admit(queue.popleft())
        return self._share_out([s for s in self._running if s.priority == priority])

    def finish(self, sequence: Sequence, *, keep_slot: bool = True) -> None:
        """Take a sequence out, running or waiting; its slot may be reused if `keep_slot`."""
        if sequence.status is Status.RUNNING:
            self._running.remove(sequence)
            self._release(sequence, keep=keep_slot)
        elif sequence.status is Status.WAITING:
            self._waiting[sequence.priority].remove(sequence)
        sequence.status = Status.FINISHED

    def advance(self, share: Share) -> None:
        """Note that the share's tokens are in the sequence's slot."""
        sequence = share.sequence
        assert sequence.slot is not None
        sequence.computed += share.count
        sequence.tokens_computed += share.count
        self.slots.record(sequence.slot, sequence.tokens, sequence.computed)

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

    def _make_room(self, priority: Priority) -> bool:
        """Free a slot at the cost of a less urgent sequence, if need be and if there is one."""
        if self.slots.num_free:
            return True
        victims = [sequence for sequence in self._running if sequence.priority > priority]
        if not victims:
            return False
        self._preempt(max(victims, key=lambda s: (s.priority, s.sequence_id)))
        return True

    def _admit(self, sequence: Sequence) -> None:
        tokens = sequence.tokens[: sequence.length]
        sequence.slot, sequence.computed = self.slots.take(tokens)
        sequence.tokens_reused += sequence.computed
        sequence.status = Status.RUNNING
        self._running.append(sequence)

    def _preempt(self, sequence: Sequence) -> None:
        self._running.remove(sequence)
        self._release(sequence, keep=True)
        sequence.status = Status.WAITING
        self._waiting[sequence.priority].appendleft(sequence)

    def _release(self, sequence: Sequence, *, keep: bool) -> None:
        assert sequence.slot is not None
        self.slots.release(sequence.slot, keep=keep)
        sequence.slot, sequence.computed = None, 0
