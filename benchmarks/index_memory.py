"""Is the memory cap honoured? Very many small files, and what the index of them takes.

    python -m benchmarks.index_memory [--files 1000000] [--cap 200] [--server] [--out FILE.md]

Each file defines one function under a name of its own and calls another. The files are written to a
temporary folder. What is measured is `lsp-server index`, or with `--server` the whole server, which
is asked for inline completions all the while, as benchmarks/index_loop.py does. "Took" is the peak
of the process less that of one that indexes an empty folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.index_loop import lateness, measured

ROOT = Path(__file__).resolve().parents[1]
FOLDER_FILES = 200


def write_files(root: Path, count: int) -> None:
    for first in range(0, count, FOLDER_FILES):
        folder = root / f"package_{first // FOLDER_FILES}"
        folder.mkdir()
        for number in range(first, min(count, first + FOLDER_FILES)):
            text = f"def name_{number}(a, b):\n    return other_{number // 7}(a) + b\n"
            (folder / f"module_{number}.py").write_text(text)


def index(root: Path, cap: int) -> dict[str, Any]:
    """What `lsp-server index` reports, with a cap in megabytes."""
    command = [sys.executable, "-m", "lsp_server", "index", str(root), "--json", "--no-store"]
    command += ["--set", f"index.maxMemoryMb={cap}"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def by_command(empty: Path, full: Path, cap: int) -> Iterator[str]:
    base, found = index(empty, cap), index(full, cap)
    took = found["peak_bytes"]["parent"] - base["peak_bytes"]["parent"]
    reasons = Counter(each["reason"] for each in found["skipped"])
    yield f"- {found['files']} of them indexed."
    yield (
        f"- Took {took / 1e6:.0f} MB, the list of what was left out included; the cap is"
        f" {cap} MB and holds for tables and facts."
    )
    yield f"- A worker took {found['peak_bytes']['worker'] / 1e6:.0f} MB."
    yield f"- {found['cpu_seconds']['all']:.1f} s of CPU."
    for reason, count in reasons.most_common():
        yield f"- {count} left out: {reason}."


def by_server(empty: Path, full: Path, cap: int) -> Iterator[str]:
    base, _ = measured(empty, True, {"maxMemoryMb": cap})
    seen, gaps = measured(full, True, {"maxMemoryMb": cap})
    took = seen.peak_bytes - base.peak_bytes
    seconds = seen.index_ended - seen.index_began
    yield f"- The server told of {seen.files or 'no files'} in {seconds:.0f} s of wall time."
    yield (
        f"- It took {took / 1e6:.0f} MB beyond the {base.peak_bytes / 1e6:.0f} MB that it takes for"
        f" an empty folder; the cap is {cap} MB and holds for tables and facts."
    )
    yield f"- Its workers together took {seen.worker_bytes / 1e6:.0f} MB."
    yield (
        f"- {seen.answered} of {seen.asked} requests for inline completions were answered"
        f" meanwhile, {seen.suggestions} of them with a suggestion, the slowest after"
        f" {seen.slowest:.2f} s.\n"
    )
    yield from lateness(seen, gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--cap", type=int, default=200, help="megabytes")
    parser.add_argument("--server", action="store_true", help="the whole server, not the command")
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    server = " --server" if arguments.server else ""
    how = f"--files {arguments.files} --cap {arguments.cap}{server}"
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Path(folder, "empty"), Path(folder, "full")
        empty.mkdir()
        full.mkdir()
        start = time.perf_counter()
        write_files(full, arguments.files)
        written = time.perf_counter() - start
        lines = [
            "# Memory of the index\n",
            f"`python -m benchmarks.index_memory {how}`\n",
            f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the"
            f" start, Python {platform.python_version()}.\n",
            f"- {arguments.files} files, written in {written:.0f} s.",
            *(by_server if arguments.server else by_command)(empty, full, arguments.cap),
        ]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
