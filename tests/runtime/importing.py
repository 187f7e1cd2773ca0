"""Imports for tests: a model with several layers, in this process or in one that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from runtime.bundle import Bundle
from runtime.export.calibrate_texts import Calibration
from runtime.export.importing import Progress, import_model
from runtime.export.plan import Machine, make_plan
from runtime.export.sources import open_source
from runtime.export.write import Options, shape_of
from tests.runtime.checkpoints import CONFIG, weights, write_checkpoint

ROOT = Path(__file__).parent.parent.parent
LAYERED: dict[str, Any] = {**CONFIG, "num_hidden_layers": 6, "tie_word_embeddings": False}


def layered_checkpoint(path: Path) -> Path:
    """A checkpoint of six layers, in bf16."""
    halves = {
        name: (array.view(np.uint32) >> 16).astype(np.uint16)
        for name, array in weights(LAYERED).items()
    }
    return write_checkpoint(path, LAYERED, halves)


def run_import(
    source: Path,
    target: Path,
    precision: str = "int4",
    report: Callable[[Progress], None] = lambda progress: None,
    calibration: Calibration | None = None,
    **options: Any,
) -> Bundle:
    """Import in this process."""
    opened = open_source(str(source), {})
    try:
        config = shape_of(opened)
        plan = make_plan(opened, config, precision, 0, Machine(None, 1e10))
        chosen = Options(
            schemes=plan.schemes, name="model", context=plan.context, prompt_layout="auto"
        )
        for name, value in options.items():
            object.__setattr__(chosen, name, value)
        return import_model(opened, target, chosen, plan.size, report, calibration)
    finally:
        opened.close()


def start_import(source: Path, target: Path) -> subprocess.Popen[str]:
    """Import in a process that writes a line for each progress and waits for one in return."""
    code = "from tests.runtime.importing import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, str(source), str(target)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def main() -> None:
    def told(progress: Progress) -> None:
        sys.stdout.write(json.dumps([progress.sections, progress.kept]) + "\n")
        sys.stdout.flush()

    run_import(Path(sys.argv[1]), Path(sys.argv[2]), report=told)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {item.name: item.read_bytes() for item in folder.iterdir()}
