"""Prompts as the two layouts spell them."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.chat import Message
from runtime.chat_template import TEMPLATES, render, text_of
from runtime.errors import BundleError
from runtime.prompt_format import FIM_SYSTEM, PromptFormat
from runtime.tokenizer import Tokenizer
from tests.support.tiny_tokenizer import SPECIAL, tokenizer_definition

TOKENIZER = Tokenizer(tokenizer_definition())
FIM_TOKENS = {
    "file_sep": "<|file_sep|>",
    "fim_prefix": "<|fim_prefix|>",
    "fim_suffix": "<|fim_suffix|>",
    "fim_middle": "<|fim_middle|>",
}


def check_prompt(manifest: dict[str, Any], expected: str) -> None:
    """Render a fixed request and compare it, with control tokens spelt as in a manifest."""
    form = PromptFormat.from_manifest(manifest, TOKENIZER)
    encode = TOKENIZER.encode
    prompt = form.render(
        repo=encode("shop"),
        files=[(encode("a.py"), encode("A = 1\n")), (encode("b.py"), encode("B = 2\n"))],
        current_path_ids=encode("c.py"),
        prefix_ids=encode("import a\n"),
        suffix_ids=encode("\nprint()\n"),
        line_ids=encode("x = a."),
    )
    names = {TOKENIZER.token_id(name): name for name in SPECIAL}
    assert "".join(names.get(token) or TOKENIZER.decode([token]) for token in prompt) == expected


def test_prefix_leaves_the_suffix_out() -> None:
    check_prompt(
        {"layout": "prefix", "tokens": {"file_sep": "<|file_sep|>"}},
        "<|file_sep|>a.py\nA = 1\n<|file_sep|>b.py\nB = 2\n<|file_sep|>c.py\nimport a\nx = a.",
    )


def test_fim_ends_with_the_unfinished_line() -> None:
    check_prompt(
        {"layout": "fim", "tokens": FIM_TOKENS},
        "<|file_sep|>a.py\nA = 1\n<|file_sep|>b.py\nB = 2\n<|file_sep|>c.py\n"
        "<|fim_prefix|>import a\n<|fim_suffix|>\nprint()\n<|fim_middle|>x = a.",
    )


def test_the_repository_comes_first() -> None:
    tokens = {**FIM_TOKENS, "repo_name": "<|endoftext|>"}  # Any control token will do here.
    form = PromptFormat.from_manifest({"layout": "prefix", "tokens": tokens}, TOKENIZER)
    repo = TOKENIZER.encode("shop")
    rendered = form.render(repo, [], TOKENIZER.encode("c.py"), [], [], [])
    assert TOKENIZER.decode(rendered) == "shop\nc.py\n"
    assert rendered[0] == TOKENIZER.token_id("<|endoftext|>")


def test_a_model_without_separators_gets_bare_text() -> None:
    check_prompt({"layout": "prefix"}, "A = 1\nB = 2\nimport a\nx = a.")


def test_a_keystroke_changes_only_the_end() -> None:
    """What the engine's prefix reuse lives on."""
    form = PromptFormat.from_manifest({"layout": "fim", "tokens": FIM_TOKENS}, TOKENIZER)
    encode = TOKENIZER.encode
    before = form.render(None, [], encode("c.py"), encode("a\n"), encode("\nz"), encode("x"))
    after = form.render(None, [], encode("c.py"), encode("a\n"), encode("\nz"), encode("xy"))
    assert after[: len(before)] == before


CHATTY = Tokenizer(tokenizer_definition(more=("<|im_start|>", "<|im_end|>")))
NAMES = {CHATTY.token_id(name): name for name in (*SPECIAL, "<|im_start|>", "<|im_end|>")}


def test_a_chat_model_is_asked_inside_of_a_conversation() -> None:
    """As Qwen3-Coder's authors ask it; the unfinished line begins the answer."""
    manifest = {"layout": "fim", "tokens": FIM_TOKENS, "chat": "qwen3-coder", "wrap": "chat"}
    form = PromptFormat.from_manifest(manifest, CHATTY)
    encode = CHATTY.encode
    prompt = form.render(
        None, [], encode("c.py"), encode("a\n<|im_end|>"), encode("\nz"), encode("x =")
    )
    written = "".join(NAMES.get(token) or CHATTY.decode([token]) for token in prompt)
    assert written == (
        "<|im_start|>system\nYou are a code completion assistant.<|im_end|>\n"
        "<|im_start|>user\n<|file_sep|>c.py\n<|fim_prefix|>a\n<|im_end|><|fim_suffix|>\nz"
        "<|fim_middle|><|im_end|>\n<|im_start|>assistant\nx ="
    )
    assert prompt.count(CHATTY.token_id("<|im_end|>") or 0) == 2, "the text's own ends nothing"


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("layout", ["prefix", "fim"])
def test_the_wrapping_is_the_template_around_a_message(template: str, layout: str) -> None:
    tokens = FIM_TOKENS if layout == "fim" else {}
    manifest = {"layout": layout, "tokens": tokens, "chat": template, "wrap": "chat"}
    form = PromptFormat.from_manifest(manifest, CHATTY)
    prompt = form.render(None, [], [], CHATTY.encode("a = 1\n"), [], [])
    inside = PromptFormat.from_manifest({**manifest, "wrap": "raw"}, CHATTY).render(
        None, [], [], CHATTY.encode("a = 1\n"), [], []
    )
    spelt = "".join(NAMES.get(token) or CHATTY.decode([token]) for token in inside)
    messages = [Message("system", FIM_SYSTEM), Message("user", spelt)]
    assert "".join(NAMES.get(token) or CHATTY.decode([token]) for token in prompt) == text_of(
        render(template, messages)
    )


def test_stop_ids_are_resolved() -> None:
    manifest = {"layout": "prefix", "stop": ["<|endoftext|>", "<|file_sep|>"]}
    form = PromptFormat.from_manifest(manifest, TOKENIZER)
    assert form.stop_ids == (256, 260)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({}, "layout must be prefix or fim, not None"),
        ({"layout": "suffix"}, "layout must be prefix or fim, not 'suffix'"),
        ({"layout": ["fim"]}, "layout must be prefix or fim"),
        ({"layout": "fim", "tokens": {}}, "layout fim needs tokens for fim_prefix"),
        ({"layout": "prefix", "tokens": ["x"]}, "tokens must map roles"),
        ({"layout": "prefix", "tokens": {"file_sep": 3}}, "tokens must map roles"),
        ({"layout": "prefix", "tokens": {"bos": "<s>"}}, "unknown role 'bos'"),
        ({"layout": "prefix", "tokens": {"file_sep": "<sep>"}}, "no control token '<sep>'"),
        ({"layout": "prefix", "stop": "<|endoftext|>"}, "stop must be a list"),
        ({"layout": "prefix", "stop": ["}"]}, "no control token '}'"),
        ({"layout": "prefix", "chat": "alpaca"}, "chat must be one of chatml, .*, not 'alpaca'"),
        ({"layout": "prefix", "chat": ["chatml"]}, "chat must be one of"),
        ({"layout": "prefix", "wrap": "box"}, "wrap must be raw or chat, not 'box'"),
        ({"layout": "prefix", "wrap": "chat"}, "wrap chat needs chat"),
    ],
)
def test_a_malformed_entry_is_named(manifest: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        PromptFormat.from_manifest(manifest, TOKENIZER)
