"""Shows how far long work is: one line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

_ON_TERMINAL_S, _ELSEWHERE_S = 0.1, 10.0
_WINDOW_S = 30.0


class ProgressLine:
    """Tells a stream of bytes that are done, and of the time left at the rate of late."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._is_terminal = stream.isatty()
        self._told = -1e9
        self._width = 0
        self._is_done = False
        # (time, bytes): what the rate is computed from.
        self._seen: deque[tuple[float, int]] = deque()

    def show(self, what: str, done: int, total: int, kept: int) -> None:
        """Show that `done` of `total` bytes are done, `kept` of them by an earlier run."""
        now = self._clock()
        worked = done - kept
        if not self._seen or worked > self._seen[-1][1]:
            self._seen.append((now, worked))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        every = _ON_TERMINAL_S if self._is_terminal else _ELSEWHERE_S
        is_last = done >= total and not self._is_done
        if now - self._told < every and not is_last:
            return
        self._told, self._is_done = now, done >= total
        self._write(f"{what}, {100 * done // max(total, 1)} %{self._speed(total - done)}")

    def note(self, text: str) -> None:
        """Tell something that stays."""
        self._clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """End the line."""
        if self._is_terminal and self._width:
            self._stream.write("\n")
            self._stream.flush()
            self._width = 0

    def _speed(self, left: int) -> str:
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        if ended <= began or last <= first:
            return ""
        rate = (last - first) / (ended - began)
        return f", {rate / 1e6:.0f} MB/s, {duration(left / rate)} left"

    def _write(self, text: str) -> None:
        if not self._is_terminal:
            self._stream.write(f"{text}\n")
        else:
            self._stream.write(f"\r{text.ljust(self._width)}")
            self._width = len(text)
        self._stream.flush()

    def _clear(self) -> None:
        if self._is_terminal and self._width:
            self._stream.write(f"\r{' ' * self._width}\r")
            self._width = 0


def duration(seconds: float) -> str:
    """A time in words: 45 s, 3 min 20 s, 1 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
