"""What does an index cost, cold and warm? Side by side with parsing alone, ctags and Aider's map.

    python -m benchmarks.index_warm TREE... [--rounds 3] [--aider PYTHON] [--out FILE.md]

Every figure is of fresh processes, and of the round that was fastest; CPU seconds count worker
processes too. "cold" keeps nothing and uses nothing, "cold, kept" fills a store, "warm" finds all
of it. Parsing alone reads and parses the same files with the same grammars in one process: what no
index with these grammars can be faster than. PYTHON is that of an environment with aider-chat.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PARSE = """
import sys, time
from indexer.language import language_of
start = time.process_time()
for path in sys.stdin.buffer.read().split(b"\\0"):
    name = path.decode("utf-8", "surrogateescape")
    with open(name, "rb") as file:
        language_of(name).parse(file.read())
print(time.process_time() - start)
"""
AIDER = """
import sys, time, os
from aider.io import InputOutput
from aider.models import Model
from aider.repomap import RepoMap
class Count:
    def token_count(self, text):
        return len(text) / 4
root, paths = sys.argv[1], sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\\0")
start = time.process_time()
found = RepoMap(map_tokens=1024, root=root, main_model=Count(), io=InputOutput(yes=True)
    ).get_repo_map([], paths)
print(time.process_time() - start)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of `lsp-server index`."""

    cpu: float
    wall: float
    process_cpu: float  # with the start of the interpreter and its imports
    report: dict[str, Any]


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def index(tree: str, *options: str) -> Run:
    before = children_seconds()
    command = [sys.executable, "-m", "lsp_server", "index", tree, "--json", *options]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    cpu = report["cpu_seconds"]["all"]
    return Run(cpu, report["seconds"], children_seconds() - before, report)


def paths_of(tree: str) -> list[str]:
    """The files that the index takes."""
    code = (
        "import sys; from indexer import *; from indexer.walk import *\n"
        "for batch in Crawler(Rules((sys.argv[1],), IndexConfig(max_file_bytes=512*1024))).crawl():"
        "\n    for change in batch.changes: sys.stdout.write(change.path + '\\0')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tree], cwd=ROOT, check=True, capture_output=True
    )
    return sorted(done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1])


def seconds_of(command: list[str], paths: list[str]) -> float:
    """What a program says that it took for some files."""
    given = "\0".join(paths).encode("utf-8", "surrogateescape")
    done = subprocess.run(command, input=given, check=True, cwd=ROOT, capture_output=True)
    return float(done.stdout.split()[-1])


def ctags(paths: list[str]) -> float | None:
    program = shutil.which("ctags")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "files")
        listed.write_text("\n".join(paths))
        before = children_seconds()
        command = [program, "-L", str(listed), "-f", str(Path(folder, "tags"))]
        subprocess.run(command, check=True, capture_output=True)
        return children_seconds() - before


def aider(python: str, tree: str, paths: list[str]) -> float:
    """CPU seconds of a first map of 1024 tokens; the cache that it keeps in the tree is removed."""
    caches = Path(tree).glob(".aider.tags.cache*")
    try:
        return seconds_of([python, "-c", AIDER, tree], paths)
    finally:
        for cache in caches:
            shutil.rmtree(cache)


def first_answer(tree: str, store: str) -> float:
    """Wall seconds of a whole process that starts warm and answers one question."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "lsp_server", "index", tree, "--store", store]
    subprocess.run([*command, "--symbols", "request"], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


def report_tree(tree: str, rounds: int, aider_python: str | None) -> Iterator[str]:
    paths = paths_of(tree)
    size = sum(Path(path).stat().st_size for path in paths) / 1e6
    cold: list[Run] = []
    kept: list[Run] = []
    warm: list[Run] = []
    parse: list[float] = []
    answers: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            store = str(Path(folder, str(number)))
            parse.append(seconds_of([sys.executable, "-c", PARSE], paths))
            cold.append(index(tree, "--no-store"))
            kept.append(index(tree, "--store", store))
            index(tree, "--store", store)  # files that were too young to be trusted are now not
            warm.append(index(tree, "--store", store))
            answers.append(first_answer(tree, store))
        stored = sum(file.stat().st_size for file in Path(folder, "0").iterdir()) / 1e6
    floor = min(parse)
    best = [min(runs, key=lambda run: run.cpu) for runs in (cold, kept, warm)]
    counts = best[0].report
    yield (
        f"## {Path(tree).name}: {len(paths)} files, {size:.1f} MB, {counts['symbols']} symbols,"
        f" {counts['references']} references\n"
    )
    yield "| | CPU s | x parsing | x cold | wall s | wall / CPU | parent MB | worker MB |"
    yield "|---|---|---|---|---|---|---|---|"
    yield f"| parsing alone | {floor:.2f} | 1.00 | {floor / best[0].cpu:.2f} | | | | |"
    for name, run in zip(("cold", f"cold, kept ({stored:.0f} MB)", "warm"), best, strict=True):
        peak = run.report["peak_bytes"]
        yield (
            f"| {name} | {run.cpu:.2f} | {run.cpu / floor:.2f} | {run.cpu / best[0].cpu:.3f} |"
            f" {run.wall:.2f} | {run.wall / run.cpu:.2f} | {peak['parent'] / 1e6:.0f} |"
            f" {peak['worker'] / 1e6:.0f} |"
        )
    tags = ctags(paths)
    if tags is not None:
        yield f"| universal-ctags, definitions only | {tags:.2f} | {tags / floor:.2f} | | | | | |"
    if aider_python:
        seconds = aider(aider_python, tree, paths)
        yield (
            f"| Aider's repository map, first | {seconds:.2f} | {seconds / floor:.2f} |"
            f" {seconds / best[0].cpu:.2f} | | | | |"
        )
    yield ""
    for name, run in zip(("cold", "cold, kept", "warm"), best, strict=True):
        phases = run.report["cpu_seconds"]
        rest = phases["all"] - sum(value for phase, value in phases.items() if phase != "all")
        told = ", ".join(
            f"{phase} {value:.2f}" for phase, value in phases.items() if phase != "all"
        )
        yield f"- {name}: {told}, rest {rest:.2f} s of CPU."
    yield (
        f"- warm, a whole process with its start and one question: {min(answers):.2f} s wall, "
        f"of which the index {best[2].wall:.2f} s.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("trees", nargs="+", metavar="TREE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--aider", metavar="PYTHON", help="also measure Aider's repository map")
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    lines = [
        "# Index, cold and warm\n",
        f"`python -m benchmarks.index_warm TREE... --rounds {arguments.rounds}`\n",
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start,"
        f" Python {platform.python_version()}, tree-sitter {version('tree-sitter')}.\n",
    ]
    print("\n".join(lines), flush=True)
    for tree in arguments.trees:
        for line in report_tree(str(Path(tree).resolve()), arguments.rounds, arguments.aider):
            lines.append(line)
            print(line, flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
