"""How fast are whole layers of Qwen3-30B-A3B against llama.cpp and ONNX Runtime's own operators?

    python benchmarks/layers.py OURS... [--llama DRIVER MODEL REPACK]... [--ort COMMAND]
                                [--rounds N] [--threads N]

OURS are bundles of benchmarks/random_bundle.py. A rival is a command that prints a line
`kind tokens wall_ms cpu_ms ...` for each call, kind `pp512` or `tg`; results/layers.md says which.
All run in turn, round by round, in processes of their own; what counts is CPU time, which a
neighbour on the machine hardly moves. Printed are medians with the tenth and ninetieth percentile,
and for each rival the ratio within a round.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from runtime.bundle import Bundle
from runtime.config import EngineConfig
from runtime.model_runner import Chunk, OrtModelRunner

PROMPT, DECODED = 512, 40


def run_ours(path: Path, threads: int, prompt: int, decoded: int) -> None:
    """Print what a rival would print."""
    config = EngineConfig(threads=threads)
    bundle = Bundle.open(path, verify=False)
    runner = OrtModelRunner.load(bundle, config)
    rng = np.random.default_rng(7)
    blocks = np.arange(-(-(prompt + decoded) // runner.block_size), dtype=np.int32)

    def call(kind: str, count: int, past: int) -> None:
        tokens = rng.integers(0, bundle.config.vocab_size, count)
        wall, cpu = time.perf_counter(), time.process_time()
        runner.run([Chunk(blocks, tokens, past, 1)])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{kind} {count} {wall * 1e3:.3f} {cpu * 1e3:.3f}", flush=True)

    call("warm", 16, 0)
    for index in range(4):
        call("warm", 1, 16 + index)
    call(f"pp{prompt}", prompt, 0)
    for index in range(decoded):
        call("tg", 1, index)


def measure(command: list[str]) -> dict[str, tuple[float, float]]:
    """Medians (wall, CPU) in milliseconds of each kind of call that a process prints."""
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    calls: dict[str, list[tuple[float, float]]] = {}
    for line in output.splitlines():
        fields = line.split()
        if line.startswith("#") or len(fields) < 4 or fields[0] == "warm":
            continue
        calls.setdefault(fields[0], []).append((float(fields[2]), float(fields[3])))
    return {kind: tuple(np.median(times, axis=0).tolist()) for kind, times in calls.items()}


def contestants(arguments: argparse.Namespace) -> dict[str, list[str]]:
    threads = str(arguments.threads)
    found = {
        f"ours, {path.name}": [sys.executable, __file__, "--run", str(path), "--threads", threads]
        for path in arguments.ours
    }
    for driver, model, repack in arguments.llama:
        name = f"llama.cpp, {Path(model).stem}, repack {repack}"
        found[name] = [driver, model, threads, repack, str(PROMPT), "1", str(DECODED), "1"]
    if arguments.ort:
        found["ONNX Runtime's own"] = shlex.split(arguments.ort)
    return found


def spread(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.4g} ({low:.4g}-{high:.4g})"


def table(kind: str, rounds: list[dict[str, dict[str, tuple[float, float]]]], column: int) -> str:
    """One row for each contestant; the ratio is that to each of ours, within a round."""
    names = list(rounds[0])
    ours = [name for name in names if name.startswith("ours")]
    heads = "".join(f" times {name}" + " |" for name in ours)
    lines = [
        f"| {kind} | {('wall', 'CPU')[column]} ms |{heads}",
        "| --- | --- |" + " --- |" * len(ours),
    ]
    for name in names:
        values = [each[name][kind][column] for each in rounds]
        ratios = ""
        for own in ours:
            pairs = zip(values, (each[own][kind][column] for each in rounds), strict=True)
            ratios += f" {spread([value / mine for value, mine in pairs])} |"
        lines.append(f"| {name} | {spread(values)} |{ratios}")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("ours", type=Path, nargs="*")
    add("--llama", nargs=3, action="append", default=[], metavar=("DRIVER", "MODEL", "REPACK"))
    add("--ort", default="", help="a command that prints the same lines")
    add("--rounds", type=int, default=7)
    add("--threads", type=int, default=1)
    add("--run", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        run_ours(arguments.run, arguments.threads, PROMPT, DECODED)
        return
    commands = contestants(arguments)
    rounds = []
    for number in range(arguments.rounds):
        rounds.append({name: measure(command) for name, command in commands.items()})
        print(
            f"round {number + 1} of {arguments.rounds}, load {os.getloadavg()[0]:.1f}", flush=True
        )
    for kind in (f"pp{PROMPT}", "tg"):
        # With several threads waiting burns CPU time, so there only the clock counts.
        print(table(kind, rounds, 1 if arguments.threads == 1 else 0))


if __name__ == "__main__":
    main()
