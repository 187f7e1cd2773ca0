"""Suggestions that were offered lately, by their identifiers, and what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from lsp_server.features.completion import Completion

Event = Literal["offered", "seen", "partially", "accepted", "rejected"]
MAX_SUGGESTIONS = 64


@dataclass(slots=True)
class Suggestions:
    """Kept in this process alone. What a client tells twice counts once."""

    latest: dict[str, Completion] = field(default_factory=dict)
    _counts: Counter[Event] = field(default_factory=Counter)
    _told: set[tuple[str, Event]] = field(default_factory=set)

    def add(self, completion: Completion) -> str:
        """Keeps a suggestion that is offered to the client; the identifier to tell of it by."""
        self._counts["offered"] += 1
        identifier = str(self._counts["offered"])
        self.latest[identifier] = completion
        while len(self.latest) > MAX_SUGGESTIONS:
            gone = next(iter(self.latest))
            del self.latest[gone]
            self._told = {told for told in self._told if told[0] != gone}
        return identifier

    def note(self, event: Event, identifier: str) -> bool:
        """Something happened to a suggestion. False: it is unknown, or was told before."""
        if identifier not in self.latest or (identifier, event) in self._told:
            return False
        self._told.add((identifier, event))
        self._counts[event] += 1
        return True

    def count(self, event: Event) -> int:
        return self._counts[event]
