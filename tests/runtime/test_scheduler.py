"""The scheduler's promises, whatever arrives, ends and is cancelled in whatever order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.block_manager import BlockManager
from runtime.config import Priority, SamplingParams
from runtime.fair_queue import FairQueue
from runtime.scheduler import Scheduler, Share
from runtime.sequence import Request, Sequence, Status
from runtime.stop_strings import StopStrings
from runtime.tokenizer import IncrementalDecoder
from tests.support.byte_tokenizer import ByteTokenizer

STEP_TOKENS = 6
SIZE = 4
LONGEST = 26


def sequence_of(
    sequence_id: int, prompt: list[int], priority: Priority, room: int, client: str = ""
) -> Sequence:
    tokens = np.array(prompt + [0] * room, np.int64)
    sampling = SamplingParams(max_tokens=room)
    return Sequence(
        sequence_id=sequence_id,
        request=Request(tuple(prompt), sampling, priority, client=client),
        tokens=tokens,
        length=len(prompt),
        max_length=len(tokens),
        decoder=IncrementalDecoder(ByteTokenizer()),
        stop_strings=StopStrings(()),
        added_at=0.0,
    )


def scheduler_of(num_blocks: int = 100, max_running: int = 8) -> Scheduler:
    return Scheduler(BlockManager(num_blocks, SIZE), STEP_TOKENS, max_running)


class SchedulerMachine(RuleBasedStateMachine):
    """Drives the scheduler as the engine does, over blocks that remember what was written."""

    @initialize(spare=st.integers(0, 12), max_running=st.integers(1, 4))
    def begin(self, spare: int, max_running: int) -> None:
        count = -(-LONGEST // SIZE) + spare
        self.scheduler = scheduler_of(count, max_running)
        self.max_running = max_running
        self.pool: list[list[tuple[int, ...] | None]] = [[None] * SIZE for _ in range(count)]
        self.alive: list[Sequence] = []
        self.count = 0

    @rule(
        prompt=st.lists(st.integers(0, 1), min_size=1, max_size=20),
        priority=st.sampled_from(Priority),
        room=st.integers(1, 6),
        client=st.sampled_from(["vim", "code"]),
    )
    def add(self, prompt: list[int], priority: Priority, room: int, client: str) -> None:
        sequence = sequence_of(self.count, prompt, priority, room, client)
        self.count += 1
        self.alive.append(sequence)
        self.scheduler.add(sequence)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), keep=st.booleans())
    def finish(self, data: st.DataObject, keep: bool) -> None:
        sequence = data.draw(st.sampled_from(self.alive), "sequence")
        blocks = set(sequence.table.blocks) if sequence.table is not None else set()
        self.scheduler.finish(sequence, keep_blocks=keep)
        self.alive.remove(sequence)
        if not keep:
            for block in blocks - self.used():
                self.pool[block] = [None] * SIZE  # Whoever trusts it now is found out.

    @rule(token=st.integers(0, 1), is_interrupted=st.booleans())
    def step(self, token: int, is_interrupted: bool) -> None:
        shares = self.scheduler.schedule()
        for copy in self.scheduler.take_copies():
            self.pool[copy.target] = list(self.pool[copy.source])
        self.check_shares(shares)
        for share in shares:
            self.compute(share, token, is_interrupted)

    def compute(self, share: Share, token: int, is_interrupted: bool) -> None:
        sequence = share.sequence
        self.check_held(sequence)
        end = sequence.computed + share.count
        for position in range(sequence.computed, end):
            prefix = tuple(sequence.tokens[: position + 1].tolist())
            self.write(sequence, position, None if is_interrupted else prefix)
        if is_interrupted:
            return
        self.scheduler.advance(sequence, share.count)
        if sequence.remaining == 0:
            sequence.append(token)
            if sequence.length == sequence.max_length:
                self.scheduler.finish(sequence)
                self.alive.remove(sequence)

    def write(self, sequence: Sequence, position: int, value: tuple[int, ...] | None) -> None:
        assert sequence.table is not None
        block = sequence.table.blocks[position // SIZE]
        owners = [s for s in self.alive if s.table is not None and block in s.table.blocks]
        assert owners == [sequence], "a shared block was written to"
        self.pool[block][position % SIZE] = value

    def check_held(self, sequence: Sequence) -> None:
        assert sequence.table is not None
        for position in range(sequence.computed):
            held = self.pool[sequence.table.blocks[position // SIZE]][position % SIZE]
            assert held == tuple(sequence.tokens[: position + 1].tolist())

    def check_shares(self, shares: list[Share]) -> None:
        assert bool(shares) == bool(self.alive), "somebody always gets on"
        if not shares:
            return
        most_urgent = min(sequence.priority for sequence in self.alive)
        assert all(share.sequence.priority == most_urgent for share in shares)
        assert all(share.sequence.status is Status.RUNNING for share in shares)
        assert all(1 <= share.count <= share.sequence.remaining for share in shares)
        assert sum(share.count for share in shares if share.sequence.remaining > 1) <= STEP_TOKENS
        assert len({id(share.sequence) for share in shares}) == len(shares)
        for share in shares:
            assert share.sequence.table is not None
            room = len(share.sequence.table.blocks) * SIZE
            assert share.sequence.computed + share.count <= room
        running = [s for s in self.alive if s.table is not None]
        assert len(running) <= self.max_running
        urgent = [s for s in self.alive if s.priority == most_urgent]
        if any(s.status is Status.WAITING for s in urgent) and len(running) < self.max_running:
            assert self.scheduler.blocks.num_unused < -(-LONGEST // SIZE), "room was left unused"

    def used(self) -> set[int]:
        tables = [s.table for s in self.alive if s.table is not None]
        return {block for table in tables for block in table.blocks}

    @invariant()
    def blocks_and_sequences_agree(self) -> None:
        blocks = self.scheduler.blocks
        assert blocks.num_unused == blocks.num_blocks - len(self.used())
        running = [s for s in self.alive if s.table is not None]
        assert self.scheduler.num_running == len(running)
        assert self.scheduler.num_waiting + len(running) == len(self.alive)

    def teardown(self) -> None:
        """Whatever is left comes to its end: nobody starves once nobody new arrives."""
        for _ in range(sum(s.max_length for s in getattr(self, "alive", []))):
            self.step(token=0, is_interrupted=False)
        assert not getattr(self, "alive", [])
        if hasattr(self, "scheduler"):
            assert self.scheduler.blocks.num_unused == self.scheduler.blocks.num_blocks


SchedulerMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None
)
TestScheduler = SchedulerMachine.TestCase


def test_prefills_of_one_class_get_equal_shares() -> None:
    scheduler = scheduler_of()
    for index in range(3):
        scheduler.add(sequence_of(index, [index] * 60, Priority.TYPING, 1))
    computed = np.zeros(3, int)
    for _ in range(30):
        for share in scheduler.schedule():
            scheduler.advance(share.sequence, share.count)
            computed[share.sequence.sequence_id] += share.count
        assert computed.max() - computed.min() <= STEP_TOKENS


def test_the_least_urgent_and_latest_gives_way_and_is_first_to_return() -> None:
    scheduler = scheduler_of(max_running=3)
    kinds = (Priority.ACTION, Priority.AGENT, Priority.AGENT, Priority.AGENT)
    sequences = [sequence_of(index, [1], kind, 1) for index, kind in enumerate(kinds)]

    def running() -> list[int]:
        return [s.sequence_id for s in sequences if s.status is Status.RUNNING]

    for sequence in sequences[1:]:
        scheduler.add(sequence)
    scheduler.schedule()
    assert running() == [1, 2, 3]
    scheduler.add(sequences[0])
    scheduler.add(late := sequence_of(4, [1], Priority.AGENT, 1))
    scheduler.schedule()
    assert running() == [0, 1, 2]
    scheduler.finish(sequences[0])
    scheduler.schedule()
    assert running() == [1, 2, 3]
    assert late.status is Status.WAITING


def test_the_less_urgent_keeps_its_blocks_while_there_is_room() -> None:
    scheduler = scheduler_of()
    agent = sequence_of(0, [1] * 12, Priority.AGENT, 1)
    scheduler.add(agent)
    (share,) = scheduler.schedule()
    scheduler.advance(agent, share.count)
    scheduler.add(typing := sequence_of(1, [0] * 4, Priority.TYPING, 1))
    assert [share.sequence for share in scheduler.schedule()] == [typing]
    scheduler.finish(typing)
    assert (agent.computed, agent.tokens_reused) == (STEP_TOKENS, 0)
    assert [share.count for share in scheduler.schedule()] == [STEP_TOKENS]


def test_without_room_the_later_one_waits_and_resumes_with_its_prefix() -> None:
    scheduler = scheduler_of(num_blocks=4)
    first, second = (sequence_of(n, [n] * 8, Priority.TYPING, 4) for n in range(2))
    for sequence in (first, second):
        scheduler.add(sequence)
    while first.status is not Status.FINISHED:
        for share in scheduler.schedule():
            scheduler.advance(share.sequence, share.count)
            if share.sequence.remaining == 0:
                share.sequence.append(7)
                if share.sequence.length == share.sequence.max_length:
                    scheduler.finish(share.sequence)
    assert second.status is Status.WAITING
    scheduler.schedule()
    assert second.tokens_reused > 0


def test_clients_take_turns() -> None:
    queue = FairQueue()
    order = [("code", 0), ("code", 1), ("vim", 2), ("code", 3), ("vim", 4), ("idea", 5)]
    for client, number in order:
        queue.push(sequence_of(number, [1], Priority.TYPING, 1, client))
    popped = [queue.pop().sequence_id for _ in range(3)]
    assert popped == [0, 2, 5]
    queue.push_front(back := sequence_of(6, [1], Priority.TYPING, 1, "vim"))
    assert [s.sequence_id for s in queue] == [6, 4, 1, 3]
    queue.remove(back)
    assert [queue.pop().sequence_id for _ in range(len(queue))] == [4, 1, 3]
    with pytest.raises(IndexError):
        queue.pop()
    with pytest.raises(ValueError, match="not in deque"):
        queue.remove(back)


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="room for a token and a sequence"):
        Scheduler(BlockManager(1, 1), 0, 1)
    with pytest.raises(ValueError, match="room for a token and a sequence"):
        Scheduler(BlockManager(1, 1), 1, 0)
