"""A corpus, a tokenizer and a model small enough to train within a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.model import ModelConfig
from training.tokenizer import train_tokenizer

MODEL = ModelConfig(
    vocab_size=320,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=32,
    num_experts=4,
    moe_intermediate_size=64,
    max_position_embeddings=64,
)


def rows() -> list[dict[str, Any]]:
    """Twelve files in three repositories."""
    return [
        {
            "repo": f"repo{number % 3}",
            "path": f"package/module_{number}.py",
            "lang": "python",
            "text": "".join(
                f"def add_{number}_{index}(left, right):\n"
                f'    """Add {index} to the sum."""\n'
                f"    return left + right + {index}\n\n"
                for index in range(20)
            ),
        }
        for number in range(12)
    ]


def tokenizer() -> Tokenizer:
    """A tokenizer of the toy model's vocabulary."""
    return train_tokenizer([row["text"] for row in rows()], MODEL.vocab_size)


def write(folder: Path) -> None:
    """Write train.jsonl, dev.jsonl and tokenizer.json into `folder`."""
    for name in ("train", "dev"):
        lines = [json.dumps(row) + "\n" for row in rows()]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    tokenizer().save(str(folder / "tokenizer.json"))
