"""Where the files lie that a document links to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from indexer.clauses import Clause
from indexer.facts import Import
from indexer.files import FileTable
from indexer.languages.html.imports import SCHEME
from indexer.languages.html.imports import candidates as named_files

LINK = re.compile(
    r"""(?:\]\(|^\s*\[[^\]]+\]:)\s*  # behind a text, or behind the label of a reference
    (?:<([^<>\n]+)>|([^()\s<>]+(?:\([^()\s]*\)[^()\s<>]*)*))""",
    re.VERBOSE,
)
CODE = re.compile(r"(`+).+?\1", re.DOTALL)


def split(text: str) -> list[Clause]:
    """The links in a block of text; those to other sites and within the document left out."""
    if "](" not in text and "]:" not in text:
        return []
    targets = [match[1] or match[2] for match in LINK.finditer(CODE.sub(" ", text))]
    return [
        (unquote(target), 0, (), "", False)
        for target in targets
        if not target.startswith("#") and not SCHEME.match(target)
    ]


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """The file that a link names, relative to the document or to the root of the site."""
    yield from named_files(clause, importer, files)
