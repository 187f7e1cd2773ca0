"""From text to facts: `extract` the plain way, `DocumentExtractor` keeping what an edit left."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.chunks import chunks_of
from indexer.definitions import OUTER, OUTER_CLASS, VALUES, Scope
from indexer.facts import (
    DOCSTRING_END,
    DOCSTRING_START,
    END,
    END_LINE,
    KIND_NUMBER,
    NAME,
    NAME_START,
    PARENT,
    START,
    START_LINE,
    WIDTH,
    FileFacts,
    Import,
)
from indexer.fragments import (
    EMPTY_ROWS,
    LINE_COLUMNS,
    OFFSET_COLUMNS,
    Fragment,
    FragmentMaker,
    Parameter,
    grouped,
    whole,
)
from indexer.language import Language
from indexer.line_index import line_starts
from indexer.names import Names
from indexer.secrets import mask_ranges, secret_ranges


def extract(path: str, language: Language, text: bytes) -> FileFacts:
    """The facts of a text. Never fails: text that does not parse gives what could be read."""
    root = language.parse(text).root_node
    fragment, names = whole(language, text, root)
    return assemble(path, language, text, fragment, names, root.has_error)


class DocumentExtractor:
    """Extracts the facts of an open document again and again."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._names = Names()
        self._fragments: dict[tuple[int, Scope], Fragment] = {}
        self._tree: tree_sitter.Tree | None = None  # keeps the identities in _fragments alive

    def extract(self, path: str, text: bytes, tree: tree_sitter.Tree) -> FileFacts:
        """The facts of `tree`, which must come from edits of the tree given last, or be new."""
        if len(self._names.strings) > 50_000:
            self._names, self._fragments = Names(), {}
        maker = FragmentMaker(self._language, text, self._names, self._fragments, {})
        top = Scope(None, False)
        children = [
            (node.start_byte, node.start_point[0], maker.fragment(node, top))
            for node in tree.root_node.children
            if node.is_named
        ]
        root = grouped(tuple(children))
        self._fragments = maker.made
        self._tree = tree.copy()  # the caller edits its own; identities hold for this one
        return assemble(path, self._language, text, root, self._names, tree.root_node.has_error)


def assemble(
    path: str, language: Language, text: bytes, root: Fragment, names: Names, has_errors: bool
) -> FileFacts:
    """Puts fragments together; the result does not depend on how the tree was cut into them."""
    parts = _Parts()
    parts.add(root, 0, 0, OUTER, OUTER)
    joined, written = parts.joined_symbols()
    symbols, details, position = _without_repeated_values(joined, written)
    owners = tuple((int(position[index]), owner) for index, owner in parts.owners)
    details = _with_parameter_types(symbols, details, parts.parameters)
    references = parts.joined_references()
    references = references[~np.isin(references[:, 1], symbols[:, NAME_START])]
    starts = line_starts(text)
    if text.count(b"\n") + 1 != len(starts):  # the grammar does not count a lone \r as a line end
        symbols[:, START_LINE] = np.searchsorted(starts, symbols[:, START], side="right") - 1
        last = np.maximum(symbols[:, START], symbols[:, END] - 1)
        symbols[:, END_LINE] = np.searchsorted(starts, last, side="right") - 1
    if language.docstring == "above":
        _attach_comments(text, symbols, parts.joined_comments())
    table = _renumber(symbols, references, names)
    secrets = secret_ranges(text)
    return FileFacts(
        path=path,
        language=language.name,
        digest=digest_of(text),
        size=len(text),
        names=table,
        symbol_rows=symbols.tobytes(),
        details=details,
        owners=owners,
        reference_rows=references.tobytes(),
        imports=tuple(parts.imports),
        chunks=chunks_of(mask_ranges(text, secrets), symbols, starts),
        secrets=secrets,
        has_errors=has_errors,
    )


def digest_of(text: bytes) -> bytes:
    """Eight bytes that tell one text of a file from another."""
    return hashlib.blake2b(text, digest_size=8).digest()


class _Parts:
    """Arrays of all fragments with what to add to each, joined once at the end."""

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.parameters: list[Parameter] = []
        self.owners: list[tuple[int, str]] = []
        self._symbols: list[NDArray[np.int32]] = []
        self._details: list[str] = []
        self._references: list[NDArray[np.int32]] = []
        self._reference_shifts: list[int] = []
        self._comments: list[NDArray[np.int32]] = []
        self._count = 0

    def add(self, fragment: Fragment, offset: int, line: int, outer: int, outer_class: int) -> None:
        """Adds a fragment that starts at `offset`; `outer` are the symbols around it."""
        first = self._count
        if len(fragment.symbols):
            self._add_symbols(fragment, offset, line, outer, outer_class)
        if len(fragment.references):
            self._references.append(fragment.references)
            self._reference_shifts.append(offset)
        for clause in fragment.imports:
            shifted = replace(clause, start=clause.start + offset, end=clause.end + offset)
            self.imports.append(shifted)
        for parameter in fragment.parameters:
            self.parameters.append(parameter._replace(start=parameter.start + offset))
        if len(fragment.comments):
            shift = np.array((offset, offset, line, line), np.int32)
            self._comments.append(fragment.comments + shift)
        if fragment.children:
            if fragment.owner >= 0:
                outer = first + fragment.owner
                if fragment.owner_is_container:
                    outer_class = outer
            for child_offset, child_line, child in fragment.children:
                self.add(child, offset + child_offset, line + child_line, outer, outer_class)

    def _add_symbols(
        self, fragment: Fragment, offset: int, line: int, outer: int, outer_class: int
    ) -> None:
        rows = fragment.symbols + (
            OFFSET_COLUMNS * np.int32(offset) + LINE_COLUMNS * np.int32(line)
        )
        parents = fragment.symbols[:, PARENT]
        outside = np.where(parents == OUTER_CLASS, outer_class, outer)
        rows[:, PARENT] = np.where(parents >= 0, parents + self._count, outside)
        self._symbols.append(rows)
        self._details += fragment.details
        self.owners += [(self._count + index, owner) for index, owner in fragment.owners]
        self._count += len(rows)

    def joined_symbols(self) -> tuple[NDArray[np.int32], list[str]]:
        return np.concatenate((EMPTY_ROWS[WIDTH], *self._symbols)), self._details

    def joined_references(self) -> NDArray[np.int32]:
        joined = np.concatenate((EMPTY_ROWS[3], *self._references))
        lengths = [len(rows) for rows in self._references]
        joined[:, 1] += np.repeat(np.array(self._reference_shifts, np.int32), lengths)
        return joined

    def joined_comments(self) -> NDArray[np.int32]:
        return np.concatenate((EMPTY_ROWS[4], *self._comments))


VALUE_NUMBERS = frozenset(KIND_NUMBER[kind] for kind in VALUES)


def _without_repeated_values(
    symbols: NDArray[np.int32], details: list[str]
) -> tuple[NDArray[np.int32], tuple[str, ...], NDArray[np.int32]]:
    """Keeps the first assignment of each variable and field, with the first type that is known.

    Also returns where each symbol went: int32 [symbols before].
    """
    first: dict[tuple[int, int], int] = {}
    keep = [True] * len(symbols)
    rows: list[list[int]] = symbols[:, : PARENT + 1].tolist()
    for index, (name, kind, parent) in enumerate(rows):
        if kind in VALUE_NUMBERS:
            known = first.setdefault((parent, name), index)
            if known != index:
                keep[index] = False
                if details[known] in ("", "=None"):
                    details[known] = details[index]
    kept = np.array(keep, np.bool_)
    position = np.cumsum(kept, dtype=np.int32) - 1  # values hold no symbols: no parent is dropped
    if all(keep):
        return symbols, tuple(details), position
    symbols = symbols[kept]
    parents = symbols[:, PARENT]
    symbols[:, PARENT] = np.where(parents >= 0, position[parents], parents)
    told = tuple(detail for detail, wanted in zip(details, keep, strict=True) if wanted)
    return symbols, told, position


def _with_parameter_types(
    symbols: NDArray[np.int32], details: tuple[str, ...], parameters: list[Parameter]
) -> tuple[str, ...]:
    """Gives `self.x = x` the type of the parameter x, declared before it in the same class."""
    if not any(detail.startswith("=") for detail in details):
        return details
    known = list(details)
    for index, detail in enumerate(details):
        if detail.startswith("="):
            parent = int(symbols[index, PARENT])
            low = int(symbols[parent, START]) if parent >= 0 else 0
            high = int(symbols[index, START])
            declared = [
                parameter.type
                for parameter in parameters
                if low <= parameter.start < high and parameter.name == detail[1:]
            ]
            known[index] = declared[-1] if declared else ""
    return tuple(known)


def _attach_comments(text: bytes, symbols: NDArray[np.int32], comments: NDArray[np.int32]) -> None:
    """Takes the comments on the lines just above a definition as its docstring."""
    by_last_line: dict[int, tuple[int, int, int]] = {}
    for start, end, first, last in comments.tolist():
        line_start = text.rfind(b"\n", 0, start) + 1
        if not text[line_start:start].strip():
            ends_line = last - 1 if end > start and text[end - 1 : end] == b"\n" else last
            by_last_line[ends_line] = (start, end, first)
    for row in symbols:
        line = int(row[START_LINE]) - 1
        block = by_last_line.get(line)
        end = block[1] if block is not None else 0
        while block is not None:
            row[DOCSTRING_START], row[DOCSTRING_END] = block[0], end
            block = by_last_line.get(block[2] - 1)


def _renumber(
    symbols: NDArray[np.int32], references: NDArray[np.int32], names: Names
) -> tuple[str, ...]:
    """Numbers the names that are used, in order of first use; changes the arrays in place."""
    numbers = np.concatenate((symbols[:, NAME], references[:, 0]))
    used, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(used), np.int32)
    rank[order] = np.arange(len(used), dtype=np.int32)
    renumbered = rank[inverse]
    symbols[:, NAME] = renumbered[: len(symbols)]
    references[:, 0] = renumbered[len(symbols) :]
    return tuple(names.strings[number] for number in used[order].tolist())
