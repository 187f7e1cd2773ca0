"""Facts of files on disk: those of an earlier run where nothing has changed, else read anew."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.config import IndexConfig
from indexer.costs import Costs
from indexer.extract import TooSlow, extract
from indexer.facts import FileFacts
from indexer.ignore import Rules
from indexer.known import UNKNOWN, state_of
from indexer.language import language_of
from indexer.native import NativeError
from indexer.walk import Listing, list_folder, read_allowed

if TYPE_CHECKING:
    from indexer.store import Kept, Store


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of one file: facts, or why there are none ("": it is gone)."""

    path: str
    facts: FileFacts | None
    reason: str
    state: int


def too_long(seconds: float) -> str:
    """Why a file is left out that takes more time than a file may."""
    return f"it kept a worker process busy for too long: more than {seconds:g} s"


class FactsSource:
    """Reads files. Of a file that is in the state in which it was read before, nothing is read."""

    def __init__(self, config: IndexConfig, generation: str = "") -> None:
        """`generation` is that of indexer.generation, where the caller knows it."""
        self._store: Store | None = None
        if config.store_folder:
            from indexer.store import Store  # a worker without a store starts sooner without it

            self._store = Store(config.store_folder, config.max_store_bytes, generation)
        self._fresh: list[Kept] = []
        self.costs = Costs()

    def listings(self, rules: Rules, folder: str) -> Iterator[Listing]:
        """As `list_folder`."""
        listings = list_folder(rules, folder)
        while True:
            with self.costs.phase("walk"):
                listing = next(listings, None)
            if listing is None:
                return
            yield listing

    def knows(self, folder: str) -> bool:
        """Whether anything below a folder was kept by an earlier run."""
        return self._store is not None and self._store.knows(folder)

    def stored(self, files: Sequence[tuple[str, int]]) -> dict[str, Extracted]:
        """What an earlier run made of files that are in the state in which it read them."""
        if self._store is None:
            return {}
        with self.costs.phase("store"):
            found = self._store.find_all(files)
        return {
            path: Extracted(path, found[path].facts, found[path].reason, state)
            for path, state in files
            if path in found
        }

    def facts_of_file(self, path: str, rules: Rules, is_judged: bool = False) -> Extracted:
        """The facts of a file, or why there are none.

        Of a file that is judged, a listing has just told that it may be read and is not stored.
        """
        language = language_of(path)
        if language is None:
            return Extracted(path, None, "not in a known language", UNKNOWN)
        known = self._place(path, rules) if is_judged else self._judge(path, rules)
        if known is not None:
            return known
        with self.costs.phase("read"):
            text, reason, state = read_allowed(path, rules)
        if text is None:
            if state != UNKNOWN:
                self._keep_later(path, state, b"", None, reason)
            return Extracted(path, None, reason, state)
        verdict = rules.size_verdict(path, len(text))
        if not verdict.allowed:
            return Extracted(path, None, verdict.reason, state)
        try:
            key = self._key(language.name, text)
            facts = self._facts_of_text(path, key)
            if facts is None:
                with self.costs.phase("extract"):
                    facts = extract(path, language, text, rules.config.max_file_seconds)
            self._keep_later(path, state, key, facts, "")
            return Extracted(path, facts, "", state)
        except TooSlow:
            reason = too_long(rules.config.max_file_seconds)
        except NativeError as error:
            reason = str(error)  # which says what to do
        except MemoryError:
            reason = "its facts need more memory than a worker may take"
        except Exception as error:
            reason = f"its facts could not be taken: {type(error).__name__}"
        return Extracted(path, None, reason, state)

    def _place(self, path: str, rules: Rules) -> Extracted | None:
        """Why a judged file is not read after all, None if it is."""
        verdict = rules.place_verdict(path)
        return None if verdict.allowed else Extracted(path, None, verdict.reason, UNKNOWN)

    def _judge(self, path: str, rules: Rules) -> Extracted | None:
        """Why a file is not read, or what is stored of it; None if it has to be read."""
        try:
            status = os.lstat(path)
        except OSError as error:
            is_gone = isinstance(error, FileNotFoundError | NotADirectoryError)
            reason = "" if is_gone else f"cannot be read: {error.strerror}"
            return Extracted(path, None, reason, UNKNOWN)
        verdict = rules.verdict_of(path, status)
        if not verdict.allowed:
            return Extracted(path, None, verdict.reason, UNKNOWN)
        return self.stored([(path, state_of(status))]).get(path)

    def _key(self, language: str, text: bytes) -> bytes:
        """What a text is stored by, b"" without a store."""
        if self._store is None:
            return b""
        from indexer.store import text_key

        return text_key(language, text)

    def _keep_later(
        self, path: str, state: int, key: bytes, facts: FileFacts | None, reason: str
    ) -> None:
        if self._store is not None:
            from indexer.store import Kept

            self._fresh.append(Kept(path, state, key, facts, reason))

    def _facts_of_text(self, path: str, key: bytes) -> FileFacts | None:
        if self._store is None:
            return None
        with self.costs.phase("store"):
            return self._store.find_text(path, key)

    def keep(self) -> None:
        """Keeps what was read since the last time for the next run."""
        fresh, self._fresh = self._fresh, []
        if self._store is not None:
            with self.costs.phase("store"):
                self._store.save(fresh)
