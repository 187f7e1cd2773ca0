"""Suggestions whose names nothing knows are cut short before them, or not shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from indexer import UnknownName
from lsp_server.features.brackets import replaced_after
from lsp_server.features.place import Place

_UNFINISHED = (":", "{", "(", "[", ",")


def keep_what_is_known(
    text: str, unknown: Callable[[str], Sequence[UnknownName]]
) -> tuple[str, str]:
    """The whole lines before the first unknown name, and that name; all of it if there is none.

    Lines that only open what the cut ones would have filled are cut with them.
    """
    found = unknown(text)
    if not found:
        return text, ""
    first = min(found, key=lambda name: name.start)
    lines = text.encode()[: max(0, first.start)].decode("utf-8", "ignore").split("\n")[:-1]
    while lines and (not lines[-1].strip() or lines[-1].rstrip().endswith(_UNFINISHED)):
        lines.pop()
    kept = "\n".join(lines).rstrip()
    return ("", first.name) if unknown(kept) else (kept, first.name)


def whole_line(text: str, place: Place) -> str:
    """The cursor's line as it would be, without the space around it."""
    first = text.split("\n", 1)[0]
    rest = "" if "\n" in text else place.line_after[replaced_after(text, place) :]
    return f"{place.line_before}{first}{rest}".strip()
