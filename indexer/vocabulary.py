"""Numbers for all names of the repository: tables hold numbers, which sort and compare fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from indexer.facts import FileFacts
from indexer.native import NativeError
from indexer.native.changes import changed_names
from indexer.native.names import NativeNames

LAYER = 100_000
"""Names in one dictionary: a larger one would stop everything for too long when it grows."""
NAME_BYTES = 150
"""What a name takes besides its letters: two objects and a place in a dictionary."""
REMEMBERED = 8
"""Files whose numbers are kept, because a keystroke changes few names of the same file."""


class Vocabulary:
    """Names, as UTF-8, and their numbers from 0 in the order of first sight. None is forgotten."""

    def __init__(self, is_native: bool = True) -> None:
        self._names: NativeNames | LayeredNames = _names(is_native)
        self._remembered: dict[str, tuple[bytes, NDArray[np.int32]]] = {}

    def __len__(self) -> int:
        return self._names.count

    @property
    def nbytes(self) -> int:
        """About how many bytes the names take."""
        return self._names.nbytes

    def numbers_of(self, facts: FileFacts) -> NDArray[np.int32]:
        """The numbers of `facts.names`: int32 [names]. New names get numbers."""
        known = self._remembered.pop(facts.path, None)
        if known is None:
            numbers = self.numbers(facts.packed_names)
        elif known[0] == facts.packed_names:
            numbers = known[1]
        else:
            numbers = self._renumbered(*known, facts.packed_names)
        self._remembered[facts.path] = (facts.packed_names, numbers)
        if len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return numbers

    def numbers(self, blob: bytes) -> NDArray[np.int32]:
        """The numbers of packed names: int32 [names]. New names get numbers."""
        return self._names.numbers(blob)

    def find(self, name: str) -> int:
        """The number of a name, -1 if it has none."""
        return self._names.find(name.encode("utf-8", "surrogatepass"))

    def names_of(self, numbers: Iterable[int]) -> Iterator[str]:
        """The names of some numbers, each once, in the order of first sight."""
        chosen = np.unique(np.fromiter(numbers, np.int32))
        chosen = chosen[chosen < len(self)]
        return iter(self._names.names(chosen).decode().split("\0")[:-1])

    def _renumbered(self, old: bytes, numbers: NDArray[np.int32], new: bytes) -> NDArray[np.int32]:
        """The numbers of `new`, given those of `old`: only names that differ are looked up."""
        start, end, before, after = changed_names(old, new)
        middle = self.numbers(new[start:end])
        return np.concatenate((numbers[:before], middle, numbers[len(numbers) - after :]))


def _names(is_native: bool) -> NativeNames | LayeredNames:
    """Names in native memory; where the library is not built, tables work none the less."""
    if is_native:
        try:
            return NativeNames()
        except NativeError:
            pass
    return LayeredNames()


class LayeredNames:
    """The same in Python, several times as slow and large.

    It keeps names in dictionaries of bounded size. The last one takes new names and copies older
    ones that it meets.
    """

    def __init__(self) -> None:
        self.count = 0
        self.nbytes = 0
        self._older: list[_Layer] = []
        self._last = _Layer(self)

    def numbers(self, blob: bytes) -> NDArray[np.int32]:
        if len(self._last) >= LAYER:
            self._older.append(self._last)
            self._last = _Layer(self)
        names = blob.split(b"\0")
        names.pop()
        return np.fromiter(map(self._last.__getitem__, names), np.int32, len(names))

    def find(self, name: bytes) -> int:
        for layer in (self._last, *self._older):
            found = layer.get(name)
            if found is not None:
                return found
        return -1

    def take(self, name: bytes) -> int:
        """The number of a name that the last dictionary lacks."""
        number = self.find(name) if self._older else -1
        if number < 0:
            number = self.count
            self.count += 1
            self.nbytes += len(name) + NAME_BYTES
        return number

    def names(self, numbers: NDArray[np.int32]) -> bytes:
        wanted = set(numbers.tolist())
        found = {
            number: name
            for layer in (*self._older, self._last)
            for name, number in layer.items()
            if number in wanted
        }
        return b"".join(found[number] + b"\0" for number in numbers.tolist())


class _Layer(dict[bytes, int]):
    """One dictionary, which gives a name it does not know a number."""

    def __init__(self, layers: LayeredNames) -> None:
        self._layers = layers

    def __missing__(self, name: bytes) -> int:
        number = self[name] = self._layers.take(name)
        return number
