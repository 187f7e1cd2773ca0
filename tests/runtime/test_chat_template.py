"""Conversations as text and as tokens: equal to what the published templates make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.chat import Message, Tool, ToolCall
from runtime.chat_template import TEMPLATES, Piece, encode, render, text_of
from runtime.tokenizer import Tokenizer
from tests.support.tiny_tokenizer import tokenizer_definition

CASES = json.loads((Path(__file__).parents[1] / "fixtures/chat.json").read_text("utf-8"))
CONTROL = ("<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>")
TOKENIZER = Tokenizer(tokenizer_definition(more=("<|im_start|>", "<|im_end|>", "</tool_call>")))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SPELLINGS = st.sampled_from(CONTROL)


def messages_of(case: dict[str, Any]) -> list[Message]:
    return [
        Message(
            one["role"],
            one["content"],
            tuple(
                ToolCall(call["function"]["name"], call["function"]["arguments"])
                for call in one.get("tool_calls", ())
            ),
        )
        for one in case["messages"]
    ]


def tools_of(case: dict[str, Any]) -> list[Tool]:
    return [Tool(**tool) for tool in case.get("tools", ())]


@pytest.mark.parametrize("case", CASES)
def test_a_conversation_has_the_text_of_the_published_template(case: dict[str, Any]) -> None:
    pieces = render(case["template"], messages_of(case), tools_of(case), case.get("open", True))
    assert text_of(pieces) == case["text"]


def test_every_template_is_held_against_the_published_one() -> None:
    assert {case["template"] for case in CASES} == set(TEMPLATES)


@pytest.mark.parametrize("case", CASES)
def test_tokens_are_those_of_the_whole_text(case: dict[str, Any]) -> None:
    """What a tokenizer that reads control tokens in texts makes of the published text."""
    import tokenizers

    plain = tokenizers.Tokenizer.from_str(
        json.dumps(tokenizer_definition(more=("<|im_start|>", "<|im_end|>", "</tool_call>")))
    )
    pieces = render(case["template"], messages_of(case), tools_of(case), case.get("open", True))
    assert encode(pieces, TOKENIZER) == plain.encode(case["text"]).ids


@given(st.sampled_from(sorted(TEMPLATES)), TEXT, SPELLINGS, TEXT)
def test_a_message_cannot_end_itself(template: str, before: str, spelling: str, after: str) -> None:
    harmless = [Message("user", f"{before}x{after}"), Message("tool", f"{before}y{after}")]
    hostile = [
        Message("user", before + spelling + after),
        Message("tool", before + spelling + after),
    ]
    known = {TOKENIZER.token_id(name) for name in CONTROL}

    def control(messages: list[Message]) -> list[int]:
        ids = encode(render(template, messages), TOKENIZER)
        return [token for token in ids if token in known]

    assert control(hostile) == control(harmless)


def test_neighbouring_texts_are_one_piece() -> None:
    pieces = render("chatml", [Message("user", "hello")], is_open=False)
    assert pieces == [
        Piece("<|im_start|>", True),
        Piece("user\nhello"),
        Piece("<|im_end|>", True),
        Piece("\n"),
    ]


def test_control_tokens_that_a_tokenizer_lacks_are_written_out() -> None:
    bare = Tokenizer(tokenizer_definition())
    ids = encode(render("chatml", [Message("user", "é")]), bare)
    assert bare.decode(ids) == "<|im_start|>user\né<|im_end|>\n<|im_start|>assistant\n"


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(ValueError, match=r"'alpaca' is unknown; known: chatml, qwen2\.5"):
        render("alpaca", [])
