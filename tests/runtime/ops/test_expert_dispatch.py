"""The kernels against the NumPy reference, to the last bit: every path, format, thread count."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.ops import cancel_flag
from runtime.ops.expert_dispatch.reference import (
    FLOAT32_TOLERANCE,
    FLOAT_TOLERANCE,
    expert_dispatch,
)
from tests.runtime.ops.layers import (
    PATHS,
    Floats,
    Layer,
    model_bytes,
    random_batch,
    random_layer,
    run,
    session,
)

FORMATS = [(bits, block) for bits in (4, 8) for block in (32, 64)]


def reference(layer: Layer, x: Floats, logits: Floats, activations: str = "int8") -> Floats:
    return expert_dispatch(
        x, logits, layer.gate_up, layer.down, attributes=layer.attributes, activations=activations
    )


def check(layer: Layer, x: Floats, logits: Floats) -> Floats:
    """Every path, with one thread and two, gives the reference's bits."""
    expected = reference(layer, x, logits)
    for path in PATHS:
        for threads in (1, 2):
            y = run(layer, x, logits, path=path, threads=threads)
            np.testing.assert_array_equal(y, expected, err_msg=f"{path}, {threads} threads")
    return expected


def relative_rms(y: Floats, expected: Floats) -> float:
    return float(np.sqrt(np.mean((y - expected) ** 2) / np.mean(expected**2)))


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    block = draw(st.sampled_from([32, 64]))
    experts = draw(st.integers(1, 9))
    return random_layer(
        hidden=block * draw(st.integers(1, 11)),
        intermediate=block * draw(st.integers(1, 6)),
        experts=experts,
        k=draw(st.integers(1, experts)),
        bits=draw(st.sampled_from([4, 8])),
        block=block,
        normalize=draw(st.integers(0, 1)),
        seed=draw(st.integers(0, 1000)),
    )


@settings(max_examples=40, deadline=None)
@given(layers(), st.integers(1, 20), st.integers(0, 1000))
def test_any_shape(layer: Layer, tokens: int, seed: int) -> None:
    check(layer, *random_batch(layer, tokens, seed))


@pytest.mark.parametrize(("bits", "block"), FORMATS)
def test_more_tokens_than_one_tile_takes(bits: int, block: int) -> None:
    layer = random_layer(hidden=320, intermediate=192, experts=3, k=2, bits=bits, block=block)
    check(layer, *random_batch(layer, 150))


@pytest.mark.parametrize(("bits", "block"), FORMATS)
def test_largest_sums_are_exact(bits: int, block: int) -> None:
    """Weights and activations at the ends of their ranges: the sums that 16 bits barely hold."""
    layer = random_layer(hidden=256, intermediate=128, experts=2, k=2, bits=bits, block=block)
    nibble = 0 if bits == 4 else 1  # -8 everywhere, and -127
    by_block = layer.gate_up.reshape(-1, 32 + 16 * block * bits // 8)
    by_block[:, 32:] = nibble
    by_block[1::3, 32:] = 255  # The other end, +7 and +127, in every third block.
    for sign in (1, -1):
        x = np.full((3, 256), sign, np.float32)
        x[1, ::2] *= -1  # Half of the lanes' sums cancel, the others are the largest.
        x[2, 2::4] *= -1
        check(layer, x, np.zeros((3, 2), np.float32))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(FORMATS), st.integers(0, 1000))
def test_any_bytes_as_weights(form: tuple[int, int], seed: int) -> None:
    """Scales that are NaN, infinite, subnormal or negative: the same bits everywhere, no crash."""
    bits, block = form
    layer = random_layer(hidden=128, intermediate=64, experts=3, k=2, bits=bits, block=block)
    rng = np.random.default_rng(seed)
    gate_up, down = (rng.integers(0, 256, w.shape, np.uint8) for w in (layer.gate_up, layer.down))
    check(replace(layer, gate_up=gate_up, down=down), *random_batch(layer, 5, seed))


