"""Exported models of random shapes compute what transformers computes, compared as they are made.

The recorded comparison, which needs no PyTorch, is tests/runtime/test_parity.py.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS  # noqa: E402
from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding  # noqa: E402

from runtime.export.architectures import read_config  # noqa: E402
from runtime.export.graph import GraphBuilder  # noqa: E402
from runtime.export.rope import rotary_frequencies, write_tables  # noqa: E402
from runtime.export.write import Options, export_bundle  # noqa: E402
from runtime.model_runner import Chunk, OrtModelRunner  # noqa: E402
from runtime.ops.paged_attention import BLOCK  # noqa: E402
from tests.fixtures.make_checkpoints import load, logits_of, random_model  # noqa: E402
from tests.runtime.fixture_bundles import runner_of, schemes  # noqa: E402
from tests.support.tiny_tokenizer import tokenizer_definition  # noqa: E402

EXACT = 1e-4
TRAINED = 32
FACTOR = 4.0
LENGTH = 110
SHAPE: dict[str, Any] = {
    "vocab_size": 272,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 128,
}


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


ROPES = st.fixed_dictionaries(
    {
        "rope_type": st.sampled_from(["linear", "yarn", "dynamic"]),
        "factor": st.floats(1, 64),
        "original_max_position_embeddings": st.integers(16, 1 << 18),
        "attention_factor": optional(st.floats(0.1, 4)),
        "beta_fast": optional(st.floats(2, 64)),
        "beta_slow": optional(st.floats(0.25, 2)),
        "mscale": optional(st.floats(0.1, 2)),
        "mscale_all_dim": optional(st.floats(0.1, 2)),
        "truncate": st.booleans(),
    }
)


@given(ROPES, st.floats(2, 1e8), st.sampled_from([16, 48, 64, 128]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_angles_are_stretched_as_in_the_reference(
    rope: dict[str, Any], theta: float, head_dim: int, is_old_spelling: bool
) -> None:
    rope = {name: value for name, value in rope.items() if value is not None}
    values = {**SHAPE, "head_dim": head_dim}
    if is_old_spelling:
        rope["type"] = rope.pop("rope_type")
        values.update(rope_theta=theta, rope_scaling=rope)
    else:
        values.update(rope_parameters={**rope, "rope_theta": theta})
    reference = transformers.Qwen3Config(**json.loads(json.dumps(values)))
    kind = reference.rope_parameters["rope_type"]
    wanted, wanted_factor = ROPE_INIT_FUNCTIONS[kind](reference)
    config = read_config({"model_type": "qwen3", **values})
    found, factor = rotary_frequencies(config)
    # A power in float32 may differ in its last bit.
    np.testing.assert_allclose(found, wanted.numpy(), rtol=5e-7)
    assert factor == pytest.approx(wanted_factor, rel=1e-12)


@pytest.mark.parametrize("kind", ["default", "linear", "yarn"])
def test_the_tables_hold_for_the_longest_contexts(kind: str) -> None:
    """As they lie in the file of weights, slice by slice, for four times 65536 positions."""
    rope = {"rope_type": kind, "factor": 4.0, "rope_theta": 1e6}
    values = {**SHAPE, "max_position_embeddings": 1 << 18, "rope_parameters": rope}
    if kind == "yarn":
        rope["original_max_position_embeddings"] = 1 << 16
    reference = transformers.Qwen3Config(**json.loads(json.dumps(values)))
    positions = torch.arange(1 << 18)[None]
    cos, sin = Qwen3RotaryEmbedding(reference)(torch.zeros(1), positions)
    file, half = io.BytesIO(), SHAPE["head_dim"] // 2
    write_tables(GraphBuilder(file), read_config({"model_type": "qwen3", **values}), 1 << 18)
    found = np.frombuffer(file.getvalue(), np.float32).reshape(2, 1 << 18, half)
    for table, wanted in zip(found, (cos, sin), strict=True):
        # Measured 1.2e-7. Where a power differs in its last bit, an angle of 200,000 radians does
        # by a hundredth.
        difference = np.abs(table - wanted[0, :, :half].numpy())
        assert np.median(difference) < 1e-6
        assert difference.max() < 0.02


def random_shape(model_type: str, rng: np.random.Generator) -> dict[str, Any]:
    """A shape with every choice of its architecture left to chance."""
    layers = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 2, 3]))
    kv_heads = int(rng.choice([2, 4]))
    shape: dict[str, Any] = {
        **SHAPE,
        "model_type": model_type,
        "vocab_size": int(rng.integers(265, 300)),
        "hidden_size": int(rng.choice([32, 64, 96])),
        "intermediate_size": int(rng.integers(5, 13)) * 8,
        "num_hidden_layers": layers,
        "num_attention_heads": kv_heads * groups,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": float(rng.choice([1e-6, 1e-5])),
        "tie_word_embeddings": bool(rng.integers(2)),
        "rope_theta": float(rng.choice([1e4, 1e6])),
    }
    if model_type.endswith("_moe"):
        experts = int(rng.integers(1, 6))
        shape.update(
            num_experts=experts,
            num_experts_per_tok=int(rng.integers(1, experts + 1)),
            moe_intermediate_size=int(rng.integers(2, 9)) * 8,
            norm_topk_prob=bool(rng.integers(2)),
            decoder_sparse_step=int(rng.integers(1, 3)),
            mlp_only_layers=[int(rng.integers(layers))] if rng.integers(2) else [],
        )
    if model_type == "qwen2_moe":
        shape["shared_expert_intermediate_size"] = int(rng.integers(2, 9)) * 8
    return shape


def random_rope(rng: np.random.Generator) -> dict[str, Any]:
    """The changes to a config.json: none, or stretched positions in one of the two spellings."""
    kind = str(rng.choice(["default", "linear", "yarn"]))
    if kind == "default":
        return {}
    rope: dict[str, Any] = {"factor": FACTOR}
    if kind == "yarn":
        rope["original_max_position_embeddings"] = TRAINED
    if rng.integers(2):
        return {"rope_scaling": {"type": kind, **rope}}
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **rope}}


def export(path: Path, shape: dict[str, Any], changes: dict[str, Any]) -> OrtModelRunner:
    random_model(shape).save_pretrained(path / "checkpoint")
    file = path / "checkpoint" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    (path / "checkpoint" / "tokenizer.json").write_text(json.dumps(tokenizer_definition()))
    options = Options(schemes=schemes("fp32", "fp32", "fp32"), name="random")
    return runner_of(export_bundle(path / "checkpoint", path / "bundle", options))


def run(runner: OrtModelRunner, tokens: list[int], lengths: list[int]) -> Any:
    """All logits of the tokens, computed in chunks of these lengths and one for the rest."""
    blocks = np.arange(-(-len(tokens) // BLOCK), dtype=np.int32)
    logits, past = [], 0
    for length in [*lengths, len(tokens)]:
        part = np.array(tokens[past : past + length], dtype=np.int64)
        if len(part):
            logits += runner.run([Chunk(blocks, part, past, len(part))])
        past += len(part)
    return np.concatenate(logits)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model_type", ["qwen2", "qwen2_moe", "qwen3", "qwen3_moe"])
def test_a_random_model_computes_the_same(tmp_path: Path, model_type: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    shape, changes = random_shape(model_type, rng), random_rope(rng)
    runner = export(tmp_path, shape, changes)
    model = load(tmp_path / "checkpoint", changes)
    tokens = rng.integers(0, shape["vocab_size"], LENGTH).tolist()
    wanted = logits_of(model, tokens)
    whole = run(runner, tokens, [])
    np.testing.assert_allclose(whole, wanted, rtol=0, atol=EXACT)
    for lengths in ([1] * LENGTH, rng.integers(1, 40, 8).tolist()):
        np.testing.assert_allclose(run(runner, tokens, lengths), wanted, rtol=0, atol=EXACT)


@pytest.mark.parametrize("model_type", ["qwen2", "qwen2_moe", "qwen3", "qwen3_moe"])
def test_greedy_text_is_the_same_with_the_references_own_cache(
    tmp_path: Path, model_type: str
) -> None:
    rng = np.random.default_rng(7)
    torch.manual_seed(7)
    shape = random_shape(model_type, rng)
    yarn = {"rope_scaling": {"rope_type": "yarn", "factor": FACTOR}}
    changes = {**yarn, "max_position_embeddings": TRAINED}
    runner = export(tmp_path, shape, changes)
    assert runner.max_context == TRAINED * FACTOR
    model = load(tmp_path / "checkpoint", changes)
    prompt = rng.integers(0, shape["vocab_size"], 20).tolist()
    made = model.generate(
        torch.tensor([prompt]), max_new_tokens=40, do_sample=False, eos_token_id=None
    )[0].tolist()
    tokens = list(prompt)
    while len(tokens) < len(made):
        tokens.append(int(run(runner, tokens, [len(tokens) - 1])[-1].argmax()))
    assert tokens == made


@pytest.mark.parametrize("model_type", ["qwen2", "qwen2_moe", "qwen3", "qwen3_moe"])
@pytest.mark.parametrize(
    "changes",
    [
        {"use_sliding_window": True, "sliding_window": 48, "max_window_layers": 1},
        {"rope_scaling": {"type": "dynamic", "factor": 2.0}, "max_position_embeddings": 48},
    ],
)
def test_what_changes_with_the_length_is_computed_as_far_as_it_does_not(
    tmp_path: Path, model_type: str, changes: dict[str, Any]
) -> None:
    torch.manual_seed(3)
    shape = {**SHAPE, "model_type": model_type, "num_experts": 4, "num_experts_per_tok": 2}
    if model_type == "qwen2_moe":
        shape["shared_expert_intermediate_size"] = 32
    shape["moe_intermediate_size"] = 32
    changes = {**changes, "layer_types": None}
    runner = export(tmp_path, shape, changes)
    assert runner.max_context == 48
    model = load(tmp_path / "checkpoint", changes)
    tokens = np.random.default_rng(3).integers(0, 272, 60).tolist()
    wanted = logits_of(model, tokens[:48])
    np.testing.assert_allclose(run(runner, tokens[:48], []), wanted, rtol=0, atol=EXACT)
