"""How fast is the index? Cold crawl, keystrokes in a long file, retrieval; Markdown on stdout.

    python -m benchmarks.index TREE... [--workers 2] [--queries 300] [--seed 0] [--out FILE.md]

CPU seconds and milliseconds are this process's and its workers' own, so that other work on the
machine changes them little; wall times are marked as such. If universal-ctags is on the path, it
reads the same files in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from indexer import ByteEdit, Close, Crawler, Edit, FileFound, Index, IndexConfig, Open

TYPED = (
    "\n    value = compute(first, second)",
    "\n    for item in value.items():\n        total += item",
    '\n    return f"{total}"\n',
)
LONG_LINES = 5_000


@dataclass
class Times:
    """Milliseconds of many like events."""

    values: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def row(self, name: str) -> str:
        cells = [f"{self.at(share):.2f}" for share in (0.5, 0.95, 1.0)]
        return f"| {name} | {len(self.values)} | {' | '.join(cells)} |"


@dataclass
class Crawled:
    index: Index
    files: int
    megabytes: float
    wall: float
    cpu: float  # of this process and its workers
    apply: Times


def cpu_seconds() -> float:
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def crawl(tree: str, workers: int) -> Crawled:
    index = Index(IndexConfig(workers=workers), (tree,))
    apply = Times()
    size = 0
    wall, cpu = time.perf_counter(), cpu_seconds()
    for batch in Crawler(index.rules).crawl():
        for change in batch.changes:
            start = time.process_time()
            index.apply(change)
            apply.values.append(1e3 * (time.process_time() - start))
            if isinstance(change, FileFound):
                size += change.facts.size
    return Crawled(
        index,
        index.status().files,
        size / 1e6,
        time.perf_counter() - wall,
        cpu_seconds() - cpu,
        apply,
    )


def ctags(paths: list[str]) -> tuple[float, int] | None:
    """CPU seconds of universal-ctags for the same files, and how many tags it wrote."""
    program = shutil.which("ctags")
    if program is None:
        return None
    about = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if "Universal Ctags" not in about:
        return None
    with tempfile.TemporaryDirectory() as folder:
        listed, tags = Path(folder, "files"), Path(folder, "tags")
        listed.write_text("\n".join(paths))
        before = cpu_seconds()
        subprocess.run(
            [program, "-L", str(listed), "-f", str(tags)], check=True, capture_output=True
        )
        return cpu_seconds() - before, len(tags.read_bytes().splitlines())


def long_text(index: Index) -> tuple[str, str]:
    """The Python file with the most definitions, cut or repeated to 5,000 lines."""
    python = [path for path in index.paths() if path.endswith(".py")]
    path = max(python, key=lambda path: len(index.symbols(path)))
    lines = Path(path).read_text("utf-8").splitlines()
    while len(lines) < LONG_LINES:
        lines += lines
    return path, "\n".join(lines[:LONG_LINES]) + "\n"


def keystrokes(index: Index, seed: int) -> tuple[Times, Times, int]:
    """Typing in the middle of functions: from the edit to facts that are up to date."""
    path, text = long_text(index)
    rng = random.Random(seed)
    encoded = text.encode()
    places = [match.start() for match in re.finditer(rb"\n +return ", encoded)]
    parse, facts = Times(), Times()
    version = 0
    index.apply(Open(path, None, version, text))
    index.symbols(path)
    for place in sorted(rng.sample(places, min(8, len(places))), reverse=True):
        offset = place
        for character in "".join(TYPED):
            version += 1
            start = time.process_time()
            index.apply(Edit(path, version, (ByteEdit(offset, offset, character),)))
            document = index.document(path)
            assert document is not None and document.tree is not None
            parsed = time.process_time()
            index.imports(path)
            parse.values.append(1e3 * (parsed - start))
            facts.values.append(1e3 * (time.process_time() - start))
            offset += len(character.encode())
    index.apply(Close(path))
    return parse, facts, len(encoded)


def cursors(index: Index, count: int, seed: int) -> Iterator[tuple[str, bytes, int]]:
    """Files with one line hidden and the cursor in its place."""
    rng = random.Random(seed)
    paths = sorted(path for path in index.paths() if Path(path).stat().st_size < 300_000)
    while count:
        path = rng.choice(paths)
        lines = Path(path).read_bytes().splitlines(keepends=True)
        if len(lines) < 30:
            continue
        line = rng.randrange(15, len(lines))
        indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())].rstrip(b"\r\n")
        before = b"".join(lines[:line]) + indent
        yield path, before + b"\n" + b"".join(lines[line + 1 :]), len(before)
        count -= 1


def retrieval(index: Index, count: int, seed: int) -> tuple[Times, Times]:
    needed, similar = Times(), Times()
    for path, text, offset in cursors(index, count, seed):
        index.apply(Open(path, None, 1, text))
        index.symbols(path)
        start = time.process_time()
        index.definitions_needed(path, offset, 8)
        middle = time.process_time()
        index.similar_chunks(path, offset, 4)
        needed.values.append(1e3 * (middle - start))
        similar.values.append(1e3 * (time.process_time() - middle))
        index.apply(Close(path))
    return needed, similar


def report(trees: list[str], workers: int, queries: int, seed: int) -> Iterator[str]:
    yield "# Index\n"
    options = f"--workers {workers} --queries {queries} --seed {seed}"
    yield f"`python -m benchmarks.index TREE... {options}`\n"
    load = os.getloadavg()[0]
    yield (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f} at the start,"
        f" Python {platform.python_version()}, tree-sitter {version('tree-sitter')}.\n"
    )
    for tree in trees:
        yield from report_tree(str(Path(tree).resolve()), workers, queries, seed)


def report_tree(tree: str, workers: int, queries: int, seed: int) -> Iterator[str]:
    done = crawl(tree, workers)
    status = done.index.status()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield f"## {Path(tree).name}: {done.files} files, {done.megabytes:.1f} MB\n"
    yield "| cold index | CPU s | MB/CPU s | wall s | symbols | chunks | peak RSS MB so far |"
    yield "|---|---|---|---|---|---|---|"
    yield (
        f"| {workers} workers | {done.cpu:.2f} | {done.megabytes / done.cpu:.1f} |"
        f" {done.wall:.2f} | {status.symbols} | {status.chunks} | {peak:.0f} |"
    )
    tags = ctags(sorted(done.index.paths()))
    if tags is not None:
        seconds, count = tags
        yield (
            f"| universal-ctags, definitions only | {seconds:.2f} | {done.megabytes / seconds:.1f}"
            f" | | {count} | | |"
        )
    yield "\n| milliseconds of CPU | times | p50 | p95 | max |\n|---|---|---|---|---|"
    yield done.apply.row("apply one crawled file")
    parse, facts, size = keystrokes(done.index, seed)
    yield parse.row(f"keystroke, {LONG_LINES} lines, {size // 1000} kB: edit and parse")
    yield facts.row("the same with facts, symbols and search brought up to date")
    needed, similar = retrieval(done.index, queries, seed)
    yield needed.row("definitions_needed, 8 snippets")
    yield similar.row("similar_chunks, 4 snippets")
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("trees", nargs="+", metavar="TREE")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    lines: list[str] = []
    for line in report(arguments.trees, arguments.workers, arguments.queries, arguments.seed):
        lines.append(line)
        print(line, flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines).rstrip() + "\n")
        print(json.dumps({"written": str(arguments.out)}), file=sys.stderr)


if __name__ == "__main__":
    main()
