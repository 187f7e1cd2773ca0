"""Quantization rounds to the nearest point of its grid and measures what that changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from runtime.export.quantize import ErrorMeter, quantize_matrix

WEIGHTS = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.sampled_from([32, 64, 96])),
    elements=st.floats(-100, 100, width=32),
)

# Below the normal numbers of float32 a scale has only a few digits.
TINY = 1e-36


@given(WEIGHTS, st.sampled_from([4, 8]))
def test_no_weight_moves_more_than_half_a_step(weight: np.ndarray, bits: int) -> None:
    quantized = quantize_matrix(weight, bits, 32)
    step = np.repeat(quantized.scales, 32, axis=1)
    change = np.abs(quantized.dequantize() - weight)
    assert (change <= step * 0.5001 + TINY).all()
    largest = np.abs(weight).reshape(len(weight), -1, 32).max(axis=-1)
    top = quantized.scales * (2 ** (bits - 1) - 1)
    np.testing.assert_allclose(top, largest, rtol=1e-6, atol=TINY)


@given(WEIGHTS, st.sampled_from([4, 8]))
def test_weights_on_the_grid_do_not_move(weight: np.ndarray, bits: int) -> None:
    """A checkpoint that was trained on the grid loses nothing."""
    once = quantize_matrix(weight, bits, 32).dequantize()
    twice = quantize_matrix(once, bits, 32).dequantize()
    np.testing.assert_allclose(twice, once, rtol=1e-6, atol=TINY)


@pytest.mark.parametrize(("bits", "width"), [(4, 16), (8, 32)])
def test_the_layout_is_that_of_the_operator(bits: int, width: int) -> None:
    weight = np.zeros((1, 64), dtype=np.float32)
    weight[0, :2], weight[0, 32] = (7, -7), 127
    quantized = quantize_matrix(weight, bits, 32)
    assert quantized.values.shape == (1, 2, width)
    middle = 2 ** (bits - 1)
    if bits == 4:
        assert quantized.values[0, 0, 0] == (middle + 7) | (middle - 7) << 4
        assert quantized.values[0, 0, 1] == middle | middle << 4
    else:
        assert list(quantized.values[0, 0, :3]) == [middle + 127, middle - 127, middle]
        assert quantized.scales[0, 1] == 1


def test_the_meter_adds_up_over_tensors() -> None:
    meter = ErrorMeter()
    assert meter.relative_rms() == 0
    meter.add(np.array([3.0, 4.0], dtype=np.float32), np.array([3.0, 4.0], dtype=np.float32))
    assert meter.relative_rms() == 0
    meter.add(np.array([0.0], dtype=np.float32), np.array([0.5], dtype=np.float32))
    assert meter.relative_rms() == 0.1
