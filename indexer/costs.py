"""What a crawl costs: seconds of CPU by phase, and memory at its peak, of several processes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PHASES = ("walk", "store", "read", "extract")


class Costs:
    """Adds up what threads and processes report. Safe to use from any of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}
        self._peak_bytes = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts what this thread computes inside as seconds of a phase."""
        start = time.thread_time()
        try:
            yield
        finally:
            self.add({name: time.thread_time() - start}, 0)

    def add(self, seconds: dict[str, float], peak_bytes: int) -> None:
        """Adds what another process told of itself."""
        with self._lock:
            for name, more in seconds.items():
                self._seconds[name] = self._seconds.get(name, 0.0) + more
            self._peak_bytes = max(self._peak_bytes, peak_bytes)

    def taken(self) -> dict[str, float]:
        """The seconds since the last call, by phase."""
        with self._lock:
            seconds, self._seconds = self._seconds, {}
            return seconds

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of CPU by phase: walk, store (of facts), read (of files), extract (of facts)."""
        with self._lock:
            return dict(self._seconds)

    @property
    def peak_bytes(self) -> int:
        """The most memory that one of the other processes took; 0 if none told."""
        return self._peak_bytes


def peak_bytes() -> int:
    """The most memory that this process has taken so far; 0 where nobody tells."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
