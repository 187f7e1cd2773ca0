"""Types hidden code key by key, as a user who takes what is right and types on past the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from indexer import ByteEdit, Close, Edit, Open, language_of
from lsp_server.evaluation.holes import Hole
from lsp_server.evaluation.metrics import percentile
from lsp_server.features.completion import Ask, Completion, Prepared, finish
from lsp_server.session import Session

# Less than this is typed as fast as it is accepted.
_WORTH = 2


@dataclass(slots=True)
class Replay:
    """Counts over all that was typed; a suggestion that is typed along counts once.

    `characters` were wanted, `keys` were pressed for them: characters that were typed, and one for
    each suggestion that was `accepted` because all of its text was right.
    """

    characters: int = 0
    keys: int = 0
    shown: int = 0
    accepted: int = 0
    milliseconds: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        return {
            "characters": self.characters,
            "keys": self.keys,
            "saved": 1 - self.keys / max(1, self.characters),
            "shown": self.shown,
            "accepted": self.accepted,
            "right_of_shown": self.accepted / max(1, self.shown),
            "p50_ms": round(percentile(self.milliseconds, 0.5), 1),
            "p95_ms": round(percentile(self.milliseconds, 0.95), 1),
        }


async def replay(
    session: Session, holes: Sequence[Hole], told: Callable[[int], None] = lambda _: None
) -> Replay:
    """Types what the holes hide. Times are of each key, from the edit to the answer."""
    counts = Replay()
    for number, hole in enumerate(holes):
        index = session.index
        index.apply(Open(hole.path, None, 1, hole.holed))
        index.symbols(hole.path)
        try:
            await _type(session, hole, counts)
        finally:
            index.apply(Close(hole.path))
            session.documents.pop(hole.path, None)
        told(number + 1)
    return counts


async def _type(session: Session, hole: Hole, counts: Replay) -> None:
    rest, at, expected = hole.target, hole.start, ""
    counts.characters += len(rest)
    while rest:
        began = time.perf_counter()
        found = await _suggested(session, hole.path, at)
        counts.milliseconds.append((time.perf_counter() - began) * 1e3)
        text = found.text if found is not None else ""
        if text and text != expected:
            counts.shown += 1
        counts.keys += 1
        if found is not None and len(text) >= _WORTH and rest.startswith(text):
            counts.accepted += 1
            # What the suggestion replaces behind the cursor is a bracket that it has itself.
            typed, end = text, found.end
        else:
            typed, end = rest[0], at
        expected = text[len(typed) :] if text.startswith(typed) else ""
        _edit(session, hole.path, at, end, typed)
        at += len(typed.encode())
        rest = rest[len(typed) :]


async def _suggested(session: Session, path: str, offset: int) -> Completion | None:
    document = session.index.document(path)
    assert document is not None
    language = language_of(path)
    name = language.name if language is not None else None
    ask = Ask(path, document.text, offset, name, document.version)
    prepared = session.prepare(ask)
    if isinstance(prepared, Prepared):
        found = await finish(prepared, session.settings, session.clock)
    else:
        found = prepared
    if not isinstance(found, Completion):
        return None
    session.remember(found, ask)
    return found


def _edit(session: Session, path: str, start: int, end: int, text: str) -> None:
    document = session.index.document(path)
    assert document is not None
    before, edits = document.text, (ByteEdit(start, end, text.encode()),)
    session.edited(path)
    session.index.apply(Edit(path, document.version + 1, edits))
    session.changed(path, before, document.text, edits)
