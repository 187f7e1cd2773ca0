"""Only suggestions that parse where they would stand are shown."""

from __future__ import annotations

from collections.abc import Callable

from lsp_server.features.place import Place
from lsp_server.features.postprocess import first_unmatched_closer, replaced_after, unclosed

# A larger document is not parsed for each suggestion: that would take longer than the model.
MAX_BYTES = 200_000
_MAX_TRIES = 8


def keep_what_parses(
    text: str,
    place: Place,
    document: bytes,
    offset: int,
    count_errors: Callable[[bytes], int],
) -> str:
    """The longest part of the suggestion that adds no syntax error to the document.

    Tried are the whole text, then the text without its last lines one by one, or, in a single line,
    up to a bracket that closes nothing. What the suggestion leaves open is closed for the check:
    the user goes on from there. Empty when nothing passes.
    """
    if len(document) > MAX_BYTES:
        return text
    allowed = count_errors(document)
    for candidate in _candidates(text):
        if candidate.strip() and count_errors(_inserted(candidate, place, document, offset)) <= (
            allowed
        ):
            return candidate
    return ""


def _candidates(text: str) -> list[str]:
    lines = text.split("\n")
    tries = ["\n".join(lines[:count]).rstrip() for count in range(len(lines), 0, -1)]
    closer = first_unmatched_closer(text)
    if len(lines) == 1 and closer:
        tries.append(text[:closer].rstrip())
    return tries[:_MAX_TRIES]


def _inserted(text: str, place: Place, document: bytes, offset: int) -> bytes:
    replaced = len(place.line_after[: replaced_after(text, place)].encode())
    return document[:offset] + (text + unclosed(text)).encode() + document[offset + replaced :]
