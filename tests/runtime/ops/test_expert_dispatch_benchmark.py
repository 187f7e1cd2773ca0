"""The benchmark at its smallest, so that it never rots; it holds our answers against QMoE's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "expert_dispatch.py"


def test_the_benchmark_runs_and_both_operators_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOPILKA_OPS_PATH", "")  # The script sets it: put it back afterwards.
    spec = importlib.util.spec_from_file_location("expert_dispatch_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, benchmark)
    spec.loader.exec_module(benchmark)

    loads = (benchmark.Load("decode", 1, 2), benchmark.Load("prefill", 9, 1))
    model = benchmark.Model("tiny", 128, 64, 4, 2, 1, loads)
    measured = benchmark.measure(model, rounds=2)
    assert list(measured) == list(loads)
    for load, times in measured.items():
        text = benchmark.table(model, load, times)
        assert "QMoE, block 64" in text
        assert "avx2, block 32" in text or "scalar, block 32" in text
