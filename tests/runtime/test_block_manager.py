"""Whatever is taken, written, shared, given back and thrown out: what is reused is what was there.

The model of the pool is the plainest there is: at each position of each block the whole prefix that
was computed up to it.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.block_manager import BlockManager, BlockTable, NoBlocks, common_prefix

SIZE = 3
TOKENS = st.lists(st.integers(0, 1), min_size=1, max_size=14)


class User:
    """A sequence that uses blocks."""

    def __init__(self, tokens: list[int], table: BlockTable, computed: int) -> None:
        self.tokens = np.array(tokens, np.int64)
        self.table = table
        self.computed = computed


class BlockManagerMachine(RuleBasedStateMachine):
    """Does what sequences do, and knows what really is in the pool."""

    @initialize(count=st.integers(1, 8))
    def begin(self, count: int) -> None:
        self.manager = BlockManager(count, SIZE)
        self.pool: list[list[tuple[int, ...] | None]] = [[None] * SIZE for _ in range(count)]
        self.users: list[User] = []

    @rule(tokens=TOKENS)
    def take(self, tokens: list[int]) -> None:
        taken = self.manager.take(np.array(tokens, np.int64))
        assert taken.valid < len(tokens)
        if taken.copy is not None:
            self.pool[taken.copy.target] = list(self.pool[taken.copy.source])
        user = User(tokens, taken.table, taken.valid)
        self.users.append(user)
        self.check(user)

    @precondition(lambda self: self.users)
    @rule(data=st.data(), is_interrupted=st.booleans())
    def compute(self, data: st.DataObject, is_interrupted: bool) -> None:
        user = data.draw(st.sampled_from(self.users), "user")
        count = data.draw(st.integers(0, len(user.tokens) - user.computed), "count")
        try:
            self.manager.grow(user.table, user.computed + count)
        except NoBlocks:
            assert self.manager.num_unused == 0
            return
        end = user.computed + count
        for position in range(user.computed, end):
            self.write(user, position, None)
        if is_interrupted:
            return
        for position in range(user.computed, end):
            self.write(user, position, tuple(user.tokens[: position + 1].tolist()))
        self.manager.record(user.table, user.tokens, user.computed, end)
        user.computed = end
        self.check(user)

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def change_the_end(self, data: st.DataObject) -> None:
        """What was computed last counts no more, as when a draft is refused."""
        user = data.draw(st.sampled_from(self.users), "user")
        shared = sum(
            any(block in other.table.blocks for other in self.users if other is not user)
            for block in user.table.blocks
        )
        kept = data.draw(st.integers(min(shared * SIZE, user.computed), user.computed), "kept")
        if kept == user.computed:
            return
        self.manager.record(user.table, user.tokens, kept, kept)
        user.computed = kept
        user.tokens[kept:] = 1 - user.tokens[kept:]

    @precondition(lambda self: self.users)
    @rule(data=st.data(), keep=st.booleans())
    def release(self, data: st.DataObject, keep: bool) -> None:
        user = data.draw(st.sampled_from(self.users), "user")
        self.users.remove(user)
        if not keep:
            alone = set(user.table.blocks) - {b for u in self.users for b in u.table.blocks}
            for block in alone:
                self.pool[block] = [None] * SIZE  # Whoever trusts it now is found out.
        self.manager.release(user.table, keep=keep)

    def write(self, user: User, position: int, value: tuple[int, ...] | None) -> None:
        block = user.table.blocks[position // SIZE]
        owners = [other for other in self.users if block in other.table.blocks]
        assert owners == [user], "a block that is shared was written to"
        self.pool[block][position % SIZE] = value

    def check(self, user: User) -> None:
        for position in range(user.computed):
            held = self.pool[user.table.blocks[position // SIZE]][position % SIZE]
            assert held == tuple(user.tokens[: position + 1].tolist())

    @invariant()
    def no_block_is_lost(self) -> None:
        used = {block for user in self.users for block in user.table.blocks}
        assert self.manager.num_unused == self.manager.num_blocks - len(used)
        assert all(len(set(u.table.blocks)) == len(u.table.blocks) for u in self.users)
        assert 0 <= self.manager.num_held <= self.manager.num_blocks
        for user in self.users:
            self.check(user)

    def teardown(self) -> None:
        for user in getattr(self, "users", []):
            self.manager.release(user.table)
        if hasattr(self, "manager"):
            assert self.manager.num_unused == self.manager.num_blocks


BlockManagerMachine.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None
)
TestBlockManager = BlockManagerMachine.TestCase


def tokens_of(text: str) -> np.ndarray:
    return np.array(list(text.encode()), np.int64)


def computed(manager: BlockManager, text: str) -> BlockTable:
    """The blocks of a sequence that was computed whole."""
    tokens = tokens_of(text)
    taken = manager.take(tokens)
    manager.grow(taken.table, len(tokens))
    manager.record(taken.table, tokens, taken.valid, len(tokens))
    return taken.table


def test_sequences_that_begin_alike_share_whole_blocks_and_copy_the_rest() -> None:
    manager = BlockManager(10, 4)
    first = computed(manager, "import os\n")
    taken = manager.take(tokens_of("import sys"))
    assert taken.table.blocks[0] == first.blocks[0]
    assert taken.valid == len("import ")
    assert taken.copy is not None
    assert (taken.copy.source, taken.copy.target) == (first.blocks[1], taken.table.blocks[1])


def test_the_last_token_is_always_computed() -> None:
    manager = BlockManager(10, 4)
    manager.release(computed(manager, "12345678"))
    assert manager.take(tokens_of("12345678")).valid == 7


def test_two_that_compute_the_same_at_once_are_found_once() -> None:
    manager = BlockManager(10, 4)
    tokens = tokens_of("1234")
    tables = [manager.take(tokens).table for _ in range(2)]
    for table in tables:
        manager.grow(table, 4)
        manager.record(table, tokens, 0, 4)
    assert tables[0].keys == tables[1].keys
    found = manager.find(tokens_of("12345"))
    assert [block.index for block in found.blocks] == tables[0].blocks


def test_the_least_recently_used_goes_first_and_of_one_sequence_the_end() -> None:
    manager = BlockManager(4, 4)
    manager.release(computed(manager, "aaaabbbb"))
    manager.release(computed(manager, "ccccdddd"))
    computed(manager, "eeee")
    assert manager.find(tokens_of("aaaabbbb")).length == 4
    assert manager.find(tokens_of("ccccdddd")).length == 8
    computed(manager, "ffff")
    assert manager.find(tokens_of("aaaabbbb")).length == 0


def test_the_part_of_a_block_is_not_copied_when_there_is_no_room() -> None:
    manager = BlockManager(2, 4)
    computed(manager, "aaaabb")
    taken = manager.take(tokens_of("aaaabbb"))
    assert (taken.valid, taken.copy) == (4, None)


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_common_prefix(left: list[int], right: list[int]) -> None:
    want = 0
    while want < min(len(left), len(right)) and left[want] == right[want]:
        want += 1
    assert common_prefix(np.array(left, np.int64), np.array(right, np.int64)) == want


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="0 blocks of 16 positions"):
        BlockManager(0, 16)
