"""Edits of a text, in bytes: checked, and applied all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the bytes [start, end) of a text."""

    start: int
    end: int
    text: bytes


def apply(text: bytes, edits: Sequence[Edit]) -> bytes:
    """The text after edits that are all relative to the text as given, as in LSP's WorkspaceEdit.

    Raises ValueError where one lies outside the text or two overlap; edits that only touch are
    applied in the order given.
    """
    parts, position = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not 0 <= edit.start <= edit.end <= len(text):
            raise ValueError(
                f"bytes {edit.start} to {edit.end} are outside of a text of {len(text)} bytes"
            )
        if edit.start < position:
            raise ValueError(f"two edits overlap at byte {edit.start}")
        parts += [text[position : edit.start], edit.text]
        position = edit.end
    return b"".join([*parts, text[position:]])
