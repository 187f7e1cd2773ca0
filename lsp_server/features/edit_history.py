"""What was edited lately, in episodes: the edits of one place, with what stood there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from indexer import ByteEdit
from indexer.document import to_bytes

MAX_EPISODES = 16
# More edits in one message are a formatter's or a refactoring's: nobody goes on with those by hand.
_MAX_EDITS = 8
# An episode that has grown so large is a rewrite, not an example.
_MAX_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Episode:
    """In a document `old` was replaced by `new`, which now begins at the byte `start`."""

    path: str
    start: int
    old: bytes
    new: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.new)


@dataclass(slots=True)
class EditHistory:
    """The latest episodes of all documents, the latest first; offsets follow later edits."""

    episodes: list[Episode] = field(default_factory=list)

    def note(self, path: str, before: bytes, edits: Sequence[ByteEdit]) -> None:
        """A document was edited: each edit is relative to what the one before it left."""
        if len(edits) > _MAX_EDITS:
            self.forget(path)
            return
        text = before
        for edit in edits:
            inserted = to_bytes(edit.text)
            self._note(path, text, edit.start, edit.end, inserted)
            if len(edits) > 1:
                text = text[: edit.start] + inserted + text[edit.end :]
        self.episodes = [one for one in self.episodes if one.old != one.new][:MAX_EPISODES]

    def _note(self, path: str, text: bytes, start: int, end: int, inserted: bytes) -> None:
        moved = len(inserted) - (end - start)
        latest = self.episodes[0] if self.episodes else None
        kept = []
        grown = None
        for episode in self.episodes:
            if episode.path != path or end < episode.start:
                shifted = episode.path == path
                kept.append(replace(episode, start=episode.start + moved) if shifted else episode)
            elif start > episode.end:
                kept.append(episode)
            elif episode is latest:
                grown = _grown(episode, text, start, end, inserted)
            # An older one that is edited again is no example any more.
        if grown is None:
            grown = Episode(path, start, text[start:end], inserted)
        if len(grown.old) + len(grown.new) <= _MAX_BYTES:
            kept.insert(0, grown)
        self.episodes = kept

    def forget(self, path: str) -> None:
        """A document has a whole new text, or was closed."""
        self.episodes = [one for one in self.episodes if one.path != path]


def _grown(episode: Episode, text: bytes, start: int, end: int, inserted: bytes) -> Episode:
    """An episode with an edit that touches it."""
    first, last = min(start, episode.start), max(end, episode.end)
    old = text[first : episode.start] + episode.old + text[episode.end : last]
    new = text[first:start] + inserted + text[end:last]
    return Episode(episode.path, first, old, new)


def trimmed(episode: Episode) -> Episode:
    """The same change without what its two texts have in common at both ends, in whole words."""
    old, new = episode.old, episode.new
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return Episode(
        episode.path,
        episode.start + head,
        old[head : len(old) - tail],
        new[head : len(new) - tail],
    )
