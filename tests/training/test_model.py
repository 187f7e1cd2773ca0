"""The model equals transformers' Qwen3-MoE; its loss and its quantization are what they claim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from tests.training import toy  # noqa: E402
from training.export_hf import export, hf_state  # noqa: E402
from training.fake_quant import fake_quantize, round_to_grid  # noqa: E402
from training.linear_loss import linear_cross_entropy  # noqa: E402
from training.model import LayerCache, Model, ModelConfig  # noqa: E402


def random_model(config: ModelConfig = toy.MODEL) -> Model:
    torch.manual_seed(1)
    model = Model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval().requires_grad_(False)


def test_logits_equal_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = random_model()
    toy.write(tmp_path)
    export(model, tmp_path / "tokenizer.json", tmp_path / "hf")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "hf", dtype=torch.float32, attn_implementation="eager"
    ).eval()
    assert type(theirs).__name__ == "Qwen3MoeForCausalLM"
    ids = torch.randint(0, model.config.vocab_size, (2, 50))
    torch.testing.assert_close(model.logits(ids), theirs(ids).logits, atol=1e-5, rtol=0)


def test_the_exported_tokenizer_loads_in_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    toy.write(tmp_path)
    export(random_model(), tmp_path / "tokenizer.json", tmp_path / "hf")
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    text = "<|repo_name|>a\n<|file_sep|>b.py\n  def f():\n\n\treturn 'é'\n"
    ids = loaded(text)["input_ids"]
    assert ids == toy.tokenizer().encode(text).ids
    assert loaded.decode(ids) == text
    assert loaded.eos_token_id == 0


def test_cached_steps_equal_one_pass() -> None:
    model = random_model()
    ids = torch.randint(0, model.config.vocab_size, (1, 20))
    whole = model.logits(ids)
    caches = [LayerCache() for _ in model.layers]
    parts = [
        model.logits(ids[:, begin:end], caches, start=begin)
        for begin, end in ((0, 7), (7, 8), (8, 15), (15, 20))
    ]
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)


def test_chunked_loss_equals_plain_cross_entropy() -> None:
    torch.manual_seed(0)
    states = torch.randn(300, 16, requires_grad=True)
    weight = torch.randn(40, 16, requires_grad=True)
    target = torch.randint(0, 40, (300,))
    plain = torch.nn.functional.cross_entropy(states @ weight.t(), target)
    chunked = linear_cross_entropy(states, weight, target)
    torch.testing.assert_close(chunked, plain)
    expected = torch.autograd.grad(plain, (states, weight))
    for found, wanted in zip(torch.autograd.grad(chunked, (states, weight)), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-4)


def test_quantization_rounds_forward_and_passes_gradients() -> None:
    weight = torch.randn(8, 64, requires_grad=True)
    grid = round_to_grid(weight.detach(), 4)
    for block in grid.view(8, 2, 32).flatten(0, 1):
        assert len(block.unique()) <= 15
    torch.testing.assert_close(round_to_grid(grid, 4), grid)
    (gradient,) = torch.autograd.grad(fake_quantize(weight, 4).sum(), weight)
    torch.testing.assert_close(gradient, torch.ones_like(weight))
    with pytest.raises(ValueError, match="33 columns"):
        round_to_grid(torch.zeros(2, 33), 4)


def test_quantizing_changes_logits_a_little() -> None:
    model = random_model()
    ids = torch.randint(0, model.config.vocab_size, (1, 30))
    plain = model.logits(ids)
    model.set_quantized(True)
    quantized = model.logits(ids)
    assert 0 < (plain - quantized).abs().mean() < 0.2 * plain.abs().mean()


def test_counts_and_shapes_of_the_default_model() -> None:
    config = ModelConfig()
    model = Model(config)
    counts = config.parameter_counts()
    assert counts["total"] == sum(parameter.numel() for parameter in model.parameters())
    assert counts["active"] < counts["total"]
    for size in (config.hidden_size, config.moe_intermediate_size, 64 * config.num_attention_heads):
        assert size % 64 == 0
    names = hf_state(Model(replace(toy.MODEL, num_hidden_layers=1)))
    assert "model.layers.0.mlp.experts.3.down_proj.weight" in names
    assert "lm_head.weight" not in names
