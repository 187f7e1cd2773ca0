"""A bundle of random weights is a bundle: checked, and run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.random_bundle import QWEN3_30B, make
from runtime.bundle import Bundle
from runtime.export.decoder import Schemes
from runtime.export.errors import ExportError
from runtime.export.linear import Scheme
from runtime.export.write import Options
from runtime.model_runner import Chunk
from tests.runtime.fixture_bundles import runner_of

TINY = replace(
    QWEN3_30B,
    vocab_size=8192,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    num_experts=4,
    num_experts_per_tok=2,
    moe_intermediate_size=64,
    max_position_embeddings=128,
)


@pytest.mark.parametrize("is_tied", [False, True])
@pytest.mark.parametrize("dense", [4, 8])
def test_a_tiny_shape_opens_and_runs(tmp_path: Path, is_tied: bool, dense: int) -> None:
    config = replace(TINY, tie_word_embeddings=is_tied)
    schemes = Schemes(Scheme(4, 32), Scheme(dense, 32), Scheme(dense, 32))
    make(tmp_path / "bundle", config, Options(schemes=schemes, name="random"))
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.config == config
    runner = runner_of(bundle)
    chunk = Chunk(np.arange(1, dtype=np.int32), np.array([1, 5000, 8191]), 0, 3)
    (logits,) = runner.run([chunk])
    assert logits.shape == (3, 8192)
    assert np.isfinite(logits).all()
    assert len(np.unique(logits[0])) > 100


def test_a_vocabulary_smaller_than_the_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="8192 tokens, the model only 512"):
        make(tmp_path / "bundle", replace(TINY, vocab_size=512), Options(name="random"))
