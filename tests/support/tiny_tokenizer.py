"""A byte-level BPE tokenizer small enough to write down: one token for each byte, a few merges."""

from __future__ import annotations

from typing import Any

from runtime.tokenizer import byte_alphabet

SPECIAL = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>")
# Published models leave some control tokens unmarked.
UNMARKED = ("<tool_call>",)


def tokenizer_definition(
    merges: tuple[str, ...] = (), more: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A byte-level BPE tokenizer: 256 bytes, the merges ("a b"), then control tokens and `more`."""
    vocabulary = [*byte_alphabet(), *(merge.replace(" ", "") for merge in merges)]
    control = [*SPECIAL, *UNMARKED, *more]
    added = [
        {
            "id": len(vocabulary) + index,
            "content": name,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": name not in UNMARKED,
        }
        for index, name in enumerate(control)
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {**byte_level, "trim_offsets": False},
        "post_processor": None,
        "decoder": {**byte_level, "trim_offsets": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {spelling: index for index, spelling in enumerate(vocabulary)},
            "merges": [merge.split(" ") for merge in merges],
        },
    }
