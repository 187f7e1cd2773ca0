"""What calibrated rounding costs at a real shape: one layer of random weights, CPU and memory.

    python benchmarks/calibration.py [--preset qwen3-30b-a3b] [--tokens 32768] [--experts N]

The layers of a model cost alike, so a whole model takes this times its number of layers. Random
weights send tokens to all experts evenly; what is computed depends on the shapes alone. With fewer
experts than the preset's, each gets as many tokens as it would in the whole layer.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.random_bundle import PRESETS, RandomTensors
from runtime.export.calibrate import CalibratedRounding
from runtime.export.calibrate_texts import TOKENS, WINDOW
from runtime.export.decoder import Schemes
from runtime.export.linear import Scheme

VOCABULARY = 1024


def main() -> None:
    """Read the command line, round a layer, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="qwen3-30b-a3b")
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--experts", type=int, default=0, help="0: as many as the preset has")
    options = parser.parse_args()
    config = replace(PRESETS[options.preset], num_hidden_layers=1, vocab_size=VOCABULARY)
    whole, count = config.num_experts, options.experts or config.num_experts
    chosen = max(1, config.num_experts_per_tok * count // whole)
    config = replace(config, num_experts=count, num_experts_per_tok=chosen)
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, options.tokens)
    windows = np.array_split(tokens, -(-options.tokens // WINDOW))
    schemes = Schemes(Scheme(4, 32), Scheme(8, 32), Scheme(8, 32))
    base = peak()
    began = time.perf_counter(), time.process_time()
    rounding = CalibratedRounding(RandomTensors(config), config, schemes, windows, say)
    rounding.advance(0)
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    say(
        f"{options.preset}, one layer, {count} of {whole} experts, {options.tokens} tokens: "
        f"{cpu:.0f} s of CPU, {wall:.0f} s, {peak() - base:.2f} GB of memory at most"
    )


def say(line: str) -> None:
    print(line, flush=True)


def peak() -> float:
    """Gigabytes of memory that the process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
