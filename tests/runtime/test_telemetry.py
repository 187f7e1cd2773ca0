"""ONNX Runtime's wheels can record what they are used for; with us they leave no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SERVE_ONE_TOKEN = """
import numpy as np
from runtime.bundle import Bundle, default_bundle_path
from runtime.config import EngineConfig
from runtime.model_runner import Chunk, OrtModelRunner
from runtime.ops import describe

describe()
runner = OrtModelRunner.load(Bundle.open(default_bundle_path()), EngineConfig(threads=1))
logits = runner.run([Chunk(np.array([0], np.int32), np.array([1, 2, 3]), 0, 1)])
assert logits[0].shape[0] == 1
runner.close()
"""


def test_serving_a_model_leaves_nothing_in_the_users_folders(tmp_path: Path) -> None:
    # A user's environment that asks for telemetry changes nothing either.
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "ORT_DISABLE_TELEMETRY": "0",
    }
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SERVE_ONE_TOKEN],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [str(path) for path in tmp_path.rglob("*")] == []
