"""A process that walks and parses for the crawler: the grammars hold the interpreter's lock.

Tasks and replies are pickled frames over pipes, each led by its length. The process is started by
`command()`, gets its tasks on standard input and ends when that is closed.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from indexer.config import IndexConfig
from indexer.facts import FileFacts
from indexer.ignore import Rules
from indexer.walk import Found, facts_of_file, walk

LENGTH = struct.Struct("<Q")
READY, DONE = "ready", "done"
WALK_BATCH = 64
REPLY_FILES, REPLY_BYTES = 16, 100_000
"""A reply is sent after so many files or bytes of text, so that reading it takes about 1 ms."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Find the files under some folders."""

    starts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """Read files and take their facts."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of one file: facts, or why there are none ("": it is gone)."""

    path: str
    facts: FileFacts | None
    reason: str


Task = Walk | Extract
Reply = tuple[Found, ...] | tuple[Extracted, ...]


def perform(task: Task, rules: Rules) -> Iterator[Reply]:
    """Does a task, a few files a reply. The same code runs in a worker and without one."""
    if isinstance(task, Walk):
        found: list[Found] = []
        for file in walk(rules, task.starts):
            found.append(file)
            if len(found) == WALK_BATCH:
                yield tuple(found)
                found = []
        yield tuple(found)
        return
    done: list[Extracted] = []
    size = 0
    for path in task.paths:
        facts, reason = facts_of_file(path, rules)
        done.append(Extracted(path, facts, reason))
        size += facts.size if facts is not None else 0
        if len(done) == REPLY_FILES or size > REPLY_BYTES:
            yield tuple(done)
            done, size = [], 0
    if done:
        yield tuple(done)


class WorkerStartError(Exception):
    """No worker can be started here: the caller has to do the work itself."""


class WorkerDiedError(Exception):
    """A worker ended before its task did: a grammar crashed, or somebody killed it."""


class Worker:
    """The parent's end of a worker process."""

    def __init__(self, roots: tuple[str, ...], config: IndexConfig) -> None:
        try:
            self._process = subprocess.Popen(
                command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise WorkerStartError(str(error)) from error
        try:
            self._send((roots, config))
            ready = self._receive() == READY
        except WorkerDiedError:
            ready = False
        if not ready:
            self.close()
            raise WorkerStartError("the worker process ended at once")

    def perform(self, task: Task) -> Iterator[Reply]:
        """Replies to a task, in order. Raises WorkerDiedError."""
        self._send(task)
        while (reply := self._receive()) != DONE:
            yield reply

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        reply = read_frame(self._process.stdout)
        if reply is None:
            raise WorkerDiedError
        return reply

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        try:
            write_frame(self._process.stdin, value)
        except OSError as error:
            raise WorkerDiedError from error

    def close(self) -> None:
        """Ends the process, at once if it is at work."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue


def command() -> list[str]:
    """How a worker is started: without the current folder on the path, which is not ours."""
    packages = str(Path(__file__).resolve().parent.parent)
    code = "import sys; sys.path.insert(0, sys.argv[1]); from indexer.worker import main; main()"
    return [sys.executable, "-P", "-c", code, packages]


def main() -> None:
    """Runs in the worker. Standard output carries frames only: prints would tear them."""
    tasks = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    if hasattr(os, "nice"):
        os.nice(5)
    start = read_frame(tasks)
    if start is None:
        return
    roots, config = start
    write_frame(replies, READY)
    while (task := read_frame(tasks)) is not None:
        rules = Rules(roots, config)  # ignore files may have changed since the last task
        for reply in perform(task, rules):
            write_frame(replies, reply)
        write_frame(replies, DONE)


def read_frame(pipe: IO[bytes]) -> Any:
    """The next value, or None where the other end closed."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = pipe.read(length)
    return pickle.loads(body) if len(body) == length else None


def write_frame(pipe: IO[bytes], value: object) -> None:
    body = pickle.dumps(value, protocol=5)
    pipe.write(LENGTH.pack(len(body)) + body)
    pipe.flush()
