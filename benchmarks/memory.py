"""How long does the repository memory take to build, to change and to ask?

    python benchmarks/memory.py [--tokens 1000000] [--steps 2000] [--bundle DIRECTORY] [--json FILE]

Documents are the Python files of the running interpreter's standard library, in the tokens of the
bundle's tokenizer; questions are asked at places in other files of it, the way a completion does:
one search, then one extension for each token that is written. A second table repeats the questions
with a quarter of the documents replaced since the parts were last merged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runtime.bundle import MANIFEST, TOKENIZER, default_bundle_path
from runtime.memory import MemoryLimits, RepositoryMemory
from runtime.mixture import Mixed, MixtureTable, copy_of
from runtime.tokenizer import Tokenizer

ANSWER = 24  # Tokens that a completion writes.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--bundle", type=Path, default=default_bundle_path())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    vocab_size = json.loads((options.bundle / MANIFEST).read_bytes())["config"]["vocab_size"]
    stored, open_files = corpus(options.bundle / TOKENIZER, options.tokens)
    report = measure(stored, open_files, vocab_size, options.steps)
    for name, value in report.items():
        print(f"{name:44} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def corpus(tokenizer_path: Path, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Documents of about `count` tokens together, and files that are not among them."""
    tokenizer = Tokenizer.from_file(tokenizer_path)
    stored, open_files, total = [], [], 0
    library = Path(sysconfig.get_paths()["stdlib"])
    for index, path in enumerate(sorted(library.rglob("*.py"))):
        if "site-packages" in path.parts or path.stat().st_size > 300_000:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        tokens = np.array(tokenizer.encode(text), np.int32)
        if index % 20 == 0 and len(tokens) > 300:
            open_files.append(tokens)
        else:
            stored.append(tokens)
            total += len(tokens)
        if total >= count:
            break
    return stored, open_files


def measure(
    stored: list[np.ndarray], open_files: list[np.ndarray], vocab_size: int, steps: int
) -> dict[str, object]:
    memory = RepositoryMemory(vocab_size, MemoryLimits(max_tokens=100_000_000))
    report: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": f"Python {platform.python_version()}, numpy {np.__version__}",
        "tokens": sum(map(len, stored)),
        "documents": len(stored),
        "vocabulary": vocab_size,
    }
    begin = time.perf_counter()
    for index, document in enumerate(stored):
        memory.put(str(index), document)
        memory.settle()
    report["crawl, settling after each file: seconds"] = round(time.perf_counter() - begin, 2)
    memory._compact()
    report["merge all parts: ms"] = milliseconds(memory._compact)
    memory.settle()
    report |= ask(memory, open_files, vocab_size, steps, "merged")
    report["replace a document, then search: ms"] = milliseconds(
        lambda: (memory.put("0", stored[0][::-1]), memory.matcher(None, stored[1][:50]))
    )
    for index in range(0, len(stored), 4):
        memory.put(str(index), np.roll(stored[index], 1))
    report |= ask(memory, open_files, vocab_size, steps, "a quarter replaced")
    return report


def ask(
    memory: RepositoryMemory, open_files: list[np.ndarray], vocab_size: int, steps: int, label: str
) -> dict[str, object]:
    """Time searches and steps: extend the matches, count the followers, mix into the logits."""
    rng = np.random.default_rng(0)
    table = MixtureTable()
    logits = rng.standard_normal(vocab_size).astype(np.float32)
    times: dict[str, list[float]] = {"search": [], "extend": [], "copy": [], "mix": [], "model": []}
    memory.matcher(None, open_files[0])  # What was put lately is sorted here, not in the first one.
    while len(times["extend"]) < steps:
        file = open_files[rng.integers(len(open_files))]
        cursor = int(rng.integers(100, len(file) - ANSWER))
        begin = time.perf_counter()
        matcher = memory.matcher(None, file[:cursor], file[cursor + ANSWER :], ANSWER)
        times["search"].append(time.perf_counter() - begin)
        for token in file[cursor : cursor + ANSWER].tolist():
            marks = [time.perf_counter()]
            matcher.extend(token)
            marks.append(time.perf_counter())
            copy_of(matcher, table)
            marks.append(time.perf_counter())
            Mixed.of(logits, matcher, table)
            marks.append(time.perf_counter())
            Mixed.of(logits, None, table)
            marks.append(time.perf_counter())
            extend, copy, mix, model = np.diff(marks)
            times["extend"].append(extend)
            times["copy"].append(copy)
            times["mix"].append(mix)
            times["model"].append(model)
    step = np.array(times["extend"]) + np.array(times["mix"]) - np.array(times["model"])
    return {
        f"{label}: search (median, p99) us": spread(np.array(times["search"])),
        f"{label}: extend us": spread(np.array(times["extend"])),
        f"{label}: p_copy us": spread(np.array(times["copy"])),
        f"{label}: step, all that memory adds, us": spread(step),
    }


def milliseconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return round((time.perf_counter() - begin) * 1000, 1)


def spread(seconds: np.ndarray) -> str:
    median, tail = np.percentile(seconds * 1e6, (50, 99))
    return f"{median:.0f}, {tail:.0f}"


if __name__ == "__main__":
    main()
