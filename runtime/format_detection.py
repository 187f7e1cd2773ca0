"""Which prompt format a checkpoint was trained for, as far as its own files tell.

Qwen's tokenizers have the control tokens of filling in the middle whether the model was trained
for it or not, so the tokens alone say nothing: the name has to say that it is a model for code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runtime.chat_template import Encoder
from runtime.prompt_format import FIM_ROLES, ROLES

# Spellings that Qwen's tokenizers share with those that were made after them.
SPELLINGS = {role: f"<|{role}|>" for role in ROLES}
# Whatever of these a model writes, its answer is over.
STOP_TOKENS = ("<|endoftext|>", "<|im_end|>", "<|im_start|>", *SPELLINGS.values(), "<|fim_pad|>")
# Architecture, and what the name has: families that were trained to fill in the middle.
FIM_FAMILIES = (
    ("Qwen2ForCausalLM", re.compile(r"qwen2\.?5[-_. ]?coder|codeqwen", re.IGNORECASE)),
    ("Qwen3MoeForCausalLM", re.compile(r"qwen3[-_. ]?coder", re.IGNORECASE)),
    ("Qwen3ForCausalLM", re.compile(r"qwen3[-_. ]?coder", re.IGNORECASE)),
)


def detect_format(
    config: Mapping[str, Any],
    tokenizer: Encoder,
    name: str = "",
    conversation_template: str | None = None,
    layout: str = "auto",
) -> dict[str, Any]:
    """Return the manifest's `prompt_format` entry for a checkpoint.

    `config` is the checkpoint's `config.json`; `name` what it is called: the repository, the
    folder, or `general.name` of a GGUF; `conversation_template` the text of its chat template, if
    it has one. A `layout` other than `auto` is what the user wants instead of what is detected.
    """
    known = {role: text for role, text in SPELLINGS.items() if tokenizer.token_id(text) is not None}
    has_fim = all(role in known for role in FIM_ROLES)
    if layout == "auto":
        layout = "fim" if has_fim and _is_trained_for_fim(config, name) else "prefix"
    chat = _chat_of(tokenizer, conversation_template)
    entry: dict[str, Any] = {
        "layout": layout,
        "tokens": {
            role: text for role, text in known.items() if layout == "fim" or role not in FIM_ROLES
        },
        "stop": [text for text in STOP_TOKENS if tokenizer.token_id(text) is not None],
    }
    if chat is not None:
        entry["chat"] = chat
    # Qwen3-Coder exists as a chat model only, and its authors ask it inside of a conversation.
    if layout == "fim" and chat == "qwen3-coder":
        entry["wrap"] = "chat"
    return entry


def _is_trained_for_fim(config: Mapping[str, Any], name: str) -> bool:
    architectures = config.get("architectures")
    known = architectures if isinstance(architectures, list) else []
    names = f"{name} {config.get('_name_or_path') or ''}"
    return any(family in known and pattern.search(names) for family, pattern in FIM_FAMILIES)


def _chat_of(tokenizer: Encoder, template: str | None) -> str | None:
    """The template of ours that says what the checkpoint's own says."""
    if not template or tokenizer.token_id("<|im_start|>") is None:
        return None
    if "<function=" in template:
        return "qwen3-coder"
    if "You are Qwen, created by Alibaba Cloud" in template:
        return "qwen2.5"
    return "chatml"
