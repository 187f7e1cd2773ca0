"""Dictionaries for very many keys, in parts: a single one stops everything while it grows.

A dictionary of a million keys takes some 50 ms to grow, holding the interpreter's lock. Each of
these parts grows on its own, in less than a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
MASK = 63
NOTHING: dict[str, None] = {}


class Shards(Generic[T]):
    """Values by string."""

    def __init__(self) -> None:
        self._parts: list[dict[str, T]] = [{} for _ in range(MASK + 1)]

    def part(self, key: str) -> dict[str, T]:
        """The dictionary that a key belongs into."""
        return self._parts[hash(key) & MASK]

    def get(self, key: str) -> T | None:
        return self._parts[hash(key) & MASK].get(key)

    def __setitem__(self, key: str, value: T) -> None:
        self._parts[hash(key) & MASK][key] = value

    def pop(self, key: str) -> T:
        """Raises KeyError."""
        return self._parts[hash(key) & MASK].pop(key)

    def __contains__(self, key: str) -> bool:
        return key in self._parts[hash(key) & MASK]

    def __iter__(self) -> Iterator[str]:
        """All keys, in no order."""
        return (key for part in self._parts for key in part)

    def items(self) -> Iterator[tuple[str, T]]:
        """All keys with their values, in no order."""
        return (item for part in self._parts for item in part.items())

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class Groups:
    """Several strings a key, in the order in which they came. Most keys have one: it costs less."""

    def __init__(self) -> None:
        self._values: Shards[str | dict[str, None]] = Shards()

    def add(self, key: str, value: str) -> None:
        part = self._values.part(key)
        held = part.get(key)
        if held is None:
            part[key] = value
        elif isinstance(held, dict):
            held[value] = None
        elif held != value:
            part[key] = {held: None, value: None}

    def discard(self, key: str, value: str) -> None:
        part = self._values.part(key)
        held = part.get(key)
        if held == value:
            del part[key]
        elif isinstance(held, dict):
            held.pop(value, None)
            if len(held) == 1:
                (part[key],) = held

    def of(self, key: str) -> Iterable[str]:
        """The strings of a key; not to be kept while others are added."""
        held = self._values.get(key)
        if held is None:
            return NOTHING
        return (held,) if isinstance(held, str) else held.keys()

    def __contains__(self, key: str) -> bool:
        return key in self._values
