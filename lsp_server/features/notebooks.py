"""Notebooks: the cells of one are parts of one program, so what stands above goes before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell by the path of its document; only code is read together."""

    path: str
    is_code: bool


@dataclass(slots=True)
class Notebooks:
    """The open notebooks with their cells in order."""

    _cells: dict[str, list[Cell]] = field(default_factory=dict)

    def open(self, notebook: str, cells: Sequence[Cell]) -> None:
        self._cells[notebook] = list(cells)

    def splice(self, notebook: str, start: int, count: int, cells: Sequence[Cell]) -> None:
        """`count` cells from `start` on are replaced; an unknown notebook is a new one."""
        known = self._cells.setdefault(notebook, [])
        known[start : start + count] = cells

    def close(self, notebook: str) -> list[Cell]:
        """The cells that were open."""
        return self._cells.pop(notebook, [])

    def above(self, path: str, text_of: Callable[[str], bytes | None]) -> bytes:
        """The text of the code cells above a cell, each ended by a line end."""
        for cells in self._cells.values():
            paths = [cell.path for cell in cells if cell.is_code]
            if path in paths:
                texts = filter(None, map(text_of, paths[: paths.index(path)]))
                return b"".join(text if text.endswith(b"\n") else text + b"\n" for text in texts)
        return b""
