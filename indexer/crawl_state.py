"""What the crawls of one crawler share, and the batches that they give."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from indexer.changes import FileFound, FileGone
from indexer.config import IndexConfig
from indexer.costs import Costs
from indexer.known import KnownFiles
from indexer.source import FactsSource

MOST_OVERTAKEN = 10_000


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of files in known languages since the crawl began."""

    found: int
    done: int
    skipped: int
    complete: bool  # whether the crawl came to its end


@dataclass(frozen=True, slots=True)
class Batch:
    """A few changes for the index, and files that the rules keep out, with the reasons."""

    changes: tuple[FileFound | FileGone, ...]
    skipped: tuple[tuple[str, str], ...]
    progress: Progress
    moment: int = 0  # when it was made, by the crawler's count


class Shared:
    """What the crawls of a crawler share; they run in threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known = KnownFiles()
        self.given_up: set[str] = set()  # files that ended a worker: nobody else reads them
        self.moment = 0
        self.left_out = 0
        self.roots: tuple[str, ...] = ()  # of the last crawl of all
        self.costs = Costs()
        self._latest: dict[str, int] = {}  # files that were read beside a crawl, and when
        self._source: tuple[IndexConfig, FactsSource] | None = None

    def source_for(self, config: IndexConfig) -> FactsSource:
        """What reads a few files in this process."""
        with self.lock:
            if self._source is None or self._source[0] != config:
                self._source = config, FactsSource(config)
            return self._source[1]

    def overtake(self, paths: Iterable[str]) -> None:
        """These were read just now, beside a crawl that may have read them before."""
        with self.lock:
            self.moment += 1
            for path in paths:
                self._latest.pop(path, None)
                self._latest[path] = self.moment
            while len(self._latest) > MOST_OVERTAKEN:
                del self._latest[next(iter(self._latest))]

    def is_overtaken(self, path: str, moment: int) -> bool:
        return self._latest.get(path, 0) > moment

    def forget(self, path: str) -> None:
        with self.lock:
            self.known.drop(path)

    def doubt(self, batch: Batch) -> None:
        """The changes of a batch were not taken: the next crawl has to tell them again."""
        with self.lock:
            for change in batch.changes:
                self.known.doubt(change.path)
