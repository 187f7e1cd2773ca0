"""A receipt as JSON, for `sopilka/explainCompletion` and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lsp_server.features.completion import Completion, Receipt
from lsp_server.features.model import Model
from runtime.prompt_format import ROLES


def receipt_json(identifier: str, completion: Completion) -> dict[str, Any]:
    return {
        "id": identifier,
        "text": completion.text,
        "replaced": completion.end - completion.start,
        **receipt_fields(completion.receipt),
    }


def prompt_pieces(receipt: Receipt, model: Model) -> list[dict[str, Any]]:
    """The prompt, byte for byte: runs of text, and by their roles the control tokens between.

    `first_token` and `tokens` say where in the prompt a piece is.
    """
    form = model.prompt_format
    roles = {getattr(form, role): role for role in ROLES if getattr(form, role) is not None}
    tokenizer, pieces, start = model.engine.tokenizer, list[dict[str, Any]](), 0

    def run(end: int) -> None:
        if end > start:
            text = tokenizer.decode(receipt.prompt[start:end])
            pieces.append({"text": text, "first_token": start, "tokens": end - start})

    for place, token in enumerate(receipt.prompt):
        if token in roles or not tokenizer.token_bytes(token):
            run(place)
            control = roles.get(token, f"token {token}")
            pieces.append({"control": control, "first_token": place, "tokens": 1})
            start = place + 1
    run(len(receipt.prompt))
    return pieces


def receipt_fields(receipt: Receipt) -> dict[str, Any]:
    """Every span of context and where the milliseconds went; lines count from 0."""
    return {
        "model": receipt.model,
        "confidence": receipt.confidence,
        "finish_reason": receipt.finish_reason,
        "attempts": receipt.attempts,
        "multiline": receipt.multiline,
        "cut_short": receipt.cut_short,
        "filtered": receipt.filtered,
        "context": [asdict(span) for span in receipt.context],
        "sections": dict(receipt.sections),
        "milliseconds": {name: round(value, 3) for name, value in receipt.milliseconds.items()},
        "usage": asdict(receipt.usage),
    }
