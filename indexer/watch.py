"""Notices changed files when the editor does not: collects events and tells them in groups.

Clients that watch files themselves are the better source; this is for those that do not. On Linux
each folder that the rules allow gets a watch of its own, so ignored ones cost nothing. On other
systems a whole tree costs no more than a folder. Where watches run out, all is looked at in turns.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from indexer.files import name_of, parent_of
from indexer.ignore import IGNORE_FILES, Rules
from indexer.language import language_of

FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.25
"""Seconds without a change after which a group is told: a single save is told at once, a storm in
few large groups."""
PATIENCE, LONGEST_SECONDS = 25, 2.0
"""A group is told after so many pauses even if changes go on, and after so many seconds."""
FEW = 20
"""Up to so many changed paths are no storm."""
BURST = 20_000
"""With more changed paths than this it is cheaper to look at everything."""
POLL_SECONDS, POLL_SECONDS_A_FOLDER = 30.0, 0.005

Note = Callable[[str | None, bool], None]


class Source(Protocol):
    """Where events come from."""

    @property
    def unwatched(self) -> int:
        """How many folders had to be left without a watch."""
        ...

    def start(self) -> None:
        """Raises OSError if nothing can be watched."""

    def stop(self) -> None: ...


class Watcher:
    """Watches the roots of some rules and calls `on_change` from a thread of its own.

    `on_change` gets changed, new and deleted paths, or None when everything should be crawled anew.
    """

    def __init__(
        self,
        rules: Rules,
        on_change: Callable[[tuple[str, ...] | None], None],
        source: Callable[[Rules, Note], Source] | None = None,
        burst: int = BURST,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._rules = rules
        self._on_change = on_change
        self._source = (source or best_source)(rules, self._note)
        self._burst = burst
        self._poll_seconds = poll_seconds
        self._condition = threading.Condition()
        self._changed: set[str] = set()
        self._is_all = False  # everything may have changed
        self._first = self._last = 0.0
        self._stopped = False
        self._thread = threading.Thread(target=self._tell, name="watch", daemon=True)

    def start(self) -> str:
        """Starts watching; returns "" or why that is not possible, when nothing is watched."""
        try:
            self._source.start()
        except OSError as error:
            return f"files cannot be watched: {error.strerror or error}"
        self._thread.start()
        return ""

    def stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify()
        self._source.stop()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def unwatched(self) -> int:
        """How many folders are looked at in turns, for lack of watches."""
        return self._source.unwatched

    @property
    def poll_seconds(self) -> float:
        """How often that is done: so that it takes a small part of the time."""
        return max(self._poll_seconds, POLL_SECONDS_A_FOLDER * self.unwatched)

    def _note(self, path: str | None, is_folder: bool) -> None:
        """An event. Only paths that may matter are kept."""
        if path is not None and not self._matters(path, is_folder):
            return
        with self._condition:
            self._last = time.monotonic()
            if not self._changed and not self._is_all:
                self._first = self._last
            if path is None or len(self._changed) >= self._burst:
                self._is_all = True
                self._changed.clear()
            elif not self._is_all:
                self._changed.add(path)
            self._condition.notify()

    def _matters(self, path: str, is_folder: bool) -> bool:
        name = name_of(path)
        if not is_folder and language_of(name) is None and name not in IGNORE_FILES:
            return False
        return self._rules.folder_verdict(parent_of(path) if not is_folder else path).allowed

    def _tell(self) -> None:
        pause, polled = FIRST_PAUSE, time.monotonic()
        last = 0.0  # when the group before ended
        while True:
            with self._condition:
                while not (self._stopped or self._changed or self._is_all):
                    if self.unwatched and time.monotonic() - polled >= self.poll_seconds:
                        self._is_all = True
                        self._first = self._last = time.monotonic()
                        break
                    self._condition.wait(min(1.0, self.poll_seconds) if self.unwatched else None)
                if self._first - last > LONGEST_PAUSE:
                    pause = FIRST_PAUSE
                while not self._stopped and (wait := self._time_left(pause)) > 0:
                    self._condition.wait(wait)
                if self._stopped:
                    return
                changed = None if self._is_all else tuple(sorted(self._changed))
                self._changed, self._is_all = set(), False
                last = self._last
            if changed is None:
                polled = time.monotonic()
            self._on_change(changed)
            is_storm = changed is None or len(changed) > FEW
            pause = min(LONGEST_PAUSE, 5 * pause) if is_storm else FIRST_PAUSE

    def _time_left(self, pause: float) -> float:
        """Seconds until the events count as a group: a quiet moment, but not for ever."""
        now = time.monotonic()
        longest = min(LONGEST_SECONDS, PATIENCE * pause)
        return min(self._last + pause, self._first + longest) - now


def best_source(rules: Rules, note: Note) -> Source:
    """What this system offers."""
    if sys.platform == "linux":
        from indexer.inotify import FolderWatches

        return FolderWatches(rules, note)
    return TreeWatches(rules, note)


class TreeWatches:
    """Watches on whole trees, by the library watchdog: for systems where these cost no more."""

    unwatched = 0

    def __init__(self, rules: Rules, note: Note) -> None:
        from watchdog.observers import Observer

        self._rules = rules
        self._note = note
        self._observer = Observer()

    def start(self) -> None:
        from watchdog import events

        # Reads cause events too if they are not filtered: a crawl would wake the watcher.
        wanted: list[type[events.FileSystemEvent]] = [
            events.DirCreatedEvent, events.DirDeletedEvent, events.DirMovedEvent,
            events.FileClosedEvent, events.FileCreatedEvent, events.FileDeletedEvent,
            events.FileModifiedEvent, events.FileMovedEvent,
        ]  # fmt: skip
        for root in self._rules.roots:
            os.scandir(root).close()
            self._observer.schedule(self, root, recursive=True, event_filter=wanted)  # type: ignore[arg-type]
        self._observer.start()

    def dispatch(self, event: Any) -> None:
        """What the library calls for each event."""
        for path in (os.fsdecode(event.src_path), os.fsdecode(event.dest_path)):
            if not path:
                continue
            if name_of(path) in IGNORE_FILES:
                self._rules.forget()
            self._note(path, event.is_directory)

    def stop(self) -> None:
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
