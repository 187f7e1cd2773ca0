"""Lists in brackets, as written: parameters of a definition, arguments of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lsp_server.features.brackets import code_only

_NAME = re.compile(r"[*&$.]*\s*(?:(?:var|val|mut|final|readonly|public|private)\s+)*([^\W\d]\w*)")
_KEYWORD = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)")
_OPENERS, _CLOSERS = "([{", ")]}"
# Languages in which a parameter's name comes before its type.
NAME_FIRST = frozenset(
    ("python", "javascript", "typescript", "tsx", "kotlin", "scala", "rust", "php", "ruby", "lua")
)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list; [start, end) are offsets of characters, space around it left out."""

    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """What a parameter is called; empty where that cannot be told."""
        match = _NAME.match(self.text)
        return match[1] if match else ""

    @property
    def has_default(self) -> bool:
        return "=" in code_only(self.text) or self.text.startswith(("*", "...")) or "?" in self.text

    @property
    def keyword(self) -> str:
        """The name by which an argument is given, if it is."""
        match = _KEYWORD.match(self.text)
        return match[1] if match else ""


@dataclass(frozen=True, slots=True)
class BracketList:
    """Items between round brackets; `open` and `close` are the offsets of the brackets."""

    items: tuple[Item, ...]
    open: int
    close: int

    def without(self, number: int) -> tuple[int, int]:
        """What to delete so that an item is gone, with the comma beside it."""
        item = self.items[number]
        if number + 1 < len(self.items):
            return item.start, self.items[number + 1].start
        start = self.items[number - 1].end if number else item.start
        return start, item.end

    def place_for(self, number: int, text: str) -> tuple[int, str]:
        """Where to insert a new item as the one of this number, and what, comma included."""
        if number < len(self.items):
            return self.items[number].start, f"{text}, "
        if self.items:
            return self.items[-1].end, f", {text}"
        return self.open + 1, text


def bracket_list(text: str, at: int) -> BracketList | None:
    """The list whose round bracket opens at the first sign that is not blank from `at` on."""
    code = code_only(text)
    while at < len(code) and code[at].isspace():
        at += 1
    if at >= len(code) or code[at] != "(":
        return None
    depth, start, items = 0, at + 1, []
    for place in range(at, len(code)):
        sign = code[place]
        if sign in _OPENERS:
            depth += 1
        elif sign in _CLOSERS:
            depth -= 1
        if (sign == "," and depth == 1) or depth == 0:
            item = _item(text, start, place)
            if item is not None:
                items.append(item)
            start = place + 1
        if depth == 0:
            return BracketList(tuple(items), at, place)
    return None


def _item(text: str, start: int, end: int) -> Item | None:
    content = text[start:end]
    stripped = content.strip()
    if not stripped:
        return None
    first = start + len(content) - len(content.lstrip())
    return Item(stripped, first, first + len(stripped))
