"""Is the server's event loop ever blocked while it indexes? A probe inside of the loop; Markdown.

    python -m benchmarks.index_loop TREE [--without-model] [--out FILE.md]

A real server process indexes the tree; the client asks for inline completions meanwhile. A task in
the server's loop asks to be woken every millisecond and notes how late it was. On a machine that
others use a wake-up is late for their sake too, so beside the wall time it notes how much processor
time the server's own threads took during the gap: the lesser of both is what the server did itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsp_server import transport
from lsp_server.wire import BadFrame, FrameReader, frame

TICK = 0.001
LIMIT_MS = 10.0
ASK_EVERY = 0.25


async def probe(gaps: list[tuple[float, float, float, float]]) -> None:
    """Notes (time of day, ms late, ms of all threads, ms of the loop's thread) for each tick."""
    while True:
        wall, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
        await asyncio.sleep(TICK)
        gaps.append(
            (
                time.time(),
                1e3 * (time.perf_counter() - wall - TICK),
                1e3 * (time.process_time() - cpu),
                1e3 * (time.thread_time() - own),
            )
        )


def serve(file: Path) -> None:
    """The server as `lsp-server --stdio` starts it, with the probe beside it."""
    gaps: list[tuple[float, float, float, float]] = []
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    async def run() -> None:
        task = asyncio.create_task(probe(gaps))
        await transport.serve_stdio(0, wire)
        task.cancel()

    asyncio.run(run())
    file.write_text(json.dumps(gaps))


@dataclass
class Seen:
    """What the client saw."""

    index_began: float = 0.0
    index_ended: float = 0.0
    files: str = ""
    asked: int = 0
    answered: int = 0
    suggestions: int = 0
    slowest: float = 0.0
    peak_bytes: int = 0  # of the server
    worker_bytes: int = 0  # of all its workers together, at their largest


class Editor:
    """The client's end: sends requests, answers those of the server, notes the progress."""

    def __init__(self, process: asyncio.subprocess.Process, seen: Seen) -> None:
        self._process = process
        self._seen = seen
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._jobs: dict[Any, str] = {}
        self.ended = asyncio.Event()

    def send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(frame(json.dumps({"jsonrpc": "2.0", **message}).encode()))

    async def ask(self, method: str, params: Any) -> Any:
        number = len(self._waiting) + 1
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self.send(id=number, method=method, params=params)
        return await self._waiting[number]

    async def read(self) -> None:
        assert self._process.stdout is not None
        reader = FrameReader()
        while data := await self._process.stdout.read(1 << 16):
            reader.feed(data)
            for body in reader.messages():
                if not isinstance(body, BadFrame):
                    self._take(json.loads(body))

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            self.send(id=message["id"], result=None)
        elif message.get("method") == "$/progress":
            self._progress(message["params"]["token"], message["params"]["value"])
        elif "id" in message and not self._waiting[message["id"]].done():
            self._waiting[message["id"]].set_result(message.get("result"))

    def _progress(self, token: Any, value: dict[str, Any]) -> None:
        if value["kind"] == "begin":
            self._jobs[token] = value["title"]
        if not self._jobs.get(token, "").endswith("index"):
            return
        self._seen.files = value.get("message") or self._seen.files
        if value["kind"] == "end":
            self._seen.index_ended = time.time()
            self.ended.set()


def children_of(process: int) -> list[int]:
    """Processes that a process has started; none where the system does not tell."""
    found: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found


def memory_of(process: int, what: str) -> int:
    """Bytes, as the system calls them: VmRSS now, VmHWM at the peak; 0 where it does not tell."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith(what)).split()[1])
    return 0


async def drive(
    tree: Path, command: list[str], model: bool, index: dict[str, Any] | None = None
) -> Seen:
    """Starts the server, lets it index the tree under some settings, and asks meanwhile."""
    seen = Seen()
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24
    )
    editor = Editor(process, seen)
    reading = asyncio.create_task(editor.read())
    capabilities = {
        "textDocument": {"inlineCompletion": {}},
        "window": {"workDoneProgress": True},
        "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}},
    }
    options: dict[str, Any] = {"index": {"cacheMb": 0} | (index or {})}
    if not model:
        options["engine"] = {"bundle": "/nowhere"}
    await editor.ask(
        "initialize",
        {
            "processId": os.getpid(),
            "rootUri": tree.as_uri(),
            "capabilities": capabilities,
            "initializationOptions": options,
        },
    )
    seen.index_began = time.time()
    editor.send(method="initialized", params={})
    uri = (tree / "typed_here.py").as_uri()
    text = "import os\n\n\ndef size_of(path):\n    return os."
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    editor.send(method="textDocument/didOpen", params={"textDocument": document})
    while not editor.ended.is_set():
        began = time.perf_counter()
        seen.asked += 1
        answer = await editor.ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": 4, "character": 14},
                "context": {"triggerKind": 2},
            },
        )
        if not editor.ended.is_set():
            seen.answered += answer is not None
            seen.suggestions += bool(answer and answer["items"])
            seen.slowest = max(seen.slowest, time.perf_counter() - began)
            workers = sum(memory_of(child, "VmRSS") for child in children_of(process.pid))
            seen.worker_bytes = max(seen.worker_bytes, workers)
            await asyncio.sleep(ASK_EVERY)
    seen.peak_bytes = memory_of(process.pid, "VmHWM")
    await editor.ask("shutdown", None)
    editor.send(method="exit")
    await process.wait()
    await reading
    return seen


def report(tree: Path, seen: Seen, gaps: list[list[float]], model: bool) -> Iterator[str]:
    yield "# The event loop while indexing\n"
    yield f"`python -m benchmarks.index_loop TREE{'' if model else ' --without-model'}`\n"
    yield (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end,"
        f" Python {platform.python_version()}; {tree.name}, {seen.files or 'no files'}.\n"
    )
    seconds = seen.index_ended - seen.index_began
    yield (
        f"Indexing took {seconds:.1f} s of wall time; {seen.answered} of {seen.asked} requests for"
        f" inline completions were answered meanwhile, {seen.suggestions} of them with a"
        f" suggestion, the slowest after {seen.slowest:.2f} s.\n"
    )
    yield from lateness(seen, gaps)


def lateness(seen: Seen, gaps: list[list[float]]) -> Iterator[str]:
    """A table of how late the loop was woken while the index was built; what began before that,
    the answer to `initialize`, does not count."""
    began, ended = seen.index_began, seen.index_ended
    inside = [gap for gap in gaps if began <= gap[0] - TICK - gap[1] / 1e3 and gap[0] <= ended]
    yield "| milliseconds late | wake-ups | p50 | p99 | p99.9 | max | above 10 |"
    yield "|---|---|---|---|---|---|---|"
    columns = {
        "wall time": [late for _, late, _, _ in inside],
        "of that, processor time of the server": [min(late, cpu) for _, late, cpu, _ in inside],
        "of that, the loop's own": [min(late, own) for _, late, _, own in inside],
    }
    for name, values in columns.items():
        ordered = sorted(max(0.0, value) for value in values)
        last = len(ordered) - 1
        cells = [ordered[min(last, int(at * len(ordered)))] for at in (0.5, 0.99, 0.999)]
        over = sum(value > LIMIT_MS for value in ordered)
        yield (
            f"| {name} | {len(ordered)} | {' | '.join(f'{cell:.2f}' for cell in cells)} |"
            f" {ordered[-1]:.2f} | {over} |"
        )


def measured(
    tree: Path, model: bool, index: dict[str, Any] | None = None
) -> tuple[Seen, list[list[float]]]:
    """What the client saw, and what the probe noted, while a server indexed a tree."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "gaps.json")
        command = [sys.executable, "-m", "benchmarks.index_loop", str(tree), "--probe", str(file)]
        seen = asyncio.run(drive(tree, command, model, index))
        return seen, json.loads(file.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("tree", metavar="TREE", type=Path)
    parser.add_argument("--without-model", action="store_true")
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    parser.add_argument("--probe", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.probe:
        serve(arguments.probe)
        return
    tree = arguments.tree.resolve()
    seen, gaps = measured(tree, not arguments.without_model)
    lines = list(report(tree, seen, gaps, not arguments.without_model))
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
