"""What this machine can give a model: memory that is free, and how fast it is read."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

MAX_THREADS = 4  # As many as the engine takes by itself.
_ARRAY_BYTES = 64 * 2**20
_ROUNDS = 4


def free_memory() -> int | None:
    """Bytes that a new process can take without others being pushed out; None if nobody tells.

    On Linux that includes what caches of files hold, and heeds the limit of a container.
    """
    if sys.platform == "win32":
        return _free_on_windows()
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return _free_pages()
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limits = [limit for limit in (_container_room(),) if limit is not None]
    return min([free, *limits])


def _container_room() -> int | None:
    """What a control group of version 2 leaves this process; None without a limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        entries = (folder / "memory.stat").read_text().splitlines()
        caches = sum(
            int(line.split()[1])
            for line in entries
            if line.startswith(("inactive_file ", "active_file "))
        )
        return None if limit == "max" else max(0, int(limit) - used + caches)
    except (OSError, ValueError):
        return None


def _free_pages() -> int | None:
    """Of systems that are neither Linux nor Windows: half of all memory, which is a guess."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError):
        return None


def _free_on_windows() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")),
        )

    status = Status()
    status.length = ctypes.sizeof(status)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined,unused-ignore]
        return None
    return int(status.free)


def read_bandwidth() -> float:
    """Bytes a second that the engine's threads together read from memory; takes half a second.

    The best of some rounds counts: other programs can only make it less.
    """
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    arrays = [np.ones(_ARRAY_BYTES // 4, np.float32) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            list(pool.map(np.maximum.reduce, arrays))
            best = max(best, threads * _ARRAY_BYTES / (time.perf_counter() - began))
    return best
