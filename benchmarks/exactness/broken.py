"""How many definitions survive when a file is broken by one edit somewhere else in it.

A file is broken at random: a bracket, a quote or a line goes, or a keyword comes. The broken
definition is the innermost one around the edit; all symbols outside of it should stay as they are,
moved by the edit. Counted twice: for the broken text as a new file, and for an open document that
was whole before the edit.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.exactness.compare import read_tree
from indexer import (
    ByteEdit,
    Edit,
    FileFacts,
    Index,
    IndexConfig,
    Kind,
    Language,
    Open,
    extract,
    language_of,
)

TIMES = 4
"""How often each file is broken in each way."""
VALUES = frozenset({Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD})
WAYS = {
    "a bracket deleted": re.compile(rb"[()\[\]{}]"),
    "a quote deleted": re.compile(rb"[\"'`]"),
    "a line deleted": re.compile(rb"[^\n]*\S[^\n]*\n"),
    "a keyword inserted": re.compile(rb"\b(?=\w)"),
}
KEYWORDS = {
    "python": (b"def ", b"class ", b"if ", b"return "),
    "go": (b"func ", b"type ", b"if ", b"return "),
    "rust": (b"fn ", b"struct ", b"if ", b"return "),
    "c": (b"struct ", b"if ", b"return ", b"else "),
    "cpp": (b"class ", b"if ", b"return ", b"else "),
}
OTHERS = (b"function ", b"class ", b"if ", b"return ")


class Sign(NamedTuple):
    """What makes a symbol the same one."""

    start: int  # of its name
    name: str
    kind: Kind
    container: str


@dataclass
class Survival:
    """Of so many symbols outside of the broken definition, how many were still there."""

    breaks: int = 0
    outside: int = 0
    fresh: int = 0
    open: int = 0
    spoiled: int = 0  # breaks after which a new file has no symbol outside left in place


def section(tree: Path, language: str, files: int, seed: int) -> str:
    """Markdown about one tree."""
    chance = random.Random(seed)
    known = language_of(f"a{_extension(tree, language)}")
    assert known is not None
    read = [one for one in read_tree(tree, language, 0, Counter()) if one[2].symbol_count > 2]
    table = {way: Survival() for way in WAYS}
    for path, text, facts in chance.sample(read, min(files, len(read))):
        for way, pattern in WAYS.items():
            places = list(pattern.finditer(text))
            for place in chance.sample(places, min(TIMES, len(places))):
                start, end = place.span()
                new = b""
                if way == "a keyword inserted":
                    start = end = place.start()
                    new = chance.choice(KEYWORDS.get(language, OTHERS))
                _break(known, path, text, facts, (start, end, new), table[way])
    return _report(tree, language, min(files, len(read)), table)


def _extension(tree: Path, language: str) -> str:
    return next(
        path.suffix
        for path in sorted(tree.rglob("*"))
        if (known := language_of(path.name)) is not None and known.name == language
    )


def _break(
    language: Language,
    path: str,
    text: bytes,
    facts: FileFacts,
    edit: tuple[int, int, bytes],
    survival: Survival,
) -> None:
    start, end, new = edit
    expected = _outside(facts, start, end, len(new))
    if not expected:
        return
    broken = text[:start] + new + text[end:]
    fresh = expected & _signs(extract(path, language, broken))
    index = Index(IndexConfig(), ("/tree",))
    index.apply(Open(f"/tree/{path}", language.name, 0, text.decode()))
    index.facts(f"/tree/{path}")
    index.apply(Edit(f"/tree/{path}", 1, (ByteEdit(start, end, new.decode()),)))
    after = index.facts(f"/tree/{path}")
    survival.breaks += 1
    survival.outside += len(expected)
    survival.fresh += len(fresh)
    survival.open += len(expected & _signs(after)) if after is not None else 0
    survival.spoiled += len(fresh) < len(expected) / 2


def _outside(facts: FileFacts, start: int, end: int, added: int) -> set[Sign]:
    """The symbols that the edit should leave alone, where they are after it."""
    symbols = facts.symbols
    broken = max(
        (
            symbol
            for symbol in symbols
            if symbol.kind not in VALUES and symbol.start <= start and end <= symbol.end
        ),
        key=lambda symbol: symbol.start,
        default=None,
    )
    low, high = (broken.start, broken.end) if broken is not None else (start, end)
    moved = added - (end - start)
    return {
        Sign(
            symbol.name_start + (moved if symbol.name_start >= end else 0),
            symbol.name,
            symbol.kind,
            symbol.container,
        )
        for symbol in symbols
        if not (low <= symbol.start and symbol.end <= high)
        and not (symbol.kind in VALUES and symbol.start <= end and start <= symbol.end)
    }


def _signs(facts: FileFacts) -> set[Sign]:
    return {
        Sign(symbol.name_start, symbol.name, symbol.kind, symbol.container)
        for symbol in facts.symbols
    }


def _report(tree: Path, language: str, files: int, table: dict[str, Survival]) -> str:
    rows = [f"## {language}: {files} files of {tree.resolve().name} broken at random", ""]
    rows.append(
        "| broken by | times | symbols outside | survive in a new file % | in an open document %"
        " | breaks that cost a new file half or more |"
    )
    rows.append("|---|---|---|---|---|---|")
    total = Survival()
    for way, one in [*table.items(), ("all", total)]:
        outside = max(1, one.outside)
        rows.append(
            f"| {way} | {one.breaks} | {one.outside} | {100 * one.fresh / outside:.2f}"
            f" | {100 * one.open / outside:.2f} | {one.spoiled} |"
        )
        for name in ("breaks", "outside", "fresh", "open", "spoiled"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return "\n".join(rows) + "\n"
