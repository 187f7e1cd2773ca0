"""Cuts holes into a repository: places whose text is hidden and has to be suggested."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from indexer import Close, Index, Open, language_of, statements

Kind = Literal["rest", "line", "statement", "block", "crossfile", "control"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DESCRIPTIONS: dict[Kind, str] = {
    "rest": "the rest of a line, from a place inside it",
    "line": "a whole line, from its indentation on",
    "statement": "a statement of one to eight lines",
    "block": "the body of a function, up to twenty lines",
    "crossfile": "the rest of a line from a name that another file defines",
    "control": "the rest of a line whose names are all of this file or of the language",
}
NAME = re.compile(r"[^\W\d]\w*")
_LONGEST = {"statement": 8, "block": 20}
_MOST_BYTES = 160
_LEAST_LINES_ABOVE = 5
_PER_FILE = 4
_MAX_FILE_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Hole:
    """The bytes [start, end) of a file's text are hidden; they are what should be suggested.

    `fresh`: a name in it, defined in another file, is nowhere else in this one but in imports.
    """

    path: str
    kind: Kind
    text: bytes
    start: int
    end: int
    name: str = ""
    fresh: bool = False

    @property
    def holed(self) -> bytes:
        """The text without what is hidden."""
        return self.text[: self.start] + self.text[self.end :]

    @property
    def target(self) -> str:
        return self.text[self.start : self.end].decode("utf-8", "replace")


def cut_holes(index: Index, kinds: Sequence[Kind], count: int, seed: int) -> dict[Kind, list[Hole]]:
    """Up to `count` holes of each kind, spread over the files of an index; the same by seed.

    Files that are drawn are opened in the index for a moment, so nothing else may use it.
    """
    found: dict[Kind, list[Hole]] = {kind: [] for kind in kinds}
    paths = sorted(path for path in index.paths() if _is_code(path))
    rng = random.Random(seed)
    rng.shuffle(paths)
    for path in paths:
        wanted = [kind for kind in kinds if len(found[kind]) < count]
        if not wanted:
            break
        text = index.text_of(path)
        if text is None or len(text) > _MAX_FILE_BYTES or text.count(b"\n") < 15:
            continue
        index.apply(Open(path, None, 1, text))
        try:
            for kind in wanted:
                holes = list(_holes_of(index, path, text, kind, rng))
                found[kind] += holes[: min(_PER_FILE, count - len(found[kind]))]
        finally:
            index.apply(Close(path))
    return found


def _is_code(path: str) -> bool:
    """Data and prose are completed too, but are no measure of it."""
    language = language_of(path)
    data = ("json", "yaml", "toml", "markdown", "html", "css")
    return language is not None and language.name not in data


def _holes_of(
    index: Index, path: str, text: bytes, kind: Kind, rng: random.Random
) -> Iterator[Hole]:
    match kind:
        case "rest":
            yield from _rests(path, text, rng)
        case "line":
            for start, end in _lines(text, rng):
                yield Hole(path, kind, text, start, end)
        case "statement":
            yield from _statements(index, path, text, rng)
        case "block":
            yield from _blocks(index, path, text, rng)
        case _:
            yield from _named(index, path, text, kind, rng)


def _lines(text: bytes, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Lines of code in some order: from the first byte that is not blank to the last."""
    places, position = [], 0
    for number, line in enumerate(text.split(b"\n")):
        code = line.strip()
        start = position + len(line) - len(line.lstrip())
        position += len(line) + 1
        if number < _LEAST_LINES_ABOVE or not 5 <= len(code) <= _MOST_BYTES:
            continue
        if not code.startswith((b"#", b"//", b"*", b"/*", b"--", b'"""', b"import", b"from ")):
            places.append((start, start + len(code)))
    rng.shuffle(places)
    return iter(places)


def _rests(path: str, text: bytes, rng: random.Random) -> Iterator[Hole]:
    for start, end in _lines(text, rng):
        line = text[start:end].decode("utf-8", "replace")
        cuts = [at for at in range(3, len(line) - 3) if not line[at - 1 : at + 1].isspace()]
        if cuts and len(line.encode()) == end - start:
            cut = start + len(line[: rng.choice(cuts)].encode())
            yield Hole(path, "rest", text, cut, end)


def _statements(index: Index, path: str, text: bytes, rng: random.Random) -> Iterator[Hole]:
    document = index.document(path)
    found = statements(document) if document is not None else []
    rng.shuffle(found)
    # Longer ones first: most statements are one line, which other kinds measure.
    found.sort(key=lambda place: -min(text.count(b"\n", *place), 2))
    for start, end in found:
        lines = text.count(b"\n", start, end) + 1
        if lines <= _LONGEST["statement"] and end - start >= 10 and _is_below(text, start):
            yield Hole(path, "statement", text, start, end)


def _blocks(index: Index, path: str, text: bytes, rng: random.Random) -> Iterator[Hole]:
    symbols = [one for one in index.symbols(path) if one.kind in ("function", "method")]
    rng.shuffle(symbols)
    for symbol in symbols:
        body = max(symbol.signature_end, symbol.docstring_end)
        first_line_end = text.find(b"\n", body, symbol.end)
        if first_line_end < 0:
            continue
        block = text[first_line_end : symbol.end]
        start = first_line_end + len(block) - len(block.lstrip())
        end = first_line_end + len(block.rstrip(b" \t\r\n}"))
        if end - start >= 20 and text.count(b"\n", start, end) < _LONGEST["block"]:
            yield Hole(path, "block", text, start, end)


def _named(index: Index, path: str, text: bytes, kind: Kind, rng: random.Random) -> Iterator[Hole]:
    """Lines by whether they name something of another file, for sure."""
    tried = 0
    for start, end in _lines(text, rng):
        tried += 1
        if tried > 40:
            return
        line = text[start:end].decode("utf-8", "replace")
        names = [match for match in NAME.finditer(line) if match.start() > 0]
        meant = [(match, _is_elsewhere(index, path, start, line, match)) for match in names]
        if kind == "control":
            if names and not any(elsewhere for _, elsewhere in meant):
                cut = start + len(line[: rng.choice(names).start()].encode())
                yield Hole(path, kind, text, cut, end)
            continue
        for match, elsewhere in meant:
            if elsewhere:
                cut = start + len(line[: match.start()].encode())
                rest = text[:start] + text[end:]
                fresh = not _is_used(rest, match[0])
                yield Hole(path, kind, text, cut, end, match[0], fresh)
                break


def _is_elsewhere(index: Index, path: str, start: int, line: str, match: re.Match[str]) -> bool:
    offset = start + len(line[: match.start()].encode())
    found = index.definitions_at(path, offset)
    return len(found) == 1 and found[0].certain and found[0].path != path


def _is_used(text: bytes, name: str) -> bool:
    """Whether a text has a name outside of its imports."""
    word = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
    lines = (line.lstrip() for line in text.split(b"\n") if word.search(line))
    return any(not line.startswith((b"import", b"from", b"#include", b"use ")) for line in lines)


def _is_below(text: bytes, start: int) -> bool:
    return text.count(b"\n", 0, start) >= _LEAST_LINES_ABOVE
