"""The memory's benchmark still runs; what it measures is for benchmarks/results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.runtime.fixture_bundles import bundle_of

SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "memory.py"


def test_it_runs_in_small(tmp_path: Path) -> None:
    bundle, out = bundle_of("tied", "int4", "int8"), tmp_path / "memory.json"
    command = [sys.executable, SCRIPT, "--bundle", bundle.path, "--json", out]
    subprocess.run([*command, "--tokens", "20000", "--steps", "30"], check=True)
    report = json.loads(out.read_text())
    assert report["tokens"] >= 20_000
    assert report["vocabulary"] == 320
