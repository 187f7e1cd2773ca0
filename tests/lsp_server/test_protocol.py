"""docs/protocol.md names everything that we add to LSP."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import attrs

from lsp_server import protocol
from lsp_server.features.completion import Receipt
from lsp_server.features.prompt import Span
from lsp_server.handlers import copilot, next_edit
from lsp_server.receipt import receipt_fields
from runtime import Usage

DOCS = (Path(__file__).resolve().parents[2] / "docs/protocol.md").read_text(encoding="utf-8")


def test_every_method_and_field_of_ours_is_documented() -> None:
    names = [protocol.ACCEPT_COMMAND, protocol.DID_CHANGE_STATUS, protocol.EXPLAIN, protocol.STATUS]
    names += [field.name for field in attrs.fields(protocol.DidChangeStatusParams)]
    names += [field.name for field in (*fields(Span), *fields(Usage))]
    names += [name for name in receipt_fields(Receipt("m")) if name != "filtered"]
    names += [*copilot.METHODS, *next_edit.METHODS]
    missing = [name for name in names if f"`{name}`" not in DOCS and f"`{name}` " not in DOCS]
    assert not missing


def test_the_error_codes_are_documented() -> None:
    for code in (protocol.CONTENT_MODIFIED, protocol.REQUEST_CANCELLED):
        assert f"| {code} " in DOCS


def test_fields_that_pygls_would_drop_are_kept() -> None:
    converter = protocol.make_converter()
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": protocol.INLINE_COMPLETION,
        "params": {
            "textDocument": {"uri": "file:///a", "version": 7},
            "position": {"line": 1, "character": 2},
            "context": {"triggerKind": 2},
            "formattingOptions": {"tabSize": 8, "insertSpaces": False},
        },
    }
    params = converter.structure(message, protocol.InlineCompletionRequest).params
    assert params.text_document.version == 7
    assert params.formatting_options is not None and params.formatting_options.tab_size == 8
    assert params.context.selected_completion_info is None
