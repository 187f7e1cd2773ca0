"""A receipt as JSON, for `sopilka/receipt` and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lsp_server.features.completion import Completion, Receipt


def receipt_json(identifier: str, completion: Completion) -> dict[str, Any]:
    return {
        "id": identifier,
        "text": completion.text,
        "replaced": completion.end - completion.start,
        **receipt_fields(completion.receipt),
    }


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
