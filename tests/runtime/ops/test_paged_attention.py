"""The kernels against the NumPy reference, to the last bit: paths, bits, threads, batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from runtime.ops import DOMAIN, cancel_flag
from runtime.ops.paged_attention import BLOCK, Attributes, block_bytes
from runtime.ops.paged_attention.reference import (
    INT8_TOLERANCE,
    TOLERANCE,
    attention,
    paged_attention,
    prepare,
)
from tests.runtime.ops.layers import PATHS, session

Floats = NDArray[np.float32]
KINDS = {
    "query": TensorProto.FLOAT,
    "key": TensorProto.FLOAT,
    "value": TensorProto.FLOAT,
    "cache": TensorProto.UINT8,
    "block_table": TensorProto.INT32,
    "starts": TensorProto.INT32,
    "past": TensorProto.INT32,
    "cos": TensorProto.FLOAT,
    "sin": TensorProto.FLOAT,
    "q_norm": TensorProto.FLOAT,
    "k_norm": TensorProto.FLOAT,
    "cancel": TensorProto.INT64,
}


@dataclass
class Case:
    """One call: what goes into the node, by the names of its inputs."""

    attributes: Attributes
    inputs: dict[str, NDArray[Any]]


def model_bytes(attributes: dict[str, Any], names: list[str]) -> bytes:
    inputs = [helper.make_tensor_value_info(name, KINDS[name], None) for name in names]
    given = [name if name in names else "" for name in KINDS]
    node = helper.make_node(
        "PagedAttention", given, ["y", "cache_out"], domain=DOMAIN, **attributes
    )
    outputs = [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("cache_out", TensorProto.UINT8, None),
    ]
    graph = helper.make_graph([node], "layer", inputs, outputs)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def run(case: Case, *, path: str = "scalar", threads: int = 1) -> tuple[Floats, NDArray[np.uint8]]:
    """The output, and the cache after the call."""
    names = list(case.inputs)
    made = session(model_bytes(case.attributes.as_dict(), names), path=path, threads=threads)
    binding = made.io_binding()
    buffer = case.inputs["cache"].copy()  # The value below is a view of it.
    cache = onnxruntime.OrtValue.ortvalue_from_numpy(buffer, "cpu", 0)
    for name, array in case.inputs.items():
        if name != "cache":
            binding.bind_cpu_input(name, array)
    binding.bind_ortvalue_input("cache", cache)
    binding.bind_output("y")
    binding.bind_ortvalue_output("cache_out", cache)
    made.run_with_iobinding(binding)
    return binding.get_outputs()[0].numpy(), buffer


def reference(case: Case) -> tuple[Floats, NDArray[np.uint8]]:
    given = case.inputs
    cache = given["cache"].copy()
    y = paged_attention(
        given["query"],
        given["key"],
        given["value"],
        cache,
        given["block_table"],
        given["starts"].tolist(),
        given["past"].tolist(),
        given["cos"],
        given["sin"],
        given.get("q_norm"),
        given.get("k_norm"),
        attributes=case.attributes,
    )
    return y, cache


def random_case(
    new: list[int],
    past: list[int],
    *,
    heads: int = 4,
    kv_heads: int = 2,
    head_dim: int = 32,
    bits: int = 32,
    norms: bool = True,
    seed: int = 0,
) -> Case:
    """Sequences with `past` positions in the cache and `new` ones to add, blocks in any order."""
    rng = np.random.default_rng(seed)
    attributes = Attributes(heads, kv_heads, head_dim, head_dim**-0.5, 1e-6)
    lengths = [a + b for a, b in zip(new, past, strict=True)]
    blocks = [-(-length // BLOCK) for length in lengths]
    pool = int(rng.integers(sum(blocks), 2 * sum(blocks) + 2))
    places = rng.permutation(pool).astype(np.int32)
    width = max([*blocks, 1])
    tables = np.full((len(new), width), -1, np.int32)
    for s, count in enumerate(blocks):
        tables[s, :count], places = places[:count], places[count:]
    starts = np.cumsum([0, *new]).astype(np.int32)
    angles = rng.uniform(0, 6.3, (max([*lengths, 1]), head_dim // 2)).astype(np.float32)
    inputs: dict[str, NDArray[Any]] = {
        "query": normal(rng, starts[-1], heads * head_dim),
        "key": normal(rng, starts[-1], kv_heads * head_dim),
        "value": normal(rng, starts[-1], kv_heads * head_dim),
        "cache": filled_cache(rng, attributes, pool, bits),
        "block_table": tables,
        "starts": starts,
        "past": np.array(past, np.int32),
        "cos": np.cos(angles),
        "sin": np.sin(angles),
    }
    if norms:
        inputs["q_norm"], inputs["k_norm"] = normal(rng, head_dim), normal(rng, head_dim)
    return Case(attributes, inputs)


def normal(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.standard_normal(shape, np.float32)


def filled_cache(
    rng: np.random.Generator, a: Attributes, pool: int, bits: int
) -> NDArray[np.uint8]:
    """A cache whose every position holds something reasonable."""
    size = block_bytes(a.kv_heads, a.head_dim, bits)
    if bits == 32:
        return normal(rng, pool, size // 4).view(np.uint8)
    parts = size // a.kv_heads
    values = rng.integers(-127, 128, (pool, a.kv_heads, parts - 8 * BLOCK)).astype(np.int8)
    scales = rng.uniform(0.001, 0.02, (pool, a.kv_heads, 2 * BLOCK)).astype(np.float32)
    joined = np.concatenate([values.view(np.uint8), scales.view(np.uint8)], axis=2)
    return np.ascontiguousarray(joined.reshape(pool, size))


def check(case: Case) -> Floats:
    """Every path, with one thread and two, gives the reference's bits."""
    expected, cache = reference(case)
    for path in PATHS:
        for threads in (1, 2):
            y, stored = run(case, path=path, threads=threads)
            np.testing.assert_array_equal(y, expected, err_msg=f"{path}, {threads} threads")
            np.testing.assert_array_equal(stored, cache, err_msg=path)
    return expected


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kv_heads = draw(st.integers(1, 3))
    count = draw(st.integers(1, 3))
    return random_case(
        [draw(st.integers(0, 20)) for _ in range(count)],
        [draw(st.integers(0, 40)) for _ in range(count)],
        heads=kv_heads * draw(st.integers(1, 5)),
        kv_heads=kv_heads,
        head_dim=16 * draw(st.integers(1, 4)),
        bits=draw(st.sampled_from([8, 32])),
        norms=draw(st.booleans()),
        seed=draw(st.integers(0, 1000)),
    )


