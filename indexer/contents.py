"""What configuration files say about where modules lie: tsconfig.json, package.json and the like.

Rules of languages ask for them by path. A file is parsed when it is first asked for and again when
its text changes; what is put together from several files is kept until one of them changes.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
Beside = Callable[[Callable[[], None]], None]
"""Runs something in another thread."""

DATA_ENDINGS = (".json", ".jsonc")
MAX_KEPT = 5_000
MAX_BUILD_BYTES = 16_000_000
"""A list of compiler calls with more is not read: parsing it would take too long."""
SMALL_BYTES = 100_000
"""A list of compiler calls with more is read beside the caller, where somebody offers that."""
LOOK_AGAIN_SECONDS = 2.0
SPACE = re.compile(r"[ \t\n\r]*")
LOOKED_AT = 16
COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


class Contents:
    """Parsed configuration files of one index."""

    def __init__(
        self,
        digest_of: Callable[[str], bytes | None] = lambda path: None,
        text_of: Callable[[str], bytes | None] = lambda path: None,
        roots: tuple[str, ...] = (),
        beside: Beside | None = None,
    ) -> None:
        """`digest_of` and `text_of` tell what the index knows of a path; `roots` bound the disk.

        With `beside` nobody waits until a large file is read: it says nothing, or what it said
        before, until then.
        """
        self._digest_of = digest_of
        self._text_of = text_of
        self.roots = roots
        self._real_roots = tuple(os.path.realpath(root) for root in roots)
        self._parsed: dict[str, tuple[bytes, Any]] = {}
        self._derived: dict[Hashable, Any] = {}
        self._beside = beside
        self.has_news = False  # whether something on disk says something else than before
        self._on_disk: dict[str, tuple[float, tuple[int, int], Any]] = {}
        self._version = 0

    def version(self) -> int:
        """A number that is another one whenever some answer may be another one.

        Of what lies on the disk a few are looked at, those first that were not for the longest.
        """
        now = time.monotonic()
        for path in tuple(islice(self._on_disk, LOOKED_AT)):
            looked, state, value = self._on_disk[path]
            if now - looked < LOOK_AGAIN_SECONDS:
                break
            if self._is_as_before(path, state):
                del self._on_disk[path]
                self._on_disk[path] = (now, state, value)  # at the end, as the one seen last
            else:
                self._version += 1
                del self._on_disk[path]
        return self._version

    def _is_as_before(self, path: str, state: tuple[int, int]) -> bool:
        if state == (0, 0) and not os.path.lexists(path):  # most are not there: asked quickly
            return True
        return self._state(path) == state

    def changed(self, path: str) -> None:
        """A file came, went or has another text."""
        if path.endswith(DATA_ENDINGS):
            self._derived.clear()
            self._version += 1

    def json(self, path: str) -> Any:
        """The value of a JSON file of the index, comments allowed; None if it is none."""
        digest = self._digest_of(path)
        if digest is None:
            return None
        known = self._parsed.get(path)
        if known is not None and known[0] == digest:
            return known[1]
        text = self._text_of(path)
        if text is None:  # it changed on disk since it was read: asked again when it is known
            return None
        value = parse_json(text)
        if len(self._parsed) >= MAX_KEPT:
            del self._parsed[next(iter(self._parsed))]
        self._parsed[path] = (digest, value)
        return value

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, kept until some configuration file changes."""
        if key not in self._derived:
            if len(self._derived) >= MAX_KEPT:
                self._derived.clear()
            self._derived[key] = make()
        found: T = self._derived[key]
        return found

    def json_on_disk(self, path: str, convert: Callable[[Any], T]) -> T | None:
        """The value of a JSON file that a build made, which the index leaves out; else None.

        Links are followed, but not out of the workspace. The disk is looked at every few seconds.
        """
        now = time.monotonic()
        known = self._on_disk.get(path)
        if known is not None and now - known[0] < LOOK_AGAIN_SECONDS:
            value: T | None = known[2]
            return value
        state = self._state(path)
        value = known[2] if known is not None else None
        if known is None or known[1] != state:
            if self._beside is not None and state[1] > SMALL_BYTES:
                self._beside(lambda: self._take(path, state, convert))
            else:
                value = self._read(path, convert) if state != (0, 0) else None
                self.has_news |= known is not None
        self._on_disk.pop(path, None)
        self._on_disk[path] = (now, state, value)
        return value

    def _take(self, path: str, state: tuple[int, int], convert: Callable[[Any], Any]) -> None:
        """Runs in another thread: what it sets is seen as a whole or not at all."""
        value = self._read(path, convert)
        self._on_disk[path] = (time.monotonic(), state, value)
        self.has_news = True

    def _state(self, path: str) -> tuple[int, int]:
        """When a file was changed and its size; zeros if it may not be read or is not there."""
        try:
            real = os.path.realpath(path)
            if not any(real.startswith(root.rstrip("/") + "/") for root in self._real_roots):
                return 0, 0
            state = os.stat(real)  # noqa: PTH116 - on the path of a keystroke
        except OSError:
            return 0, 0
        return (state.st_mtime_ns, state.st_size) if state.st_size <= MAX_BUILD_BYTES else (0, 0)

    def _read(self, path: str, convert: Callable[[Any], T]) -> T | None:
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - on the path of a keystroke
                text = file.read(MAX_BUILD_BYTES + 1)
        except OSError:
            return None
        return convert(parse_list(text)) if len(text) <= MAX_BUILD_BYTES else None


def parse_list(text: bytes) -> Any:
    """As `parse_json`, an item at a time: other threads get their turn in a long list.

    Comments and trailing commas are allowed in a small one only.
    """
    source = text.decode("utf-8-sig", "replace")
    items: list[Any] = []
    decode, end = json.JSONDecoder().raw_decode, len(source)
    at = _behind_space(source, 0)
    try:
        if source[at] != "[":
            return parse_json(text) if len(text) <= SMALL_BYTES else None
        at = _behind_space(source, at + 1)
        while items or source[at] != "]":
            item, at = decode(source, at)
            items.append(item)
            at = _behind_space(source, at)
            if source[at] == "]":
                break
            if source[at] != ",":
                raise ValueError("an item is followed by a comma or by the end of its list")
            at = _behind_space(source, at + 1)
        if _behind_space(source, at + 1) != end:
            raise ValueError("the list is followed by more")
    except (ValueError, RecursionError, IndexError):
        return parse_json(text) if len(text) <= SMALL_BYTES else None
    return items


def _behind_space(source: str, at: int) -> int:
    match = SPACE.match(source, at)
    return match.end() if match else at


def parse_json(text: bytes) -> Any:
    """The value of JSON with comments and trailing commas, None if it is no such thing."""
    source = text.decode("utf-8-sig", "replace")
    try:
        return json.loads(source)
    except (ValueError, RecursionError):
        pass
    bare = COMMENT.sub(lambda match: match[1] or " ", source)
    bare = TRAILING_COMMA.sub(lambda match: match[1] or "", bare)
    try:
        return json.loads(bare)
    except (ValueError, RecursionError):
        return None
