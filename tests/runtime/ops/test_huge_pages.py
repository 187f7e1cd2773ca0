"""Weights that lie in a mapped file ask for large pages, where the system has such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runtime.ops.layers import model_bytes, random_batch, random_layer, session

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
MAPPINGS = Path("/proc/self/smaps")


@pytest.mark.skipif(not SETTING.is_file(), reason="the system has no transparent huge pages")
def test_mapped_weights_ask_for_huge_pages(tmp_path: Path) -> None:
    layer = random_layer(hidden=256, intermediate=128, experts=8, k=2, bits=4, block=32)
    weights = tmp_path / "weights.bin"
    model = tmp_path / "model.onnx"
    model.write_bytes(model_bytes(layer, external=weights))
    made = session(model)
    flags = flags_of(weights)
    assert flags
    assert all("hg" in each for each in flags)
    x, logits = random_batch(layer, 3)
    y = made.run(None, {"x": x, "router_logits": logits})[0]
    inside = session(model_bytes(layer)).run(None, {"x": x, "router_logits": logits})[0]
    np.testing.assert_array_equal(y, inside)


def flags_of(file: Path) -> list[list[str]]:
    """The flags of every mapping of a file in this process."""
    found, is_ours = [], False
    for line in MAPPINGS.read_text().splitlines():
        if not line.split(" ")[0].endswith(":"):
            is_ours = line.endswith(str(file))
        elif is_ours and line.startswith("VmFlags:"):
            found.append(line.split()[1:])
    return found
