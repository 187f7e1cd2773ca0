"""Cases of retrieval: a file with one line hidden, and the definitions elsewhere that it names."""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PER_FILE = PER_DEFINITION = 3
FIRST_LINE, LEAST_TOKENS, MOST_TOKENS = 11, 3, 60
NAME = re.compile(r"[A-Za-z_$][\w$]*")


@dataclass(frozen=True)
class Gold:
    """A definition that the hidden line names. Lines count from 1."""

    name: str
    kind: str  # "symbol", "modattr", "classattr", "inherited", "instance"
    fresh: bool  # whether the name occurs nowhere else in the file but in imports
    path: str
    line: int


@dataclass(frozen=True)
class Case:
    """A hidden line of a file, with what is above it and below it."""

    path: str
    line: int
    before: str  # up to the first character of the hidden line that is not blank
    after: str
    gold: tuple[Gold, ...]
    hidden: str = ""  # the hidden line from its first character that is not blank


@dataclass(frozen=True)
class Use:
    """A name in a line that a definition in another file gives its meaning. Lines from 1."""

    line: int
    name: str
    kind: str
    path: str
    definition_line: int


def read_cases(file: Path) -> list[Case]:
    """Cases from a file of JSON lines, as typescript.mjs writes them."""
    found: list[Case] = []
    for row in map(json.loads, file.read_text().splitlines()):
        indent = row["target"][: row["indent"]]
        gold = tuple(
            Gold(one["name"], one["kind"], one["fresh"], one["file"], one["line"])
            for one in row["gold"]
        )
        before, after = row["prefix"] + indent, "\n" + row["suffix"]
        hidden = row["target"][row["indent"] :].rstrip()
        found.append(Case(row["file"], row["line"], before, after, gold, hidden))
    return found


def cases_of(
    path: str, lines: Sequence[str], importing: set[int], uses: Iterable[Use]
) -> list[Case]:
    """All cases of a file: its lines with their ends, the lines that import, the uses in it."""
    by_line: dict[int, dict[tuple[str, str, int], Use]] = defaultdict(dict)
    for use in uses:
        by_line[use.line].setdefault((use.name, use.path, use.definition_line), use)
    places: dict[str, set[int]] = defaultdict(set)
    for number, text in enumerate(lines, 1):
        if number not in importing:
            for name in NAME.findall(text):
                places[name].add(number)
    found: list[Case] = []
    for line, named in by_line.items():
        text = lines[line - 1]
        tokens = len(re.findall(r"\w+|[^\w\s]", text))
        if line in importing or line < FIRST_LINE or not LEAST_TOKENS <= tokens <= MOST_TOKENS:
            continue
        gold = tuple(
            Gold(use.name, use.kind, places[use.name] <= {line}, use.path, use.definition_line)
            for use in named.values()
        )
        indent = text[: len(text) - len(text.lstrip())]
        before = "".join(lines[: line - 1]) + indent
        after = "\n" + "".join(lines[line:])
        found.append(Case(path, line, before, after, gold, text.strip()))
    return found


def chosen(by_file: Iterable[list[Case]], count: int, seed: int) -> list[Case]:
    """Cases spread over files and definitions, those with a fresh name preferred; same by seed."""
    rng = random.Random(seed)
    pool: list[Case] = []
    for found in by_file:
        rng.shuffle(found)
        found.sort(key=lambda case: not any(gold.fresh for gold in case.gold))
        pool += found[:PER_FILE]
    rng.shuffle(pool)
    used: Counter[tuple[str, int]] = Counter()
    kept: list[Case] = []
    for case in pool:
        key = (case.gold[-1].path, case.gold[-1].line)
        if used[key] < PER_DEFINITION and len(kept) < count:
            used[key] += 1
            kept.append(case)
    return kept
