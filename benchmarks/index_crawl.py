"""Do ignored files cost anything, and does a huge repository stay within its memory? Markdown.

    python -m benchmarks.index_crawl ignored [--files 2000] [--ignored 1600000] [--rounds 5]
    python -m benchmarks.index_crawl many [--files 100000] [--memory-mb 200]

Both make their own trees below --folder (by default the system's folder for temporary files) and
remove them. `ignored` links one file so many times below node_modules and below a folder that
.gitignore names, and crawls the same sources with and without them, by turns. `many` writes small
source files, each with names of its own, and crawls them under a limit of memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer import Crawler, Index, IndexConfig, Rules

LINKS_A_FILE = 50_000  # file systems bound how many names a file may have
FILES_A_FOLDER = 500
SOURCE = '''"""Module {number}: made to be indexed."""

import os
from pkg{other}.module{other} import Thing{other}, make_{other}


class Thing{number}(Thing{other}):
    """The thing of module {number}."""

    size: int = {number}

    def total_{number}(self, rate: float) -> float:
        return self.size * rate + len(os.sep)


def make_{number}(name: str) -> Thing{number}:
    thing = Thing{number}()
    thing.name = name
    return thing or make_{other}(name)
'''


def write_sources(root: Path, count: int) -> None:
    for number in range(count):
        folder = root / f"pkg{number // FILES_A_FOLDER}"
        if number % FILES_A_FOLDER == 0:
            folder.mkdir(parents=True)
        text = SOURCE.format(number=number, other=number * 7919 % count)
        (folder / f"module{number}.py").write_text(text)


def link_ignored(root: Path, count: int) -> None:
    """Names below two folders: one that the rules know, one that .gitignore names."""
    (root / ".gitignore").write_text("/data/\n")
    model = root / ".model"
    for number in range(count):
        if number % LINKS_A_FILE == 0:
            model.unlink(missing_ok=True)
            model.write_text("module.exports = 1;\n")
        top = "node_modules" if number % 2 else "data"
        folder = f"{root}/{top}/package{number // FILES_A_FOLDER}"
        if number % FILES_A_FOLDER < 2:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - a million times
        os.link(model, f"{folder}/file{number}.js")
    model.unlink(missing_ok=True)


@dataclass
class Cost:
    files: int
    wall: float
    cpu: float  # of this process and its workers


def cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def crawl(root: Path, workers: int) -> Cost:
    wall, cpu = time.perf_counter(), cpu_seconds()
    crawler = Crawler(Rules((str(root),), IndexConfig(workers=workers)))
    files = sum(len(batch.changes) for batch in crawler.crawl())
    return Cost(files, time.perf_counter() - wall, cpu_seconds() - cpu)


def ignored(root: Path, files: int, count: int, rounds: int, workers: int) -> Iterator[str]:
    write_sources(root / "with", files)
    write_sources(root / "without", files)
    link_ignored(root / "with", count)
    costs: dict[str, list[Cost]] = {"without": [], "with": []}
    for number in range(rounds):
        for name in ("without", "with") if number % 2 else ("with", "without"):
            costs[name].append(crawl(root / name, workers))
    yield f"## {files} source files and {count} ignored ones\n"
    yield "| medians of a crawl | files found | CPU s | wall s |"
    yield "|---|---|---|---|"
    for name, told in (("without", "sources alone"), ("with", "with the ignored files")):
        row = costs[name]
        cpu = statistics.median(cost.cpu for cost in row)
        wall = statistics.median(cost.wall for cost in row)
        yield f"| {told} | {row[0].files} | {cpu:.2f} | {wall:.2f} |"
    least = {name: min(cost.cpu for cost in row) for name, row in costs.items()}
    medians = {name: statistics.median(cost.cpu for cost in row) for name, row in costs.items()}
    change = 100 * (medians["with"] / medians["without"] - 1)
    yield (
        f"\nThe ignored files change the CPU time by {change:+.1f} % (medians of {rounds} rounds by"
        f" turns), the least times by {100 * (least['with'] / least['without'] - 1):+.1f} %.\n"
    )


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * resource.getpagesize() / 1e6


def many(root: Path, files: int, memory_mb: int, workers: int) -> Iterator[str]:
    write_sources(root, files)
    config = IndexConfig(workers=workers, max_memory_bytes=memory_mb * 1_000_000)
    index = Index(config, (str(root),))
    crawler = Crawler(index.rules)
    reasons: Counter[str] = Counter()
    before = peak = resident_mb()
    wall, cpu = time.perf_counter(), cpu_seconds()
    for batch in crawler.crawl():
        index.apply_found(tuple(crawler.current(batch)))
        reasons.update(reason for _, reason in batch.skipped)
        peak = max(peak, resident_mb())
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    workers_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield f"## {files} source files, at most {memory_mb} MB\n"
    yield "| files indexed | left out | MB allowed | MB taken | MB of a worker | CPU s | wall s |"
    yield "|---|---|---|---|---|---|---|"
    yield (
        f"| {index.status().files} | {sum(reasons.values())} | {memory_mb} | {peak - before:.0f} |"
        f" {workers_mb:.0f} | {cpu:.1f} | {wall:.1f} |\n"
    )
    for reason, count in reasons.most_common(3):
        yield f"- {count} left out: {reason}"
    began = time.perf_counter()
    name = f"make_{files // 2 % max(1, index.status().files)}"
    found = len(index.definitions_of(name))
    milliseconds = 1e3 * (time.perf_counter() - began)
    yield f"\n`definitions_of({name!r})`: {found} in {milliseconds:.2f} ms.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("what", choices=("ignored", "many"))
    parser.add_argument("--files", type=int)
    parser.add_argument("--ignored", type=int, default=1_600_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-mb", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to make the trees")
    parser.add_argument("--out", type=Path, help="add the Markdown to this file too")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="index_crawl-", dir=arguments.folder))
    machine = (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start,"
        f" Python {platform.python_version()}, {arguments.workers} workers.\n"
    )
    lines = [machine]
    try:
        if arguments.what == "ignored":
            lines += ignored(
                root,
                arguments.files or 2_000,
                arguments.ignored,
                arguments.rounds,
                arguments.workers,
            )
        else:
            lines += many(root, arguments.files or 100_000, arguments.memory_mb, arguments.workers)
    finally:
        shutil.rmtree(root)
    print("\n".join(lines))
    if arguments.out:
        with arguments.out.open("a") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
