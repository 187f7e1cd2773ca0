"""From text to facts: `extract` for a text read once, `DocumentExtractor` for one that is edited.

The work is done natively, see indexer/native. What stays here needs Python: regular expressions
for secrets, and the import rules of a few languages.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from indexer.clauses import resolved
from indexer.facts import FileFacts, packed_imports, unpacked_imports
from indexer.hiding import without_secrets
from indexer.language import Language
from indexer.native import Columns, Document, Facts, Reading, TooSlow, digest
from indexer.secrets import key_block_ranges, mask_ranges, token_ranges

if TYPE_CHECKING:
    import tree_sitter

__all__ = ["DocumentExtractor", "Points", "TooSlow", "digest_of", "extract"]

Points = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Row and byte column of the start, the old and the new end of an edit."""


def extract(path: str, language: Language, text: bytes, seconds: float = 0.0) -> FileFacts:
    """The facts of a text. Text that does not parse gives what could be read.

    Raises TooSlow if that takes more `seconds` of processor time; 0 means no limit.
    """
    facts = Reading(language.native, text, seconds)
    return _file_facts(path, language, text, facts)


class DocumentExtractor:
    """Extracts the facts of an open document again and again, at the cost of what changed.

    As long as a text is more broken than it was, symbols, references and imports outside of the
    edited lines stay those of the last good tree: they come back exact when the tree heals. With
    `keep_last_good` false they follow each tree as it is.
    """

    def __init__(self, language: Language, keep_last_good: bool = True) -> None:
        self._language = language
        self._keep = keep_last_good
        self._document = Document(language.native_for_trees)
        self._good: tree_sitter.Tree | None = None

    def edit(
        self, start: int, old_end: int, new_end: int, points: Points, tree: tree_sitter.Tree | None
    ) -> None:
        """Tells of an edit in bytes; `tree` is the document's own, edited by itself."""
        self._document.edit(start, old_end, new_end)
        if self._good is not None and self._good is not tree:
            self._good.edit(start, old_end, new_end, *points)

    def extract(self, path: str, text: bytes, tree: tree_sitter.Tree | None) -> FileFacts:
        """The facts of the text, whose tree this is; as `extract` where that is without errors.

        Without a tree, while the parser is not done, what was edited is not known yet.
        """
        facts, is_good = self._document.update(self._good, tree, text, self._keep)
        if is_good:
            self._good = tree
        return _file_facts(path, self._language, text, facts)


def digest_of(text: bytes) -> bytes:
    """Eight bytes that tell one text of a file from another."""
    return digest(text)


def _file_facts(path: str, language: Language, text: bytes, facts: Facts) -> FileFacts:
    secrets = _without_secrets(text, facts)
    columns = facts.columns()
    if columns.import_rows and language.imports_are_split:
        columns = _with_resolved_imports(language, text, columns)
    whole = FileFacts(
        path,
        language.name,
        digest_of(text),
        len(text),
        *columns,
        secrets=secrets,
        has_errors=facts.has_errors,
    )
    return without_secrets(whole, text)


def _without_secrets(text: bytes, facts: Facts) -> tuple[tuple[int, int], ...]:
    """Looks for secrets where there may be some, and has their words left out."""
    suspicion = facts.suspicion()
    if suspicion is None:
        return ()
    blocks = key_block_ranges(text) if suspicion.key_blocks else ()
    if blocks:
        facts.mask_blocks(blocks)
        suspicion = facts.suspicion() or suspicion
    masked = mask_ranges(text, blocks)
    hidden = [
        (start + low, start + high)
        for start, end in suspicion.chunks
        for low, high in _tokens(masked[start:end])
    ]
    facts.finish(hidden)
    return tuple(sorted((*blocks, *hidden)))


@lru_cache(maxsize=2_000)
def _tokens(chunk: bytes) -> tuple[tuple[int, int], ...]:
    """Kept because a keystroke changes one chunk of many."""
    return token_ranges(chunk)


def _with_resolved_imports(language: Language, text: bytes, columns: Columns) -> Columns:
    clauses = unpacked_imports(columns.import_rows, columns.packed_imports)
    rows, strings = packed_imports(resolved(language, text, clauses))
    return columns._replace(import_rows=rows, packed_imports=strings)
