"""How long do the index's questions take, and how right are those that can be checked?

    python -m benchmarks.index_queries TREE... [--queries 200] [--seed 0] [--out FILE.md]

Milliseconds are CPU time of this process, so that other work on the machine changes them little.
Checks need no oracle: a line of a file is taken out and given back as a suggestion (an alarm is
false), then with one name misspelt (an alarm is right); text after a cursor is what a continuation
should say.
"""

from __future__ import annotations

import argparse
import platform
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from indexer import Close, Crawler, Index, IndexConfig, Open
from indexer.overlay import Overlay
from indexer.unknown import checked_names

NAME = re.compile(rb"[A-Za-z_][A-Za-z_0-9]{3,}")
SKIPPED = (b"#", b"//", b"*", b"/*", b"from ", b"import ", b'"""', b"'''", b"@")
MAX_BYTES = 300_000
DEADLINE = 0.2
Answer = TypeVar("Answer")


@dataclass
class Times:
    """Milliseconds by question."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def of(self, question: str, ask: Callable[..., Answer], *arguments: object) -> Answer:
        start = time.process_time()
        answer = ask(*arguments)
        self.values.setdefault(question, []).append(1e3 * (time.process_time() - start))
        return answer

    def rows(self) -> Iterator[str]:
        for question, values in self.values.items():
            ordered = sorted(values)
            cells = [
                ordered[min(len(ordered) - 1, int(part * len(ordered)))] for part in (0.5, 0.95)
            ]
            yield (
                f"| {question} | {len(values)} | {cells[0]:.2f} | {cells[1]:.2f}"
                f" | {ordered[-1]:.1f} |"
            )


def crawled(tree: str) -> Index:
    index = Index(IndexConfig(workers=0), (tree,))
    for batch in Crawler(index.rules).crawl():
        index.apply_found(batch.changes)
    return index


def places(index: Index, count: int, seed: int) -> Iterator[tuple[str, bytes, int, int]]:
    """Files with the start and end of a line that holds a name, two of a file."""
    rng = random.Random(seed)
    paths = sorted(index.paths())
    rng.shuffle(paths)
    found = 0
    for path in paths:
        facts = index.facts(path)
        text = Path(path).read_bytes()
        if facts is None or not facts.symbol_count or len(text) > MAX_BYTES:
            continue
        try:
            text.decode()
        except UnicodeDecodeError:
            continue
        lines: list[tuple[int, int]] = []
        start = 0
        for line in text.split(b"\n"):
            stripped = line.lstrip()
            if NAME.search(line) and not stripped.startswith(SKIPPED):
                lines.append((start + len(line) - len(stripped), start + len(line)))
            start += len(line) + 1
        for low, high in rng.sample(lines, min(2, len(lines))):
            yield path, text, low, high
            found += 1
            if found >= count:
                return


@dataclass
class Checks:
    """Counts of answers that can be checked."""

    lines: int = 0
    false_alarms: int = 0
    misspelt: int = 0
    caught: int = 0
    guesses: int = 0
    cursors: int = 0
    right: int = 0
    among_four: int = 0
    whys: Counter[str] = field(default_factory=Counter)


def misspelt(text: bytes, start: int, end: int, rng: random.Random) -> tuple[str, str] | None:
    """A text with one of its names misspelt, and that name."""
    name = text[start:end].decode()
    at = rng.randrange(1, len(name) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        bad = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    elif kind == 1:
        bad = name[:at] + name[at + 1 :]
    else:
        bad = name[:at] + name[at - 1 :]
    return ((text[:start] + bad.encode() + text[end:]).decode(), bad) if bad != name else None


def check_suggestion(
    index: Index, path: str, at: int, line: bytes, times: Times, checks: Checks, rng: random.Random
) -> None:
    found = times.of("unknown_names, one line", index.unknown_names, path, at, line.decode())
    checks.lines += 1
    checks.false_alarms += bool(found)
    checks.whys.update(one.why for one in found)
    document, facts = index.document(path), index.facts(path)
    if document is None or facts is None or document.tree is None:
        return
    spans = [
        (node.start_byte - at, node.end_byte - at)
        for node in checked_names(Overlay(document, facts, at, line))
    ]
    spans = [one for one in spans if one[0] >= 0 and NAME.fullmatch(line[slice(*one)])]
    bad = misspelt(line, *rng.choice(spans), rng) if spans else None
    if bad is not None:
        alarms = index.unknown_names(path, at, bad[0])
        checks.misspelt += 1
        checks.caught += any(one.name == bad[1] for one in alarms)


def check_continuation(
    index: Index, path: str, text: bytes, low: int, high: int, times: Times, checks: Checks
) -> None:
    cursor = (low + high) // 2
    while text[cursor] & 0xC0 == 0x80:
        cursor += 1
    rest = text[cursor:high].decode().strip()
    index.apply(Open(path, None, 1, text[:cursor] + text[high:]))
    index.symbols(path)
    guesses = times.of("continuation, 4 guesses", index.continuation, path, cursor, 4)
    firsts = [guess.split("\n")[0].strip() for guess in guesses]
    checks.cursors += 1
    checks.guesses += bool(firsts)
    checks.right += firsts[:1] == [rest]
    checks.among_four += rest in firsts


def at_places(index: Index, count: int, seed: int, times: Times) -> Checks:
    rng = random.Random(seed)
    checks = Checks()
    for path, text, low, high in places(index, count, seed):
        index.apply(Open(path, None, 1, text))
        index.symbols(path)
        facts = index.facts(path)
        starts = facts.uses[:, 1].tolist() if facts is not None else []
        at = rng.choice(starts) if starts else low
        times.of("definitions_at", index.definitions_at, path, at)
        times.of("occurrences_in", index.occurrences_in, path, at)
        if checks.lines % 5 == 0:
            times.of("references_at, no deadline", index.references_at, path, at)
            soon = time.monotonic() + DEADLINE
            times.of("references_at, 0.2 s", index.references_at, path, at, True, soon)
        times.of("names_in_scope", index.names_in_scope, path, at)
        line = text[low:high]
        index.apply(Open(path, None, 1, text[:low] + text[high:]))
        index.symbols(path)
        check_suggestion(index, path, low, line, times, checks, rng)
        check_continuation(index, path, text, low, high, times, checks)
        index.apply(Close(path))
    return checks


def at_symbols(index: Index, count: int, seed: int, times: Times) -> None:
    rng = random.Random(seed)
    names = sorted(index.names())
    times.of("symbols_matching, the first time", index.symbols_matching, "a", 50)
    for name in rng.sample(names, min(count, len(names))):
        size = rng.randrange(1, min(len(name), 10) + 1)
        chosen = sorted(rng.sample(range(len(name)), size))
        query = name[:size] if rng.random() < 0.5 else "".join(name[one] for one in chosen)
        times.of("symbols_matching, 50 symbols", index.symbols_matching, query, 50)
        symbol = index.definitions_of(name)[0]
        times.of("callees", index.callees, symbol)
    for name in rng.sample(names, min(count // 10, len(names))):
        symbol = index.definitions_of(name)[0]
        times.of("callers", index.callers, symbol)


def at_files(index: Index, count: int, seed: int, times: Times) -> None:
    rng = random.Random(seed)
    paths = sorted(index.paths())
    chosen = rng.sample(paths, min(count // 5, len(paths)))
    times.of("importers_of, the first time", index.importers_of, chosen[0])
    times.of("repository_map of 1,024 tokens, the first time", index.repository_map, 1024)
    for path in chosen:
        times.of("importers_of", index.importers_of, path)
        times.of("related_files, 20", index.related_files, path, 20)
        times.of(
            "repository_map of 1,024 tokens, one file in focus",
            index.repository_map,
            1024,
            [path],
        )


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(1, whole):.1f} %)"


def report(tree: str, count: int, seed: int) -> Iterator[str]:
    index = crawled(tree)
    status = index.status()
    times = Times()
    at_symbols(index, count, seed, times)
    at_files(index, count, seed, times)
    checks = at_places(index, count, seed, times)
    yield f"\n## {Path(tree).name}: {status.files} files, {status.symbols} symbols\n"
    yield "| milliseconds of CPU | times | p50 | p95 | max |"
    yield "|---|---|---|---|---|"
    yield from times.rows()
    yield "\nReal lines with a false alarm: " + share(checks.false_alarms, checks.lines) + "."
    yield "Misspelt names that are caught: " + share(checks.caught, checks.misspelt) + "."
    yield (
        f"Cursors in the middle of a line with a continuation:"
        f" {share(checks.guesses, checks.cursors)};"
        f" the first is the rest of the line: {share(checks.right, checks.guesses)},"
        f" one of four: {share(checks.among_four, checks.guesses)}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Times and checks of the index's questions.")
    parser.add_argument("trees", nargs="+", metavar="TREE")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    names = " ".join(Path(tree).name for tree in options.trees)
    lines = [
        "# Questions to the index\n",
        f"`python -m benchmarks.index_queries {names} --queries {options.queries}"
        f" --seed {options.seed}`\n",
        f"{platform.machine()}, Python {platform.python_version()}.",
    ]
    for tree in options.trees:
        lines += report(str(Path(tree).resolve()), options.queries, options.seed)
    text = "\n".join(lines) + "\n"
    if options.out is not None:
        options.out.write_text(text, "utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
