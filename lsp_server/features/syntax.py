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
    up to a bracket that closes nothing. What the line leaves open is closed for the check: the user
    goes on from there. Empty when nothing passes.
    """
    if len(document) > MAX_BYTES:
        return text
    start = offset - len(place.line_before.encode())
    end = offset + len(place.line_after.encode())
    # The unfinished line may be an error by itself, which the suggestion should mend.
    allowed = min(count_errors(document), count_errors(document[:start] + document[end:]))
    for candidate in _candidates(text, place):
        if candidate.strip() and any(
            count_errors(document[:offset] + written.encode() + document[end:]) <= allowed
            for written in _closed(candidate, place)
        ):
            return candidate
    return ""


def _candidates(text: str, place: Place) -> list[str]:
    lines = text.split("\n")
    tries = ["\n".join(lines[:count]).rstrip() for count in range(len(lines), 0, -1)]
    closer = first_unmatched_closer(place.line_before + text)
    if len(lines) == 1 and closer is not None:
        tries.append(text[: max(0, closer - len(place.line_before))].rstrip())
    return tries[:_MAX_TRIES]


def _closed(text: str, place: Place) -> list[str]:
    """What would stand behind the cursor, with brackets and quotes of the line closed."""
    rest = place.line_after[replaced_after(text, place) :]
    closers = unclosed(place.line_before + text)
    behind = rest.strip()
    if behind and closers.endswith(behind):
        closers = closers[: -len(behind)]
    ways = [text + closers + rest]
    if '"""' in text or "/*" in text:
        ways.append(f"{text}{'*/' if '/*' in text else chr(34) * 3}{closers}{rest}")
    return ways
