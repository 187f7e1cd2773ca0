"""An open document: text, version, lines, syntax tree and facts, kept up to date under edits."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.changes import ByteEdit
from indexer.extract import DocumentExtractor, Points
from indexer.facts import FileFacts
from indexer.language import Language, languages
from indexer.line_index import LineIndex
from indexer.scope import Scope, scope_at

PARSE_SECONDS = 0.012
"""Processor time that one reading of a document's tree may take."""
PAUSE_SECONDS = 0.03
"""How long others may work before a parser that was not done goes on."""
EDIT_SHARE = 4
"""A whole new text is an edit if what comes and goes is at most this part of it."""
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
        self._has_lone_return = _has_lone_return(text)
        self._tree: tree_sitter.Tree | None = None
        self._tree_is_current = False
        self._readable: tree_sitter.Tree | None = None
        self._parser: tree_sitter.Parser | None = None  # while it is not done with the text
        self._parse_again_at = 0.0
        self._parsed_text = b""  # what it is at work on, from which tree, and the edits since
        self._parsed_from: tree_sitter.Tree | None = None
        self._edits_since: list[tuple[Any, ...]] = []
        self._facts: FileFacts | None = None
        self._extractor = DocumentExtractor(self.language) if self.language else None

    def replace(self, version: int, text: str | bytes) -> None:
        """Takes a whole new text; as an edit of what differs where that is the smaller part."""
        self.version = version
        new = to_bytes(text)
        start, end, new_end = changed_bytes(self.text, new)
        if self._tree is None or (end - start) + (new_end - start) > len(new) // EDIT_SHARE:
            self._set_text(new)
        elif new != self.text:
            self._apply(start, end, new[start:new_end])

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
            points = _points(old, new, start, end, new_end, self._start_of(start))
            self._tree.edit(start, end, new_end, *points)
            self._extractor.edit(start, end, new_end, points, self._tree)
            if self._parser is not None:
                self._edits_since.append((start, end, new_end, *points))
        self.line_index = self.line_index.edited(start, end, text, new)
        if not self._has_lone_return:
            self._has_lone_return = _has_lone_return(new[max(0, start - 1) : start + len(text) + 2])
        self.text = new
        self._readable = None
        self._tree_is_current = False
        self._parse_again_at = 0.0
        self._facts = None

    def _start_of(self, offset: int) -> tuple[int, int]:
        """Row and byte column of an offset as the grammar counts them: only \\n ends a row."""
        if self._has_lone_return:
            line_start = self.text.rfind(b"\n", 0, offset) + 1
            return self.text.count(b"\n", 0, offset), offset - line_start
        row = self.line_index.line_of(offset)
        return row, offset - self.line_index.line_start(row)

    @property
    def tree(self) -> tree_sitter.Tree | None:
        """The syntax tree, parsed on first read after an edit; None without a grammar.

        One that takes long, as after a lone quote, is not waited for: until it is ready the tree is
        the one before, moved by the edits, and reading this again later spends more on it.
        """
        if self.language is None or len(self.text) > self._max_bytes:
            return None
        if self._tree is None:
            self._tree = self.language.parse(self.text)
            self._tree_is_current = True
        elif not self._tree_is_current:
            self._parse_on()
        return self._tree

    @property
    def readable_tree(self) -> tree_sitter.Tree | None:
        """The tree of the current text, whose nodes can be asked for their text.

        Those of `tree` cannot after an edit: tree-sitter 0.26.1 reads the text of a tree that was
        parsed piece by piece through freed memory, and the process ends.
        """
        tree = self.tree
        if tree is None or self.language is None:
            return None
        if self._readable is None:
            self._readable = self.language.parse(self.text, tree)
        return self._readable

    def _parse_on(self) -> None:
        """Parses for a while. A text that is edited meanwhile is parsed to its end all the same:
        from its tree, moved by those edits, the way to that of the current text is short."""
        assert self.language is not None
        limit = time.thread_time() + PARSE_SECONDS
        while not self._tree_is_current:
            if self._parser is None:
                self._parser = tree_sitter.Parser(self.language.grammar)
                self._parsed_text, self._edits_since, self._parsed_from = self.text, [], self._tree
            elif time.monotonic() < self._parse_again_at:
                return
            tree = self._parse_until(limit)
            if tree is None:
                self._parse_again_at = time.monotonic() + PAUSE_SECONDS
                return
            for edit in self._edits_since:
                tree.edit(*edit)
            self._tree, self._parser = tree, None
            self._tree_is_current = not self._edits_since

    def _parse_until(self, limit: float) -> tree_sitter.Tree | None:
        assert self._parser is not None
        text = memoryview(self._parsed_text)
        given = [text]

        def read(offset: int, _: object) -> memoryview:  # a tree keeps it: it must not know us
            given.append(text[offset:])
            return given[-1]

        try:
            return self._parser.parse(
                read, self._parsed_from, progress_callback=lambda *_: time.thread_time() > limit
            )
        except ValueError:  # the time is over: the parser goes on from there when called again
            return None
        finally:
            # tree-sitter 0.26.1 never lets go of what it was given, nor would that of the text.
            for piece in reversed(given):
                piece.release()

    @property
    def is_settled(self) -> bool:
        """Whether the tree, if it was read, is that of the current text: then the facts are too."""
        return self._tree is None or self._tree_is_current

    @property
    def facts(self) -> FileFacts | None:
        """Facts of the current text, extracted on first read after an edit."""
        if self._facts is None:
            tree = self.tree
            if tree is None or self._extractor is None:
                return None
            current = tree if self._tree_is_current else None
            facts = self._extractor.extract(self.path, self.text, current)
            if current is None:
                return facts
            self._facts = facts
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


def changed_bytes(old: bytes, new: bytes) -> tuple[int, int, int]:
    """Where two texts differ, in whole characters: the start, and the ends in the old and the new.

    Before the start and behind the ends they are the same.
    """
    common = min(len(old), len(new))
    one, other = np.frombuffer(old, np.uint8), np.frombuffer(new, np.uint8)
    start = _equal_items(one[:common], other[:common])
    while start > 0 and _is_inside_character(old, new, start):
        start -= 1
    rest = common - start
    same = _equal_items(one[len(old) - rest :][::-1], other[len(new) - rest :][::-1])
    while same > 0 and new[len(new) - same] & 0xC0 == 0x80:
        same -= 1
    return start, len(old) - same, len(new) - same


def _equal_items(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    """How many items are equal before the first that differs."""
    differ = one != other
    first = int(differ.argmax()) if len(differ) else 0
    return first if len(differ) and differ[first] else len(differ)


def _is_inside_character(old: bytes, new: bytes, at: int) -> bool:
    return any(at < len(text) and text[at] & 0xC0 == 0x80 for text in (old, new))


def _has_lone_return(text: bytes) -> bool:
    """Whether a \\r may end a line by itself: LSP counts that as a line end, grammars do not."""
    return b"\r" in text and text.count(b"\r") != text.count(b"\r\n")


def _points(
    old: bytes, new: bytes, start: int, end: int, new_end: int, first: tuple[int, int]
) -> Points:
    """Rows and byte columns of an edit, those of its start being known."""
    return first, _after(old, start, end, first), _after(new, start, new_end, first)


def _after(text: bytes, start: int, end: int, first: tuple[int, int]) -> tuple[int, int]:
    """The row and column of `end`, given those of `start`."""
    rows = text.count(b"\n", start, end)
    if not rows:
        return first[0], first[1] + end - start
    return first[0] + rows, end - text.rfind(b"\n", start, end) - 1
