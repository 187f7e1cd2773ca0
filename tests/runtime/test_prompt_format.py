"""Prompts as the two layouts spell them."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import BundleError
from runtime.prompt_format import PromptFormat
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
    ],
)
def test_a_malformed_entry_is_named(manifest: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        PromptFormat.from_manifest(manifest, TOKENIZER)
