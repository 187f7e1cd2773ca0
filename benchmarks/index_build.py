"""What do all facts of a text cost beside parsing it? Markdown on stdout.

    python -m benchmarks.index_build TREE... [--rounds 3] [--megabytes 8] [--out FILE.md]

Files are read first, at most so many megabytes a language, each of up to 300 kB. "parse" is
py-tree-sitter alone, "native parse" the core that the index has compiled in, "facts" the whole
extraction: parse, symbols, references, imports, chunks with their terms, secrets. Seconds are of
processor time in one process, of the round that was fastest. What walking, storing and sorting into
tables cost besides is told by `index_warm`.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from indexer import Language, extract, language_of

MAX_BYTES = 300_000


def texts(trees: list[str], limit: int) -> dict[str, tuple[Language, list[bytes]]]:
    """By language."""
    found: dict[str, list[bytes]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    known: dict[str, Language] = {}
    for tree in trees:
        for path in sorted(Path(tree).rglob("*")):
            language = language_of(path.name)
            if language is None or path.is_symlink() or not path.is_file():
                continue
            size = path.stat().st_size
            if size <= MAX_BYTES and sizes[language.name] + size <= limit:
                sizes[language.name] += size
                known[language.name] = language
                found[language.name].append(path.read_bytes())
    return {name: (known[name], found[name]) for name in sorted(found)}


def fastest(rounds: int, work: Callable[[bytes], object], over: list[bytes]) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for text in over:
            work(text)
        times.append(time.process_time() - start)
    return min(times)


def report(trees: list[str], rounds: int, megabytes: int) -> Iterator[str]:
    yield "# All facts of a text, beside parsing it\n"
    yield f"`python -m benchmarks.index_build TREE... --rounds {rounds} --megabytes {megabytes}`\n"
    load = os.getloadavg()[0]
    yield (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f} at the start,"
        f" Python {platform.python_version()}, tree-sitter {version('tree-sitter')}.\n"
    )
    yield "| language | files | MB | parse s | native parse s | facts s | facts / parse |"
    yield "|---|---|---|---|---|---|---|"
    whole = [0.0, 0.0, 0.0]
    for name, (language, all_texts) in texts(trees, megabytes * 1_000_000).items():
        extract("warm", language, b"")  # compiles the query
        size = sum(map(len, all_texts)) / 1e6
        times = [
            fastest(rounds, language.parse, all_texts),
            fastest(rounds, language.native.parse, all_texts),
            fastest(rounds, lambda text, of=language: extract("file", of, text), all_texts),
        ]
        whole = [total + one for total, one in zip(whole, times, strict=True)]
        cells = " | ".join(f"{one:.3f}" for one in times)
        yield f"| {name} | {len(all_texts)} | {size:.1f} | {cells} | {times[2] / times[0]:.2f} |"
    cells = " | ".join(f"{one:.3f}" for one in whole)
    yield f"| all | | | {cells} | {whole[2] / max(whole[0], 1e-9):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("trees", nargs="+", metavar="TREE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=8)
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    lines: list[str] = []
    for line in report(arguments.trees, arguments.rounds, arguments.megabytes):
        lines.append(line)
        print(line, flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
