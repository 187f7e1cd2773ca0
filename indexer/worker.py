"""A process that lists and parses for the crawler: a grammar may crash, hang or eat all memory.

Tasks and replies are msgpack frames over pipes, each led by its length. Before a worker begins a
file or folder it writes one mark into a third pipe, so that the parent knows what it died of. When
one takes too much processor time a timer of the system ends the worker, when it waits too long a
watchdog; neither needs a lock that a parser may hold.
The process is started by `command()` and ends when its standard input is closed.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import msgpack

from indexer.config import IndexConfig
from indexer.costs import Costs, peak_bytes
from indexer.facts import FileFacts
from indexer.generation import generation
from indexer.ignore import Rules
from indexer.source import Extracted, FactsSource
from indexer.walk import Found, Listing

LENGTH = struct.Struct("<I")
MAX_FRAME = 1 << 28
READY, LISTED, READ, DONE = "ready", "listed", "read", "done"
MARK, TIMEOUT_MARK = b".", b"Timeout"
HAS_TIMER = hasattr(signal, "setitimer")
TIMER_CODE = -int(signal.SIGPROF) if HAS_TIMER else None
"""How a process ends that has used up its processor time."""
REPLY_FILES, REPLY_BYTES = 32, 200_000
"""A reply is sent after so many files or bytes of text, so that taking it takes some 2 ms."""
LISTED_FILES = 256
PIPE_BYTES = 1 << 20
"""So much a worker may write before somebody has to wake up and read it, on Linux."""
PATIENCE, GRACE_SECONDS = 6, 5.0
"""Wall time may be so many times the processor time: the machine has other work too. After that,
and some grace, the parent ends a worker whose own watchdog has failed."""


@dataclass(frozen=True, slots=True)
class Walk:
    """List some folders, not those inside of them."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """Read files and take their facts. Judged ones were listed just now: they may be read."""

    paths: tuple[str, ...]
    is_judged: bool = False


@dataclass(frozen=True, slots=True)
class Listings:
    """What some folders hold."""

    listings: tuple[Listing, ...]


Task = Walk | Extract
Reply = Listings | tuple[Extracted, ...]


def perform(task: Task, rules: Rules, source: FactsSource, watch: Watch | None) -> Iterator[Reply]:
    """Does a task, a few files a reply. The same code runs in a worker and without one."""
    if isinstance(task, Walk):
        yield from _listings(task, rules, source, watch)
        return
    done: list[Extracted] = []
    size = 0
    for path in task.paths:
        if watch is not None:
            watch.begin()
        file = source.facts_of_file(path, rules, task.is_judged)
        done.append(file)
        size += file.facts.size if file.facts is not None else 0
        if len(done) == REPLY_FILES or size > REPLY_BYTES:
            yield tuple(done)
            done, size = [], 0
    if done:
        yield tuple(done)
    source.keep()


def _listings(
    task: Walk, rules: Rules, source: FactsSource, watch: Watch | None
) -> Iterator[Listings]:
    done: list[Listing] = []
    count = 0
    for path in task.paths:
        if watch is not None:
            watch.begin()
        for listing in source.listings(rules, path):
            done.append(listing)
            count += len(listing.files)
            if count >= LISTED_FILES:
                yield Listings(tuple(done))
                done, count = [], 0
            if watch is not None:
                watch.go_on()
    if done:
        yield Listings(tuple(done))


class WorkerStartError(Exception):
    """No worker can be started here: the caller has to do the work itself."""


class WorkerDiedError(Exception):
    """A worker ended before its task did: a parser crashed or hung, or somebody killed it."""

    def __init__(self, begun: int = 0, timed_out: bool = False) -> None:
        super().__init__(f"a worker ended at item {begun} of its task")
        self.begun = begun  # items of the task that it had begun, the last of them unfinished
        self.timed_out = timed_out


class Worker:
    """The parent's end of a worker process."""

    def __init__(self, roots: tuple[str, ...], config: IndexConfig) -> None:
        self._heard = time.monotonic()
        self._is_awaited = self._was_silent = False
        self._patience = PATIENCE * config.max_file_seconds + GRACE_SECONDS
        import subprocess  # which only this end needs, and which takes a while to load

        self._still_runs = subprocess.TimeoutExpired
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise WorkerStartError(str(error)) from error
        try:
            known = generation() if config.store_folder else ""
            self._send([list(roots), asdict(config), known])
            is_ready = self._receive()[0] == READY
        except WorkerDiedError:
            is_ready = False
        if not is_ready:
            self.close()
            raise WorkerStartError("the worker process ended at once")
        self.is_spent = False
        self.costs = Costs()

    def perform(self, task: Task) -> Iterator[Reply]:
        """Replies to a task, in order. Raises WorkerDiedError."""
        is_judged = isinstance(task, Extract) and task.is_judged
        self._send([type(task).__name__, list(task.paths), is_judged])
        while (reply := self._receive())[0] != DONE:
            try:
                unpacked = _unpacked(reply)
            except (TypeError, ValueError, IndexError) as error:
                raise self._death() from error
            yield unpacked
        _, self.is_spent, seconds, peak = reply
        self.costs.add(seconds, peak)
        assert self._process.stderr is not None
        self._process.stderr.read(len(task.paths))

    def end_if_silent(self) -> None:
        """Kills a worker that its own watchdog cannot end. Called from another thread."""
        if self._is_awaited and time.monotonic() - self._heard > self._patience:
            self._was_silent = True
            self._process.kill()

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        self._heard, self._is_awaited = time.monotonic(), True
        try:
            reply = read_frame(self._process.stdout)
        except ValueError as error:
            raise self._death() from error
        finally:
            self._is_awaited = False
        if not isinstance(reply, list) or not reply:
            raise self._death()
        return reply

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        try:
            write_frame(self._process.stdin, value)
        except OSError as error:
            raise self._death() from error

    def _death(self) -> WorkerDiedError:
        """What the worker told in its last moments."""
        self._process.kill()
        assert self._process.stderr is not None
        told = self._process.stderr.read()
        begun = len(told) - len(told.lstrip(MARK))
        code = None
        with suppress(self._still_runs):
            code = self._process.wait(timeout=5)
        timed_out = self._was_silent or TIMEOUT_MARK in told[begun:] or code == TIMER_CODE
        return WorkerDiedError(begun, timed_out)

    def close(self) -> None:
        """Ends the process, at once if it is at work."""
        self._process.kill()
        with suppress(self._still_runs):  # It hangs in the kernel: let it go when it can.
            self._process.wait(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def command(then: str = "from indexer.worker import main; main()") -> list[str]:
    """How a worker is started: without the current folder on the path, which is not ours.

    The package stands there without what its `__init__` imports: a worker asks no questions, and
    loading all of them takes as long as the facts of two hundred files.
    """
    packages = Path(__file__).resolve().parent.parent
    code = (
        "import sys, types; sys.path.insert(0, sys.argv[1]);"
        "package = sys.modules['indexer'] = types.ModuleType('indexer');"
        f"package.__path__ = [sys.argv[2]]; {then}"
    )
    return [sys.executable, "-P", "-c", code, str(packages), str(packages / "indexer")]


class Watch:
    """In the worker: marks what is begun, and ends the process when that takes too long."""

    def __init__(self, marks: int, seconds: float) -> None:
        self._marks = marks
        self._seconds = seconds
        self._since = 0.0  # since when the watchdog runs, 0: it does not

    def begin(self) -> None:
        os.write(self._marks, MARK)
        self.go_on()

    def go_on(self) -> None:
        """Something got on. Starting the watchdog costs, so one start serves for a while."""
        if HAS_TIMER:
            signal.setitimer(signal.ITIMER_PROF, self._seconds)
        now = time.monotonic()
        wait = PATIENCE * self._seconds
        if not self._since or now - self._since > wait / 4:
            faulthandler.dump_traceback_later(wait, exit=True, file=self._marks)
            self._since = now

    def pause(self) -> None:
        """While the parent is waited for, nothing takes too long."""
        if HAS_TIMER:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if self._since:
            faulthandler.cancel_dump_traceback_later()
            self._since = 0.0


def main() -> None:
    """Runs in the worker. The pipes carry frames and marks only: prints would tear them."""
    tasks = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    marks = os.dup(2)
    _widen(replies)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    if hasattr(os, "nice"):
        os.nice(5)
    start = read_frame(tasks)
    if start is None:
        return
    roots, config = tuple(start[0]), _config(start[1])
    limit_memory(config.max_worker_bytes)
    source = FactsSource(config, start[2])
    watch = Watch(marks, config.max_file_seconds)
    base = resident_bytes()
    write_frame(replies, [READY])
    rules = Rules(roots, config)
    while (task := read_frame(tasks)) is not None:
        kind, paths, is_judged = task
        if is_judged:
            rules.look_again()
        else:
            rules = Rules(roots, config)  # ignore files may have changed since the last task
        is_walk = kind == Walk.__name__
        work = Walk(tuple(paths)) if is_walk else Extract(tuple(paths), is_judged)
        for reply in perform(work, rules, source, watch):
            watch.pause()
            write_frame(replies, _packed(reply))
        watch.pause()
        is_spent = resident_bytes() - base > config.max_worker_bytes // 2
        write_frame(replies, [DONE, is_spent, source.costs.taken(), peak_bytes()])


def _widen(pipe: IO[bytes]) -> None:
    """Lets a pipe hold more, where the system has it so."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _config(values: dict[str, Any]) -> IndexConfig:
    tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return IndexConfig(**(values | tuples))


def limit_memory(allowed: int) -> None:
    """Lets this process take no more than so many bytes beyond what it has, where it can."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        limit = pages * resource.getpagesize() + allowed
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (ImportError, OSError, ValueError):
        return


def resident_bytes() -> int:
    """Memory of this process: now on Linux, at its peak on other systems, 0 where nobody tells."""
    try:
        import resource

        with suppress(OSError):
            return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    except ImportError:
        return 0


def _packed(reply: Reply) -> list[Any]:
    if isinstance(reply, Listings):
        return [LISTED, [_packed_listing(listing) for listing in reply.listings]]
    rows = [file.facts.to_row() if file.facts is not None else None for file in reply]
    told = [(file.path, file.reason, file.state) for file in reply]
    return [READ, rows, told]


def _unpacked(reply: list[Any]) -> Reply:
    if reply[0] == LISTED:
        return Listings(tuple(map(_unpacked_listing, reply[1])))
    _, rows, told = reply
    return tuple(
        Extracted(path, FileFacts.from_row(row) if row is not None else None, reason, state)
        for row, (path, reason, state) in zip(rows, told, strict=True)
    )


def _packed_listing(listing: Listing) -> tuple[Any, ...]:
    files = [(file.path, file.size, file.state, file.reason) for file in listing.files]
    return listing.folder, files, listing.folders, listing.skipped


def _unpacked_listing(packed: list[Any]) -> Listing:
    folder, files, folders, skipped = packed
    return Listing(
        folder,
        tuple(Found(*file) for file in files),
        tuple(folders),
        tuple((path, reason) for path, reason in skipped),
    )


def read_frame(pipe: IO[bytes]) -> Any:
    """The next value, or None where the other end closed. Raises ValueError for torn bytes."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    if length > MAX_FRAME:
        raise ValueError(f"a frame of {length} bytes")
    body = pipe.read(length)
    if len(body) < length:
        return None
    return msgpack.unpackb(body, unicode_errors="surrogateescape")


def write_frame(pipe: IO[bytes], value: object) -> None:
    body = msgpack.packb(value, unicode_errors="surrogateescape")
    pipe.write(LENGTH.pack(len(body)))
    pipe.write(body)
    pipe.flush()
