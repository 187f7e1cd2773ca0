"""Reads files that somebody else may be changing: never waits for one, never follows a link."""

from __future__ import annotations

import errno
import os
import stat

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)  # a link may have taken the place of what the rules saw
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would be waited for
    | getattr(os, "O_NOCTTY", 0)
)
READS = 3
"""A text that changes while it is read is read again, so many times in all."""


def read_regular(path: str, limit: int) -> tuple[bytes, os.stat_result | None]:
    """The text of a file, and its state if nobody changed it meanwhile.

    Of a text longer than `limit` bytes the first `limit` + 1 are returned. Raises OSError, also
    for what is no regular file: a pipe, a device, a folder, a link.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        for number in range(READS):
            if number == 0:  # one more than it should hold: mostly that is all of it
                text = os.read(descriptor, min(limit, before.st_size) + 1)
            else:
                text = _read(descriptor, limit + 1)
            after = os.fstat(descriptor)
            if _same(before, after) and len(text) == min(after.st_size, limit + 1):
                return text, after
            before = after
            os.lseek(descriptor, 0, os.SEEK_SET)
        return text, None
    finally:
        os.close(descriptor)


def _read(descriptor: int, length: int) -> bytes:
    pieces: list[bytes] = []
    while length > 0 and (piece := os.read(descriptor, length)):
        pieces.append(piece)
        length -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return one.st_mtime_ns == other.st_mtime_ns and one.st_size == other.st_size
