"""A bundle is what its manifest says, or it is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import Bundle, default_bundle_path
from runtime.errors import BundleError
from tests.runtime.bundles import CONFIG, graph, record, write_bundle


def check_refused(path: Path, message: str, **options: Any) -> None:
    with pytest.raises(BundleError, match=message) as raised:
        Bundle.open(path, **options)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def with_file(name: str, **entry: Any) -> dict[str, Any]:
    files = {
        "model.onnx": record(graph()),
        "weights.bin": record(bytes(16)),
        "tokenizer.json": record(b""),
    }
    return {**files, name: entry}


def test_a_good_bundle_is_read(tmp_path: Path) -> None:
    bundle = Bundle.open(write_bundle(tmp_path / "b", memory={"table": [0.5]}))
    assert bundle.config.hidden_size == 64
    assert bundle.context == 64
    assert (bundle.sampling.max_tokens, bundle.sampling.temperature) == (32, 0.5)
    assert bundle.memory == {"table": [0.5]}
    assert bundle.weights_path.read_bytes() == bytes(16)
    assert bundle.operators == {"ExpertDispatch": 1}


def test_a_bundle_may_be_reached_through_a_link(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b")
    (tmp_path / "link").symlink_to("b")
    assert Bundle.open(tmp_path / "link").name == "tiny"


def test_the_default_bundle_lies_in_the_package() -> None:
    assert default_bundle_path().parts[-3:] == ("runtime", "models", "default")


def test_not_a_directory(tmp_path: Path) -> None:
    check_refused(tmp_path / "absent", "is not a directory")
    (tmp_path / "file").write_text("")
    check_refused(tmp_path / "file", "is not a directory")


def test_a_directory_without_a_manifest(tmp_path: Path) -> None:
    check_refused(tmp_path, "cannot read bundle.json: No such file")


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[" * 100_000, "\xff"])
def test_malformed_json(tmp_path: Path, text: str) -> None:
    path = write_bundle(tmp_path / "b")
    (path / "bundle.json").write_bytes(text.encode("latin-1"))
    check_refused(path, "bundle.json is not JSON")


def test_a_file_with_another_content(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    (path / "weights.bin").write_bytes(bytes(15) + b"\1")
    check_refused(path, r"weights.bin was altered \(wrong SHA-256\)")
    assert Bundle.open(path, verify=False).name == "tiny", "without verify only sizes are compared"


def test_an_altered_graph(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    (path / "model.onnx").write_bytes(graph().replace(b"Add", b"Sub"))
    check_refused(path, "model.onnx was altered")


@pytest.mark.parametrize("verify", [True, False])
def test_a_file_of_another_size(tmp_path: Path, verify: bool) -> None:
    path = write_bundle(tmp_path / "b")
    (path / "weights.bin").write_bytes(bytes(15))
    check_refused(path, "weights.bin has 15 bytes instead of 16", verify=verify)


@pytest.mark.parametrize("name", ["model.onnx", "weights.bin", "tokenizer.json"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    path = write_bundle(tmp_path / "b")
    (path / name).unlink()
    check_refused(path, f"{name} is missing")


@pytest.mark.parametrize(
    "name",
    [
        "../weights.bin",
        "/etc/hostname",
        "a/../../b",
        "..",
        "C:/x",
        "a\\b",
        "a\0b",
        "a//b",
        "",
        "./a",
    ],
)
def test_a_name_that_leaves_the_bundle(tmp_path: Path, name: str) -> None:
    path = write_bundle(tmp_path / "b", files=with_file(name, sha256="0" * 64, bytes=0))
    check_refused(path, "is not a plain path inside the bundle")


def test_a_link_that_leaves_the_bundle(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    (tmp_path / "outside.bin").write_bytes(bytes(16))
    (path / "weights.bin").unlink()
    (path / "weights.bin").symlink_to("../outside.bin")
    check_refused(path, "weights.bin leads out of the bundle")


def test_a_link_to_itself(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    (path / "weights.bin").unlink()
    (path / "weights.bin").symlink_to("weights.bin")
    check_refused(path, "weights.bin")


@pytest.mark.parametrize(
    "location", ["/etc/hostname", "../other.bin", "unlisted.bin", "bundle.json"]
)
def test_a_graph_whose_weights_lie_elsewhere(tmp_path: Path, location: str) -> None:
    path = write_bundle(tmp_path / "b", model=graph(location))
    check_refused(path, f"model.onnx refers to '{location}', which the manifest does not list")


def test_a_graph_that_is_none(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b", model=graph()[:-1])
    check_refused(path, "model.onnx is cut off or is no ONNX model")


CASES: list[tuple[dict[str, Any], str]] = [
    ({"format_version": 1}, "format_version is 1, this version reads 2: export"),
    ({"format_version": True}, "format_version is True"),
    ({"format_version": None}, "format_version is None"),
    ({"name": 3}, "name must be of type str, not int"),
    ({"files": {}}, "files: model.onnx is not listed"),
    ({"files": with_file("weights.bin")}, "files: weights.bin: field 'bytes' is missing"),
    (
        {"files": with_file("weights.bin", sha256="0" * 64, bytes="16")},
        "files: weights.bin: bytes must be of type int, not '16'",
    ),
    (
        {"files": with_file("weights.bin", sha256="XY", bytes=16)},
        "files: weights.bin: sha256 must be 64 hexadecimal digits",
    ),
    ({"config": {}}, "config: field 'head_dim' is missing"),
    ({"config": {**CONFIG, "colour": 1}}, "config: unknown field 'colour'"),
    ({"config": {**CONFIG, "hidden_size": 64.5}}, "config: hidden_size must be of type int"),
    ({"config": {**CONFIG, "hidden_size": True}}, "config: hidden_size must be of type int"),
    ({"config": {**CONFIG, "hidden_size": 0}}, "config: hidden_size must be positive"),
    (
        {"config": {**CONFIG, "rope_theta": float("nan")}},
        "config: rope_theta must be of type float",
    ),
    ({"config": {**CONFIG, "hidden_size": 10**400}}, "config: hidden_size must be of type int"),
    ({"config": {**CONFIG, "num_hidden_layers": 2000}}, "num_hidden_layers must be 1024 at most"),
    ({"config": {**CONFIG, "mlp_only_layers": [0]}}, "intermediate_size must be positive, not 0"),
    ({"config": {**CONFIG, "mlp_only_layers": [1.5]}}, "mlp_only_layers must be of type tuple"),
    ({"config": {**CONFIG, "mlp_only_layers": 1}}, "mlp_only_layers must be of type tuple"),
    ({"config": {**CONFIG, "rope_parameters": 1}}, "rope_parameters must be of type RopeParam"),
    (
        {"config": {**CONFIG, "rope_parameters": {"rope_type": "magic"}}},
        "rope_type is 'magic', supported are default, linear, dynamic, yarn",
    ),
    (
        {"config": {**CONFIG, "rope_parameters": {"speed": 1}}},
        "config: rope_parameters: unknown field 'speed'",
    ),
    (
        {"config": {**CONFIG, "rope_parameters": {"rope_type": "yarn", "factor": 2}}},
        "original_max_position_embeddings, 0, must be positive",
    ),
    ({"config": {**CONFIG, "sliding_window": 32}}, "context is 64, but must be from 1 to 32"),
    ({"config": {**CONFIG, "norm_topk_prob": 1}}, "config: norm_topk_prob must be of type bool"),
    ({"config": {**CONFIG, "num_key_value_heads": 3}}, "2 attention heads do not divide into 3"),
    ({"config": {**CONFIG, "num_experts_per_tok": 5}}, "num_experts_per_tok is 5 of 4 experts"),
    ({"context": 129}, "context is 129, but must be from 1 to 128 .max_position_embeddings"),
    ({"context": 0}, "context is 0"),
    ({"sampling": {"top_p": 2.0}}, "sampling: top_p must be in"),
    ({"sampling": {"heat": 1}}, "sampling: unknown field 'heat'"),
    ({"sampling": {"stop": "x"}}, "sampling: stop must be of type tuple"),
    ({"sampling": {"stop_ids": [1, "x"]}}, "sampling: stop_ids must be of type tuple"),
    ({"prompt_format": {"layout": "x"}}, "prompt_format: layout must be"),
    ({"memory": []}, "memory must be of type dict, not list"),
    ({"operators": {"Attention9": 1}}, "operators: 'Attention9' is unknown"),
    (
        {"operators": {"ExpertDispatch": 7}},
        "ExpertDispatch has weights in layout 7, this version reads 1: export",
    ),
]


@pytest.mark.parametrize(("changes", "message"), CASES)
def test_a_malformed_manifest_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    check_refused(write_bundle(tmp_path / "b", **changes), message)


def test_a_manifest_without_an_entry(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    manifest = json.loads((path / "bundle.json").read_text())
    for key in set(manifest) - {"memory"}:
        rest = {name: value for name, value in manifest.items() if name != key}
        (path / "bundle.json").write_text(json.dumps(rest))
        check_refused(path, key)