@settings(max_examples=40, deadline=None)
@given(cases())
def test_any_shape(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("bits", [8, 32])
def test_more_positions_than_a_chunk_holds(bits: int) -> None:
    check(random_case([3, 1], [510, 255], heads=6, kv_heads=2, bits=bits))


@pytest.mark.parametrize("bits", [8, 32])
def test_chunks_batches_and_single_tokens_give_the_same_bits(bits: int) -> None:
    whole = random_case([37], [0], bits=bits)
    expected, cache = run(whole)
    after = whole.inputs["cache"]
    rows = []
    for first, last in [(0, 16), (16, 17), (17, 30), (30, 36), (36, 37)]:
        part = {
            name: array[first:last] if name in ("query", "key", "value") else array
            for name, array in whole.inputs.items()
        }
        part |= {
            "cache": after,
            "starts": np.array([0, last - first], np.int32),
            "past": np.array([first], np.int32),
        }
        y, after = run(Case(whole.attributes, part), path=PATHS[-1], threads=2)
        rows.append(y)
    np.testing.assert_array_equal(np.concatenate(rows), expected)
    np.testing.assert_array_equal(after, cache)


def test_a_sequence_is_the_same_alone_and_among_others() -> None:
    both = random_case([5, 9], [20, 3])
    expected, _ = run(both, path=PATHS[-1])
    alone = dict(both.inputs)
    for name in ("query", "key", "value"):
        alone[name] = alone[name][5:]
    alone["block_table"], alone["past"] = alone["block_table"][1:], alone["past"][1:]
    alone["starts"] = np.array([0, 9], np.int32)
    y, _ = run(Case(both.attributes, alone), path=PATHS[-1])
    np.testing.assert_array_equal(y, expected[5:])


def test_rewinding_gives_what_was_there_before() -> None:
    first = random_case([20], [0])
    _, cache = run(first)
    again = {**first.inputs, "cache": cache, "past": np.array([12], np.int32)}
    for name in ("query", "key", "value"):
        again[name] = again[name][12:]
    again["starts"] = np.array([0, 8], np.int32)
    y, same = run(Case(first.attributes, again))
    np.testing.assert_array_equal(y, run(first)[0][12:])
    np.testing.assert_array_equal(same, cache)


@pytest.mark.parametrize(("bits", "tolerance"), [(32, TOLERANCE), (8, INT8_TOLERANCE)])
def test_near_the_true_mathematics(bits: int, tolerance: float) -> None:
    case = random_case([300], [0], heads=2, kv_heads=1, head_dim=64, bits=bits)
    given, a = case.inputs, case.attributes
    angles = [(given["cos"][at], given["sin"][at]) for at in range(300)]

    def heads_of(name: str, gain: str | None) -> list[Floats]:
        parts = np.split(given[name], given[name].shape[1] // 64, axis=1)
        if gain is None:
            return parts
        one = np.float32(1)
        return [
            np.array(
                [
                    prepare(row, given[gain], *at, one, a.epsilon)
                    for row, at in zip(part, angles, strict=True)
                ]
            )
            for part in parts
        ]

    (key,), (value,) = heads_of("key", "k_norm"), heads_of("value", None)
    expected = np.concatenate(
        [attention(query, key, value, a.scale) for query in heads_of("query", "q_norm")], axis=1
    )
    y, _ = run(case, path=PATHS[-1])
    error = np.sqrt(np.mean((y - expected) ** 2) / np.mean(expected**2))
    assert error < tolerance


@pytest.mark.parametrize("bits", [8, 32])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_spoils_only_what_sees_it(bits: int, bad: float) -> None:
    case = random_case([6, 4], [0, 30], bits=bits)
    clean = check(case)
    case.inputs["value"][3, 5] = bad
    y = check(case)
    seen = np.zeros(len(y), bool)
    seen[3:6] = True
    np.testing.assert_array_equal(y[~seen], clean[~seen])
    assert not np.isfinite(y[seen]).all()


def test_scores_far_apart_do_not_overflow() -> None:
    case = random_case([40], [0], norms=False)
    case.inputs["query"] *= np.float32(1e4)
    assert np.isfinite(check(case)).all()


# Errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head_dim": 40}, "head_dim 40 must be a multiple of 16"),
        ({"heads": 5}, "heads 5 must be a multiple of kv_heads 2"),
        ({"layout_version": 2}, "attribute `layout_version` is 2"),
    ],
)
def test_wrong_attributes_fail_when_loaded(changes: dict[str, int], message: str) -> None:
    case = random_case([1], [0])
    with pytest.raises(Exception, match=message):
        session(model_bytes(case.attributes.as_dict() | changes, list(case.inputs)))


