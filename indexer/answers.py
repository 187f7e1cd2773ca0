"""Answers about names that hold until a file changes that they were read from.

A question about one name asks others in turn: what a re-export means is what the module behind it
means. Each answer is noted with all files that it was read from, directly or through others, and
is forgotten with the first of them that changes; all are when files come or go. So what a query
finds is what it would find in an index that was made this moment.

Two kinds of answers depend on more than the files and last for one query only, with all that was
made of them: those found in a circle, which end where the circle began, and those cut off at a
depth.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sized
from dataclasses import dataclass, field
from typing import Any, TypeVar

from indexer.files import FileTable
from indexer.history import History

MAX_READ = 100_000
"""Files and parts of answers that are held, some 100 bytes each. With more, all are forgotten."""
MISSING: Any = object()
"""Where nothing is known yet; None is an answer."""

T = TypeVar("T")
Key = Hashable


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question has been answered with."""

    value: Any
    read: frozenset[str]  # files, and by `definers_of` names that it was asked who defines them
    height: int  # how deep below the question others were asked that count their depth


def definers_of(name: str) -> str:
    """How the question who defines a name is noted among files that were read."""
    return f"\0{name}"


class Answers:
    """Answers by key, kept from query to query."""

    def __init__(self, files: FileTable, changed: History, defined: History) -> None:
        """`changed` tells of files with other facts, `defined` of names that other files define."""
        self._files = files
        self._changed = changed
        self._defined = defined
        self._kept: dict[Key, Answer] = {}
        self._noted = 0
        self._read_from: dict[str, list[Key]] = {}
        self._marks = (0, 0)
        self._places: tuple[object, ...] = ()

    def __len__(self) -> int:
        return len(self._kept)

    def refresh(self) -> None:
        """Forgets what no longer holds; every query does so first."""
        places = (self._files.version, self._files.contents, self._files.contents.version())
        marks = (self._changed.now, self._defined.now)
        changed, defined = map(History.since, (self._changed, self._defined), self._marks)
        if places != self._places or changed is None or defined is None:
            self.clear()
        else:
            for source in (*changed, *map(definers_of, defined)):
                for key in self._read_from.pop(source, ()):
                    self._kept.pop(key, None)
        self._places, self._marks = places, marks

    def clear(self) -> None:
        self._kept.clear()
        self._read_from.clear()
        self._noted = 0

    def get(self, key: Key) -> Answer | None:
        return self._kept.get(key)

    def put(self, key: Key, answer: Answer) -> None:
        self._noted += 1 + len(answer.read)
        if isinstance(answer.value, Sized):
            self._noted += len(answer.value)
        if self._noted > MAX_READ:
            self.clear()
        self._kept[key] = answer
        for source in answer.read:
            self._read_from.setdefault(source, []).append(key)


@dataclass(slots=True)
class _Frame:
    """One question that is being answered."""

    depth: int | None  # None where it does not matter
    read: set[str] = field(default_factory=set)
    is_own: bool = False  # whether the document at hand was read
    height: int = 0
    lasts: bool = True


class Asking:
    """One query's questions, which ask one another."""

    def __init__(self, answers: Answers | None, max_depth: int, own: str = "") -> None:
        """Without `answers` nothing outlasts the query, and nothing that was read from `own`.

        That is the document at hand, which changes with every key: noting what was read from it
        would cost more than asking again.
        """
        self._answers = answers
        self._max_depth = max_depth
        self._own = own
        self._passing: dict[Key, Any] = {}  # answers that do not last, and those in the making
        self._here: dict[Key, tuple[Any, int]] = {}  # those of this query: value and height
        self._frames: list[_Frame] = []

    def read(self, source: str) -> None:
        """Notes that the question at hand looks into a file, or asks who defines a name."""
        if self._frames:
            if source == self._own:
                self._frames[-1].is_own = True
            else:
                self._frames[-1].read.add(source)

    def cut(self) -> None:
        """Notes that the question at hand was not answered in full."""
        if self._frames:
            self._frames[-1].lasts = False

    def known(self, key: Key, depth: int | None = None) -> Any:
        """The answer to a question, or MISSING."""
        value = self._passing.get(key, MISSING)
        if value is not MISSING:
            self.cut()
            return value
        here = self._here.get(key)
        if here is not None:
            value, height = here
            read = None
        else:
            answer = self._answers.get(key) if self._answers is not None else None
            if answer is None:
                return MISSING
            value, height, read = answer.value, answer.height, answer.read
        if depth is not None and depth + height > self._max_depth:
            return MISSING
        self._note(read, depth, height)
        return value

    def _note(self, read: Iterable[str] | None, depth: int | None, height: int) -> None:
        """Notes what an answer was read from, None for the document, for who asked."""
        if not self._frames:
            return
        around = self._frames[-1]
        if read is None:
            around.is_own = True
        else:
            around.read.update(read)
        if depth is not None and around.depth is not None:
            around.height = max(around.height, depth - around.depth + height)

    def find(self, key: Key, default: T, make: Callable[[], T], depth: int | None = None) -> T:
        """Answers a question that is not `known`; it has the answer `default` for itself."""
        self._passing[key] = default
        frame = _Frame(depth)
        self._frames.append(frame)
        value = make()
        self._frames.pop()
        if not frame.lasts:
            self._passing[key] = value
            self.cut()
        else:
            del self._passing[key]
            if frame.is_own or self._answers is None:
                self._here[key] = (value, frame.height)
            else:
                self._answers.put(key, Answer(value, frozenset(frame.read), frame.height))
        self._note(None if frame.is_own else frame.read, depth, frame.height)
        return value

    def answer(self, key: Key, default: T, make: Callable[[], T]) -> T:
        """The answer to a question whose depth does not matter."""
        found: T = self.known(key)
        return self.find(key, default, make) if found is MISSING else found
