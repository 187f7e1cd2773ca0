"""What a machine has is measured, or said to be unknown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lsp_server import machine


def test_free_memory_is_a_part_of_all() -> None:
    free = machine.free_memory()
    assert free is not None
    assert 2**20 < free < 2**50


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux tells it there")
def test_the_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_container_room", lambda: 12345)
    assert machine.free_memory() == 12345
    monkeypatch.setattr(machine, "_container_room", lambda: None)
    assert (machine.free_memory() or 0) > 12345


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has its own way")
def test_without_proc_half_of_all_is_guessed() -> None:
    assert (machine._free_pages() or 0) > 2**20


def test_bandwidth() -> None:
    assert 1e8 < machine.read_bandwidth() < 1e13
