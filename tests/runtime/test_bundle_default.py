"""The bundle that ships is whole, small, and holds a model that has learnt something."""

from __future__ import annotations

import numpy as np

from runtime.bundle import Bundle, default_bundle_path
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer
from tests.runtime.fixture_bundles import chunk, runner_of

SNIPPET = '''\
import os


class Cart:
    """Holds items."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        for item in self.items:
            yield item
'''


def test_the_default_model_expects_ordinary_code() -> None:
    bundle = Bundle.open(default_bundle_path())
    tokenizer = Tokenizer.from_file(bundle.tokenizer_path)
    layout = PromptFormat.from_manifest(bundle.prompt_format, tokenizer)
    code = tokenizer.encode(SNIPPET)
    prompt = layout.render(
        tokenizer.encode("shop"), [], tokenizer.encode("shop/cart.py"), code, [], []
    )
    tokens = np.array(prompt, dtype=np.int64)
    logits = runner_of(bundle).run([chunk(0, tokens, 0, len(code) + 1)])[0][:-1]
    highest = logits.max(axis=1)
    total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    nats = total - logits[np.arange(len(code)), code]
    guessing = np.log(bundle.config.vocab_size)
    assert nats.mean() < guessing / 2  # Measured 2.2 midway through its training.


def test_the_default_bundle_is_small_enough_to_ship() -> None:
    bundle = Bundle.open(default_bundle_path())
    assert sum(record.bytes for record in bundle.files.values()) < 12_000_000


def test_the_default_model_stops_at_the_end_of_a_file() -> None:
    bundle = Bundle.open(default_bundle_path())
    tokenizer = Tokenizer.from_file(bundle.tokenizer_path)
    layout = PromptFormat.from_manifest(bundle.prompt_format, tokenizer)
    for name in ("<|endoftext|>", "<|file_sep|>", "<|repo_name|>"):
        assert tokenizer.token_id(name) in layout.stop_ids
