"""Texts of files that snippets are cut from, kept while they surely are the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from indexer.facts import FileFacts
from indexer.line_index import LineIndex

MAX_BYTES = 16_000_000
SETTLED_NS = 2_000_000_000
"""A file that changed so shortly before it was read may change again without a new time."""


@dataclass(frozen=True, slots=True)
class Known:
    """A text, the facts that were taken from it, and the state of the file when it was read."""

    lines: LineIndex
    facts: FileFacts
    stamp: tuple[int, int, int, int] | None  # None while the document is open


class Sources:
    """Texts by path; only those that still match their facts."""

    def __init__(
        self,
        current_text: Callable[[str], bytes | None],
        facts_of: Callable[[str], FileFacts | None],
        is_open: Callable[[str], bool],
    ) -> None:
        """`current_text` gives the text that the facts of a path were taken from, key material
        masked, or None if it is gone or has changed since."""
        self._current_text = current_text
        self._facts_of = facts_of
        self._is_open = is_open
        self._kept: dict[str, Known] = {}
        self._bytes = 0

    def lines(self, path: str) -> LineIndex | None:
        facts = self._facts_of(path)
        known = self._kept.pop(path, None)
        if known is not None:
            self._bytes -= len(known.lines.text)
        if facts is None:
            return None
        stamp = None if self._is_open(path) else _stamp(path)
        if known is not None and known.facts is facts and known.stamp == stamp:
            self._keep(path, known)
            return known.lines
        text = self._current_text(path)
        if text is None:
            return None
        lines = LineIndex(text)
        if self._is_open(path) or (stamp is not None and time.time_ns() - stamp[0] > SETTLED_NS):
            self._keep(path, Known(lines, facts, stamp))
        return lines

    def _keep(self, path: str, known: Known) -> None:
        self._kept[path] = known  # at the end, as the one used last
        self._bytes += len(known.lines.text)
        while self._bytes > MAX_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.pop(next(iter(self._kept))).lines.text)


def _stamp(path: str) -> tuple[int, int, int, int] | None:
    """What changes when a file is written: times of change, size, number."""
    try:
        status = os.stat(path)  # noqa: PTH116 - on the path of a keystroke
    except OSError:
        return None
    return status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino
