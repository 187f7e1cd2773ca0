"""Where sourced shell scripts lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of

COMPUTED = re.compile(r"[$`(){}\s\"']")


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """The script beside the sourcing one, else one whose path ends as the part that is written.

    `"$(dirname "$0")/lib/x.sh"` and `"$HERE/lib/x.sh"` are nearly always relative to the script.
    """
    parts = ("." * clause.level + clause.module).split("/")
    computed = [number for number, part in enumerate(parts) if COMPUTED.search(part)]
    written = "/".join(parts[computed[-1] + 1 :] if computed else parts)
    if not written:
        return
    beside = list(files.existing(f"{parent_of(importer)}/{written}"))
    yield from beside
    if not beside:
        ending = "/".join(part for part in written.split("/") if part not in ("", ".", ".."))
        yield from files.ending_with(ending, near=importer)[:2]
