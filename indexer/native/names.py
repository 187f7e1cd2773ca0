"""Names and their numbers in native memory. See vocabulary.cc."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
from numpy.typing import NDArray

from indexer.native import NativeError, load_library


class NativeNames:
    """Numbers of names, as UTF-8 without NUL, in the order of first sight."""

    def __init__(self) -> None:
        """Raises NativeError if the library is missing or does not have this."""
        self._library = _declared()
        self._handle = self._library.sopilka_vocabulary_new()
        if not self._handle:
            raise MemoryError

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.sopilka_vocabulary_free(self._handle)

    @property
    def count(self) -> int:
        return int(self._library.sopilka_vocabulary_size(self._handle))

    @property
    def nbytes(self) -> int:
        return int(self._library.sopilka_vocabulary_bytes(self._handle))

    def numbers(self, blob: bytes) -> NDArray[np.int32]:
        """The numbers of packed names: int32 [names]. New names get numbers."""
        found = np.empty(blob.count(b"\0"), np.int32)
        if self._library.sopilka_vocabulary_numbers(
            self._handle, blob, len(blob), found.ctypes.data
        ):
            raise MemoryError
        return found

    def find(self, name: bytes) -> int:
        """The number of a name, -1 if it has none."""
        return int(self._library.sopilka_vocabulary_find(self._handle, name, len(name)))

    def names(self, numbers: NDArray[np.int32]) -> bytes:
        """The packed names of some numbers. Raises IndexError for a number without a name."""
        numbers = np.ascontiguousarray(numbers, np.int32)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.count:
            raise IndexError(f"numbers of names are 0 to {self.count - 1}")
        given = (self._handle, numbers.ctypes.data, len(numbers))
        size = self._library.sopilka_vocabulary_names(*given, None, 0)
        packed = ctypes.create_string_buffer(size)
        self._library.sopilka_vocabulary_names(*given, packed, size)
        return packed.raw


@cache
def _declared() -> ctypes.CDLL:
    library = load_library()
    pointer, size = ctypes.c_void_p, ctypes.c_uint64
    try:
        for name, result, arguments in (
            ("new", pointer, ()),
            ("free", None, (pointer,)),
            ("size", size, (pointer,)),
            ("bytes", size, (pointer,)),
            ("numbers", ctypes.c_int32, (pointer, ctypes.c_char_p, size, pointer)),
            ("find", ctypes.c_int32, (pointer, ctypes.c_char_p, size)),
            ("names", size, (pointer, pointer, size, ctypes.c_char_p, size)),
        ):
            function = getattr(library, f"sopilka_vocabulary_{name}")
            function.restype, function.argtypes = result, arguments
    except AttributeError as missing:
        raise NativeError(f"the native library is older than this source: {missing}") from missing
    return library
