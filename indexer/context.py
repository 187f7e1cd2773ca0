"""Context for a prompt: ranked pieces of other code within a budget of tokens.

The list has two parts. The first depends on everything but the line that is being written, so that
it stays the same, and in the same order, while the line grows. What the line itself asks for comes
behind it, one piece after the other in the order in which the line was written: characters typed at
its end can only add pieces. So prompts of one line share all but their last tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from indexer.companions import callers, recent_spans, relatives
from indexer.document import Document
from indexer.facts import FileFacts
from indexer.history import History
from indexer.line_needs import Event, events_of
from indexer.nearby import Surroundings, surroundings
from indexer.needs import NeedSearch
from indexer.pack import LAYERS, Packer, items_of
from indexer.repository import Repository
from indexer.search import similar_chunks
from indexer.snippet import RecentSpan, Snippet, estimated_tokens
from indexer.whole_files import whole_files

LINE_SHARE, MAX_LINE_TOKENS = 0.2, 1_024
"""What is kept free for what the line itself asks for."""
EVENT_TOKENS = 400
"""What one name in the line may add."""
FIRST_LAYER_SHARE = 0.7
RECENT_SHARE, MAX_RECENT_TOKENS = 0.15, 1_024
SIMILAR_SHARE, MAX_SIMILAR_TOKENS = 0.15, 2_048
COMPANIONS_SHARE, MAX_COMPANIONS_TOKENS = 0.1, 1_024
WHOLE_FILES_FROM = 24_576
"""Tokens from which on whole files are shown."""
LEAST_SIMILAR = 12.0
"""BM25 score below which a chunk says nothing about the code at the cursor."""
LEAST_ALIKE = 0.35
"""Share of what the lines at the cursor score themselves that a chunk like them has at least. Of
chunks below it one in seven holds a name that the next line needs, of those above one in three."""
MAX_KEPT = 32

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Around:
    """All that the first part of a context depends on, besides other files."""

    before: bytes  # the text above the line
    after: bytes  # the text below it
    indent: int
    budget: int
    recent: tuple[RecentSpan, ...]
    count: Count


@dataclass(slots=True)
class Context:
    """The context at one line: its first part, and what the line has added, name by name."""

    around: Around
    base: list[Snippet]
    shown: frozenset[tuple[str, int]]
    room: int
    mark: int = 0  # of the index's history when it was right last
    added: dict[tuple[Event, ...], Addition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Addition:
    """What all names up to one have added."""

    snippets: tuple[Snippet, ...]
    shown: frozenset[tuple[str, int]]
    room: int


class ContextSearch:
    """Finds contexts, and remembers the one of the line that is being written in each document."""

    def __init__(self, repository: Repository, history: History) -> None:
        self._repository = repository
        self._history = history
        self._kept: dict[str, Context] = {}

    def context(
        self,
        document: Document,
        offset: int,
        budget: int,
        deadline: float | None = None,
        recent: Sequence[RecentSpan] = (),
        count: Count | None = None,
    ) -> list[Snippet]:
        """See Index.context."""
        facts = document.facts
        if facts is None or budget <= 0:
            return []
        lines = document.line_index
        line = lines.line_of(offset)
        start = lines.line_start(line)
        prefix = document.text[start:offset]
        around = Around(
            document.text[:start],
            document.text[lines.line_end(line) :],
            len(prefix) - len(prefix.lstrip(b" \t")),
            budget,
            tuple(recent),
            count or estimated_tokens,
        )
        search = _Search(self._repository, document, facts, offset, deadline, around)
        known = self._kept.pop(document.path, None)
        if known is None or known.around != around or self._others_changed(known, document.path):
            known = search.base()
        known.mark = self._history.now
        found = search.with_line(known)
        if not search.late():
            self._kept[document.path] = known  # at the end, as the one used last
            if len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return found

    def _others_changed(self, known: Context, path: str) -> bool:
        """Whether a file other than the document has new facts since a context was found."""
        changed = self._history.since(known.mark)
        return changed is None or not changed <= {path}


class _Search:
    """One search for a context."""

    def __init__(
        self,
        repository: Repository,
        document: Document,
        facts: FileFacts,
        offset: int,
        deadline: float | None,
        around: Around,
    ) -> None:
        self._repository = repository
        self._document = document
        self._facts = facts
        self._offset = offset
        self._deadline = deadline
        self._around = around
        self._surroundings: Surroundings | None = None

    @property
    def surroundings(self) -> Surroundings:
        """Those of the line's start, wherever in it the cursor is."""
        if self._surroundings is None:
            lines = self._document.line_index
            start = lines.line_start(lines.line_of(self._offset))
            place = min(self._offset, start + self._around.indent)
            self._surroundings = surroundings(self._document, self._facts, place)
        return self._surroundings

    def needs(self) -> NeedSearch:
        return NeedSearch(
            self._repository, self._document, self._facts, self.surroundings, self._deadline
        )

    def late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def base(self) -> Context:
        """What does not depend on the line that is being written."""
        budget, count = self._around.budget, self._around.count
        room = budget - min(int(LINE_SHARE * budget), MAX_LINE_TOKENS)
        found = _Pieces(room, count)
        search = self.needs()
        search.away_from_the_line()
        items = items_of(self._repository, search.needs.values())
        packer = Packer(self._repository, count, self.late)
        first, others = LAYERS[0], (*(layer for layer in LAYERS[1:] if layer < room), room)
        found.add(packer.layer(items, min(first, int(FIRST_LAYER_SHARE * room))))
        place = self._repository, self._document, self.surroundings
        if self._around.recent:
            limit = min(int(RECENT_SHARE * room), MAX_RECENT_TOKENS)
            found.add(recent_spans(*place, self._around.recent), limit)
        found.add(self._similar(), min(int(SIMILAR_SHARE * room), MAX_SIMILAR_TOKENS))
        for number, layer in enumerate(others):
            found.add(packer.layer(items, min(layer - found.spent, found.room)))
            if number == 0 and not self.late():
                limit = min(int(COMPANIONS_SHARE * room), MAX_COMPANIONS_TOKENS)
                found.add([*relatives(*place), *callers(*place)], limit)
        if room >= WHOLE_FILES_FROM:
            blank = replace(self.surroundings, mentions=(), written=(), words={}, window=(0, 0))
            imports = NeedSearch(
                self._repository, self._document, self._facts, blank, self._deadline
            )
            imports.of_imports()
            needs = imports.needs.values()
            files = whole_files(self._repository, self._facts, needs, found.room, count, self.late)
            found.add(files, again=True)  # else what the cursor asks for would have a say
        return Context(self._around, found.snippets, frozenset(packer.shown), budget - found.spent)

    def _similar(self) -> list[Snippet]:
        start = self._document.line_index.line_start(
            self._document.line_index.line_of(self._offset)
        )
        place = self._repository, self._document, start
        found = similar_chunks(*place, 6, self._deadline, LEAST_ALIKE)
        return [snippet for snippet in found if snippet.score >= LEAST_SIMILAR]

    def with_line(self, known: Context) -> list[Snippet]:
        """The first part and what the part of the line before the cursor asks for."""
        lines = self._document.line_index
        start = lines.line_start(lines.line_of(self._offset))
        events = events_of(self._document.text[start : self._offset])
        done = len(events)
        while done and events[:done] not in known.added:
            done -= 1
        added = known.added[events[:done]] if done else Addition((), known.shown, known.room)
        for position in range(done, len(events)):
            if self.late():
                break
            added = self._with_event(added, events[position])
            known.added[events[: position + 1]] = added
        return [*known.base, *added.snippets]

    def _with_event(self, before: Addition, event: Event) -> Addition:
        search = self.needs()
        search.event(event)
        items = items_of(self._repository, search.needs.values())
        if event.typed:
            items = [
                item for item in items if (item.symbol.path, item.symbol.index) not in before.shown
            ]
            if len(items) > MAX_TYPED:
                return before
        packer = Packer(self._repository, self._around.count, self.late, before.shown)
        found = _Pieces(before.room, self._around.count)
        found.add(packer.layer(items, min(before.room, EVENT_TOKENS)))
        more = [replace(snippet, of_line=True) for snippet in found.snippets]
        return Addition((*before.snippets, *more), frozenset(packer.shown), found.room)


MAX_TYPED = 12
"""Members that go on as typed, from which on it is too early to show them."""


class _Pieces:
    """Snippets that fit into a room of tokens, none that only shows what others show already."""

    def __init__(self, room: int, count: Count) -> None:
        self.snippets: list[Snippet] = []
        self.room = room
        self.spent = 0
        self._count = count
        self._shown: dict[str, set[int]] = {}

    def add(
        self, snippets: Iterable[Snippet], limit: int | None = None, again: bool = False
    ) -> None:
        """Takes those that fit into the room, and together into the limit.

        What is shown already is left out, if not wanted `again`.
        """
        left = self.room if limit is None else min(self.room, limit)
        for snippet in snippets:
            shown = self._shown.setdefault(snippet.path, set())
            if (not again and shown.issuperset(snippet.lines)) or not snippet.text.strip():
                continue
            cost = self._count(snippet.text)
            if cost > left:
                continue
            left -= cost
            self.room -= cost
            self.spent += cost
            shown.update(snippet.lines)
            self.snippets.append(snippet)
