"""Embedding against its NumPy reference, to the last bit; wrong rows are named, never read."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from runtime.ops import DOMAIN
from runtime.ops.embedding.reference import embedding
from runtime.ops.expert_dispatch import Quantized, quantize
from runtime.ops.linear import Attributes, pack
from tests.runtime.ops.layers import session

FORMATS = [(bits, block) for bits in (4, 8) for block in (32, 64)]
Bytes = NDArray[np.uint8]


def model_bytes(weight: Bytes, attributes: dict[str, int]) -> bytes:
    node = helper.make_node("Embedding", ["ids", "w"], ["y"], domain=DOMAIN, **attributes)
    graph = helper.make_graph(
        [node],
        "embedding",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.integers(1, 8),
    st.integers(1, 5),
    st.lists(st.integers(0, 1 << 20), max_size=40),
    st.integers(0, 1000),
)
def test_any_rows_of_any_shape(
    form: tuple[int, int], blocks: int, panels: int, ids: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    attributes = Attributes(blocks * form[1], *form)
    matrix = rng.standard_normal((1, 16 * panels, attributes.columns), np.float32)
    weight = pack(quantize(matrix, *form))
    rows = np.array(ids, np.int64) % (16 * panels)
    (y,) = session(model_bytes(weight, attributes.as_dict())).run(None, {"ids": rows})
    np.testing.assert_array_equal(y, embedding(rows, weight, attributes))


@pytest.mark.parametrize("bits", [4, 8])
def test_every_code_and_every_scale(bits: int) -> None:
    """All values of a code, with scales from subnormal to the largest, negative ones and zero."""
    rng = np.random.default_rng(0)
    low = -8 if bits == 4 else -128
    values = rng.integers(low, -low, (1, 64, 256), dtype=np.int8)
    scales = rng.integers(0, 1 << 16, (1, 64, 8), dtype=np.uint16).view(np.float16)
    scales[~np.isfinite(scales)] = np.float16(6e-8)
    matrix = Quantized(values, scales, bits, 32)
    runner = session(model_bytes(pack(matrix), Attributes(256, bits, 32).as_dict()))
    (y,) = runner.run(None, {"ids": np.arange(64)})
    np.testing.assert_array_equal(y, matrix.dequantize()[0])


def test_leading_axes_stay() -> None:
    weight = pack(quantize(np.ones((1, 16, 32), np.float32), 8, 32))
    runner = session(model_bytes(weight, Attributes(32, 8, 32).as_dict()))
    for shape in ((1, 3), (2, 2), (0,), ()):
        (y,) = runner.run(None, {"ids": np.zeros(shape, np.int64)})
        assert y.shape == (*shape, 32)


@pytest.mark.parametrize("row", [-1, 32, 2**40, -(2**63)])
def test_a_row_that_does_not_exist_is_named(row: int) -> None:
    weight = pack(quantize(np.ones((1, 32, 64), np.float32), 4, 32))
    runner = session(model_bytes(weight, Attributes(64, 4, 32).as_dict()))
    with pytest.raises(Exception, match=f"`ids` names row {row}, but there are 32"):
        runner.run(None, {"ids": np.array([3, row])})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 5}, "`bits` is 5, must be 4 or 8"),
        ({"block_size": 48}, "`block_size` is 48, must be 32 or 64"),
        ({"columns": 80}, "columns 80 must be a multiple of block_size 32"),
        ({"layout_version": 2}, "`layout_version` is 2"),
    ],
)
def test_wrong_attributes_are_named(change: dict[str, int], message: str) -> None:
    weight = pack(quantize(np.ones((1, 16, 64), np.float32), 4, 32))
    with pytest.raises(Exception, match=message):
        session(model_bytes(weight, Attributes(64, 4, 32).as_dict() | change))


def test_a_weight_of_another_size_is_named() -> None:
    weight = pack(quantize(np.ones((1, 16, 64), np.float32), 4, 32))
    runner = session(model_bytes(weight[:, 4:], Attributes(64, 4, 32).as_dict()))
    with pytest.raises(Exception, match="`weight` has shape"):
        runner.run(None, {"ids": np.zeros(1, np.int64)})
