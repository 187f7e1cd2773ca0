"""Packing loses nothing, and puts every value where layout.h says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.ops.expert_dispatch import (
    Quantized,
    pack_down,
    pack_gate_up,
    quantize,
    unpack_down,
    unpack_gate_up,
)


def random_quantized(
    rng: np.random.Generator, experts: int, rows: int, columns: int, bits: int, block: int
) -> Quantized:
    if bits == 32:
        weight = rng.standard_normal((experts, rows, columns), np.float32)
        return quantize(weight, 32, block)
    low, high = (-8, 7) if bits == 4 else (-127, 127)
    values = rng.integers(low, high, (experts, rows, columns), np.int8, endpoint=True)
    scales = rng.standard_normal((experts, rows, columns // block)).astype(np.float16)
    return Quantized(values, scales, bits, block)


def assert_same(a: Quantized, b: Quantized) -> None:
    np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(a.scales, b.scales)
    assert (a.bits, a.block_size, a.values.dtype) == (b.bits, b.block_size, b.values.dtype)


sizes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))


@settings(deadline=None)
@given(sizes, st.sampled_from([4, 8, 32]), st.sampled_from([32, 64]), st.integers(0, 100))
def test_unpacking_undoes_packing(
    size: tuple[int, int, int], bits: int, block: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    experts, rows, columns = size[0], 16 * size[1], block * size[2]
    gate, up, down = (random_quantized(rng, experts, rows, columns, bits, block) for _ in range(3))
    again = unpack_gate_up(pack_gate_up(gate, up), bits, block, columns)
    assert_same(again[0], gate)
    assert_same(again[1], up)
    assert_same(unpack_down(pack_down(down), bits, block, columns), down)


def test_experts_can_be_packed_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((3, 32, 64), np.float32)
    whole = pack_down(quantize(weight, 4, 32))
    parts = [pack_down(quantize(weight[e : e + 1], 4, 32)) for e in range(3)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("block", [32, 64])
@pytest.mark.parametrize("bits", [4, 8])
def test_each_value_is_where_the_layout_says(bits: int, block: int) -> None:
    rng = np.random.default_rng(0)
    rows, columns = 32, 3 * block
    down = random_quantized(rng, 2, rows, columns, bits, block)
    packed = pack_down(down)
    block_bytes = 32 + 16 * block * bits // 8
    for _ in range(200):
        e, n, k = (int(rng.integers(0, limit)) for limit in (2, rows, columns))
        panel, row = divmod(n, 16)
        at = (panel * (columns // block) + k // block) * block_bytes
        scale = packed[e, at + 2 * row : at + 2 * row + 2].view("<f2")[0]
        assert scale == down.scales[e, n, k // block]
        sub, column = divmod(k % block, 32)
        at += 32 + sub * 512 * bits // 8
        if bits == 8:
            value = int(packed[e, at + column // 4 * 64 + row * 4 + column % 4]) - 128
        else:
            byte = int(packed[e, at + column % 16 // 4 * 64 + row * 4 + column % 4])
            value = (byte & 15 if column < 16 else byte >> 4) - 8
        assert value == down.values[e, n, k]


def test_a_panel_of_gate_up_is_eight_rows_of_each() -> None:
    rng = np.random.default_rng(0)
    gate, up = (random_quantized(rng, 1, 16, 32, 8, 32) for _ in range(2))
    both = unpack_down(pack_gate_up(gate, up), 8, 32, 32).values[0]
    np.testing.assert_array_equal(both[:8], gate.values[0, :8])
    np.testing.assert_array_equal(both[8:16], up.values[0, :8])
    np.testing.assert_array_equal(both[16:24], gate.values[0, 8:])
    np.testing.assert_array_equal(both[24:], up.values[0, 8:])


@settings(deadline=None)
@given(
    st.sampled_from([4, 8]),
    st.sampled_from([32, 64]),
    st.floats(1e-3, 1e3),
    st.integers(0, 100),
)
def test_no_weight_moves_further_than_half_a_step_unless_clipped(
    bits: int, block: int, size: float, seed: int
) -> None:
    weight = np.random.default_rng(seed).standard_normal((2, 16, 2 * block), np.float32)
    weight *= np.float32(size)
    result = quantize(weight, bits, block)
    step = np.abs(result.scales.astype(np.float32)).repeat(block, axis=2)
    clipped = np.isin(result.values, [-8, 7] if bits == 4 else [-127, 127])
    error = np.abs(result.dequantize() - weight)
    assert (error <= step * 0.501)[~clipped].all()
    # For Gaussian weights; 8 bits are some 16 times finer than 4.
    assert np.sqrt(np.mean(error**2)) / size < (0.12 if bits == 4 else 0.01)


def test_int4_beats_rounding_to_the_largest_value() -> None:
    weight = np.random.default_rng(0).standard_normal((1, 64, 256), np.float32)
    result = quantize(weight, 4, 32)
    blocks = weight.reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 7
    plain = (np.rint(blocks / scale) * scale).reshape(weight.shape)
    assert np.square(result.dequantize() - weight).sum() < 0.95 * np.square(plain - weight).sum()


@pytest.mark.parametrize("bits", [4, 8])
def test_zeros_and_tiny_weights_become_zero(bits: int) -> None:
    weight = np.zeros((1, 16, 64), np.float32)
    weight[0, 3] = 1e-12
    result = quantize(weight, bits, 32)
    assert not result.values.any()
    assert not result.scales.any()


def test_bad_arguments_are_named() -> None:
    def zeros(*shape: int) -> NDArray[np.float32]:
        return np.zeros(shape, np.float32)

    with pytest.raises(ValueError, match="bits must be 4, 8 or 32, not 3"):
        quantize(zeros(1, 16, 32), 3, 32)
    with pytest.raises(ValueError, match="block_size must be 32 or 64, not 16"):
        quantize(zeros(1, 16, 32), 4, 16)
    with pytest.raises(ValueError, match="K a multiple of 64"):
        quantize(zeros(1, 16, 32), 4, 64)
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantize(np.full((1, 16, 32), np.nan, np.float32), 4, 32)
    with pytest.raises(ValueError, match="does not fit float16"):
        quantize(np.full((1, 16, 32), 1e9, np.float32), 4, 32)
    with pytest.raises(ValueError, match="rows must be a multiple of 16"):
        pack_down(quantize(zeros(1, 8, 32), 4, 32))
    with pytest.raises(ValueError, match="same shape, bits and block_size"):
        pack_gate_up(quantize(zeros(1, 8, 32), 4, 32), quantize(zeros(1, 8, 32), 8, 32))
