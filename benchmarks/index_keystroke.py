"""What does a keystroke in a long file cost the index? Markdown on stdout.

    python -m benchmarks.index_keystroke FILE... [--places 8] [--breaks 60] [--out FILE.md]

Each file is cut or repeated to 5,000 lines. Statements are typed into the middle of functions,
character by character without a pause, which is harder than a person types. A second table breaks
each file at random and counts the symbols, outside of the definition that was broken, that the
index still knows: in the open document, and when the broken text is read afresh. Milliseconds are
of processor time.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from indexer import ByteEdit, Document, extract, language_of

LINES = 5_000
TYPED = {
    "python": "\n    value = compute(first, second)\n    for item in value.items():"
    '\n        total += item\n    return f"{total}"\n',
}
TYPED_ELSEWHERE = '\nvalue = compute(first, second);\nif (value) { total += item["key"]; }\n'
BREAKS = ("(", ")", "{", "}", "[", '"', "'", '"""', "/*", "`", "delete a bracket", "delete a line")


def long_text(path: str) -> bytes:
    lines = Path(path).read_bytes().splitlines()
    while len(lines) < LINES:
        lines += lines
    return b"\n".join(lines[:LINES]) + b"\n"


def document(path: str, text: bytes) -> Document:
    opened = Document(path, language_of(path), 0, text, len(text) + 100_000)
    assert opened.facts is not None, f"{path} is not in a known language"
    return opened


def places(opened: Document, count: int, rng: random.Random) -> list[int]:
    """Ends of lines inside of functions."""
    assert opened.facts is not None
    functions = [symbol for symbol in opened.facts.symbols if symbol.kind in ("function", "method")]
    inside = [symbol for symbol in functions if symbol.end_line > symbol.start_line + 1]
    chosen = rng.sample(inside, min(count, len(inside)))
    ends = [opened.text.index(b"\n", symbol.signature_end) for symbol in chosen]
    return sorted(set(ends), reverse=True)


def keystrokes(path: str, count: int, rng: random.Random) -> tuple[list[float], list[float]]:
    """Milliseconds of the edit with the parse, and of both with the facts."""
    opened = document(path, long_text(path))
    assert opened.language is not None
    typed = TYPED.get(opened.language.name, TYPED_ELSEWHERE)
    parses, totals = [], []
    for place in places(opened, count, rng):
        for offset, character in enumerate(typed, place):
            start = time.process_time()
            opened.edit(1, (ByteEdit(offset, offset, character),))
            _ = opened.tree
            parsed = time.process_time()
            _ = opened.facts
            parses.append(1e3 * (parsed - start))
            totals.append(1e3 * (time.process_time() - start))
    return parses, totals


def broken(text: bytes, rng: random.Random) -> ByteEdit:
    how = rng.choice(BREAKS)
    if how == "delete a bracket":
        brackets = [at for at, byte in enumerate(text) if byte in b"()[]{}"]
        at = rng.choice(brackets) if brackets else 0
        return ByteEdit(at, at + 1, "")
    at = rng.randrange(len(text))
    line = text.rfind(b"\n", 0, at) + 1
    end = text.find(b"\n", line)
    if how == "delete a line":
        return ByteEdit(line, end + 1 if end >= 0 else len(text), "")
    return ByteEdit(end, end, how)


def survival(path: str, count: int, rng: random.Random) -> tuple[int, int, int]:
    """Symbols outside of what was broken; those of them the document kept; those read afresh."""
    language, text = language_of(path), Path(path).read_bytes()
    assert language is not None
    wanted = kept = afresh = 0
    for _ in range(count):
        opened = document(path, text)
        assert opened.facts is not None
        before = opened.facts.symbols
        edit = broken(text, rng)
        around = [one.index for one in before if one.start <= edit.end and edit.start <= one.end]
        innermost = max(around, default=-1)
        opened.edit(1, (edit,))
        shift = len(edit.text) - (edit.end - edit.start)
        outside = {
            (one.name, one.name_start + (shift if one.name_start >= edit.end else 0))
            for one in before
            if one.index != innermost
            and not edit.start <= one.name_start < edit.end
            and one.name_end != edit.start
        }
        wanted += len(outside)
        for facts, read in ((opened.facts, 0), (extract(path, language, opened.text), 1)):
            assert facts is not None
            found = len(outside & {(one.name, one.name_start) for one in facts.symbols})
            kept, afresh = kept + found * (1 - read), afresh + found * read
    return wanted, kept, afresh


def row(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    cells = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 1)]
    return f"| {name} | {len(values)} | {' | '.join(f'{cell:.2f}' for cell in cells)} |"


def report(paths: list[str], count: int, breaks: int, seed: int) -> Iterator[str]:
    yield "# A keystroke in a file of 5,000 lines\n"
    yield f"`python -m benchmarks.index_keystroke FILE... --places {count} --breaks {breaks}`\n"
    load = os.getloadavg()[0]
    yield (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f} at the start,"
        f" Python {platform.python_version()}, tree-sitter {version('tree-sitter')}."
        " Milliseconds of processor time.\n"
    )
    yield "| edit, reparse, facts ready | times | p50 | p95 | max |\n|---|---|---|---|---|"
    for path in paths:
        parses, totals = keystrokes(path, count, random.Random(seed))
        yield row(f"{Path(path).name}: edit and parse", parses)
        yield row(f"{Path(path).name}: with all facts", totals)
    yield "\n| broken at random | symbols outside | kept while open | read afresh |"
    yield "|---|---|---|---|"
    for path in paths:
        wanted, kept, afresh = survival(path, breaks, random.Random(seed))
        shares = f"{100 * kept / wanted:.2f} % | {100 * afresh / wanted:.2f} %"
        yield f"| {Path(path).name} | {wanted} | {shares} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--places", type=int, default=8)
    parser.add_argument("--breaks", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    lines: list[str] = []
    for line in report(arguments.files, arguments.places, arguments.breaks, arguments.seed):
        lines.append(line)
        print(line, flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
