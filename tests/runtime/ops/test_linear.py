"""Linear against its NumPy reference, to the last bit: every path, format, number of threads."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from runtime.ops import DOMAIN
from runtime.ops.expert_dispatch import quantize
from runtime.ops.linear import Attributes, pack
from runtime.ops.linear.reference import linear
from tests.runtime.ops.layers import PATHS, Floats, session

FORMATS = [(bits, block) for bits in (4, 8) for block in (32, 64)]
Bytes = NDArray[np.uint8]


def model_bytes(weights: list[Bytes], attributes: dict[str, int]) -> bytes:
    names = [f"w{i}" for i in range(len(weights))]
    outputs = [f"y{i}" for i in range(len(weights))]
    node = helper.make_node("Linear", ["x", *names], outputs, domain=DOMAIN, **attributes)
    graph = helper.make_graph(
        [node],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(w, n) for w, n in zip(weights, names, strict=True)],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def random_weight(
    rng: np.random.Generator, rows: int, columns: int, form: tuple[int, int]
) -> Bytes:
    return pack(quantize(rng.standard_normal((1, rows, columns), np.float32), *form))


def check(x: Floats, weights: list[Bytes], attributes: Attributes) -> None:
    """Every path, with one thread and two, gives the reference's bits for each matrix."""
    expected = [linear(x, weight, attributes) for weight in weights]
    model = model_bytes(weights, attributes.as_dict())
    for path in PATHS:
        for threads in (1, 2):
            found = session(model, path=path, threads=threads).run(None, {"x": x})
            for y, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(y, wanted, err_msg=f"{path}, {threads} threads")


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.integers(1, 6),
    st.lists(st.integers(1, 20), min_size=1, max_size=3),
    st.integers(1, 150),
    st.integers(0, 1000),
)
def test_any_shape(
    form: tuple[int, int], blocks: int, panels: list[int], tokens: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    columns = blocks * form[1]
    weights = [random_weight(rng, 16 * count, columns, form) for count in panels]
    check(rng.standard_normal((tokens, columns), np.float32), weights, Attributes(columns, *form))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("tokens", [1, 70])
def test_work_that_is_shared_among_threads(form: tuple[int, int], tokens: int) -> None:
    rng = np.random.default_rng(0)
    weights = [random_weight(rng, rows, 1024, form) for rows in (2048, 272, 16)]
    check(rng.standard_normal((tokens, 1024), np.float32), weights, Attributes(1024, *form))


@pytest.mark.parametrize("form", FORMATS)
def test_a_token_gives_the_same_bits_alone_and_among_others(form: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    weight = random_weight(rng, 160, 320, form)
    x = rng.standard_normal((37, 320), np.float32)
    runner = session(model_bytes([weight], Attributes(320, *form).as_dict()))
    (batch,) = runner.run(None, {"x": x})
    for token, expected in zip(x, batch, strict=True):
        np.testing.assert_array_equal(runner.run(None, {"x": token[None]})[0][0], expected)


def test_near_the_true_product_and_leading_axes_stay() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((1, 64, 256), np.float32)
    model = model_bytes([pack(quantize(weight, 8, 32))], Attributes(256, 8, 32).as_dict())
    x = rng.standard_normal((2, 3, 256), np.float32)
    (y,) = session(model).run(None, {"x": x})
    expected = x @ weight[0].T
    assert y.shape == (2, 3, 64)
    assert np.sqrt(np.mean((y - expected) ** 2) / np.mean(expected**2)) < 2e-2


def test_not_finite_rows_become_nan_and_only_they() -> None:
    rng = np.random.default_rng(0)
    weight = random_weight(rng, 32, 64, (4, 32))
    x = rng.standard_normal((4, 64), np.float32)
    x[1, 5], x[2, 40] = np.nan, np.inf
    (y,) = session(model_bytes([weight], Attributes(64, 4, 32).as_dict())).run(None, {"x": x})
    assert np.isnan(y[1:3]).all()
    assert np.isfinite(y[[0, 3]]).all()


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
    weight = random_weight(np.random.default_rng(0), 16, 64, (4, 32))
    attributes = Attributes(64, 4, 32).as_dict() | change
    with pytest.raises(Exception, match=message):
        session(model_bytes([weight], attributes))


def test_wrong_inputs_are_named() -> None:
    weight = random_weight(np.random.default_rng(0), 16, 64, (4, 32))
    runner = session(model_bytes([weight], Attributes(64, 4, 32).as_dict()))
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="`x`"):
        runner.run(None, {"x": np.zeros((2, 32), np.float32)})
    with pytest.raises(Exception, match="`weight` has shape"):
        session(model_bytes([weight[:, 4:]], Attributes(64, 4, 32).as_dict())).run(
            None, {"x": np.zeros((2, 64), np.float32)}
        )
