"""Watches on single folders, as Linux offers them: ignored folders cost none.

See inotify(7). Watches are scarce and shared by all programs of a user, so at most half of what the
system allows is taken; how many folders are left without one is told, and they must be polled.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.files import name_of
from indexer.ignore import IGNORE_FILES, Rules

EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name
MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO = 0x2, 0x8, 0x40, 0x80
CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x100, 0x200, 0x400, 0x800
OVERFLOW, IGNORED, IS_FOLDER = 0x4000, 0x8000, 0x4000_0000
ONLY_FOLDERS, NO_LINKS = 0x0100_0000, 0x0200_0000
MASK = (
    MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
    | ONLY_FOLDERS | NO_LINKS
)  # fmt: skip
BUFFER = 1 << 16
SCARCE = frozenset({errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
RULE_FILES = (*IGNORE_FILES, "pyvenv.cfg")
"""Files that change which folders are looked into."""


@dataclass(frozen=True, slots=True)
class Event:
    watch: int
    mask: int
    name: str


class Inotify:
    """The calls of the system. Raises OSError."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(
            self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), ""
        )

    def add(self, folder: str) -> int:
        added = self._library.inotify_add_watch(self.descriptor, os.fsencode(folder), MASK)
        return self._checked(added, folder)

    def remove(self, watch: int) -> None:
        self._library.inotify_rm_watch(self.descriptor, watch)  # It may be gone already.

    def _checked(self, result: int, path: str) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        return result

    def events(self) -> Iterator[Event]:
        """Those that have happened by now."""
        try:
            data = os.read(self.descriptor, BUFFER)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            watch, mask, _, length = EVENT.unpack_from(data, at)
            at += EVENT.size
            yield Event(watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0")))
            at += length

    def close(self) -> None:
        os.close(self.descriptor)


def most_watches() -> int:
    """Half of what the system allows a user."""
    try:
        return int(Path("/proc/sys/fs/inotify/max_user_watches").read_text()) // 2
    except (OSError, ValueError):
        return 4_096


class FolderWatches:
    """A watch for each folder that the rules allow.

    `note` is called from a thread with a changed path and whether it is a folder, or with None
    when events were lost.
    """

    def __init__(
        self, rules: Rules, note: Callable[[str | None, bool], None], most: int | None = None
    ) -> None:
        self._rules = rules
        self._note = note
        self._most = most_watches() if most is None else most
        self._inotify: Inotify | None = None
        self._folders: dict[int, str] = {}  # by watch
        self._watches: dict[str, int] = {}
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, name="inotify", daemon=True)
        self.unwatched = 0

    def start(self) -> None:
        """Watches all folders. Raises OSError where a root cannot be looked into."""
        for root in self._rules.roots:
            os.scandir(root).close()
        try:
            self._inotify = Inotify()
        except OSError as error:
            if error.errno not in SCARCE:
                raise
            self.unwatched = len(self._rules.roots)
            return
        self._watch_all()
        self._thread.start()

    def stop(self) -> None:
        os.write(self._wake, b".")
        if self._thread.is_alive():
            self._thread.join()
        if self._inotify is not None:
            self._inotify.close()
        os.close(self._stop)
        os.close(self._wake)

    def _watch_all(self) -> None:
        self.unwatched = 0
        for root in self._rules.roots:
            self._watch_below(root)

    def _watch_below(self, start: str) -> None:
        """Watches a folder and those inside, the nearest first: what lies deep changes less."""
        pending = deque([start])
        while pending:
            folder = pending.popleft()
            if not self._rules.folder_verdict(folder).allowed or not self._watch(folder):
                continue
            try:
                # After the watch was set: what comes into the folder later is told.
                with os.scandir(folder) as entries:
                    pending += [
                        entry.path for entry in entries if entry.is_dir(follow_symlinks=False)
                    ]
            except OSError:  # unreadable, or gone
                continue

    def _watch(self, folder: str) -> bool:
        assert self._inotify is not None
        if len(self._watches) >= self._most and folder not in self._watches:
            self.unwatched += 1
            return False
        try:
            watch = self._inotify.add(folder)
        except OSError as error:
            self.unwatched += error.errno in SCARCE
            return False
        self._watches.pop(self._folders.get(watch, ""), None)  # It was moved here.
        self._folders[watch] = folder
        self._watches[folder] = watch
        return True

    def _forget_below(self, start: str) -> None:
        assert self._inotify is not None
        inside = start + "/"
        for folder in [path for path in self._watches if path == start or path.startswith(inside)]:
            watch = self._watches.pop(folder)
            self._folders.pop(watch, None)
            self._inotify.remove(watch)

    def _rules_changed(self) -> None:
        self._rules.forget()
        for folder in tuple(self._watches):
            if folder in self._watches and not self._rules.folder_verdict(folder).allowed:
                self._forget_below(folder)
        self._watch_all()

    def _run(self) -> None:
        assert self._inotify is not None
        waiting = select.poll()
        waiting.register(self._inotify.descriptor, select.POLLIN)
        waiting.register(self._stop, select.POLLIN)
        while not any(descriptor == self._stop for descriptor, _ in waiting.poll()):
            for event in self._inotify.events():
                self._take(event)

    def _take(self, event: Event) -> None:
        if event.mask & OVERFLOW:
            self._rules_changed()
            self._note(None, True)
            return
        folder = self._folders.get(event.watch)
        if event.mask & IGNORED:
            self._folders.pop(event.watch, None)
            if folder is not None and self._watches.get(folder) == event.watch:
                del self._watches[folder]
                self.unwatched += folder in self._rules.roots
            return
        if folder is None:
            return
        if not event.name:
            if folder in self._rules.roots:
                self._note(folder, True)
            return
        path = f"{folder.rstrip('/')}/{event.name}"
        if event.mask & IS_FOLDER:
            self._take_folder(path, event.mask)
        else:
            if name_of(path) in RULE_FILES:
                self._rules_changed()
            self._note(path, False)

    def _take_folder(self, path: str, mask: int) -> None:
        if mask & (MOVED_FROM | DELETE):
            self._forget_below(path)
        if mask & (CREATE | MOVED_TO):
            self._rules.reconsider(path)
            self._watch_below(path)
        if mask & (MOVED_FROM | DELETE | CREATE | MOVED_TO):
            self._note(path, True)
