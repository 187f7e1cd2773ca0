"""Which files changed since somebody looked: what is derived from all files is patched by it."""

from __future__ import annotations

from collections.abc import Iterable

KEPT = 50_000


class History:
    """Paths in the order in which their facts changed, as far as they are remembered."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._first = 0  # the number of the first one remembered

    def record(self, paths: Iterable[str]) -> None:
        self._paths += paths
        surplus = len(self._paths) - KEPT
        if surplus > KEPT:
            del self._paths[:surplus]
            self._first += surplus

    def forget(self) -> None:
        """All that is derived from files is to be derived anew."""
        self._first += len(self._paths) + 1
        self._paths.clear()

    @property
    def now(self) -> int:
        """A mark to ask from later; 0 is the start."""
        return self._first + len(self._paths)

    def since(self, mark: int) -> set[str] | None:
        """Files that changed after a mark; None if that is too long ago to tell."""
        return None if mark < self._first else set(self._paths[mark - self._first :])
