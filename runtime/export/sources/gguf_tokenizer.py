"""Rebuilds `tokenizer.json` from the metadata of a GGUF file: byte-level BPE as Qwen's.

A GGUF file keeps tokens, their kinds and the merges; how text is cut into words before that is
known by a name (`tokenizer.ggml.pre`) which stands for the pattern of Qwen2's own tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runtime.export.errors import ExportError

# What llama.cpp calls Qwen2's way to cut text, and that of a model with the same.
_PRE_TYPES = ("qwen2", "deepseek-r1-qwen")
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
_USED = (_NORMAL, _CONTROL, _USER_DEFINED)


def tokenizer_of(metadata: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the definition for the `tokenizers` library. Raises ExportError."""
    model, pre = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    if model != "gpt2" or pre not in _PRE_TYPES:
        raise ExportError(
            f"{where} has a tokenizer of the kind {str(model)[:20]!r}, {str(pre)[:20]!r}; "
            f"supported is byte-level BPE, 'gpt2', {' or '.join(map(repr, _PRE_TYPES))}"
        )
    tokens = _strings(metadata, "tokenizer.ggml.tokens", where)
    kinds = metadata.get("tokenizer.ggml.token_type")
    if kinds is None:
        kinds = np.full(len(tokens), _NORMAL)
    if not isinstance(kinds, np.ndarray) or len(kinds) != len(tokens):
        raise ExportError(f"{where} has {len(tokens)} tokens, but not as many kinds of tokens")
    # Control tokens too: the library numbers those anew that the vocabulary does not have. Unused
    # ones only fill the vocabulary up to the rows of the embedding.
    used = [index for index in range(len(tokens)) if kinds[index] in _USED]
    vocabulary = {tokens[index]: index for index in used}
    if len(vocabulary) != len(used):
        raise ExportError(f"{where} has a token twice")
    merges = [merge.split(" ") for merge in _strings(metadata, "tokenizer.ggml.merges", where)]
    for merge in merges:
        if len(merge) != 2 or "".join(merge) not in vocabulary or not vocabulary.keys() >= {*merge}:
            raise ExportError(f"{where} merges {' '.join(merge)[:60]!r} into no token")
    added = [
        _added(index, token, bool(kinds[index] == _CONTROL))
        for index, token in enumerate(tokens)
        if kinds[index] in (_CONTROL, _USER_DEFINED)
    ]
    return _definition(vocabulary, merges, added)


def _strings(metadata: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = metadata.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ExportError(f"{where} lacks {key}, a list of texts")
    return value


def _added(index: int, token: str, is_control: bool) -> dict[str, Any]:
    return {
        "id": index,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": is_control,
    }


def _definition(
    vocabulary: dict[str, int], merges: list[list[str]], added: list[dict[str, Any]]
) -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    words = {
        "type": "Split",
        "pattern": {"Regex": QWEN_PATTERN},
        "behavior": "Isolated",
        "invert": False,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [words, {**byte_level, "use_regex": False}],
        },
        "post_processor": {**byte_level, "use_regex": False},
        "decoder": {**byte_level, "use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }
