"""What does a keystroke in a long file cost the index? Markdown on stdout.

    python -m benchmarks.index_keystroke FILE... [--tree TREE] [--places 8] [--breaks 60]
        [--out FILE.md]

A file with less than 5,000 lines is repeated as a whole until it has them: cut anywhere, it would
be broken before anybody types. Statements are typed into the middle of functions, character by
character without a pause, which is harder than a person types. With `--tree` the first file is
typed into once more, with all files of that tree in the same index. A last table breaks each file
at random and counts the symbols, outside of the definition that was broken, that the index still
knows: in the open document, and when the broken text is read afresh. Milliseconds are of processor
time.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import time
from collections.abc import Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from indexer import (
    ByteEdit,
    Crawler,
    Document,
    Edit,
    Index,
    IndexConfig,
    Open,
    extract,
    language_of,
    syntax_errors,
)

LINES = 5_000
TYPED = {
    "python": "\n    value = compute(first, second)\n    for item in value.items():"
    '\n        total += item\n    return f"{total}"\n',
}
TYPED_ELSEWHERE = '\nvalue = compute(first, second);\nif (value) { total += item["key"]; }\n'
BREAKS = ("(", ")", "{", "}", "[", '"', "'", '"""', "/*", "`", "delete a bracket", "delete a line")


def long_text(path: str) -> bytes:
    text = once = Path(path).read_bytes()
    while text.count(b"\n") < LINES:
        text += once
    return text


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


STAGES = ("edit", "parse", "facts", "tables")


def keystrokes(index: Index, path: str, count: int, rng: random.Random) -> list[list[float]]:
    """Milliseconds of each stage, and of all of them together, for each key."""
    index.apply(Open(path, None, 0, long_text(path)))
    index.facts(path)
    opened = index.document(path)
    assert opened is not None and opened.language is not None
    typed = TYPED.get(opened.language.name, TYPED_ELSEWHERE)
    times: list[list[float]] = []
    for place in places(opened, count, rng):
        for offset, character in enumerate(typed, place):
            marks = [time.thread_time()]
            index.apply(Edit(path, 1, (ByteEdit(offset, offset, character),)))
            marks.append(time.thread_time())
            _ = opened.tree
            marks.append(time.thread_time())
            _ = opened.facts
            marks.append(time.thread_time())
            index.facts(path)
            marks.append(time.thread_time())
            times.append([1e3 * (end - start) for start, end in pairwise(marks)])
            times[-1].append(1e3 * (marks[-1] - marks[0]))
    return times


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


def row(index: Index, path: str, count: int, seed: int, note: str = "") -> str:
    language, text = language_of(path), long_text(path)
    assert language is not None
    times = keystrokes(index, path, count, random.Random(seed))
    columns = [sorted(column) for column in zip(*times, strict=True)]
    last = len(times) - 1
    cells = [column[last // 2] for column in columns[:-1]]
    cells += [columns[-1][min(last, int(share * len(times)))] for share in (0.5, 0.95, 1)]
    shown = " | ".join(f"{cell:.2f}" for cell in cells)
    lines, errors = text.count(b"\n"), syntax_errors(language.name, text)
    return f"| {Path(path).name}{note} | {lines} | {errors} | {len(times)} | {shown} |"


def index_of(tree: Path) -> Index:
    index = Index(IndexConfig(), (str(tree),))
    crawler = Crawler(index.rules)
    for batch in crawler.crawl():
        index.apply_found(tuple(crawler.current(batch)))
    return index


def report(
    paths: list[str], tree: Path | None, count: int, breaks: int, seed: int
) -> Iterator[str]:
    yield "# A keystroke in a file of 5,000 lines\n"
    more = " --tree TREE" if tree else ""
    how = f"FILE...{more} --places {count} --breaks {breaks}"
    yield f"`python -m benchmarks.index_keystroke {how}`\n"
    load = os.getloadavg()[0]
    yield (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f} at the start,"
        f" Python {platform.python_version()}, tree-sitter {version('tree-sitter')}."
        " Milliseconds of processor time; each stage at its own p50.\n"
    )
    yield f"| file | lines | errors | keys | {' | '.join(STAGES)} | all: p50 | p95 | max |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for path in paths:
        yield row(Index(IndexConfig(), (str(Path(path).resolve().parent),)), path, count, seed)
    if tree is not None:
        index = index_of(tree.resolve())
        status = index.status()
        note = f", among {status.files} files with {status.symbols} symbols"
        yield row(index, paths[0], count, seed, note)
    yield "\n| broken at random | symbols outside | kept while open | read afresh |"
    yield "|---|---|---|---|"
    for path in paths:
        wanted, kept, afresh = survival(path, breaks, random.Random(seed))
        shares = f"{100 * kept / wanted:.2f} % | {100 * afresh / wanted:.2f} %"
        yield f"| {Path(path).name} | {wanted} | {shares} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--tree", type=Path, help="a repository to type in the midst of")
    parser.add_argument("--places", type=int, default=8)
    parser.add_argument("--breaks", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    lines: list[str] = []
    files = [str(Path(file).resolve()) for file in arguments.files]
    what = files, arguments.tree, arguments.places, arguments.breaks, arguments.seed
    for line in report(*what):
        lines.append(line)
        print(line, flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