@pytest.mark.parametrize("name", sorted(random_case([1], [0]).attributes.as_dict()))
def test_a_missing_attribute_is_named(name: str) -> None:
    case = random_case([1], [0])
    attributes = case.attributes.as_dict()
    del attributes[name]
    with pytest.raises(Exception, match=f"attribute `{name}` is missing"):
        session(model_bytes(attributes, list(case.inputs)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"past": np.array([-1], np.int32)}, "`past` of sequence 0 is negative"),
        ({"past": np.array([99], np.int32)}, "there are angles for 20"),
        ({"starts": np.array([0, 7], np.int32)}, "`starts` must begin with 0"),
        ({"starts": np.array([1, 8], np.int32)}, "`starts` must begin with 0"),
        ({"starts": np.array([0, 4, 8], np.int32)}, "input `starts` has shape"),
        ({"block_table": np.array([[0, 99]], np.int32)}, "names block 99, but there are"),
        ({"block_table": np.array([[0, -1]], np.int32)}, "names block -1, but there are"),
        ({"block_table": np.array([[0]], np.int32)}, "needs 2 blocks, but `block_table` has 1"),
        ({"query": np.zeros((8, 7), np.float32)}, "input `query` has shape"),
        ({"key": np.zeros((7, 64), np.float32)}, "input `key` has shape"),
        (
            {"cache": np.zeros((3, 5), np.uint8)},
            "input `cache` has shape .3, 5., must be .* 8 bits",
        ),
        ({"sin": np.zeros((2, 16), np.float32)}, "input `sin` has shape"),
        ({"k_norm": np.zeros(8, np.float32)}, "input `k_norm` has shape"),
        ({"cancel": np.array([12345], np.int64)}, "cancel"),
    ],
)
def test_wrong_inputs_are_named(changes: dict[str, NDArray[Any]], message: str) -> None:
    case = random_case([8], [12])
    with pytest.raises(Exception, match=message):
        run(replace(case, inputs=case.inputs | changes))


def test_the_cache_must_be_one_buffer() -> None:
    case = random_case([2], [0])
    made = session(model_bytes(case.attributes.as_dict(), list(case.inputs)))
    with pytest.raises(Exception, match="`cache_out` must be bound to the buffer of `cache`"):
        made.run(None, case.inputs)


def test_a_cancelled_call_says_so() -> None:
    case = random_case([40], [0])
    flag = cancel_flag()
    case.inputs["cancel"] = np.array([flag.handle], np.int64)
    run(case)
    flag.set()
    with pytest.raises(Exception, match="cancelled"):
        run(case)
