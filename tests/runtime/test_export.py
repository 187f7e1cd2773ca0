"""A checkpoint becomes a bundle, byte for byte the same each time, or is refused in words."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bundle import Bundle
from runtime.export.architectures import read_config
from runtime.export.errors import ExportError
from runtime.export.linear import Scheme
from runtime.export.quantize import quantize_matrix
from runtime.export.write import Options, export_bundle
from runtime.ops.expert_dispatch.pack import unpack_down, unpack_gate_up
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer
from tests.runtime.checkpoints import CONFIG, weights, write_checkpoint
from tests.runtime.fixture_bundles import (
    CHECKPOINTS,
    bundle_of,
    chunk,
    reference,
    runner_of,
    schemes,
)
from tests.support.tiny_tokenizer import tokenizer_definition

ROOT = Path(__file__).parent.parent.parent


def check_refused(source: Path, message: str, options: Options | None = None) -> None:
    target = source.parent / "bundle"
    with pytest.raises(ExportError, match=message) as raised:
        export_bundle(source, target, options or Options())
    assert "\n" not in str(raised.value)
    assert not target.exists()
    assert [path.name for path in source.parent.iterdir()] == [source.name], "nothing is left over"


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_bundle(CHECKPOINTS / "tied", tmp_path / name, Options())
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_the_manifest_says_what_was_made() -> None:
    bundle = bundle_of("untied", "int4", "int8")
    assert bundle.name == "untied"
    assert bundle.context == 128
    assert bundle.config.norm_topk_prob is False
    assert bundle.config.rope_theta == 1000000.0
    ours = ("Embedding", "ExpertDispatch", "Linear", "PagedAttention")
    assert bundle.operators == dict.fromkeys(ours, 1)
    assert bundle.quantization["experts"] == {"bits": 4, "block_size": 32}
    assert bundle.quantization["embedding"] == {"bits": 8, "block_size": 32}
    error = bundle.quantization["relative_rms_error"]
    assert len(error["layers"]) == 2
    for layer in error["layers"]:
        # Random normal weights, 15 and 255 levels in blocks of 32.
        assert 0.05 < layer["experts"] < 0.12
        assert 0.003 < layer["projections"] < 0.008
    exact = bundle_of("untied", "fp32", "fp32").quantization
    assert exact["experts"] == {"bits": 32}
    assert exact["relative_rms_error"]["layers"][0] == {"experts": 0.0, "projections": 0.0}


def test_packed_experts_begin_at_a_page_and_hold_the_weights() -> None:
    bundle = bundle_of("tied", "fp32", "fp32")
    places = external_places(bundle)
    data = bundle.weights_path.read_bytes()
    (up_offset, up_length), (down_offset, down_length) = (
        places[f"layer.1.experts.{part}"] for part in ("gate_up", "down")
    )
    assert up_offset % 4096 == down_offset % 4096 == 0
    packed = np.frombuffer(data, np.uint8, up_length, up_offset).reshape(4, -1)
    gate, up = unpack_gate_up(packed, 32, 32, 64)
    packed = np.frombuffer(data, np.uint8, down_length, down_offset).reshape(4, -1)
    down = unpack_down(packed, 32, 32, 32)
    from runtime.export.sources import Checkpoint

    checkpoint = Checkpoint(CHECKPOINTS / "tied")
    for expert in range(4):
        for part, found in (("gate", gate), ("up", up), ("down", down)):
            name = f"model.layers.1.mlp.experts.{expert}.{part}_proj.weight"
            np.testing.assert_array_equal(found.values[expert], checkpoint.read(name))


def expert_error(path: Path, tensors: dict[str, Any], searched: bool) -> float:
    path.mkdir()
    plan = replace(schemes("int4", "int8", "int8"), experts=Scheme(4, 32, searched))
    source = write_checkpoint(path / "c", tensors=tensors)
    error = export_bundle(source, path / "b", Options(schemes=plan)).quantization
    return float(error["relative_rms_error"]["layers"][0]["experts"])


def test_experts_that_were_trained_on_the_plain_grid_stay_on_it(tmp_path: Path) -> None:
    tensors = weights()
    for name, weight in tensors.items():
        if ".experts." in name:
            tensors[name] = quantize_matrix(weight, 4, 32).dequantize()
    # Only the scales are rounded, to float16.
    assert expert_error(tmp_path / "plain", tensors, searched=False) < 0.0005


def test_other_experts_fare_better_with_searched_scales(tmp_path: Path) -> None:
    searched, plain = (
        expert_error(tmp_path / str(choice), weights(), choice) for choice in (True, False)
    )
    assert 0 < searched < 0.9 * plain  # Measured 0.084 and 0.098.


def external_places(bundle: Bundle) -> dict[str, tuple[int, int]]:
    model = onnx.load(bundle.model_path, load_external_data=False)
    places = {}
    for tensor in model.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if entries:
            places[tensor.name] = (int(entries["offset"]), int(entries["length"]))
    return places


def vocabulary_weights(bundle: Bundle) -> list[str]:
    """The weights that the look-up of tokens and the logits read."""
    model = onnx.load(bundle.model_path, load_external_data=False)
    nodes = {node.output[0]: node for node in model.graph.node}
    look_up, head = nodes["embedded"], nodes["logits"]
    return [look_up.input[1 if look_up.op_type == "Embedding" else 0], head.input[1]]


def test_a_tied_head_shares_the_bytes_of_the_embedding() -> None:
    for tied in (bundle_of("tied", "int4", "int8"), bundle_of("tied", "int4", "int4")):
        assert vocabulary_weights(tied) == ["embedding.weight", "embedding.weight"]
    untied = bundle_of("untied", "int4", "int8")
    assert vocabulary_weights(untied) == ["embedding.weight", "head.weight"]
    places = external_places(untied)
    assert places["head.weight"] != places["embedding.weight"]


def test_a_vocabulary_that_fills_no_panels_is_shared_too() -> None:
    odd = bundle_of("qwen3", "int4", "int8", tie_word_embeddings=True)
    assert odd.operators == {"ExpertDispatch": 1, "Linear": 1, "PagedAttention": 1}
    assert vocabulary_weights(odd) == ["embedding.table", "embedding.weight"]
    places = external_places(odd)
    assert places["embedding.table"] == places["embedding.weight"]
    tokens, _, _ = reference("qwen3", 0)
    exact = bundle_of("qwen3", "fp32", "fp32", tie_word_embeddings=True)
    found, wanted = (runner_of(bundle).run([chunk(0, tokens, 0, 3)])[0] for bundle in (odd, exact))
    assert np.linalg.norm(found - wanted) < 0.4 * np.linalg.norm(wanted)


def test_only_the_operators_of_two_domains_are_used() -> None:
    model = onnx.load(bundle_of("tied", "int4", "int8").model_path, load_external_data=False)
    assert {node.domain for node in model.graph.node} == {"", "com.microsoft", "sopilka"}
    experts = [node for node in model.graph.node if node.op_type == "ExpertDispatch"]
    assert [node.input[4] for node in experts] == ["cancel", "cancel"], "all of them can be stopped"


def test_a_model_with_fewer_control_tokens_than_spellings(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "c")
    options = Options(prompt_layout="fim", memory={"table": []})
    bundle = export_bundle(source, tmp_path / "b", options)
    tokenizer = Tokenizer.from_file(bundle.tokenizer_path)
    found = PromptFormat.from_manifest(bundle.prompt_format, tokenizer)
    assert (found.layout, found.repo_name) == ("fim", None)
    assert tokenizer.token_id("<|fim_prefix|>") in found.stop_ids
    assert bundle.memory == {"table": []}


def test_a_bundle_is_replaced_only_on_demand_and_other_files_stay(tmp_path: Path) -> None:
    source, target = write_checkpoint(tmp_path / "c"), tmp_path / "b"
    target.mkdir()
    (target / "MODEL_CARD.md").write_text("kept")
    export_bundle(source, target, Options(name="first"))
    with pytest.raises(ExportError, match="holds a bundle already: choose another folder, or add"):
        export_bundle(source, target, Options(name="second"))
    assert Bundle.open(target).name == "first"
    export_bundle(source, target, Options(name="second", context=32, replace=True))
    assert Bundle.open(target).name == "second"
    assert (target / "MODEL_CARD.md").read_text() == "kept"


FULL_CONFIG = json.loads((CHECKPOINTS / "tied" / "config.json").read_text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
REFUSED_CONFIGS: list[tuple[dict[str, Any], str]] = [
    (
        {"architectures": ["LlamaForCausalLM"]},
        "LlamaForCausalLM.*; supported are Qwen2ForCausalLM, .* Qwen3MoeForCausalLM",
    ),
    ({"architectures": None, "model_type": "gpt2"}, "the architecture is 'gpt2'"),
    ({"rope_scaling": {"rope_type": "yarn", "factor": 0.5}}, "factor must be 1 or more, not 0.5"),
    ({"rope_scaling": {"type": "linear"}}, "rope_scaling: factor must be of type float, not None"),
    ({"rope_scaling": {"type": "longrope"}}, "rotary scaling of type 'longrope'"),
    (
        {"rope_scaling": {"type": "yarn", "factor": 2.0, "beta_fast": 1, "beta_slow": 2}},
        r"beta_fast \(1.0\) must be at least beta_slow \(2.0\)",
    ),
    (
        {"rope_scaling": {"type": "yarn", "original_max_position_embeddings": -1, "factor": 4}},
        "original_max_position_embeddings, -1, must be positive",
    ),
    (
        {"rope_scaling": {"type": "yarn", "factor": 1e6}},
        "original_max_position_embeddings, 64, .* 16777216 at most when multiplied by factor",
    ),
    (
        {"rope_scaling": {"type": "yarn", "factor": 4}, "rope_theta": 1},
        "rope_theta must be above 1",
    ),
    ({"partial_rotary_factor": 0.5}, "rotation of a part of each head"),
    ({"layer_types": ["linear_attention"]}, r"layers of type \['linear_attention'\]"),
    ({"rope_parameters": {"rope_type": "llama3"}}, "rotary scaling of type 'llama3'"),
    ({"architectures": "Qwen3MoeForCausalLM"}, "the architecture is 'Qwen3MoeForCausalLM'"),
    ({"rope_theta": float("nan")}, "rope_theta must be positive"),
    ({"rope_scaling": [4.0]}, "rope_scaling must be an object"),
    ({"mlp_only_layers": [0]}, "intermediate_size must be positive, not 0"),
    ({"decoder_sparse_step": 2}, "intermediate_size must be positive, not 0"),
    ({"decoder_sparse_step": 0}, "decoder_sparse_step must be positive, not 0"),
    ({"mlp_only_layers": [1]}, "mlp_only_layers names layer 1, which does not exist"),
    ({"mlp_only_layers": [0.5]}, "mlp_only_layers must be a list of whole numbers"),
    ({"attention_bias": True}, "biases in attention"),
    (
        {"use_sliding_window": True, "sliding_window": -4},
        "sliding_window must be positive, not -4",
    ),
    ({"num_hidden_layers": 1025}, "num_hidden_layers must be 1024 at most, not 1025"),
    ({"num_hidden_layers": 1024, "num_experts": 1000}, "1000 experts are more than 131072"),
    ({"hidden_size": 2**21}, "hidden_size must be 1048576 at most"),
    ({"hidden_act": "gelu"}, "activation 'gelu'"),
    ({"quantization_config": {"quant_method": "exl2"}}, "is quantized by .exl2.; FP8"),
    ({"hidden_size": None}, "hidden_size must be of type int, not None"),
    ({"hidden_size": "32"}, "hidden_size must be of type int, not '32'"),
    ({"norm_topk_prob": 1}, "norm_topk_prob must be of type bool"),
    ({"num_key_value_heads": 0}, "num_key_value_heads must be positive"),
    ({"num_experts_per_tok": 3}, "num_experts_per_tok is 3 of 2 experts"),
    ({"head_dim": 24}, "head_dim must be a multiple of 16, not 24"),
    ({"hidden_size": 48}, "hidden_size is 48, no multiple of the block size 32"),
    ({"num_attention_heads": 1, "head_dim": 16}, r"num_attention_heads \* head_dim is 16, no mult"),
    ({"vocab_size": 100}, "tokenizer.json has 262 tokens, the model only 100"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED_CONFIGS)
def test_a_model_that_the_graph_cannot_express(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    config = {**CONFIG, **changes}
    tensors = weights(config) if "vocab_size" in changes else None
    check_refused(write_checkpoint(tmp_path / "c", config, tensors), message)


@given(st.sampled_from(sorted(FULL_CONFIG)), JSON)
def test_a_config_of_any_json_is_refused_in_words(key: str, value: Any) -> None:
    with contextlib.suppress(ExportError):
        read_config({**FULL_CONFIG, key: value})


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.pop(f"model.layers.0.{name}.weight")


def extra(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.update({name: np.zeros(3, dtype=np.float32)})


def reshape(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"] = np.zeros(31, dtype=np.float32)


def poison(tensors: dict[str, Any]) -> None:
    tensors["model.layers.0.mlp.experts.1.up_proj.weight"][3, 4] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without("mlp.experts.1.down_proj"),
            r"lacks 1 tensors, first model.*experts\.1\.down_proj",
        ),
        (without("self_attn.q_norm"), "lacks 1 tensors, first .*q_norm"),
        (extra("model.layers.0.self_attn.q_proj.bias"), "1 unknown tensors, first .*q_proj.bias"),
        (extra("model.layers.1.input_layernorm.weight"), "1 unknown tensors"),
        (reshape, r"model.norm.weight has shape \[31\], config.json says \[32\]"),
        (poison, "experts.1.up_proj.weight in .* holds NaN or infinity"),
    ],
)
def test_tensors_that_are_not_the_configs(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    tensors = weights()
    change(tensors)
    check_refused(write_checkpoint(tmp_path / "c", tensors=tensors), message)


def test_a_stored_tied_head_is_ignored(tmp_path: Path) -> None:
    tensors = {**weights(), "lm_head.weight": np.zeros((270, 32), dtype=np.float32)}
    source = write_checkpoint(tmp_path / "c", tensors=tensors)
    assert export_bundle(source, tmp_path / "b", Options()).config.tie_word_embeddings


def test_blocks_that_do_not_divide(tmp_path: Path) -> None:
    options = Options(schemes=schemes("int4", "int8", "int8", block=64))
    check_refused(
        write_checkpoint(tmp_path / "c"),
        "hidden_size is 32, no multiple of the block size 64",
        options,
    )


@pytest.mark.parametrize("context", [65, -1])
def test_a_context_that_the_model_was_not_made_for(tmp_path: Path, context: int) -> None:
    message = rf"--context must be from 1 to 64 \(max_position_embeddings, .*\), not {context}"
    check_refused(write_checkpoint(tmp_path / "c"), message, Options(context=context))


def test_a_layout_that_the_tokenizer_cannot_spell(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "c")
    definition = tokenizer_definition()
    definition["added_tokens"] = definition["added_tokens"][:1]
    (source / "tokenizer.json").write_text(json.dumps(definition))
    check_refused(source, "layout fim needs tokens for fim_prefix", Options(prompt_layout="fim"))


def test_a_missing_tokenizer(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "c")
    (source / "tokenizer.json").unlink()
    check_refused(source, r"cannot read .*tokenizer\.json")


def run_cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runtime.export", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_command_line_exports(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text('{"table": [1]}')
    options = ["--experts", "int8", "--block", "64", "--context", "48", "--name", "mine"]
    options += ["--licence", "MIT", "--memory", str(memory)]
    done = run_cli(CHECKPOINTS / "sharded", tmp_path / "b", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine, 0.1 MB, context 48" in done.stdout
    assert "experts at most 0.00" in done.stdout
    bundle = Bundle.open(tmp_path / "b")
    assert (bundle.name, bundle.licence, bundle.context) == ("mine", "MIT", 48)
    assert bundle.quantization["experts"] == {"bits": 8, "block_size": 64}
    assert bundle.memory == {"table": [1]}


def test_the_command_line_fails_in_one_line(tmp_path: Path) -> None:
    done = run_cli(tmp_path / "absent", tmp_path / "b")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("export failed: ") and done.stderr.count("\n") == 1
    (tmp_path / "memory.json").write_text("[]")
    done = run_cli(CHECKPOINTS / "tied", tmp_path / "b", "--memory", tmp_path / "memory.json")
    assert "memory.json must hold a JSON object" in done.stderr
    done = run_cli(CHECKPOINTS / "tied", tmp_path / "b", "--memory", tmp_path / "absent.json")
    assert done.stderr.startswith("export failed: ") and done.stderr.count("\n") == 1


def test_the_help_teaches() -> None:
    text = run_cli("--help").stdout
    for word in ("how to choose", "examples", "--experts", "--prompt-format", "--memory"):
        assert word in text