@pytest.mark.parametrize(("bits", "block"), FORMATS)
def test_subnormal_scales(bits: int, block: int) -> None:
    layer = random_layer(hidden=128, intermediate=64, experts=2, k=2, bits=bits, block=block)
    for weights in (layer.gate_up, layer.down):
        by_block = weights.reshape(-1, 32 + 16 * block * bits // 8)
        by_block[:, 1:32:2] &= 0x83  # Sign and fraction stay, the exponent becomes zero.
    x, logits = random_batch(layer, 5)
    assert check(layer, x * np.float32(1e4), logits).any()


@pytest.mark.parametrize(("bits", "block"), FORMATS)
def test_near_the_true_mathematics(bits: int, block: int) -> None:
    layer = random_layer(hidden=512, intermediate=256, experts=8, k=2, bits=bits, block=block)
    x, logits = random_batch(layer, 32)
    expected = reference(layer, x, logits, "float")
    for path in PATHS:
        assert relative_rms(run(layer, x, logits, path=path), expected) < FLOAT_TOLERANCE


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_float32_weights(data: st.DataObject) -> None:
    experts = data.draw(st.integers(1, 6))
    layer = random_layer(
        hidden=32 * data.draw(st.integers(1, 8)),
        intermediate=32 * data.draw(st.integers(1, 8)),
        experts=experts,
        k=data.draw(st.integers(1, experts)),
        bits=32,
        block=32,
        normalize=data.draw(st.integers(0, 1)),
    )
    x, logits = random_batch(layer, data.draw(st.integers(1, 70)))
    expected = reference(layer, x, logits, "float")
    one, two = (run(layer, x, logits, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
    assert relative_rms(one, expected) < FLOAT32_TOLERANCE


@pytest.mark.parametrize(("bits", "block"), [*FORMATS, (32, 32)])
@pytest.mark.parametrize("path", PATHS)
def test_batch_equals_single_tokens(bits: int, block: int, path: str) -> None:
    layer = random_layer(hidden=192, intermediate=128, experts=8, k=3, bits=bits, block=block)
    x, logits = random_batch(layer, 40)
    runner = session(model_bytes(layer), path=path, threads=2)
    batch = runner.run(None, {"x": x, "router_logits": logits})[0]
    for t in range(len(x)):
        single = runner.run(None, {"x": x[t : t + 1], "router_logits": logits[t : t + 1]})[0]
        np.testing.assert_array_equal(single[0], batch[t])


def default_layer() -> Layer:
    return random_layer(hidden=192, intermediate=128, experts=8, k=2, bits=4, block=64)


def test_all_tokens_on_one_expert_and_none_on_the_others() -> None:
    layer = random_layer(hidden=192, intermediate=128, experts=8, k=1, bits=4, block=64)
    x, logits = random_batch(layer, 80)
    logits[:, 5] = 50
    check(layer, x, logits)


def test_every_expert_for_every_token() -> None:
    layer = random_layer(hidden=64, intermediate=64, experts=8, k=8, bits=4, block=32)
    check(layer, *random_batch(layer, 5))


def test_ties_go_to_the_lower_index() -> None:
    layer = default_layer()
    x, _ = random_batch(layer, 1)
    tied, decided = np.zeros((1, 8), np.float32), np.full((1, 8), -100, np.float32)
    tied[0, 3:] = 2.0  # Experts 3 to 7 are equal: 3 and 4 must be chosen.
    decided[0, 3:5] = 2.0
    expected = reference(layer, x, decided)
    for path in PATHS:
        np.testing.assert_array_equal(run(layer, x, tied, path=path), expected)


@pytest.mark.parametrize("normalize", [0, 1])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e4, 1e30, 3e38])
def test_logits_of_any_size(scale: float, normalize: int) -> None:
    layer = random_layer(
        hidden=64, intermediate=64, experts=6, k=3, bits=4, block=32, normalize=normalize
    )
    x, logits = random_batch(layer, 6)
    logits = np.clip(logits, -1, 1) * np.float32(scale)
    logits[3, 1:4] = -np.inf  # A masked expert is merely an unlikely one.
    assert np.isfinite(check(layer, x, logits)).all()


@pytest.mark.parametrize("scale", [0.0, 1e-45, 1e-38, 1e-31, 1e-29, 1e-10, 1e10, 1e18])
def test_activations_of_any_size(scale: float) -> None:
    layer = default_layer()
    x, logits = random_batch(layer, 4)
    assert np.isfinite(check(layer, x * np.float32(scale), logits)).all()


def test_overflow_is_nan_and_stays_in_its_token() -> None:
    layer = default_layer()
    x, logits = random_batch(layer, 4)
    x[1] *= np.float32(1e30)
    y = check(layer, x, logits)
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2, 3]]).all()


