"""Reads the files of the workspace into facts, in worker processes, a batch at a time.

The crawler never touches the index: it yields batches, and whoever owns the index applies them.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from indexer.changes import FileFound, FileGone
from indexer.costs import Costs
from indexer.crawl_state import Batch, Progress, Shared
from indexer.files import name_of, parent_of
from indexer.ignore import IGNORE_FILES, Rules
from indexer.known import FILE_BYTES, UNKNOWN, cost_of, state_of
from indexer.language import language_of
from indexer.pool import GIVEN_UP, Finished, Pool
from indexer.source import Extracted, FactsSource
from indexer.walk import Found, Listing
from indexer.worker import Extract, Listings, Walk, perform

TASK_FILES, TASK_BYTES, WALK_FOLDERS = 32, 400_000, 64
ENOUGH_WAITING = 2_048
"""Folders are listed on only while fewer files than this wait to be read."""
MOST_WAITING = 50_000
"""Of a folder with more files than this the rest is listed again later."""
GONE_AT_A_TIME, STORED_AT_A_TIME = 256, 32
MOST_NEWEST = 8
INLINE_BYTES = 200_000
"""Changed files of less than this together are read in the crawling thread, at once."""
BATCHES_AHEAD = 8


class Crawler:
    """Crawls the roots of some rules, and remembers what it has read.

    Of crawls through folders one runs at a time and a later one waits. A few changed files are read
    at once, also while folders are crawled.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._shared = Shared()
        self._walking = threading.Lock()
        self._reading = threading.Lock()
        self._running: set[threading.Event] = set()  # each ends the crawl that it belongs to

    def use(self, rules: Rules) -> None:
        """Other roots or limits, from the next crawl on. What is known of files stays."""
        self._rules = rules

    def crawl(
        self, paths: Iterable[str] | None = None, cancelled: threading.Event | None = None
    ) -> Iterator[Batch]:
        """Batches of all roots, or of some changed, new or deleted files and folders.

        Files that are as they were when they were last read are not read again. A changed ignore
        file means all roots. Blocks between batches; see `batches` for asyncio.
        """
        changed = None if paths is None else tuple(os.path.normpath(path) for path in paths)
        if changed is not None and any(name_of(path) in IGNORE_FILES for path in changed):
            changed = None
        cancelled = cancelled or threading.Event()
        self._running.add(cancelled)
        try:
            # Rules of its own: another thread may use its own meanwhile, and ignore files change.
            rules = Rules(self._rules.roots, self._rules.config)
            crawl = Crawl(self._shared, rules, cancelled, changed)
            # Not while others read: in a storm of groups a single file would wait for all of them.
            if not crawl.is_small and self._reading.acquire(blocking=False):
                try:
                    if newest := crawl.take_newest():
                        yield from Crawl(self._shared, rules, cancelled, newest).run()
                finally:
                    self._reading.release()
            with self._reading if crawl.is_small else self._walking:
                yield from crawl.run()
        finally:
            self._running.discard(cancelled)

    async def batches(self, paths: Iterable[str] | None = None) -> AsyncIterator[Batch]:
        """As `crawl`, for an event loop: a thread waits, the loop gets ready-made batches.

        A batch counts as taken when the next one is asked for; the files of others are read again.
        """
        loop = asyncio.get_running_loop()
        ready: asyncio.Queue[tuple[int, Batch] | BaseException | None] = asyncio.Queue()
        # By number, for both sides take batches out: this one what is taken, the thread the rest.
        waiting: dict[int, Batch] = {}
        taken, stopped = threading.Event(), threading.Event()

        def deliver(item: tuple[int, Batch] | BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(ready.put_nowait, item)
            except RuntimeError:  # the loop is closed: nobody waits any more
                stopped.set()

        def work() -> None:
            try:
                for number, batch in enumerate(self.crawl(paths, stopped)):
                    waiting[number] = batch
                    deliver((number, batch))
                    # After the last one all: the next crawl's changes must come after ours.
                    ahead = 0 if batch.progress.complete else BATCHES_AHEAD
                    while len(waiting) > ahead and not stopped.is_set():
                        taken.wait(0.2)
                        taken.clear()
                    for late in tuple(waiting) if stopped.is_set() else ():
                        if (untaken := waiting.pop(late, None)) is not None:
                            self._shared.doubt(untaken)
                deliver(None)
            except BaseException as error:
                deliver(error)

        threading.Thread(target=work, name="crawl", daemon=True).start()
        try:
            while (item := await ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                number, batch = item
                yield batch
                waiting.pop(number, None)
                taken.set()
        finally:
            stopped.set()

    def cancel(self) -> None:
        """Ends running crawls soon; their last batches say that they are not complete."""
        for cancelled in tuple(self._running):
            cancelled.set()

    @property
    def left_out(self) -> int:
        """Files for which there was no room, in the last crawl of all roots."""
        return self._shared.left_out

    @property
    def costs(self) -> Costs:
        """What all crawls through folders have cost, the work of the index apart."""
        return self._shared.costs

    def current(self, batch: Batch) -> Iterator[FileFound | FileGone]:
        """The changes of a batch, without those that a later reading has overtaken by now.

        A file may have been read for a root that has been taken away since: it is forgotten, and
        gone, for an older reading of it may have been taken.
        """
        for change in batch.changes:
            if self._shared.is_overtaken(change.path, batch.moment):
                continue
            if isinstance(change, FileFound) and self._rules.root_of(change.path) is None:
                self._shared.forget(change.path)
                yield FileGone(change.path)
                continue
            yield change


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A file to be read."""

    path: str
    size: int
    state: int


class Crawl:
    """One crawl: decides what to read, counts, and turns replies into batches."""

    def __init__(
        self,
        shared: Shared,
        rules: Rules,
        cancelled: threading.Event,
        changed: tuple[str, ...] | None,
    ) -> None:
        self._shared = shared
        self._known = shared.known
        self._rules = rules
        self._cancelled = cancelled
        self._is_whole = changed is None
        self._is_full = self._has_left_waiting = False
        self._found = self._done = self._skipped = self._waiting_bytes = 0
        self._waiting: deque[_Waiting] = deque()
        self._under_way: dict[str, tuple[int, int]] = {}  # state of a file, and when it was sent
        self._folders: list[str] = []  # to be listed, the last one first
        self._again: dict[str, None] = {}  # folders of which too many files waited
        self._is_listing = False
        self._lists_here = False
        self._unsure: list[Found] = []  # files that may be in the store
        self._tasks = 0  # of reading, under way
        self._vanished: tuple[str, ...] = ()
        self._starts: tuple[str, ...] = rules.roots
        if changed is not None:
            self._sort_out(changed)
        is_safe = not any(file.path in shared.given_up for file in self._waiting)
        is_little = not self._starts and self._waiting_bytes < INLINE_BYTES
        self.is_small = changed is not None and is_little and is_safe

    def take_newest(self) -> tuple[str, ...]:
        """Of many changed files the last few, which can be read at once: somebody may have saved
        one while a branch was checked out. They do not belong to this crawl any more."""
        newest: list[str] = []
        size = 0
        while not self._is_whole and self._waiting and len(newest) < MOST_NEWEST:
            size += self._waiting[0].size
            if size >= INLINE_BYTES or self._waiting[0].path in self._shared.given_up:
                break
            newest.append(self._waiting[0].path)
            self._waiting_bytes -= self._waiting.popleft().size
        self._found -= len(newest)
        return tuple(newest)

    def _sort_out(self, changed: tuple[str, ...]) -> None:
        """Changed paths are files, the last changed first, folders, or there no more."""
        folders: list[str] = []
        vanished: list[str] = []
        files: list[tuple[int, str, int, int]] = []
        for path in dict.fromkeys(changed):
            if not self._rules.folder_verdict(parent_of(path)).allowed:
                continue
            try:
                status = os.lstat(path)
            except OSError:
                vanished.append(path)
                continue
            if stat.S_ISDIR(status.st_mode):
                (folders if self._rules.folder_verdict(path).allowed else vanished).append(path)
            elif language_of(name_of(path)) is not None:
                files.append((-status.st_mtime_ns, path, status.st_size, state_of(status)))
        for _, path, size, state in sorted(files):
            self._wait_for(path, size, state)
        self._found = len(files)
        self._starts, self._vanished = tuple(folders), tuple(vanished)

    def run(self) -> Iterator[Batch]:
        with self._shared.lock:
            if not self.is_small:
                self._known.begin_round()
            if self._is_whole:
                self._shared.left_out = 0
            vanished = self._below(self._vanished)
            if self._is_whole and self._shared.roots != self._rules.roots:
                vanished += self._known.outside(self._rules.roots)
                self._shared.roots = self._rules.roots
        yield from self._gone(vanished)
        yield from self._read_here() if self.is_small else self._read_by_pool()
        if self._cancelled.is_set():
            yield self._batch((), ())
            return
        with self._shared.lock:
            unseen: list[str] = []
            if self._is_whole:
                unseen = self._known.unseen()
            elif self._starts:
                unseen = self._known.below(self._starts, is_unseen=True)
        yield from self._gone(unseen)
        yield self._batch((), (), is_complete=True)

    def _below(self, paths: tuple[str, ...]) -> list[str]:
        """Kept files that are, or lie in, some paths."""
        here = [path for path in paths if self._known.keeps(path)]
        folders = set(paths).difference(here)
        return here + self._known.below(folders) if folders else here

    def _gone(self, paths: list[str]) -> Iterator[Batch]:
        for start in range(0, len(paths), GONE_AT_A_TIME):
            piece = sorted(paths[start : start + GONE_AT_A_TIME])
            self._overtake(piece)
            with self._shared.lock:
                gone = [path for path in piece if self._known.drop(path)]
            if gone:
                yield self._batch(tuple(FileGone(path) for path in gone), ())

    def _read_here(self) -> Iterator[Batch]:
        paths = self._next_files(len(self._waiting))
        source = self._shared.source_for(self._rules.config)
        for reply in perform(Extract(paths), self._rules, source, None):
            assert not isinstance(reply, Listings)
            yield self._result(reply)

    def _read_by_pool(self) -> Iterator[Batch]:
        allowed = (path for path in self._starts if self._rules.folder_verdict(path).allowed)
        self._folders = list(reversed(tuple(allowed)))
        if not self._folders and not self._waiting:
            return
        pool = Pool(self._rules, self._rules.config.workers)
        source = self._shared.source_for(self._rules.config)
        # What is in the store needs no worker, and starting one takes longer than finding it all.
        self._lists_here = any(map(source.knows, self._folders))
        try:
            yield from self._submit_all(pool, source)
            while self._is_listing or self._tasks:
                reply = pool.reply(self._cancelled)
                if reply is None:
                    return
                if isinstance(reply, Listings):
                    for listing in reply.listings:
                        yield from self._take(listing)
                elif not isinstance(reply, Finished):
                    yield self._result(reply)
                elif isinstance(reply.task, Walk):
                    self._is_listing = False
                else:
                    self._tasks -= 1
                yield from self._submit_all(pool, source)
        finally:
            pool.close()
            source.keep()
            self._shared.costs.add(source.costs.taken(), 0)
            self._shared.costs.add(pool.costs.taken(), pool.costs.peak_bytes)

    def _submit_all(self, pool: Pool, source: FactsSource) -> Iterator[Batch]:
        """Gives the workers what there is to do; lists folders itself if that is the better way."""
        if self._is_full and not self._has_left_waiting:
            yield self._leave_waiting()
        self._submit(pool)
        while self._lists_here and self._folders and len(self._waiting) < ENOUGH_WAITING:
            if self._cancelled.is_set():
                return
            for listing in source.listings(self._rules, self._folders.pop()):
                yield from self._take(listing)
            if len(self._unsure) >= STORED_AT_A_TIME or not self._folders:
                yield from self._find_stored(source)
                self._submit(pool)

    def _leave_waiting(self) -> Batch:
        """Once the index is full, of the files that wait only those it holds are read again."""
        with self._shared.lock:
            told = [(file, self._full(file.path, sys.maxsize)) for file in self._waiting]
        self._waiting = deque(file for file, reason in told if not reason)
        self._waiting_bytes = sum(file.size for file in self._waiting)
        self._has_left_waiting = True
        skipped = tuple((file.path, reason) for file, reason in told if reason)
        self._skipped += len(skipped)
        return self._batch((), skipped)

    def _submit(self, pool: Pool) -> None:
        """Keeps every worker busy, and as few files waiting as that needs."""
        if not (self._folders or self._is_listing or self._waiting):
            self._folders, self._again = list(reversed(self._again)), {}
        while self._waiting and self._tasks < 2 * pool.width:
            is_enough = self._waiting_bytes >= TASK_BYTES or len(self._waiting) >= TASK_FILES
            more_comes = self._is_listing or self._folders
            if not is_enough and more_comes and self._tasks:
                break
            pool.submit(Extract(self._next_files(TASK_FILES), is_judged=self._is_whole))
            self._tasks += 1
        is_short = len(self._waiting) < ENOUGH_WAITING
        if self._folders and not self._is_listing and not self._lists_here and is_short:
            pool.submit(Walk(tuple(self._folders[: -WALK_FOLDERS - 1 : -1])))
            del self._folders[-WALK_FOLDERS:]
            self._is_listing = True

    def _wait_for(self, path: str, size: int, state: int) -> None:
        self._waiting.append(_Waiting(path, size, state))
        self._waiting_bytes += size

    def _next_files(self, most: int) -> tuple[str, ...]:
        paths: list[str] = []
        size = 0
        while self._waiting and len(paths) < most and size < TASK_BYTES:
            file = self._waiting.popleft()
            self._under_way[file.path] = file.state, self._shared.moment
            paths.append(file.path)
            size += file.size
        self._waiting_bytes -= size
        return tuple(paths)

    def _take(self, listing: Listing) -> Iterator[Batch]:
        """What a folder holds: files are read if they may be and are not known as they are now."""
        skipped = list(listing.skipped)
        self._folders += reversed(listing.folders)
        if len(self._waiting) > MOST_WAITING:
            self._again[listing.folder] = None
            yield self._batch((), tuple(skipped))
            return
        unknown: list[Found] = []
        with self._shared.lock:
            for file in listing.files:
                # Facts are about as large as their text. Once some did not fit, no more are read.
                need = sys.maxsize if self._is_full else FILE_BYTES + file.size
                reason = file.reason or self._full(file.path, need)
                if reason:
                    self._skipped += 1
                    skipped.append((file.path, reason))
                elif self._known.is_same(file.path, file.state) or self._known.is_seen(file.path):
                    self._done += 1
                else:
                    unknown.append(file)
            self._found += len(listing.files)
        if skipped:
            yield self._batch((), tuple(skipped))
        if self._lists_here:
            self._unsure += unknown
            return
        for file in unknown:
            self._wait_for(file.path, file.size, file.state)

    def _find_stored(self, source: FactsSource) -> Iterator[Batch]:
        """Takes what is in the store from there; all else has to be read."""
        unsure, self._unsure = self._unsure, []
        for start in range(0, len(unsure), STORED_AT_A_TIME):
            files = unsure[start : start + STORED_AT_A_TIME]
            found = source.stored([(file.path, file.state) for file in files])
            for file in files:
                if file.path not in found:
                    self._wait_for(file.path, file.size, file.state)
            if found:
                yield self._result(tuple(found.values()))

    def _result(self, files: tuple[Extracted, ...]) -> Batch:
        changes: list[FileFound | FileGone] = []
        skipped: list[tuple[str, str]] = []
        self._overtake(file.path for file in files)
        with self._shared.lock:
            for file in files:
                self._done += 1
                listed, sent = self._under_way.pop(file.path, (UNKNOWN, self._shared.moment))
                if not self.is_small and self._shared.is_overtaken(file.path, sent):
                    continue
                reason = file.reason
                if file.facts is not None:
                    cost = cost_of(file.facts)
                    reason = self._full(file.path, cost)
                    if not reason:
                        path = file.facts.path  # the same string for all
                        self._known.keep(path, file.state, cost)
                        changes.append(FileFound(path, file.facts))
                        continue
                if reason:
                    self._skipped += 1
                    skipped.append((file.path, reason))
                if self._forget(file, listed):
                    changes.append(FileGone(file.path))
        return self._batch(tuple(changes), tuple(skipped))

    def _forget(self, file: Extracted, listed: int) -> bool:
        """Notes a file without facts; returns whether it had some."""
        if file.state == GIVEN_UP:
            self._shared.given_up.add(file.path)
            return self._known.leave_out(file.path, listed)
        if file.facts is None and file.reason:
            return self._known.leave_out(file.path, file.state)
        return self._known.drop(file.path)

    def _full(self, path: str, cost: int) -> str:
        """Why there is no room for the facts of a file, "" if there is."""
        limit = self._rules.config.max_memory_bytes
        if cost == sys.maxsize and self._known.keeps(path):
            return ""
        if self._known.cost - self._known.cost_of(path) + cost <= limit:
            return ""
        self._is_full = True
        self._shared.left_out += self._is_whole
        return f"the index is full: it may take {limit // 1_000_000} MB of memory"

    def _overtake(self, paths: Iterable[str]) -> None:
        if self.is_small:
            self._shared.overtake(paths)

    def _batch(
        self,
        changes: tuple[FileFound | FileGone, ...],
        skipped: tuple[tuple[str, str], ...],
        is_complete: bool = False,
    ) -> Batch:
        progress = Progress(self._found, self._done, self._skipped, is_complete)
        return Batch(changes, skipped, progress, self._shared.moment)
