"""KV blocks: which tokens each block of the runner's pool holds, who uses it, what may be reused.

A block holds the keys and values of BLOCK_SIZE neighbouring positions. They depend on all tokens
before them, so a block is addressed by the hash of the whole prefix up to its end: sequences that
begin alike, of whatever editor, share their blocks (as vLLM's automatic prefix caching, after
PagedAttention, Kwon et al., arXiv 2309.06180). A prefix that ends inside a block is taken over by
copying that block. Blocks that nobody uses keep what they hold until the room is needed, the least
recently used first, and of one sequence the last first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
Key = bytes
ROOT: Key = b""
NO_TOKENS: Tokens = np.empty(0, np.int64)


@dataclass(slots=True, eq=False)
class Block:
    """`tokens` are those whose keys and values the block holds, after the prefix `parent`."""

    index: int
    parent: Key = ROOT
    tokens: Tokens = field(default_factory=lambda: NO_TOKENS)
    key: Key | None = None  # of the prefix that ends here, once the block is full
    users: int = 0


@dataclass(slots=True, eq=False)
class BlockTable:
    """The blocks of one sequence, in order, and the keys of those that it has filled."""

    blocks: list[int] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Prefix:
    """What is held of a token sequence: whole blocks, and the beginning of one more."""

    blocks: tuple[Block, ...]
    partial: Block | None
    partial_count: int
    length: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A block that must be copied to another one before either is written to."""

    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The beginning of a sequence's table: `valid` positions in it need not be computed."""

    table: BlockTable
    valid: int
    copy: Copy | None


class NoBlocks(Exception):
    """All blocks are in use."""


