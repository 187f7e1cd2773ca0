"""Places that were edited lately, in all documents: what is written next often repeats them."""

from __future__ import annotations

from dataclasses import dataclass, field

from indexer import RecentSpan

_MAX_SPANS = 8
# Edits so many lines apart belong to one place.
_NEAR = 3


@dataclass(slots=True)
class RecentEdits:
    """The latest place comes first. A place that grows keeps its first line."""

    _spans: list[RecentSpan] = field(default_factory=list)

    def note(self, path: str, first_line: int, last_line: int) -> None:
        """Lines of a document were edited; both are included, counted from 0."""
        new = RecentSpan(path, first_line, last_line)
        for old in self._spans:
            if (
                old.path == path
                and first_line <= old.last_line + _NEAR
                and old.first_line <= last_line + _NEAR
            ):
                self._spans.remove(old)
                lines = min(first_line, old.first_line), max(last_line, old.last_line)
                new = RecentSpan(path, *lines)
                break
        self._spans.insert(0, new)
        del self._spans[_MAX_SPANS:]

    def forget(self, path: str) -> None:
        """A document has a whole new text, or may never be shown again."""
        self._spans = [span for span in self._spans if span.path != path]

    @property
    def spans(self) -> tuple[RecentSpan, ...]:
        return tuple(self._spans)
