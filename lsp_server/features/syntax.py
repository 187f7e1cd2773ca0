"""Only suggestions that parse where they would stand are shown."""

from __future__ import annotations

import re
from collections.abc import Callable

from lsp_server.features.brackets import first_unmatched_closer, replaced_after, unclosed
from lsp_server.features.edits import Edit, apply
from lsp_server.features.place import Place

# Of a larger document only the definitions around the cursor are parsed, and a definition that is
# larger still is not: that would take longer than the model.
WHOLE_BYTES = 20_000
MAX_BYTES = 200_000
# A line at the left margin that is no comment and closes nothing: there something new begins.
_MARGIN = re.compile(rb"^[^\s#/*)\]}]", re.MULTILINE)
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
    start, end = part_around(document, offset)
    document, offset = document[start:end], offset - start
    if len(document) > MAX_BYTES:
        return text
    start = offset - len(place.line_before.encode())
    end = offset + len(place.line_after.encode())

    def errors_with(edit: Edit) -> int:
        return count_errors(apply(document, [edit]))

    # The unfinished line may be an error by itself, which the suggestion should mend.
    allowed = min(count_errors(document), errors_with(Edit(start, end, b"")))
    for candidate in _candidates(text, place):
        if candidate.strip() and any(
            errors_with(Edit(offset, end, written.encode())) <= allowed
            for written in closed(candidate, place)
        ):
            return candidate
    return ""


def part_around(document: bytes, offset: int) -> tuple[int, int]:
    """The bytes to parse: all of a small document, else from the definition before the one at the
    cursor to the end of the one after it."""
    if len(document) <= WHOLE_BYTES:
        return 0, len(document)
    line = document.rfind(b"\n", 0, offset) + 1
    above = [match.start() for match in _MARGIN.finditer(document, 0, line)]
    rest = iter(_MARGIN.finditer(document, _line_end(document, offset)))
    below = [match.start() for match, _ in zip(rest, range(2), strict=False)]
    return above[-2] if len(above) > 1 else 0, below[-1] if len(below) > 1 else len(document)


def _line_end(document: bytes, offset: int) -> int:
    end = document.find(b"\n", offset)
    return len(document) if end < 0 else end


def _candidates(text: str, place: Place) -> list[str]:
    lines = text.split("\n")
    tries = ["\n".join(lines[:count]).rstrip() for count in range(len(lines), 0, -1)]
    closer = first_unmatched_closer(place.line_before + text)
    if len(lines) == 1 and closer is not None:
        tries.append(text[: max(0, closer - len(place.line_before))].rstrip())
    return tries[:_MAX_TRIES]


def closed(text: str, place: Place) -> list[str]:
    """What would stand behind the cursor, with brackets and quotes of the line closed: the ways."""
    rest = place.line_after[replaced_after(text, place) :]
    closers = unclosed(place.line_before + text)
    behind = rest.strip()
    if behind and closers.endswith(behind):
        closers = closers[: -len(behind)]
    ways = [text + closers + rest]
    if '"""' in text or "/*" in text:
        ways.append(f"{text}{'*/' if '/*' in text else chr(34) * 3}{closers}{rest}")
    return ways
