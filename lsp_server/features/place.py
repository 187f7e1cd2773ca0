"""The place of a completion: what stands around the cursor, and whether it wants several lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What an editor or a person may already have put behind the cursor while the line is unfinished.
_CLOSERS = frozenset(")]}>\"'`,;: \t")
_COMMENTS = ("#", "//", "*", "/*", "--")
_MAX_LINES = 200


@dataclass(frozen=True, slots=True)
class Place:
    """The lines around the cursor; `above` and `below` are whole lines, nearest first."""

    line_before: str
    line_after: str
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    language: str | None = None
    multiline: bool = False
    tab_size: int = 4

    @property
    def line_above(self) -> str:
        """The nearest line above with something on it."""
        return next((line for line in self.above if line.strip()), "")

    @property
    def line_below(self) -> str:
        """The nearest line below with something on it."""
        return next((line for line in self.below if line.strip()), "")


def place_at(text: str, offset: int, language: str | None, multiline: bool = False) -> Place:
    """The place of a character offset."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    above = text[:start].splitlines()[-_MAX_LINES:] if start else []
    below = text[end + 1 :].split("\n", _MAX_LINES)[:_MAX_LINES]
    return Place(
        line_before=text[start:offset],
        line_after=text[offset:end].rstrip("\r"),
        above=tuple(reversed(above)),
        below=tuple(line.rstrip("\r") for line in below),
        language=language,
        multiline=multiline,
    )


def can_complete(place: Place) -> bool:
    """Whether to suggest unasked: not in the middle of a word, and nothing but closing characters
    behind the cursor."""
    after = place.line_after
    if not after.strip():
        return True
    if place.line_before[-1:].isalnum() and (after[0].isalnum() or after[0] == "_"):
        return False
    return all(character in _CLOSERS for character in after)


def wants_multiline(
    place: Place,
    choice: Literal["auto", "never", "always"],
    begins_block: bool | None = None,
) -> bool:
    """Several lines only where an empty block begins; in a line that goes on, never.

    `begins_block` is what the syntax tree says; without one, the signs at a line's end do.
    """
    if choice == "never" or place.line_after.strip():
        return False
    if choice == "always":
        return True
    opener = place.line_before if place.line_before.strip() else _code_above(place)
    begins = opens_block(opener) if begins_block is None else begins_block
    return begins and _block_is_empty(place, opener)


def _code_above(place: Place) -> str:
    """The nearest line above that is neither blank nor a comment."""
    lines = (line for line in place.above if not line.lstrip().startswith(_COMMENTS))
    return next((line for line in lines if line.strip()), "")


def opens_block(line: str) -> bool:
    """Whether the next line belongs to a block that this line opens."""
    code = line.rstrip()
    return code.endswith((":", "{", "=>")) and not code.lstrip().startswith(_COMMENTS)


def _block_is_empty(place: Place, opener: str) -> bool:
    return not place.line_below or indent_of(place.line_below) <= indent_of(opener)


def indent_of(line: str, tab_size: int = 4) -> int:
    """Width of the white space at a line's start."""
    expanded = line.expandtabs(tab_size)
    return len(expanded) - len(expanded.lstrip())
