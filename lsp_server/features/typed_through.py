"""A user who types what was suggested gets the rest of it at once, without the engine."""

from __future__ import annotations

from dataclasses import replace

from lsp_server.features.completion import Completion


def typed_through(
    shown: Completion, shown_text: bytes, text: bytes, offset: int
) -> Completion | None:
    """What is left of the suggestion, if all that happened since is that its start was typed.

    `shown_text` is the document for which the suggestion was made, `text` the document now, with
    the cursor at the byte `offset`.
    """
    typed_length = offset - shown.start
    suggestion = shown.text.encode()
    if not 0 <= typed_length < len(suggestion):
        return None
    typed = suggestion[:typed_length]
    expected = shown_text[: shown.start] + typed + shown_text[shown.start :]
    if text != expected:
        return None
    rest = suggestion[typed_length:].decode("utf-8", "ignore")
    if rest.encode() != suggestion[typed_length:]:
        return None
    end = shown.end + typed_length
    return replace(shown, text=rest, start=offset, end=end)


def still_expected(shown: Completion, shown_text: bytes, text: bytes, offset: int) -> str:
    """What a suggestion that was made for an older text lets expect behind the cursor now.

    It says something as long as the cursor's line begins as that one did, with a start of the
    suggestion behind it, whatever has changed elsewhere.
    """
    old_line = shown_text[shown_text.rfind(b"\n", 0, shown.start) + 1 : shown.start]
    line = text[text.rfind(b"\n", 0, offset) + 1 : offset]
    suggestion = shown.text.encode()
    typed = line[len(old_line) :]
    if not line.startswith(old_line) or not suggestion.startswith(typed):
        return ""
    return suggestion[len(typed) :].decode("utf-8", "ignore")
