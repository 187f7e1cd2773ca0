"""Config files of all the models that people have are read, and suit the operators."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.random_bundle import PRESETS, make
from runtime.bundle import Bundle
from runtime.config import ModelConfig, RopeParameters
from runtime.export.architectures import ARCHITECTURES, read_config
from runtime.export.decoder import check_blocks
from runtime.export.errors import ExportError
from runtime.export.rope import rotary_frequencies
from runtime.export.tensors import tensor_shapes
from runtime.export.write import Options, export_bundle
from runtime.model_runner import Chunk
from tests.runtime.checkpoints import CONFIG, weights, write_checkpoint
from tests.runtime.fixture_bundles import runner_of, schemes

# Name -> architecture, millions of parameters as the makers give them, and config.json: hidden and
# intermediate size, layers, heads, key-value heads, vocabulary, tied, and what else it has.
QWEN2 = ("Qwen2ForCausalLM", 32768, {"use_sliding_window": False, "sliding_window": 131072})
QWEN3 = ("Qwen3ForCausalLM", 40960, {"head_dim": 128, "attention_bias": False})
QWEN2_MOE = ("Qwen2MoeForCausalLM", 8192, {"norm_topk_prob": False, "decoder_sparse_step": 1})
QWEN3_MOE = (
    "Qwen3MoeForCausalLM",
    262144,
    {"head_dim": 128, "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": []},
)


def experts(count: int, chosen: int, size: int, shared: int = 0) -> dict[str, int]:
    values = {"num_experts": count, "num_experts_per_tok": chosen, "moe_intermediate_size": size}
    return {**values, "shared_expert_intermediate_size": shared} if shared else values


REAL: dict[str, tuple[Any, int, tuple[int, ...], bool, dict[str, int]]] = {
    "Qwen2.5-Coder-0.5B": (QWEN2, 494, (896, 4864, 24, 14, 2, 151936), True, {}),
    "Qwen2.5-Coder-1.5B": (QWEN2, 1544, (1536, 8960, 28, 12, 2, 151936), True, {}),
    "Qwen2.5-Coder-3B": (QWEN2, 3086, (2048, 11008, 36, 16, 2, 151936), True, {}),
    "Qwen2.5-Coder-7B": (QWEN2, 7616, (3584, 18944, 28, 28, 4, 152064), False, {}),
    "Qwen2.5-Coder-14B": (QWEN2, 14770, (5120, 13824, 48, 40, 8, 152064), False, {}),
    "Qwen2.5-Coder-32B": (QWEN2, 32764, (5120, 27648, 64, 40, 8, 152064), False, {}),
    "Qwen3-0.6B": (QWEN3, 596, (1024, 3072, 28, 16, 8, 151936), True, {}),
    "Qwen3-1.7B": (QWEN3, 1721, (2048, 6144, 28, 16, 8, 151936), True, {}),
    "Qwen3-4B": (QWEN3, 4022, (2560, 9728, 36, 32, 8, 151936), True, {}),
    "Qwen3-8B": (QWEN3, 8191, (4096, 12288, 36, 32, 8, 151936), False, {}),
    "Qwen3-14B": (QWEN3, 14768, (5120, 17408, 40, 40, 8, 151936), False, {}),
    "Qwen3-32B": (QWEN3, 32762, (5120, 25600, 64, 64, 8, 151936), False, {}),
    "Qwen1.5-MoE-A2.7B": (
        QWEN2_MOE,
        14316,
        (2048, 5632, 24, 16, 16, 151936),
        False,
        experts(60, 4, 1408, 5632),
    ),
    "Qwen2-57B-A14B": (
        QWEN2_MOE,
        57409,
        (3584, 18944, 28, 28, 4, 151936),
        False,
        experts(64, 8, 2560, 20480),
    ),
    "Qwen3-Coder-30B-A3B": (
        QWEN3_MOE,
        30532,
        (2048, 5472, 48, 32, 4, 151936),
        False,
        experts(128, 8, 768),
    ),
    "Qwen3-235B-A22B": (
        QWEN3_MOE,
        235094,
        (4096, 12288, 94, 64, 4, 151936),
        False,
        experts(128, 8, 1536),
    ),
    "Qwen3-Coder-480B-A35B": (
        QWEN3_MOE,
        480155,
        (6144, 8192, 62, 96, 8, 151936),
        False,
        experts(160, 8, 2560),
    ),
}


def config_json(name: str) -> dict[str, Any]:
    (architecture, context, more), _, sizes, tied, experts_too = REAL[name]
    names = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
    )
    return {
        "architectures": [architecture],
        **dict(zip(names, sizes, strict=True)),
        **more,
        **experts_too,
        "hidden_act": "silu",
        "max_position_embeddings": context,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": tied,
    }


@pytest.mark.parametrize("block", [32, 64])
@pytest.mark.parametrize("name", REAL)
def test_every_real_model_can_be_exported(name: str, block: int) -> None:
    config = read_config(config_json(name))
    for kinds in (("int4", "int8", "int8"), ("int4", "int4", "int4"), ("fp32", "fp32", "fp32")):
        check_blocks(config, schemes(*kinds, block))
    # No row of zeros has to be added, and every head is packed for our own operator.
    for shape in tensor_shapes(config).values():
        assert len(shape) == 1 or shape[1] % block == 0
    assert config.vocab_size % 16 == 0


@pytest.mark.parametrize("name", REAL)
def test_it_has_as_many_parameters_as_its_makers_say(name: str) -> None:
    """Nothing is forgotten: every tensor of the checkpoint is in the table of shapes."""
    shapes = tensor_shapes(read_config(config_json(name)))
    count = sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())
    assert count / 1e6 == pytest.approx(REAL[name][1], rel=0.001)


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        ("qwen2.5-coder-0.5b", "Qwen2.5-Coder-0.5B"),
        ("qwen2.5-coder-1.5b", "Qwen2.5-Coder-1.5B"),
        ("qwen2.5-coder-7b", "Qwen2.5-Coder-7B"),
        ("qwen3-4b", "Qwen3-4B"),
        ("qwen1.5-moe-a2.7b", "Qwen1.5-MoE-A2.7B"),
        ("qwen3-30b-a3b", "Qwen3-Coder-30B-A3B"),
        ("qwen3-480b-a35b", "Qwen3-Coder-480B-A35B"),
    ],
)
def test_the_benchmarks_use_the_real_shapes(preset: str, name: str) -> None:
    assert tensor_shapes(PRESETS[preset]) == tensor_shapes(read_config(config_json(name)))


def tiny(architecture: str, **changes: Any) -> dict[str, Any]:
    """A small config.json: two layers, all that an architecture may have."""
    return {
        **CONFIG,
        "architectures": [architecture],
        "num_hidden_layers": 2,
        "intermediate_size": 64,
        "shared_expert_intermediate_size": 32,
        **changes,
    }


NAMES = [architecture.name for architecture in ARCHITECTURES]


@pytest.mark.parametrize("name", NAMES)
def test_the_model_type_serves_where_no_architecture_is_named(name: str) -> None:
    wanted = read_config(tiny(name))
    kind = {found.name: found.model_type for found in ARCHITECTURES}[name]
    for named in ({}, {"architectures": None}, {"architectures": []}):
        config = {**tiny(name), "model_type": kind}
        del config["architectures"]
        assert read_config({**config, **named}) == wanted


def test_what_a_file_leaves_out_is_the_references_default() -> None:
    raw = tiny("Qwen2MoeForCausalLM")
    for name in ("norm_topk_prob", "rms_norm_eps", "rope_theta", "tie_word_embeddings", "head_dim"):
        raw.pop(name)
    raw.update(num_key_value_heads=None, mlp_only_layers=None, decoder_sparse_step=None)
    config = read_config(raw)
    assert (config.norm_topk_prob, config.tie_word_embeddings) == (False, False)
    assert (config.rms_norm_eps, config.rope_theta) == (1e-6, 10000.0)
    assert (config.head_dim, config.num_key_value_heads) == (16, 2)
    assert config.is_sparse(0) and config.qkv_bias and not config.use_qk_norm


def test_which_layers_have_experts() -> None:
    raw = tiny("Qwen3MoeForCausalLM", num_hidden_layers=6, decoder_sparse_step=2)
    config = read_config({**raw, "mlp_only_layers": [3]})
    assert [layer for layer in range(6) if config.is_sparse(layer)] == [1, 5]
    assert not any(map(read_config(tiny("Qwen3ForCausalLM")).is_sparse, range(2)))


WINDOW = {"use_sliding_window": True, "sliding_window": 24}


@pytest.mark.parametrize(
    ("name", "changes", "context"),
    [
        ("Qwen2ForCausalLM", {"use_sliding_window": False, "sliding_window": 24}, 64),
        ("Qwen2ForCausalLM", {"use_sliding_window": True, "sliding_window": None}, 64),
        ("Qwen2ForCausalLM", {**WINDOW, "max_window_layers": 2}, 64),
        ("Qwen2ForCausalLM", {**WINDOW, "max_window_layers": 1}, 24),
        ("Qwen3ForCausalLM", {**WINDOW, "max_window_layers": 0}, 24),
        ("Qwen3ForCausalLM", {**WINDOW, "max_window_layers": 0, "sliding_window": 100}, 64),
        (
            "Qwen3ForCausalLM",
            {**WINDOW, "max_window_layers": 0, "layer_types": ["full_attention"] * 2},
            64,
        ),
        ("Qwen2MoeForCausalLM", {**WINDOW, "max_window_layers": 0}, 64),
        ("Qwen2MoeForCausalLM", WINDOW, 24),
        ("Qwen3MoeForCausalLM", WINDOW, 24),
        ("Qwen2ForCausalLM", {"rope_scaling": {"type": "yarn", "factor": 2.5}}, 160),
        ("Qwen2ForCausalLM", {"rope_scaling": {"type": "linear", "factor": 2.5}}, 64),
        ("Qwen2ForCausalLM", {"rope_scaling": {"type": "dynamic", "factor": 2.5}}, 64),
    ],
)
def test_the_longest_context_is_the_one_that_is_computed_right(
    name: str, changes: dict[str, Any], context: int
) -> None:
    assert read_config(tiny(name, **changes)).max_context == context


def test_no_bundle_is_made_for_more_than_a_sliding_window(tmp_path: Path) -> None:
    config = tiny("Qwen3MoeForCausalLM", **WINDOW)
    source = write_checkpoint(tmp_path / "c", config, weights(config))
    assert export_bundle(source, tmp_path / "b", Options()).context == 24
    with pytest.raises(ExportError, match=r"--context must be from 1 to 24 .*sliding_window"):
        export_bundle(source, tmp_path / "more", Options(context=25))


def test_a_stretched_model_says_so_in_its_manifest(tmp_path: Path) -> None:
    rope = {"type": "yarn", "factor": 2.0, "attention_factor": 1.5, "beta_slow": 2}
    config = tiny("Qwen2ForCausalLM", rope_scaling=rope)
    source = write_checkpoint(tmp_path / "c", config, weights(config))
    export_bundle(source, tmp_path / "b", Options())
    bundle = Bundle.open(tmp_path / "b")
    assert bundle.context == 128
    assert bundle.config.rope_parameters == RopeParameters(
        "yarn", 2.0, 64, attention_factor=1.5, beta_slow=2.0
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_error_of_each_layer_is_recorded(tmp_path: Path, name: str) -> None:
    config = tiny(name, mlp_only_layers=[1])
    source = write_checkpoint(tmp_path / "c", config, weights(config))
    bundle = export_bundle(source, tmp_path / "b", Options(schemes=schemes("int4", "int8", "int8")))
    layers = bundle.quantization["relative_rms_error"]["layers"]
    first = "experts" if "Moe" in name else "mlp"
    assert [set(layer) for layer in layers] == [{"projections", first}, {"projections", "mlp"}]
    for layer in layers:
        assert 0.003 < layer.pop("projections") < 0.008
        assert 0.05 < layer.popitem()[1] < 0.12


NUMBERS = (
    st.integers(-2, 70)
    | st.sampled_from([2**31, 2**63, 10**400, -(10**400)])
    | st.floats()
    | st.none()
    | st.booleans()
    | st.text(max_size=3)
    | st.lists(st.integers(-1, 3), max_size=3)
)
KEYS = sorted(
    {key for name in NAMES for key in tiny(name)}
    | {"sliding_window", "max_window_layers", "use_sliding_window", "layer_types", "qkv_bias"}
    | {"original_max_position_embeddings", "attention_bias", "partial_rotary_factor"}
)
ROPE_KEYS = [field.name for field in fields(RopeParameters)] + ["type", "rope_theta"]
SCALED = st.dictionaries(
    st.sampled_from(ROPE_KEYS), NUMBERS | st.sampled_from(["yarn", "linear", "dynamic"])
)


@given(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(KEYS), NUMBERS, max_size=4),
    SCALED,
    st.sampled_from(["rope_scaling", "rope_parameters"]),
    st.sampled_from(["yarn", "linear", "dynamic", "default"]),
)
@settings(max_examples=400, deadline=None)
def test_a_config_of_any_numbers_is_read_or_refused_in_one_line(
    name: str, changes: dict[str, Any], rope: dict[str, Any], spelling: str, kind: str
) -> None:
    raw = {**tiny(name), spelling: {"rope_type": kind, "factor": 2.0, **rope}, **changes}
    raw["architectures"] = [name]
    try:
        config = read_config(raw)
        check_blocks(config, schemes("int4", "int8", "int8"))
    except ExportError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
        return
    # What passes can be built: sizes are whole, angles finite, tables of a size within reason.
    assert all(min(shape) > 0 for shape in tensor_shapes(config).values())
    frequencies, factor = rotary_frequencies(config)
    assert np.isfinite(frequencies).all() and (frequencies > 0).all()
    assert 0 < factor < 1e7
    assert 1 <= config.max_context <= 1 << 24


def random_config(name: str) -> ModelConfig:
    config = read_config(tiny(name, mlp_only_layers=[1], moe_intermediate_size=40))
    return replace(config, vocab_size=8192)


@pytest.mark.parametrize("kinds", [("int4", "int8", "int8"), ("fp32", "fp32", "fp32")])
@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_of_random_weights_runs(
    tmp_path: Path, name: str, kinds: tuple[str, str, str]
) -> None:
    config = random_config(name)
    make(tmp_path / "bundle", config, Options(schemes=schemes(*kinds), name="random"))
    runner = runner_of(Bundle.open(tmp_path / "bundle"))
    (logits,) = runner.run([Chunk(np.arange(1, dtype=np.int32), np.array([1, 5000, 8191]), 0, 3)])
    assert logits.shape == (3, 8192)
    assert np.isfinite(logits).all() and len(np.unique(logits[0])) > 100
