"""Notices changed files when the editor does not: collects events and tells them in groups.

Clients that watch files themselves are the better source; this is for those that do not.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from indexer.files import name_of, parent_of
from indexer.ignore import IGNORE_FILES, Rules
from indexer.language import language_of

# Reads cause events too if they are not filtered: a crawl would wake the watcher.
EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileClosedEvent, FileCreatedEvent,
    FileDeletedEvent, FileModifiedEvent, FileMovedEvent,
]  # fmt: skip
QUIET_SECONDS, LONGEST_SECONDS = 0.2, 2.0
BURST = 1_000
"""So many changed paths at once may mean that the system dropped some: everything is read anew."""
MAX_WATCHES = 64


class Watcher:
    """Watches the roots of some rules and calls `on_change` from a thread of its own.

    `on_change` gets changed, new and deleted paths, or None when everything should be crawled anew.
    """

    def __init__(self, rules: Rules, on_change: Callable[[tuple[str, ...] | None], None]) -> None:
        self._rules = rules
        self._on_change = on_change
        self._observer = Observer()
        self._condition = threading.Condition()
        self._changed: set[str] = set()
        self._first = self._last = 0.0
        self._stopped = False
        self._thread = threading.Thread(target=self._tell, name="watch", daemon=True)

    def start(self) -> str:
        """Starts watching; returns "" or why that is not possible, when nothing is watched."""
        handler = _Handler(self._note)
        try:
            for folder, recursive in self._folders():
                self._observer.schedule(handler, folder, recursive=recursive, event_filter=EVENTS)
            self._observer.start()
        except OSError as error:
            return f"files cannot be watched: {error.strerror or error}"
        self._thread.start()
        return ""

    def stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify()
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
        if self._thread.is_alive():
            self._thread.join()

    def _folders(self) -> list[tuple[str, bool]]:
        """What to watch: each root itself and, below it, its folders that are not excluded."""
        watched: list[tuple[str, bool]] = []
        for root in self._rules.roots:
            inside = [
                entry.path
                for entry in os.scandir(root)
                if entry.is_dir(follow_symlinks=False)
                and self._rules.folder_verdict(entry.path).allowed
            ]
            if len(inside) > MAX_WATCHES:
                watched.append((root, True))
            else:
                watched += [(root, False), *((folder, True) for folder in sorted(inside))]
        return watched

    def _note(self, path: str, is_folder: bool) -> None:
        """An event. Only paths that may matter are kept."""
        name = name_of(path)
        if not is_folder and language_of(name) is None and name not in IGNORE_FILES:
            return
        folder = path if is_folder else parent_of(path)
        if not self._rules.folder_verdict(folder).allowed:
            return
        with self._condition:
            self._last = time.monotonic()
            if not self._changed:
                self._first = self._last
            self._changed.add(path)
            self._condition.notify()

    def _tell(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._stopped or self._changed)
                while not self._stopped and (wait := self._time_left()) > 0:
                    self._condition.wait(wait)
                if self._stopped:
                    return
                changed, self._changed = self._changed, set()
            self._on_change(None if len(changed) > BURST else tuple(sorted(changed)))

    def _time_left(self) -> float:
        """Seconds until the events count as a group: a quiet moment, but not for ever."""
        now = time.monotonic()
        return min(self._last + QUIET_SECONDS, self._first + LONGEST_SECONDS) - now


class _Handler(FileSystemEventHandler):
    def __init__(self, note: Callable[[str, bool], None]) -> None:
        self._note = note

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                self._note(os.fsdecode(path), event.is_directory)