@pytest.mark.parametrize("bits", [4, 8, 32])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "logits"])
def test_one_bad_number_spoils_its_own_token_only(bits: int, bad: float, where: str) -> None:
    layer = random_layer(hidden=128, intermediate=64, experts=4, k=2, bits=bits, block=64)
    x, logits = random_batch(layer, 70)
    clean = run(layer, x, logits)
    (x if where == "x" else logits)[33, 1] = bad
    for path in PATHS:
        y = run(layer, x, logits, path=path)
        masked = where == "logits" and bad == -np.inf
        assert np.isfinite(y[33]).all() if masked else np.isnan(y[33]).all()
        np.testing.assert_array_equal(np.delete(y, 33, 0), np.delete(clean, 33, 0))


def test_more_axes_and_no_tokens() -> None:
    layer = default_layer()
    x, logits = random_batch(layer, 6)
    runner = session(model_bytes(layer))
    flat = runner.run(None, {"x": x, "router_logits": logits})[0]
    cube = runner.run(None, {"x": x.reshape(2, 3, 192), "router_logits": logits})[0]
    np.testing.assert_array_equal(cube, flat.reshape(2, 3, 192))
    nothing = runner.run(None, {"x": x[:0], "router_logits": logits[:0]})[0]
    assert nothing.shape == (0, 192)


def test_weights_may_be_computed_at_run_time() -> None:
    layer = default_layer()
    x, logits = random_batch(layer, 3)
    feeds = {"x": x, "router_logits": logits, "gate_up": layer.gate_up, "down": layer.down}
    y = session(model_bytes(layer, constant=False)).run(None, feeds)[0]
    np.testing.assert_array_equal(y, reference(layer, x, logits))


def test_two_runs_of_one_session_at_once() -> None:
    layer = default_layer()
    runner = session(model_bytes(layer), threads=2)
    batches = [random_batch(layer, 60, seed) for seed in range(4)]
    answers: dict[int, Floats] = {}

    def work(i: int) -> None:
        answers[i] = runner.run(None, {"x": batches[i][0], "router_logits": batches[i][1]})[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, batch in enumerate(batches):
        np.testing.assert_array_equal(answers[i], reference(layer, *batch))


def test_cancel_stops_a_long_run_and_leaves_the_session_usable() -> None:
    # Some ten seconds of scalar work, so that it cannot be over before the flag is set.
    layer = random_layer(hidden=1024, intermediate=1024, experts=8, k=4, bits=4, block=64)
    runner = session(model_bytes(layer, cancel=True), path="scalar", threads=2)
    x, logits = random_batch(layer, 1000)
    flag = cancel_flag()
    handle = np.array([flag.handle], np.int64)
    errors: list[Exception] = []

    def work() -> None:
        try:
            runner.run(None, {"x": x, "router_logits": logits, "cancel": handle})
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    flag.set()
    thread.join()
    assert "cancelled" in str(errors[0])

    few = {"x": x[:2], "router_logits": logits[:2], "cancel": handle}
    with pytest.raises(Exception, match="cancelled"):
        runner.run(None, few)
    flag.clear()
    y = runner.run(None, few)[0]
    np.testing.assert_array_equal(y, reference(layer, x[:2], logits[:2]))
    np.testing.assert_array_equal(runner.run(None, few | {"cancel": np.zeros(1, np.int64)})[0], y)


@pytest.mark.parametrize("handle", [-1, 12345678901, 2**62])
def test_an_invented_cancel_handle_is_refused(handle: int) -> None:
    layer = default_layer()
    x, logits = random_batch(layer, 1)
    feeds = {"x": x, "router_logits": logits, "cancel": np.array([handle], np.int64)}
    with pytest.raises(Exception, match="not the handle of a living cancel flag"):
        session(model_bytes(layer, cancel=True)).run(None, feeds)


def test_a_closed_flag_is_refused() -> None:
    layer = default_layer()
    x, logits = random_batch(layer, 1)
    flag = cancel_flag()
    feeds = {"x": x, "router_logits": logits, "cancel": np.array([flag.handle], np.int64)}
    runner = session(model_bytes(layer, cancel=True))
    runner.run(None, feeds)
    flag.close()
    with pytest.raises(Exception, match="not the handle of a living cancel flag"):
        runner.run(None, feeds)
