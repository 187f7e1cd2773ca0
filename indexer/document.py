"""An open document: text, version, lines, syntax tree and facts, kept up to date under edits."""

from __future__ import annotations

import re

import tree_sitter

from indexer.changes import ByteEdit
from indexer.extract import DocumentExtractor
from indexer.facts import FileFacts
from indexer.language import Language, languages
from indexer.line_index import LineIndex
from indexer.scope import Scope, scope_at

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Document:
    """The text of an open document is the only truth about it: nothing is read from disk."""

    def __init__(
        self, path: str, language: Language | None, version: int, text: str | bytes, max_bytes: int
    ) -> None:
        self.path = path
        self.language = language
        self.version = version
        self._max_bytes = max_bytes
        self._set_text(to_bytes(text))

    def _set_text(self, text: bytes) -> None:
        self.text = text
        self.line_index = LineIndex(text)
        self._tree: tree_sitter.Tree | None = None
        self._tree_is_current = False
        self._facts: FileFacts | None = None
        self._extractor = DocumentExtractor(self.language) if self.language else None

    def replace(self, version: int, text: str | bytes) -> None:
        self.version = version
        self._set_text(to_bytes(text))

    def edit(self, version: int, edits: tuple[ByteEdit, ...]) -> None:
        """Applies edits in order. Raises ValueError, and changes nothing, if one does not fit."""
        self._check(edits)
        for change in edits:
            self._apply(change.start, change.end, to_bytes(change.text))
        self.version = version

    def _check(self, edits: tuple[ByteEdit, ...]) -> None:
        length = len(self.text)
        for change in edits:
            if not 0 <= change.start <= change.end <= length:
                raise ValueError(
                    f"edit of bytes {change.start} to {change.end} does not fit into {self.path},"
                    f" which has {length} bytes then"
                )
            length += len(to_bytes(change.text)) - (change.end - change.start)

    def _apply(self, start: int, end: int, text: bytes) -> None:
        old, new = self.text, self.text[:start] + text + self.text[end:]
        if self._tree is not None and self._extractor is not None:
            new_end = start + len(text)
            points = (_point(old, start), _point(old, end), _point(new, new_end))
            self._tree.edit(start, end, new_end, *points)
            self._extractor.edit(start, end, new_end, points, self._tree)
        self.line_index = self.line_index.edited(start, end, text, new)
        self.text = new
        self._tree_is_current = False
        self._facts = None

    @property
    def tree(self) -> tree_sitter.Tree | None:
        """The syntax tree, parsed on first read after an edit; None without a grammar."""
        if self.language is None or len(self.text) > self._max_bytes:
            return None
        if not self._tree_is_current:
            self._tree = self.language.parse(self.text, self._tree)
            self._tree_is_current = True
        return self._tree

    @property
    def facts(self) -> FileFacts | None:
        """Facts of the current text, extracted on first read after an edit."""
        if self._facts is None:
            tree = self.tree
            if tree is not None and self._extractor is not None:
                self._facts = self._extractor.extract(self.path, self.text, tree)
        return self._facts

    def has_error_in(self, start: int, end: int) -> bool:
        """Whether the syntax tree holds an error that touches the byte range."""
        tree = self.tree
        return tree is not None and count_errors(tree.root_node, start, end, 1) > 0

    def scope_at(self, offset: int) -> Scope:
        """The innermost block around an offset; the whole text where there is none."""
        indented = self.language is not None and self.language.docstring == "inside"
        return scope_at(self.text, offset, self.tree, indented)


def syntax_errors(language: str, text: bytes, start: int = 0, end: int | None = None) -> int:
    """How many errors of a text's syntax tree touch a byte range; 0 for an unknown language."""
    known = languages().get(language)
    if known is None:
        return 0
    root = known.parse(text).root_node
    return count_errors(root, start, len(text) if end is None else end, None)


def count_errors(node: tree_sitter.Node, start: int, end: int, limit: int | None) -> int:
    """ERROR and MISSING nodes that touch [start, end]; stops at `limit`."""
    count, pending = 0, [node]
    while pending and (limit is None or count < limit):
        node = pending.pop()
        if not node.has_error or node.end_byte < start or node.start_byte > end:
            continue
        count += node.is_error or node.is_missing
        pending += node.children
    return count


def to_bytes(text: str | bytes) -> bytes:
    """UTF-8. A surrogate without its other half becomes U+FFFD, as wide in UTF-16 as it was."""
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return LONE_SURROGATE.sub("\ufffd", joined).encode()


def _point(text: bytes, offset: int) -> tuple[int, int]:
    """Row and byte column as the grammar counts them: only \\n ends a row."""
    return text.count(b"\n", 0, offset), offset - (text.rfind(b"\n", 0, offset) + 1)
