"""The names of a line that is being written, in the order in which they were written.

Each is an event that asks for something. The events of a line are those of the same line with more
characters at its end, or the first of them: what was asked for is never taken back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*")
JOINED = re.compile(rb"(?:\(\))?(?:\.|::|->|\?\.)")
MAX_LETTERS = 3
"""So many letters of a member are looked at, one after the other."""
MAX_EVENTS = 40


@dataclass(frozen=True, slots=True)
class Event:
    """A name that is complete, or a receiver with a dot behind it, or the first letters after."""

    parts: tuple[str, ...]
    receiver: bool  # whether members of `parts` are asked for
    typed: str = ""  # how they begin


def events_of(prefix: bytes) -> tuple[Event, ...]:
    """What the part of a line before the cursor asks for, at most MAX_EVENTS."""
    events: list[Event] = []
    parts: tuple[str, ...] = ()
    end = -1  # where the chain of names goes on
    for match in NAME.finditer(prefix):
        name = match.group().decode("utf-8", "replace")
        if match.start() == end:
            letters = range(1, min(len(name), MAX_LETTERS) + 1)
            events += [Event(parts, True, name[:count]) for count in letters]
            parts = (*parts, name)
        else:
            parts = (name,)
        if match.end() < len(prefix):
            events.append(Event(parts, False))
        joined = JOINED.match(prefix, match.end())
        end = joined.end() if joined else -1
        if joined:
            events.append(Event(parts, True))
    return tuple(dict.fromkeys(events))[:MAX_EVENTS]
