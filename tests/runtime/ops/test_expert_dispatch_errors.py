"""Whatever is wrong with a node is said in one clear line: when the model is loaded, if it can be
known then, else when it runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.ops.layers import Layer, model_bytes, random_batch, random_layer, session


def small_layer() -> Layer:
    return random_layer(hidden=128, intermediate=64, experts=4, k=2, bits=4, block=32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": 5}, "attribute `bits` is 5, must be 4, 8 or 32"),
        ({"bits": 64}, "attribute `bits` is 64, must be from 4 to 32"),
        ({"block_size": 48}, "attribute `block_size` is 48, must be 32 or 64"),
        ({"block_size": 128}, "attribute `block_size` is 128, must be from 32 to 64"),
        ({"layout_version": 2}, "attribute `layout_version` is 2, must be from 1 to 1"),
        ({"k": 0}, "attribute `k` is 0, must be from 1 to 4"),
        ({"k": 5}, "attribute `k` is 5, must be from 1 to 4"),
        ({"normalize": 2}, "attribute `normalize` is 2, must be from 0 to 1"),
        ({"num_experts": -1}, "attribute `num_experts` is -1"),
        ({"hidden_size": 100}, "must be multiples of block_size 32"),
        ({"hidden_size": 2**40}, "attribute `hidden_size` is 1099511627776"),
        ({"intermediate_size": 96}, "input `gate_up` has shape .* must be .* for these attributes"),
        ({"num_experts": 3}, "input `gate_up` has shape .* must be .* for these attributes"),
        ({"bits": 8}, "input `gate_up` has shape .* must be .* for these attributes"),
    ],
)
def test_wrong_attributes_fail_when_loaded(changes: dict[str, int], message: str) -> None:
    layer = small_layer()
    attributes = layer.attributes.as_dict() | changes
    with pytest.raises(Exception, match=message):
        session(model_bytes(layer, attributes=attributes))


@pytest.mark.parametrize("name", sorted(small_layer().attributes.as_dict()))
def test_a_missing_attribute_is_named(name: str) -> None:
    layer = small_layer()
    attributes = layer.attributes.as_dict()
    del attributes[name]
    with pytest.raises(Exception, match=f"the integer attribute `{name}` is missing"):
        session(model_bytes(layer, attributes=attributes))


def test_weights_of_the_wrong_size_fail_when_loaded() -> None:
    layer = small_layer()
    with pytest.raises(Exception, match="input `down` has shape"):
        session(model_bytes(replace(layer, down=layer.down[:, :-1])))


def test_wrong_shapes_fail_when_run() -> None:
    layer = small_layer()
    x, logits = random_batch(layer, 3)
    runner = session(model_bytes(layer, constant=False))
    good = {"x": x, "router_logits": logits, "gate_up": layer.gate_up, "down": layer.down}
    runner.run(None, good)
    for name, value, message in [
        ("x", x[:, :-1], r"input `x` has shape \[3, 127\], must be \[\.\.\., 128\]"),
        ("x", np.array(1, np.float32), r"input `x` has shape \[\]"),
        (
            "router_logits",
            logits[:2],
            r"input `router_logits` has shape \[2, 4\], must be \[3, 4\]",
        ),
        ("router_logits", logits[:, :3], r"input `router_logits` has shape \[3, 3\]"),
        ("gate_up", layer.gate_up[:2], r"input `gate_up` has shape \[2, "),
        ("down", layer.down[:, :-16], r"input `down` has shape \[4, "),
    ]:
        with pytest.raises(Exception, match=message):
            runner.run(None, good | {name: value})


def test_an_unknown_path_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Exception, match=r'SOPILKA_OPS_PATH is "sse9"; this machine knows: scalar'):
        session(model_bytes(small_layer()), path="sse9")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_weights_are_read_where_the_file_is_mapped(tmp_path: Path) -> None:
    """Weights must not show up as memory of our own, neither on loading nor on running."""
    layer = random_layer(hidden=2048, intermediate=768, experts=1, k=1, bits=4, block=32)
    experts = 20
    file = tmp_path / "weights.bin"
    many = replace(
        layer,
        attributes=replace(layer.attributes, num_experts=experts, k=experts),
        gate_up=np.broadcast_to(np.uint8(0), (experts, layer.gate_up.shape[1])),
        down=np.broadcast_to(np.uint8(0), (experts, layer.down.shape[1])),
    )
    (tmp_path / "model.onnx").write_bytes(model_bytes(many, external=file))
    size = file.stat().st_size
    assert size > 48 << 20

    before = anonymous_bytes()
    runner = session(tmp_path / "model.onnx")
    x, logits = random_batch(many, 1)
    y = runner.run(None, {"x": x, "router_logits": logits})[0]
    assert not y.any()
    assert anonymous_bytes() - before < size / 4
    assert str(file) in Path("/proc/self/maps").read_text()


def anonymous_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))
