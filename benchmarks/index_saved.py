"""How long after a file was saved do queries know of it? A real server; Markdown on stdout.

    python -m benchmarks.index_saved TREE [--saves 40] [--storm 1500] [--out FILE.md]

A copy of the tree is indexed. Then files are written, each with a function of a new name, and the
client asks `workspace/symbol` for that name until the server knows it: the time from the moment
when the file was written, or when the client told of it, to the answer. An answer that the server
knew already takes part of that time, which is given too. In a storm many other files of the tree
are rewritten at the same time, as by the checkout of a branch.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.index_loop import Editor, Seen

LIMIT_MS = 10.0
PAUSE, BETWEEN_QUESTIONS, PATIENCE = 0.2, 0.0005, 60.0
SETTLING = 3.0
"""Seconds after which watches are set, and what changed before has been looked for."""
TOLD_TOGETHER = 100
"""Changed files in one message, as editors group them."""


@dataclass
class Times:
    """Milliseconds of one way to learn of changes."""

    alone: list[float] = field(default_factory=list)  # an answer that was known before
    idle: list[float] = field(default_factory=list)
    storm: list[float] = field(default_factory=list)
    settled: float = 0.0  # from the end of the storm until the last file of it was known


class Client:
    """An editor that tells of changed files, or one that leaves watching to the server."""

    def __init__(self, tree: Path, tells: bool) -> None:
        self._tree = tree
        self._tells = tells
        self._names = 0

    async def run(self, saves: int, storm: int) -> Times:
        command = [sys.executable, "-m", "lsp_server", "--stdio"]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24
        )
        self._editor = Editor(process, Seen())
        reading = asyncio.create_task(self._editor.read())
        await self._begin()
        times = Times()
        name = await self._saved([])  # what is loaded for the first change does not count
        for _ in range(saves):
            times.alone.append(await self._asked(name, time.perf_counter()))
            await asyncio.sleep(PAUSE)
            name = await self._saved(times.idle)
        if storm:
            await self._storm(storm, times)
        await self._editor.ask("shutdown", None)
        self._editor.send(method="exit")
        await process.wait()
        await reading
        return times

    async def _begin(self) -> None:
        workspace: dict[str, Any] = {"symbol": {}}
        if self._tells:
            workspace["didChangeWatchedFiles"] = {"dynamicRegistration": True}
        await self._editor.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": self._tree.as_uri(),
                "capabilities": {"workspace": workspace, "window": {"workDoneProgress": True}},
                "initializationOptions": {
                    "index": {"cacheMb": 0},
                    "engine": {"bundle": "/nowhere"},
                },
            },
        )
        self._editor.send(method="initialized", params={})
        await self._editor.ended.wait()
        await asyncio.sleep(SETTLING)

    async def _saved(self, times: list[float], file: str = "saved.py") -> str:
        """Writes a file with a name that nothing else has, and waits until that is known."""
        self._names += 1
        name = f"saved_just_now_{self._names}"
        path = self._tree / file
        path.write_text(f"def {name}(one, other):\n    return one + other\n")
        written = time.perf_counter()
        self._tell([path])
        times.append(await self._asked(name, written))
        return name

    def _tell(self, files: list[Path]) -> None:
        if self._tells:
            changes = [{"uri": file.as_uri(), "type": 2} for file in files]
            self._editor.send(method="workspace/didChangeWatchedFiles", params={"changes": changes})

    async def _asked(self, name: str, since: float) -> float:
        """Milliseconds since a moment until the server knows a name."""
        while True:
            found: Any = await self._editor.ask("workspace/symbol", {"query": name})
            milliseconds = 1e3 * (time.perf_counter() - since)
            if any(symbol["name"] == name for symbol in found or ()):
                return milliseconds
            if milliseconds > 1e3 * PATIENCE:
                raise TimeoutError(f"{name} is not known after {PATIENCE:.0f} s")
            await asyncio.sleep(BETWEEN_QUESTIONS)

    async def _storm(self, count: int, times: Times) -> None:
        """Rewrites many files; meanwhile one is saved again and again."""
        files = list(islice(cycle(sorted(self._tree.rglob("*.py"))), count))
        rewriting = asyncio.create_task(self._rewrite(files))
        while not rewriting.done():
            await self._saved(times.storm)
            await asyncio.sleep(PAUSE / 4)
        last: list[float] = []
        await self._saved(last, "storm_is_over.py")
        times.settled = last[0]

    async def _rewrite(self, files: list[Path]) -> None:
        for start in range(0, len(files), TOLD_TOGETHER):
            some = files[start : start + TOLD_TOGETHER]
            await asyncio.to_thread(rewrite, some)
            self._tell(some)


def rewrite(files: list[Path]) -> None:
    for file in files:
        file.write_bytes(file.read_bytes() + b"\n# rewritten\n")


def row(name: str, values: list[float]) -> str:
    ordered = sorted(values) or [float("nan")]
    cells = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 1)]
    within = sum(value <= LIMIT_MS for value in ordered)
    shown = " | ".join(f"{cell:.1f}" for cell in cells)
    return f"| {name} | {len(values)} | {shown} | {within} |"


def report(tree: Path, saves: int, storm: int) -> Iterator[str]:
    yield "# From a saved file to queries that know it\n"
    yield f"`python -m benchmarks.index_saved TREE --saves {saves} --storm {storm}`\n"
    yield (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start,"
        f" Python {platform.python_version()}; {tree.name}. Milliseconds of wall time.\n"
    )
    yield f"| saved, until known | times | p50 | p95 | max | within {LIMIT_MS:.0f} |"
    yield "|---|---|---|---|---|---|"
    settled: list[str] = []
    for told in ("the client tells", "the server watches"):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "tree")
            shutil.copytree(tree, copy)
            times = asyncio.run(Client(copy, told == "the client tells").run(saves, storm))
        yield row(f"{told}: the question alone", times.alone)
        yield row(f"{told}: idle", times.idle)
        if storm:
            yield row(f"{told}: while {storm} others are rewritten", times.storm)
            settled.append(f"{told}: {times.settled:.0f} ms")
    if storm:
        yield f"\nA file that is saved right behind the storm is known after: {', '.join(settled)}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("tree", metavar="TREE", type=Path)
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--storm", type=int, default=1_500, help="writes of other files")
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    lines: list[str] = []
    for line in report(arguments.tree.resolve(), arguments.saves, arguments.storm):
        lines.append(line)
        print(line, flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
