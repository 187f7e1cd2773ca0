"""Gathers the figures of a finished run for the model card: data, compute, losses, held-out scores.

$ python -m training.card --run FOLDER --tokenizer tokenizer.json --result fp32=a.json ...
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from training.corpus import HERE
from training.model import ModelConfig
from training.tokenizer import read_rows

CURVE_POINTS = 30


def data_figures(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return bytes by role and kind, and packages and bytes by licence of the training text."""
    packages = [row for row in manifest["packages"] if not row["skipped"]]
    size: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for row in packages:
        size[f"{row['role']} {row['kind']}"] += row["bytes"]
        rejected.update(row["rejected"])
        if row["role"] == "train":
            licences[row["licence"]] += row["bytes"]
    return {
        "packages": dict(Counter(row["role"] for row in packages)),
        "held_out": sorted(row["name"] for row in packages if row["role"] == "held-out"),
        "dev": sorted(row["name"] for row in packages if row["role"] == "dev"),
        "bytes": manifest["bytes"],
        "bytes_by_kind": dict(sorted(size.items())),
        "train_bytes_by_licence": dict(licences.most_common()),
        "files_rejected": dict(rejected.most_common()),
    }


def curve(log: list[dict[str, Any]]) -> dict[str, list[dict[str, float]]]:
    """Return about CURVE_POINTS training losses and every dev loss, in nats per token."""
    losses = [row for row in log if "loss" in row]
    stride = max(1, len(losses) // CURVE_POINTS)
    keys = ("step", "tokens", "elapsed")
    return {
        "train": [{key: row[key] for key in (*keys, "loss")} for row in losses[::stride]],
        "dev": [{key: row[key] for key in (*keys, "dev_loss")} for row in log if "dev_loss" in row],
    }


def gather(run: Path, tokenizer: Path, results: dict[str, Path]) -> dict[str, Any]:
    """Return all figures; `results` are outputs of training.evaluate by name."""
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    progress = state["progress"]
    config = ModelConfig(**state["config"])
    scores = {name: json.loads(path.read_text()) for name, path in results.items()}
    for score in scores.values():
        score.pop("outcomes", None)
    return {
        "model": {**state["config"], "parameters": config.parameter_counts()},
        "tokenizer_sha256": hashlib.sha256(tokenizer.read_bytes()).hexdigest(),
        "data": data_figures(json.loads((HERE / "manifest.json").read_text())),
        "train_config": state["train_config"],
        "compute": {
            "device": "2 shared CPU cores, fp32",
            "wall_s": round(progress["elapsed"]),
            "cpu_s": round(progress["cpu"]),
            "steps": progress["step"],
            "tokens": progress["tokens"],
            "tokens_per_wall_s": round(progress["tokens"] / progress["elapsed"]),
            "tokens_per_cpu_s": round(progress["tokens"] / progress["cpu"]),
        },
        "loss": curve(list(read_rows(run / "log.jsonl"))),
        "held_out": scores,
    }


def main() -> None:
    """Read the command line and write card_data.json beside this file."""
    parser = argparse.ArgumentParser(description="Gather the figures of a finished run.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--result", action="append", default=[], help="NAME=evaluation.json")
    options = parser.parse_args()
    results = {name: Path(path) for name, path in (each.split("=", 1) for each in options.result)}
    document = gather(options.run, options.tokenizer, results)
    (HERE / "card_data.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