class BlockManager:
    """Hands out the `num_blocks` blocks of a pool. Used by one thread."""

    def __init__(self, num_blocks: int, block_size: int) -> None:
        if num_blocks < 1 or block_size < 1:
            raise ValueError(f"{num_blocks} blocks of {block_size} positions hold nothing")
        self.block_size = block_size
        self.num_blocks = num_blocks
        self._blocks = [Block(index) for index in range(num_blocks)]
        # Unused blocks, those that hold nothing first, then by how long ago they were used.
        self._unused: OrderedDict[int, None] = OrderedDict.fromkeys(range(num_blocks))
        self._full: dict[Key, Block] = {}
        self._after: dict[Key, dict[int, Block]] = {}  # what is held after each prefix
        self.num_held = 0  # blocks that hold something, used or not

    @property
    def num_unused(self) -> int:
        """Blocks that nobody uses, whether or not they still hold something."""
        return len(self._unused)

    def blocks_for(self, length: int) -> int:
        return -(-length // self.block_size)

    def find(self, tokens: Tokens) -> Prefix:
        """The longest prefix of `tokens` that is held; nothing is taken."""
        found: list[Block] = []
        parent, start, size = ROOT, 0, self.block_size
        while start + size <= len(tokens):
            key = key_of(parent, tokens[start : start + size])
            block = self._full.get(key)
            if block is None:
                break
            found.append(block)
            parent, start = key, start + size
        rest, best, count = tokens[start : start + size], None, 0
        for block in self._after.get(parent, {}).values():
            shared = common_prefix(block.tokens, rest)
            if shared > count:
                best, count = block, shared
        return Prefix(tuple(found), best, count, start + count)

    def take(self, tokens: Tokens) -> Taken:
        """Blocks for a sequence that begins with `tokens`, as far as something of it is held.

        The last token always counts as not held, because its logits are wanted.
        """
        prefix = self.find(tokens[: max(0, len(tokens) - 1)])
        table = BlockTable()
        for block in prefix.blocks:
            assert block.key is not None
            self._use(block)
            table.blocks.append(block.index)
            table.keys.append(block.key)
        valid = len(table.blocks) * self.block_size
        source = prefix.partial
        if source is None:
            return Taken(table, valid, None)
        self._use(source)  # so that making room does not take it
        try:
            target = self._fresh()
        except NoBlocks:  # It fits without the part: those tokens are computed.
            return Taken(table, valid, None)
        finally:
            self._drop(source)
        table.blocks.append(target.index)
        return Taken(table, valid + prefix.partial_count, Copy(source.index, target.index))

    def grow(self, table: BlockTable, length: int) -> None:
        """Adds blocks until the table has room for `length` positions.

        Raises NoBlocks; what was added until then stays.
        """
        while len(table.blocks) < self.blocks_for(length):
            table.blocks.append(self._fresh().index)

    def record(self, table: BlockTable, tokens: Tokens, first: int, valid: int) -> None:
        """Notes that a table's blocks, changed from position `first` on, hold `tokens[:valid]`.

        Blocks shared with others are full and lie before `first`.
        """
        size = self.block_size
        begin = first // size
        del table.keys[begin:]
        for position in range(begin, len(table.blocks)):
            block, start = self._blocks[table.blocks[position]], position * size
            part = tokens[start : min(valid, start + size)]
            if not len(part):
                self._forget(block)
                continue
            parent = table.keys[position - 1] if position else ROOT
            self._hold(block, parent, part)
            if len(part) == size:
                table.keys.append(block.key or key_of(parent, part))

    def held(self) -> Iterator[Block]:
        """Full blocks that can be found by their prefix, those used last first."""
        used = (block for block in self._blocks if block.users)
        unused = (self._blocks[index] for index in reversed(self._unused))
        return (block for block in chain(used, unused) if block.key is not None)

    def adopt(self, parent: Key, tokens: Tokens) -> int | None:
        """A block, until now unused, that holds `tokens` after `parent` from now on.

        None where these are held already or no block holds nothing.
        """
        if key_of(parent, tokens) in self._full or len(tokens) != self.block_size:
            return None
        if not self._unused or len(self._blocks[next(iter(self._unused))].tokens):
            return None
        block = self._fresh()
        self._hold(block, parent, tokens)
        self._drop(block)
        return block.index

    def release(self, table: BlockTable, *, keep: bool = True) -> None:
        """Gives the blocks back; with `keep` False, nothing in those it used alone is reused."""
        for index in reversed(table.blocks):
            block = self._blocks[index]
            if not keep and block.users == 1:
                self._forget(block)
            self._drop(block)

    def _hold(self, block: Block, parent: Key, tokens: Tokens) -> None:
        assert block.users == 1, "only a block of its own may change"
        self._forget(block)
        self.num_held += 1
        block.parent, block.tokens = parent, tokens.copy()
        if len(tokens) == self.block_size:
            key = key_of(parent, tokens)
            if key in self._full:  # Two sequences computed the same: one copy is enough to find.
                return
            block.key = key
            self._full[key] = block
        self._after.setdefault(parent, {})[block.index] = block

    def _forget(self, block: Block) -> None:
        self.num_held -= len(block.tokens) > 0
        if block.key is not None:
            del self._full[block.key]
        siblings = self._after.get(block.parent)
        if siblings is not None and siblings.pop(block.index, None) is not None and not siblings:
            del self._after[block.parent]
        block.parent, block.tokens, block.key = ROOT, NO_TOKENS, None

    def _fresh(self) -> Block:
        """An unused block that holds nothing any more."""
        if not self._unused:
            raise NoBlocks
        block = self._blocks[next(iter(self._unused))]
        self._forget(block)
        self._use(block)
        return block

    def _use(self, block: Block) -> None:
        block.users += 1
        self._unused.pop(block.index, None)

    def _drop(self, block: Block) -> None:
        assert block.users > 0, "a block was given back twice"
        block.users -= 1
        if block.users == 0:
            self._unused[block.index] = None
            if not len(block.tokens):
                self._unused.move_to_end(block.index, last=False)


def key_of(parent: Key, tokens: Tokens) -> Key:
    """Sixteen bytes that address the prefix `parent` followed by a block of tokens."""
    return hashlib.blake2b(tokens.astype("<i8").tobytes(), key=parent, digest_size=16).digest()


def common_prefix(left: Tokens, right: Tokens) -> int:
    """How many tokens the two begin with alike."""
    length = min(len(left), len(right))
    different = left[:length] != right[:length]
    return int(different.argmax()) if different.any() else length
