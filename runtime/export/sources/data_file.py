"""A file of tensors, read piece by piece into memory of our own.

Nothing is mapped: pages of a mapped file count as memory of the process, and a file that shrinks
under a mapping kills it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError


class DataFile:
    """An open regular file. Raises ExportError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # How many bytes were read so far, for whoever shows progress.
        self.bytes_read = 0
        try:
            if path.exists() and not path.is_file():
                raise ExportError(f"{path} is no regular file")
            self._file = path.open("rb", buffering=0)
            state = path.stat()
        except OSError as error:
            raise ExportError(f"cannot read {path}: {error.strerror or error}") from error
        self.size = state.st_size
        self.modified_ns = state.st_mtime_ns

    def read(self, start: int, length: int) -> NDArray[np.uint8]:
        """Return bytes [length] from `start` on. Raises ExportError where the file ends before."""
        if start < 0 or length < 0 or start + length > self.size:
            raise ExportError(f"{self.path} is cut off: it has {self.size} bytes")
        buffer = np.empty(length, np.uint8)
        view, done = memoryview(buffer.data), 0
        try:
            self._file.seek(start)
            while done < length:
                count = self._file.readinto(view[done:])
                if not count:
                    raise ExportError(f"{self.path} became shorter while it was read")
                done += count
        except OSError as error:
            raise ExportError(f"cannot read {self.path}: {error.strerror or error}") from error
        self.bytes_read += length
        return buffer

    def close(self) -> None:
        self._file.close()
