"""Keys and values on disk, so that the first completion of the next morning finds them.

A file holds full blocks, those used last first, up to a budget: for each the key of the prefix
before it, its tokens, and its bytes of all layers. It belongs to one model in one configuration,
which its header names; a file of another, or one that was cut or altered, is not used.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack
import numpy as np

from runtime.block_manager import BlockManager

if TYPE_CHECKING:
    from runtime.model_runner import ModelRunner

MAGIC = b"sopilka kv 1\n"
_LENGTH = struct.Struct("<Q")
DIGEST_BYTES = 16
log = logging.getLogger(__name__)


def save(path: Path, name: str, blocks: BlockManager, runner: ModelRunner, max_bytes: int) -> int:
    """Writes what fits the budget in place of an older file, whole or not at all.

    `name` says of which model and configuration the blocks are. Returns how many were written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    records, size = [], 0
    for held in blocks.held():
        content = runner.read_block(held.index)
        size += len(content)
        if size > max_bytes:
            break
        records.append([held.parent, held.tokens.astype("<i4").tobytes(), content])
    body: bytes = msgpack.packb({"name": name, "blocks": records})
    digest = hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()
    file, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(MAGIC + digest + _LENGTH.pack(len(body)) + body)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return len(records)


def load(path: Path, name: str, blocks: BlockManager, runner: ModelRunner) -> int:
    """Fills free blocks from a file; returns how many. A file that cannot be used is left alone."""
    try:
        body = _checked(path)
    except OSError:
        return 0
    except ValueError as error:
        log.warning("the kept cache %s is not used: %s", path.name, error)
        return 0
    content = msgpack.unpackb(body, max_bin_len=len(body))
    if content["name"] != name:
        log.info("the kept cache is of another model or configuration")
        return 0
    count = 0
    # The oldest first, so that the order of use is what it was.
    for parent, tokens, data in reversed(content["blocks"][: blocks.num_unused]):
        index = blocks.adopt(parent, np.frombuffer(tokens, "<i4").astype(np.int64))
        if index is not None:
            runner.write_block(index, data)
            count += 1
    return count


def _checked(path: Path) -> bytes:
    """The body of a file. Raises ValueError that says what is wrong with it, or OSError."""
    data = path.read_bytes()
    head = len(MAGIC) + DIGEST_BYTES + _LENGTH.size
    if not data.startswith(MAGIC) or len(data) < head:
        raise ValueError("it is of another kind or version")
    digest = data[len(MAGIC) : len(MAGIC) + DIGEST_BYTES]
    (length,) = _LENGTH.unpack(data[head - _LENGTH.size : head])
    body = data[head:]
    if len(body) != length or hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest() != digest:
        raise ValueError("it was cut or altered")
    return body
