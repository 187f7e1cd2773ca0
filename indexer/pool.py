"""Threads that hand tasks to a worker process each, or do them themselves if there is none."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from indexer.costs import Costs
from indexer.ignore import Rules
from indexer.source import Extracted, FactsSource, too_long
from indexer.walk import Listing
from indexer.worker import (
    Listings,
    Reply,
    Task,
    Walk,
    Worker,
    WorkerDiedError,
    WorkerStartError,
    perform,
)

CRASHED = "the parser crashed on it"
WORKERS_DIE = "worker processes keep ending before they read it"
GIVEN_UP = -1
"""Stands for the state of a file that a worker did not live to tell of."""
MAX_DEATHS = 3
"""So many workers in a row may end for no visible reason before a task is given up."""
REPLIES_WAITING = 4
"""A worker waits once so many replies of each are not yet taken."""
MOMENT = 0.2


@dataclass(frozen=True, slots=True)
class Finished:
    """A task has been done; all of its replies came before."""

    task: Task


class Pool:
    """Tasks in, replies out, in any order."""

    def __init__(self, rules: Rules, workers: int) -> None:
        self.width = max(1, workers)
        self.costs = Costs()
        self._rules = rules
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._replies: queue.Queue[Reply | Finished | BaseException] = queue.Queue(
            REPLIES_WAITING * self.width
        )
        self._workers: set[Worker] = set()
        self._local = threading.local()
        self._closed = threading.Event()
        serve = self._serve_by_process if workers else self._serve_here
        threads = [
            threading.Thread(target=self._guarded, args=(serve,), name="crawl-worker", daemon=True)
            for _ in range(self.width)
        ]
        if workers:
            threads.append(threading.Thread(target=self._watch, name="crawl-watch", daemon=True))
        for thread in threads:
            thread.start()

    def submit(self, task: Task) -> None:
        self._tasks.put(task)

    def reply(self, cancelled: threading.Event) -> Reply | Finished | None:
        """Waits for the next reply; None when the crawl was cancelled meanwhile."""
        while not cancelled.is_set():
            try:
                reply = self._replies.get(timeout=MOMENT)
            except queue.Empty:
                continue
            if isinstance(reply, BaseException):
                raise reply
            return reply
        return None

    def close(self) -> None:
        self._closed.set()
        for worker in tuple(self._workers):
            worker.close()
        for _ in range(self.width):
            self._tasks.put(None)

    def _tell(self, reply: Reply | Finished | BaseException) -> None:
        """Hands a reply over; waits while too many are not yet taken."""
        while not self._closed.is_set():
            try:
                self._replies.put(reply, timeout=MOMENT)
            except queue.Full:
                continue
            return

    def _guarded(self, serve: Callable[[Task], None]) -> None:
        try:
            while (task := self._tasks.get()) is not None and not self._closed.is_set():
                serve(task)
                self._tell(Finished(task))
        except BaseException as error:
            self._tell(error)

    def _watch(self) -> None:
        while not self._closed.wait(1.0):
            for worker in tuple(self._workers):
                worker.end_if_silent()

    def _serve_here(self, task: Task) -> None:
        source: FactsSource | None = getattr(self._local, "source", None)
        if source is None:
            source = self._local.source = FactsSource(self._rules.config)
        for reply in perform(task, self._rules, source, None):
            self._tell(reply)
        self.costs.add(source.costs.taken(), 0)

    def _serve_by_process(self, task: Task, deaths: int = 0, is_suspect: bool = False) -> None:
        """One worker a thread, started on its first task and replaced when it ends.

        `deaths` of workers came before, whose cause is not known; a suspect caused one.
        """
        answered: set[str] = set()
        try:
            worker = self._own_worker()
            for reply in worker.perform(task):
                if not isinstance(reply, Listings):
                    answered.update(file.path for file in reply)
                self._tell(reply)
            self.costs.add(worker.costs.taken(), worker.costs.peak_bytes)
            if worker.is_spent:
                self._drop_worker()
        except WorkerStartError:
            self._serve_here(task)
        except WorkerDiedError as death:
            self._drop_worker()
            if not self._closed.is_set():
                self._after_death(task, answered, death, deaths, is_suspect)

    def _after_death(
        self,
        task: Task,
        answered: set[str],
        death: WorkerDiedError,
        deaths: int,
        is_suspect: bool,
    ) -> None:
        """The item that a worker died of is tried alone once more; the others are done again."""
        at_fault = task.paths[death.begun - 1] if 0 < death.begun <= len(task.paths) else None
        if at_fault in answered:
            at_fault = None
        others = tuple(path for path in task.paths if path not in answered and path != at_fault)
        if at_fault is None and deaths + 1 >= MAX_DEATHS:
            for path in others:
                self._give_up(task, path, WORKERS_DIE)
            return
        if at_fault is not None:
            if death.timed_out:
                self._give_up(task, at_fault, too_long(self._rules.config.max_file_seconds))
            elif is_suspect:
                self._give_up(task, at_fault, CRASHED)
            else:
                self._serve_by_process(replace(task, paths=(at_fault,)), is_suspect=True)
        if others:
            self._serve_by_process(replace(task, paths=others), deaths + (at_fault is None))

    def _give_up(self, task: Task, path: str, reason: str) -> None:
        if isinstance(task, Walk):
            self._tell(Listings((Listing(path, (), (), ((path, reason),)),)))
        else:
            self._tell((Extracted(path, None, reason, GIVEN_UP),))

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
