"""The scheduler's promises, whatever arrives, ends and is cancelled in whatever order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.config import Priority, SamplingParams
from runtime.scheduler import Scheduler, Share
from runtime.sequence import Request, Sequence, Status
from runtime.slots import Slots, common_prefix
from runtime.stop_strings import StopStrings
from runtime.tokenizer import IncrementalDecoder
from tests.support.byte_tokenizer import ByteTokenizer

STEP_TOKENS = 6


def sequence_of(sequence_id: int, prompt: list[int], priority: Priority, room: int) -> Sequence:
    tokens = np.array(prompt + [0] * room, np.int64)
    return Sequence(
        sequence_id=sequence_id,
        request=Request(tuple(prompt), SamplingParams(max_tokens=room), priority),
        tokens=tokens,
        length=len(prompt),
        max_length=len(tokens),
        decoder=IncrementalDecoder(ByteTokenizer()),
        stop_strings=StopStrings(()),
        added_at=0.0,
    )


class SchedulerMachine(RuleBasedStateMachine):
    """Drives the scheduler as the engine does, over KV buffers that remember what was written."""

    @initialize(num_slots=st.integers(1, 3))
    def begin(self, num_slots: int) -> None:
        self.scheduler = Scheduler(Slots(num_slots), STEP_TOKENS)
        self.buffers: list[list[int]] = [[] for _ in range(num_slots)]
        self.alive: list[Sequence] = []
        self.count = 0

    @rule(
        prompt=st.lists(st.integers(0, 1), min_size=1, max_size=20),
        priority=st.sampled_from(Priority),
        room=st.integers(1, 6),
    )
    def add(self, prompt: list[int], priority: Priority, room: int) -> None:
        sequence = sequence_of(self.count, prompt, priority, room)
        self.count += 1
        self.alive.append(sequence)
        self.scheduler.add(sequence)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), keep=st.booleans())
    def finish(self, data: st.DataObject, keep: bool) -> None:
        sequence = data.draw(st.sampled_from(self.alive), "sequence")
        slot = sequence.slot
        self.scheduler.finish(sequence, keep_slot=keep)
        self.alive.remove(sequence)
        if slot is not None and not keep:
            self.buffers[slot] = []  # Whoever trusts it now is found out.

    @rule(token=st.integers(0, 1), is_interrupted=st.booleans())
    def step(self, token: int, is_interrupted: bool) -> None:
        shares = self.scheduler.schedule()
        self.check_shares(shares)
        for share in shares:
            sequence = share.sequence
            assert sequence.slot is not None
            buffer = self.buffers[sequence.slot]
            assert buffer[: sequence.computed] == sequence.tokens[: sequence.computed].tolist()
            del buffer[sequence.computed :]
            if is_interrupted:
                continue
            end = sequence.computed + share.count
            buffer += sequence.tokens[sequence.computed : end].tolist()
            self.scheduler.advance(share)
            if sequence.remaining == 0:
                sequence.append(token)
                if sequence.length == sequence.max_length:
                    self.scheduler.finish(sequence)
                    self.alive.remove(sequence)

    def check_shares(self, shares: list[Share]) -> None:
        assert bool(shares) == bool(self.alive)
        if not shares:
            return
        most_urgent = min(sequence.priority for sequence in self.alive)
        assert all(share.sequence.priority == most_urgent for share in shares)
        assert all(1 <= share.count <= share.sequence.remaining for share in shares)
        assert sum(share.count for share in shares if share.sequence.remaining > 1) <= STEP_TOKENS
        assert len({share.sequence.slot for share in shares}) == len(shares)
        # No slot is idle, or held by the less urgent, while someone urgent waits for one.
        urgent = [s for s in self.alive if s.priority == most_urgent]
        if any(sequence.status is Status.WAITING for sequence in urgent):
            assert self.scheduler.slots.num_free == 0
            holders = [s for s in self.alive if s.slot is not None]
            assert all(sequence.priority == most_urgent for sequence in holders)
            waiting = min(s.sequence_id for s in urgent if s.status is Status.WAITING)
            assert all(s.sequence_id < waiting or s.tokens_computed for s in holders)

    @invariant()
    def slots_and_sequences_agree(self) -> None:
        held = [s.slot for s in self.alive if s.slot is not None]
        assert len(set(held)) == len(held)
        assert self.scheduler.slots.num_free == len(self.buffers) - len(held)
        assert self.scheduler.num_running == len(held)
        assert self.scheduler.num_waiting + self.scheduler.num_running == len(self.alive)

    def teardown(self) -> None:
        """Whatever is left comes to its end: nobody starves once nobody new arrives."""
        for _ in range(sum(s.max_length for s in getattr(self, "alive", []))):
            self.step(token=0, is_interrupted=False)
        assert not getattr(self, "alive", [])


SchedulerMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None
)
TestScheduler = SchedulerMachine.TestCase


def test_prefills_of_one_class_get_equal_shares() -> None:
    scheduler = Scheduler(Slots(3), STEP_TOKENS)
    for index in range(3):
        scheduler.add(sequence_of(index, [index] * 60, Priority.TYPING, 1))
    computed = np.zeros(3, int)
    for _ in range(30):
        for share in scheduler.schedule():
            scheduler.advance(share)
            computed[share.sequence.sequence_id] += share.count
        assert computed.max() - computed.min() <= STEP_TOKENS


def test_the_least_urgent_and_latest_admitted_gives_way_and_is_first_to_return() -> None:
    scheduler = Scheduler(Slots(3), STEP_TOKENS)
    kinds = (Priority.ACTION, Priority.AGENT, Priority.AGENT, Priority.AGENT)
    sequences = [sequence_of(index, [1], kind, 1) for index, kind in enumerate(kinds)]
    for sequence in sequences[1:]:
        scheduler.add(sequence)
    scheduler.schedule()
    assert [s.sequence_id for s in sequences if s.slot is not None] == [1, 2, 3]
    scheduler.add(sequences[0])
    scheduler.add(late := sequence_of(4, [1], Priority.AGENT, 1))
    scheduler.schedule()
    assert [s.sequence_id for s in sequences if s.slot is not None] == [0, 1, 2]
    scheduler.finish(sequences[0])
    scheduler.schedule()
    assert [s.sequence_id for s in sequences if s.slot is not None] == [1, 2, 3]
    assert late.status is Status.WAITING


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_common_prefix(left: list[int], right: list[int]) -> None:
    want = 0
    while want < min(len(left), len(right)) and left[want] == right[want]:
        want += 1
    assert common_prefix(np.array(left, np.int64), np.array(right, np.int64)) == want


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="KV slot"):
        Slots(0)
    with pytest.raises(ValueError, match="room for a token"):
        Scheduler(Slots(1), 0)
