"""Trains the byte-level BPE tokenizer and turns corpus rows into token arrays.

    $ python -m training.tokenizer train.jsonl --out tokenizer.json

Pre-tokenization is Qwen's regular expression and the special tokens have Qwen's names, so that one
prompt format serves this model and the larger ones.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

log = logging.getLogger(__name__)

VOCAB_SIZE = 8192
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
END_OF_TEXT = SPECIAL_TOKENS.index("<|endoftext|>")
FILE_SEP = SPECIAL_TOKENS.index("<|file_sep|>")

_QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows (repo, path, lang, text, ...) of a JSONL file."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def train_tokenizer(texts: list[str], vocab_size: int = VOCAB_SIZE) -> Tokenizer:
    """Return a byte-level BPE tokenizer trained on `texts`; ids 0..8 are SPECIAL_TOKENS."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_QWEN_SPLIT), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[
            AddedToken(each, special=True, normalized=False) for each in SPECIAL_TOKENS
        ],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def sample_texts(rows: list[dict[str, Any]], limit: float, seed: int = 0) -> list[str]:
    """Return the texts of a shuffled sample of rows, about `limit` characters in all."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    texts, size = [], 0
    for row in order:
        if size > limit:
            break
        texts.append(row["text"])
        size += len(row["text"])
    return texts


def file_header(repo: str, path: str) -> str:
    """Return what stands before a file's text, in training and in a prompt alike."""
    return f"<|repo_name|>{repo}\n<|file_sep|>{path}\n"


def main() -> None:
    """Read the command line and train the tokenizer."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description="Train the tokenizer.")
    parser.add_argument("rows", type=Path, help="train.jsonl of the corpus")
    parser.add_argument("--out", type=Path, required=True, help="the tokenizer.json to write")
    parser.add_argument("--sample-mb", type=float, default=24.0)
    parser.add_argument("--vocab", type=int, default=VOCAB_SIZE)
    options = parser.parse_args()
    texts = sample_texts(list(read_rows(options.rows)), options.sample_mb * 1e6)
    tokenizer = train_tokenizer(texts, options.vocab)
    tokenizer.save(str(options.out))
    size = sum(len(text.encode()) for text in texts[:300])
    tokens = sum(len(each.ids) for each in tokenizer.encode_batch(texts[:300]))
    log.info("%d tokens, %.3f bytes/token", tokenizer.get_vocab_size(), size / max(tokens, 1))


if __name__ == "__main__":
    main()
