"""Cuts completion tasks ("holes") out of repositories that training never saw.

    $ python -m training.holes heldout.jsonl --tokenizer tokenizer.json --out holes.jsonl

Two kinds, each wanting the rest of one line: `next` has the cursor at the start of a line, `mid` at
a token boundary inside one. The same seed gives the same holes.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer

from training.tokenizer import read_rows

Kind = Literal["next", "mid"]
MIN_PREFIX_TOKENS = 60
MAX_TARGET_TOKENS = 45
MIN_LINE = 5
MIN_REST = 4
MAX_TRIES = 2000


@dataclass(frozen=True)
class Hole:
    """One task: `offset` is the cursor in UTF-8 bytes; prefix + target + suffix is the file."""

    repo: str
    path: str
    lang: str
    offset: int
    kind: Kind
    prefix: str
    suffix: str
    target: str


@dataclass(frozen=True)
class _File:
    row: dict[str, Any]
    starts: list[int]
    """Characters at which a token begins."""


def cut_holes(
    rows: list[dict[str, Any]], tokenizer: Tokenizer, kind: Kind, count: int, seed: int
) -> Iterator[Hole]:
    """Yield up to `count` holes of one repository's rows; long files are drawn more often.

    Fewer come out only where MAX_TRIES draws in a row find no fitting line.
    """
    files = [_File(row, _token_starts(tokenizer, row["text"])) for row in rows]
    files = [file for file in files if len(file.starts) > 2 * MIN_PREFIX_TOKENS]
    weights = [len(file.starts) for file in files]
    rng = random.Random(f"{seed} {kind}")
    seen: set[tuple[str, int]] = set()
    tries = 0
    while files and len(seen) < count and tries < MAX_TRIES:
        file = rng.choices(files, weights)[0]
        cursor = _draw_cursor(file, kind, rng)
        tries += 1
        if cursor >= 0 and (file.row["path"], cursor) not in seen:
            tries = 0
            seen.add((file.row["path"], cursor))
            yield _hole(file.row, cursor, kind)


def _token_starts(tokenizer: Tokenizer, text: str) -> list[int]:
    offsets = tokenizer.encode(text).offsets
    # A character of several tokens repeats its offset, and no cursor stands inside a character.
    return list(dict.fromkeys(begin for begin, _ in offsets))


def _draw_cursor(file: _File, kind: Kind, rng: random.Random) -> int:
    """Return a cursor in characters, or -1 where the drawn line is no task."""
    text: str = file.row["text"]
    anywhere = rng.choice(file.starts)
    begin = text.rfind("\n", 0, anywhere) + 1
    end = text.find("\n", begin)
    end = len(text) if end < 0 else end
    line = text[begin:end]
    inside = [start for start in file.starts if begin < start < end]
    before = sum(start < begin for start in file.starts)
    if before < MIN_PREFIX_TOKENS or len(inside) > MAX_TARGET_TOKENS or not _is_code(line):
        return -1
    if kind == "next":
        return begin
    fitting = [
        start
        for start in inside
        if text[begin:start].strip() and len(text[start:end].strip()) >= MIN_REST
    ]
    return rng.choice(fitting) if fitting else -1


def _is_code(line: str) -> bool:
    stripped = line.strip()
    comment = stripped.startswith(("#", "//", "*", "/*"))
    return len(stripped) >= MIN_LINE and not comment and any(map(str.isalpha, stripped))


def _hole(row: dict[str, Any], cursor: int, kind: Kind) -> Hole:
    text: str = row["text"]
    end = text.find("\n", cursor)
    end = len(text) if end < 0 else end
    prefix, target, suffix = text[:cursor], text[cursor:end], text[end:]
    offset = len(prefix.encode())
    return Hole(row["repo"], row["path"], row["lang"], offset, kind, prefix, suffix, target)


def cut_all(
    rows: list[dict[str, Any]], tokenizer: Tokenizer, per_repo: int, seed: int
) -> list[Hole]:
    """Return `per_repo` holes of each kind from each repository."""
    ordered = sorted(rows, key=lambda row: (row["repo"], row["path"]))
    holes: list[Hole] = []
    for _, group in groupby(ordered, key=lambda row: row["repo"]):
        repository = list(group)
        for kind in ("next", "mid"):
            holes += cut_holes(repository, tokenizer, kind, per_repo, seed)
    return holes


def main() -> None:
    """Read the command line and write the holes."""
    parser = argparse.ArgumentParser(description="Cut completion tasks out of held-out files.")
    parser.add_argument("rows", type=Path, help="heldout.jsonl or dev.jsonl")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--per-repo", type=int, default=60, help="holes of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    holes = cut_all(list(read_rows(options.rows)), tokenizer, options.per_repo, options.seed)
    with options.out.open("w", encoding="utf-8") as file:
        for hole in holes:
            file.write(json.dumps(asdict(hole)) + "\n")


if __name__ == "__main__":
    main()
