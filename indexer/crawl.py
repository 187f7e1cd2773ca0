"""Reads the files of the workspace into facts, in worker processes, a batch at a time.

The crawler never touches the index: it yields batches, and whoever owns the index applies them.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.changes import FileFound, FileGone
from indexer.ignore import IGNORE_FILES, Rules
from indexer.walk import Found, walk
from indexer.worker import (
    Extract,
    Extracted,
    Reply,
    Task,
    Walk,
    Worker,
    WorkerDiedError,
    WorkerStartError,
    perform,
)

TASK_FILES, TASK_BYTES = 32, 400_000
INLINE_BYTES = 100_000
"""Changed files of less than this together are read in the crawling thread."""
CRASHED = "the parser crashed on it"


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of files in known languages since the crawl began."""

    found: int
    done: int
    skipped: int
    complete: bool  # whether the crawl came to its end


@dataclass(frozen=True, slots=True)
class Batch:
    """A few changes for the index, and files that the rules keep out, with the reasons."""

    changes: tuple[FileFound | FileGone, ...]
    skipped: tuple[tuple[str, str], ...]
    progress: Progress


class Crawler:
    """Crawls the roots of some rules. One crawl runs at a time; a later one waits for it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._known: set[str] = set()  # paths reported as found
        self._running = threading.Lock()
        self._cancelled = threading.Event()

    def crawl(self, paths: Iterable[str] | None = None) -> Iterator[Batch]:
        """Batches of all roots, or of some changed, new or deleted files and folders.

        A changed ignore file means all roots. Blocks between batches; see `batches` for asyncio.
        """
        changed = None if paths is None else tuple(os.path.normpath(path) for path in paths)
        if changed is not None and any(path.endswith(IGNORE_FILES) for path in changed):
            changed = None
        with self._running:
            self._cancelled.clear()
            self._rules.forget()
            yield from _Crawl(self._rules, self._known, self._cancelled).run(changed)

    async def batches(self, paths: Iterable[str] | None = None) -> AsyncIterator[Batch]:
        """As `crawl`, for an event loop: a thread waits, the loop gets ready-made batches."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Queue[Batch | BaseException | None] = asyncio.Queue()
        stopped = threading.Event()

        def deliver(item: Batch | BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(ready.put_nowait, item)
            except RuntimeError:  # the loop is closed: nobody waits any more
                stopped.set()

        def work() -> None:
            try:
                for batch in self.crawl(paths):
                    if stopped.is_set():
                        break
                    deliver(batch)
                deliver(None)
            except BaseException as error:
                deliver(error)

        threading.Thread(target=work, name="crawl", daemon=True).start()
        try:
            while (item := await ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            self.cancel()

    def cancel(self) -> None:
        """Ends the running crawl soon; its last batch says that it is not complete."""
        self._cancelled.set()


class _Crawl:
    """One crawl: decides what to read, counts, and turns replies into batches."""

    def __init__(self, rules: Rules, known: set[str], cancelled: threading.Event) -> None:
        self._rules = rules
        self._known = known
        self._cancelled = cancelled
        self._found = self._done = self._skipped = 0
        self._seen: set[str] = set()
        self._waiting: list[Found] = []
        self._waiting_bytes = 0

    def run(self, changed: tuple[str, ...] | None) -> Iterator[Batch]:
        folders, files = self._rules.roots, tuple[str, ...]()
        if changed is not None:
            folders = tuple(path for path in changed if Path(path).is_dir())
            files = tuple(path for path in changed if Path(path).is_file())
            vanished = self._below(path for path in changed if path not in (*folders, *files))
            if vanished:
                yield self._batch(tuple(FileGone(path) for path in vanished), (), False)
        pool = _Pool(self._rules, self._worker_count(folders, files))
        try:
            yield from self._read(pool, folders, files)
        finally:
            pool.close()
        gone: set[str] = set()
        if not self._cancelled.is_set():
            gone = set(self._below(folders)) - self._seen
        yield self._batch(
            tuple(FileGone(path) for path in sorted(gone)), (), not self._cancelled.is_set()
        )

    def _worker_count(self, folders: tuple[str, ...], files: tuple[str, ...]) -> int:
        """No process for what is read faster than a process starts."""
        if not folders and sum(Path(path).stat().st_size for path in files) < INLINE_BYTES:
            return 0
        return self._rules.config.workers

    def _read(
        self, pool: _Pool, folders: tuple[str, ...], files: tuple[str, ...]
    ) -> Iterator[Batch]:
        if folders:
            pool.submit(Walk(folders))
        if files:
            self._found += len(files)
            pool.submit(Extract(files))
        while pool.unfinished:
            if self._cancelled.is_set():
                return
            reply = pool.reply()
            if reply is None:
                self._submit(pool, 0)
            elif reply and isinstance(reply[0], Found):
                yield self._take(pool, reply)
            elif reply:
                yield self._result(reply)

    def _take(self, pool: _Pool, reply: Reply) -> Batch:
        """Files that the walk found: those allowed are read, the others are told with reasons."""
        skipped: list[tuple[str, str]] = []
        for file in reply:
            assert isinstance(file, Found)
            self._found += 1
            if file.verdict.allowed:
                self._waiting.append(file)
                self._waiting_bytes += file.size
                self._submit(pool, TASK_BYTES)
            else:
                self._skipped += 1
                skipped.append((file.path, file.verdict.reason))
        return self._batch((), tuple(skipped), False)

    def _submit(self, pool: _Pool, at_least: int) -> None:
        """Sends off what waits to be read, if it is enough for a task."""
        full = self._waiting_bytes >= at_least or len(self._waiting) >= TASK_FILES
        if self._waiting and full:
            pool.submit(Extract(tuple(file.path for file in self._waiting)))
            self._waiting, self._waiting_bytes = [], 0

    def _result(self, reply: Reply) -> Batch:
        changes: list[FileFound | FileGone] = []
        skipped: list[tuple[str, str]] = []
        for file in reply:
            assert isinstance(file, Extracted)
            self._done += 1
            if file.facts is not None:
                self._seen.add(file.path)
                self._known.add(file.path)
                changes.append(FileFound(file.path, file.facts))
                continue
            if file.reason:
                self._skipped += 1
                skipped.append((file.path, file.reason))
            if file.path in self._known:
                self._known.discard(file.path)
                changes.append(FileGone(file.path))
        return self._batch(tuple(changes), tuple(skipped), False)

    def _below(self, paths: Iterable[str]) -> list[str]:
        """Known files that are, or lie in, some paths."""
        heads = tuple(paths)
        inside = tuple(head.rstrip("/") + "/" for head in heads)
        return [path for path in self._known if path in heads or path.startswith(inside)]

    def _batch(
        self,
        changes: tuple[FileFound | FileGone, ...],
        skipped: tuple[tuple[str, str], ...],
        complete: bool,
    ) -> Batch:
        self._known.difference_update(
            change.path for change in changes if isinstance(change, FileGone)
        )
        return Batch(changes, skipped, Progress(self._found, self._done, self._skipped, complete))


class _Pool:
    """Threads that hand tasks to a worker process each, or do them themselves if there is none."""

    def __init__(self, rules: Rules, workers: int) -> None:
        self.unfinished = 0
        self._rules = rules
        self._tasks: queue.Queue[Task | None] = queue.Queue()
        self._replies: queue.Queue[Reply | BaseException | None] = queue.Queue()
        self._workers: set[Worker] = set()
        self._local = threading.local()
        self._closed = False
        serve = self._serve_by_process if workers else self._serve_here
        self._threads = [
            threading.Thread(target=self._guarded, args=(serve,), name="crawl-worker", daemon=True)
            for _ in range(max(1, workers))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        self.unfinished += 1
        self._tasks.put(task)

    def reply(self) -> Reply | None:
        """Waits for the next reply; None means that a task is finished."""
        reply = self._replies.get()
        if isinstance(reply, BaseException):
            raise reply
        if reply is None:
            self.unfinished -= 1
        return reply

    def close(self) -> None:
        self._closed = True
        for worker in tuple(self._workers):
            worker.close()
        for _ in self._threads:
            self._tasks.put(None)

    def _guarded(self, serve: Callable[[Task], None]) -> None:
        try:
            while (task := self._tasks.get()) is not None and not self._closed:
                serve(task)
                self._replies.put(None)
        except BaseException as error:
            if not self._closed:
                self._replies.put(error)

    def _serve_here(self, task: Task) -> None:
        for reply in perform(task, self._rules):
            self._replies.put(reply)

    def _serve_by_process(self, task: Task) -> None:
        """One worker a thread, started on its first task and replaced when it dies."""
        answered: set[str] = set()
        try:
            for reply in self._own_worker().perform(task):
                answered.update(file.path for file in reply)
                self._replies.put(reply)
        except WorkerStartError:
            self._serve_here(task)
        except WorkerDiedError:
            self._drop_worker()
            if self._closed:
                return
            if isinstance(task, Walk):  # it runs no grammar: somebody killed the worker
                for file in walk(self._rules, task.starts):
                    if file.path not in answered:
                        self._replies.put((file,))
            else:
                self._retry([path for path in task.paths if path not in answered])

    def _retry(self, paths: list[str]) -> None:
        """Files that a worker may have died of, one at a time."""
        for path in paths:
            try:
                for reply in self._own_worker().perform(Extract((path,))):
                    self._replies.put(reply)
            except (WorkerDiedError, WorkerStartError):
                self._drop_worker()
                if self._closed:
                    return
                self._replies.put((Extracted(path, None, CRASHED),))

    def _own_worker(self) -> Worker:
        worker: Worker | None = getattr(self._local, "worker", None)
        if worker is None:
            worker = self._local.worker = Worker(self._rules.roots, self._rules.config)
            self._workers.add(worker)
        return worker

    def _drop_worker(self) -> None:
        worker: Worker | None = getattr(self._local, "worker", None)
        if worker is not None:
            self._local.worker = None
            self._workers.discard(worker)
            worker.close()
