"""Brackets of a suggestion and of the line that it goes into."""

from __future__ import annotations

import re

from lsp_server.features.place import Place

_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = {closer: opener for opener, closer in _OPEN.items()}


def replaced_after(text: str, place: Place) -> int:
    """How many characters behind the cursor the suggestion replaces.

    An editor closes brackets by itself, and a model that cannot see behind the cursor closes them
    again. Among the ways to overlap the suggestion with the rest of the line, the longest that
    leaves the brackets balanced wins.
    """
    after = place.line_after
    if not after.strip() or "\n" in text:
        return 0
    ways = {size for size in range(1, len(after) + 1) if text.endswith(after[:size])}
    closing = after.rstrip()
    if _is_subsequence(closing, text):
        ways.add(len(closing))
    if not ways:
        return 0
    wanted = bracket_balance(place.line_before + after)
    balanced = [
        size
        for size in sorted({0, *ways}, reverse=True)
        if bracket_balance(place.line_before + text + after[size:]) == wanted
    ]
    return balanced[0] if balanced else max(ways)


def unclosed(text: str) -> str:
    """The closers of brackets that the text opens and leaves open, in the order of closing."""
    stack: list[str] = []
    for character in code_only(text):
        if character in _OPEN:
            stack.append(_OPEN[character])
        elif stack and character == stack[-1]:
            stack.pop()
    return "".join(reversed(stack))


def first_unmatched_closer(text: str) -> int | None:
    """Where the text closes a bracket that it did not open."""
    stack: list[str] = []
    for place, character in enumerate(code_only(text)):
        if character in _OPEN:
            stack.append(character)
        elif character in _CLOSE:
            if not stack or stack[-1] != _CLOSE[character]:
                return place
            stack.pop()
    return None


def bracket_balance(text: str) -> tuple[int, ...]:
    """Opened minus closed, for each kind of bracket."""
    code = code_only(text)
    return tuple(code.count(opener) - code.count(closer) for opener, closer in _OPEN.items())


def code_only(text: str) -> str:
    """The text with the insides of simple strings blanked, offsets unchanged."""
    return re.sub(
        r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", lambda match: "_" * len(match[0]), text
    )


def _is_subsequence(short: str, long: str) -> bool:
    rest = iter(long)
    return all(character in rest for character in short)
