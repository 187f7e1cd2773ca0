"""How a document was changed lately: whether a suggestion is wanted, and which is not."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from indexer import ByteEdit
from indexer.document import to_bytes

Kind = Literal["typed", "accepted", "deleted", "pasted", "undone", "several"]
# Texts that an undo may bring back; larger documents are not remembered.
_MAX_TEXTS = 32
_MAX_BYTES = 256 * 1024
# An insertion of so many characters or lines was not typed.
_PASTED_BYTES = 200
_PASTED_LINES = 2
# For so long a line that was deleted is not suggested again.
UNWANTED_SECONDS = 30.0
_MAX_LINES = 64

_REASONS: dict[Kind, str] = {
    "pasted": "text was pasted; type on, or ask by the key",
    "undone": "an edit was undone; type on, or ask by the key",
    "several": "several places were edited at once; type on, or ask by the key",
}


@dataclass(slots=True)
class Typing:
    """The latest changes of the document that is being edited; of others nothing is kept."""

    _path: str = ""
    _last: Kind = "typed"
    _texts: deque[bytes] = field(default_factory=lambda: deque(maxlen=_MAX_TEXTS))
    # Lines that were there before something was deleted in them, and when.
    _deleted: dict[bytes, float] = field(default_factory=dict)

    def note(
        self,
        path: str,
        before: bytes,
        after: bytes,
        edits: Sequence[ByteEdit],
        accepted: bool,
        now: float,
    ) -> None:
        """A document was changed; `accepted` if a suggestion of ours was. `now` is in seconds."""
        if path != self._path:
            self._path = path
            self._texts.clear()
            self._deleted.clear()
        self._last = "accepted" if accepted else self._kind(after, edits)
        if len(before) <= _MAX_BYTES:
            self._texts.append(before)
        if len(edits) == 1 and edits[0].end > edits[0].start:
            self._deleted.pop(line := _line_at(before, edits[0].start), None)
            self._deleted[line] = now
            while len(self._deleted) > _MAX_LINES:
                del self._deleted[next(iter(self._deleted))]

    def forget(self, path: str) -> None:
        """A document has a whole new text: nobody knows how it came about."""
        if path == self._path:
            self._path, self._last = "", "typed"

    def why_not(self, path: str, after_deletion: bool) -> str | None:
        """Why nobody waits for a suggestion now, in words; None where one may."""
        if path != self._path:
            return None
        if self._last == "deleted" and not after_deletion:
            return "text was deleted (setting sopilka.completion.afterDeletion)"
        return _REASONS.get(self._last)

    def unwanted(self, path: str, now: float) -> frozenset[str]:
        """Lines, without the space around them, from which something was deleted just now."""
        if path != self._path:
            return frozenset()
        recent = (line for line, when in self._deleted.items() if now - when <= UNWANTED_SECONDS)
        return frozenset(line.decode("utf-8", "replace") for line in recent if line)

    def _kind(self, after: bytes, edits: Sequence[ByteEdit]) -> Kind:
        inserted = [to_bytes(edit.text) for edit in edits]
        removed = sum(edit.end - edit.start for edit in edits)
        if removed + sum(map(len, inserted)) > 1 and self._was(after):
            return "undone"
        if any(
            len(text) >= _PASTED_BYTES or (len(text.split()) > 1 and _lines(text) >= _PASTED_LINES)
            for text in inserted
        ):
            return "pasted"
        if _are_apart(after, edits):
            return "several"
        return "deleted" if removed and not any(inserted) else "typed"

    def _was(self, text: bytes) -> bool:
        return any(len(old) == len(text) and old == text for old in self._texts)


def _are_apart(after: bytes, edits: Sequence[ByteEdit]) -> bool:
    """Whether edits are on several lines: cursors, a formatter. One line is one burst of keys."""
    if len(edits) < 2:
        return False
    places = [min(edit.start, len(after)) for edit in edits]
    return after.count(b"\n", min(places), max(places)) > 1


def _lines(text: bytes) -> int:
    return text.count(b"\n")


def _line_at(text: bytes, offset: int) -> bytes:
    end = text.find(b"\n", offset)
    return text[text.rfind(b"\n", 0, offset) + 1 : end if end >= 0 else len(text)].strip()
