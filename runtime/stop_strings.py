"""Ends a stream of text before the first stop string, wherever the pieces are cut."""

from __future__ import annotations


class StopStrings:
    """Passes text on, but holds back an end that may turn out to be the start of a stop string.

    The stop string that is complete first decides, the longest of those that end together; so the
    text that comes out does not depend on how it was cut into pieces.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        if "" in stops:
            raise ValueError("a stop string must not be empty")
        self._stops = stops
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """Return the text that is safe to show, and whether a stop string was found."""
        if not self._stops:
            return text, False
        pending = self._held + text
        found = [
            (start + len(stop), start) for stop in self._stops if (start := pending.find(stop)) >= 0
        ]
        if found:
            _, start = min(found)
            self._held = ""
            return pending[:start], True
        keep = max(_overlap(pending, stop) for stop in self._stops)
        self._held = pending[len(pending) - keep :]
        return pending[: len(pending) - keep], False

    def flush(self) -> str:
        """Return what was held back, once no more text comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` starts with, less than the whole stop."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
