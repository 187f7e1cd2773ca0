"""Where the scripts, style sheets and pages lie that a page names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of

SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")
TEMPLATE = re.compile(r"^\{[{%].*['\"]([^'\"]+)['\"][^'\"]*[}%]\}$")
"""A template's call whose last string names the file."""


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Beside the page; else, as servers and templates move roots, whose path ends as written."""
    written = "." * clause.level + clause.module
    template = TEMPLATE.match(written.strip())
    target = re.split(r"[?#]", template.group(1) if template else written.strip())[0]
    if not target or SCHEME.match(target):
        return
    if not target.startswith("/"):
        beside = list(files.existing(f"{parent_of(importer)}/{target}"))
        if beside:
            yield from beside
            return
    parts = [part for part in target.split("/") if part not in ("", ".", "..")]
    if parts:
        yield from files.ending_with("/".join(parts), near=importer)[:1]
