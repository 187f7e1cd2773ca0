"""What format a checkpoint gets by itself."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.format_detection import detect_format
from runtime.prompt_format import FIM_ROLES, PromptFormat
from runtime.tokenizer import Tokenizer
from tests.support.tiny_tokenizer import tokenizer_definition

CHAT = ("<|im_start|>", "<|im_end|>", "<|repo_name|>", "<|fim_pad|>")
QWEN = Tokenizer(tokenizer_definition(more=CHAT))
CODER = "{{- '<tool_call>\\n<function=' + call.name }}"
ASSISTANT = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


def detected(architecture: str, name: str, **more: Any) -> dict[str, Any]:
    entry = detect_format({"architectures": [architecture]}, QWEN, name, **more)
    PromptFormat.from_manifest(entry, QWEN)
    return entry


@pytest.mark.parametrize(
    ("architecture", "name", "layout"),
    [
        ("Qwen2ForCausalLM", "Qwen/Qwen2.5-Coder-1.5B", "fim"),
        ("Qwen2ForCausalLM", "qwen2.5-coder-7b-instruct-q8_0", "fim"),
        ("Qwen2ForCausalLM", "Qwen2.5 Coder 3B", "fim"),
        ("Qwen2ForCausalLM", "Qwen/Qwen2.5-7B-Instruct", "prefix"),
        ("Qwen3MoeForCausalLM", "Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", "fim"),
        ("Qwen3MoeForCausalLM", "Qwen/Qwen3-30B-A3B", "prefix"),
        ("Qwen3ForCausalLM", "Qwen/Qwen3-0.6B", "prefix"),
        ("LlamaForCausalLM", "my-qwen2.5-coder-look-alike", "prefix"),
    ],
)
def test_models_for_code_of_known_families_fill_in_the_middle(
    architecture: str, name: str, layout: str
) -> None:
    entry = detected(architecture, name)
    assert entry["layout"] == layout
    assert all((role in entry["tokens"]) is (layout == "fim") for role in FIM_ROLES)
    assert "wrap" not in entry


def test_the_name_may_stand_in_the_configuration() -> None:
    config = {"architectures": ["Qwen2ForCausalLM"], "_name_or_path": "Qwen/Qwen2.5-Coder-0.5B"}
    assert detect_format(config, QWEN)["layout"] == "fim"


@pytest.mark.parametrize("config", [{}, {"architectures": None}, {"architectures": "Qwen2"}])
def test_a_configuration_that_says_nothing_is_a_prefix_model(config: dict[str, Any]) -> None:
    assert detect_format(config, QWEN, "qwen3-coder")["layout"] == "prefix"


def test_without_the_tokens_nothing_is_filled_in() -> None:
    definition = tokenizer_definition()
    definition["added_tokens"] = definition["added_tokens"][:1]
    config = {"architectures": ["Qwen2ForCausalLM"]}
    entry = detect_format(config, Tokenizer(definition), "Qwen2.5-Coder-1.5B")
    assert entry == {"layout": "prefix", "tokens": {}, "stop": ["<|endoftext|>"]}


def test_the_user_has_the_last_word() -> None:
    assert detected("Qwen2ForCausalLM", "Qwen2.5-Coder-3B", layout="prefix")["layout"] == "prefix"
    assert detected("LlamaForCausalLM", "mine", layout="fim")["layout"] == "fim"


@pytest.mark.parametrize(
    ("template", "chat", "wrap"),
    [
        (None, None, "raw"),
        (CODER, "qwen3-coder", "chat"),
        (ASSISTANT, "qwen2.5", "raw"),
        ("<|im_start|>{{ role }}", "chatml", "raw"),
    ],
)
def test_the_conversation_is_told_by_its_template(
    template: str | None, chat: str | None, wrap: str
) -> None:
    name, architecture = "Qwen3-Coder-30B-A3B-Instruct", "Qwen3MoeForCausalLM"
    entry = detected(architecture, name, conversation_template=template)
    assert (entry.get("chat"), entry.get("wrap", "raw")) == (chat, wrap)


def test_every_control_token_that_is_known_ends_the_answer() -> None:
    stop = detected("Qwen2ForCausalLM", "Qwen2.5-Coder-3B")["stop"]
    assert {"<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|file_sep|>", "<|fim_middle|>"} <= set(
        stop
    )
