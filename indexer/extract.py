"""From text to facts: `extract` the plain way, `DocumentExtractor` keeping what an edit left."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import tree_sitter
from numpy.typing import NDArray

from indexer.chunks import chunks_of
from indexer.definitions import VALUES
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
    Chunk,
    FileFacts,
    packed,
    packed_imports,
)
from indexer.fragments import Fragment, Parameter
from indexer.hiding import without_secrets
from indexer.language import Language
from indexer.line_index import line_starts
from indexer.names import Names
from indexer.reading import Memory, read_tree
from indexer.secrets import key_block_ranges, mask_ranges


def extract(path: str, language: Language, text: bytes) -> FileFacts:
    """The facts of a text. Never fails: text that does not parse gives what could be read."""
    root = language.parse(text).root_node
    names = Names()
    fragment = read_tree(language, text, root, names)
    return assemble(path, language, text, fragment, names, root.has_error)


class DocumentExtractor:
    """Extracts the facts of an open document again and again, at the cost of what changed."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._memory = Memory(language)

    def extract(self, path: str, text: bytes, tree: tree_sitter.Tree) -> FileFacts:
        """What `extract` gives for the text, if the tree is that of the text."""
        root = tree.root_node
        fragment = self._memory.read_tree(text, root)
        return assemble(path, self._language, text, fragment, self._memory.names, root.has_error)


def assemble(
    path: str, language: Language, text: bytes, whole: Fragment, names: Names, has_errors: bool
) -> FileFacts:
    """Puts together what was read; the result does not depend on how the tree was cut up."""
    symbols, details, position = _without_repeated_values(
        whole.symbols, list(whole.details), dict(whole.owners)
    )
    owners = tuple((int(position[index]), owner) for index, owner in whole.owners)
    details = _with_parameter_types(symbols, details, whole.parameters)
    references = whole.references
    references = references[~np.isin(references[:, 1], symbols[:, NAME_START])]
    starts = line_starts(text)
    if text.count(b"\n") + 1 != len(starts):  # the grammar does not count a lone \r as a line end
        symbols[:, START_LINE] = np.searchsorted(starts, symbols[:, START], side="right") - 1
        last = np.maximum(symbols[:, START], symbols[:, END] - 1)
        symbols[:, END_LINE] = np.searchsorted(starts, last, side="right") - 1
    if language.docstring == "above":
        _attach_comments(text, symbols, whole.comments)
    table = _renumber(symbols, references, names)
    blocks = key_block_ranges(text)
    chunks, tokens = chunks_of(mask_ranges(text, blocks), symbols, starts)
    chunk_rows, chunk_terms, table = _chunk_columns(chunks, table)
    import_rows, imports = packed_imports(whole.imports)
    facts = FileFacts(
        path=path,
        language=language.name,
        digest=digest_of(text),
        size=len(text),
        packed_names=packed(table),
        symbol_rows=symbols.tobytes(),
        packed_details=packed(details),
        owner_rows=np.array([index for index, _ in owners], np.int32).tobytes(),
        packed_owners=packed(owner for _, owner in owners),
        reference_rows=references.tobytes(),
        import_rows=import_rows,
        packed_imports=imports,
        chunk_rows=chunk_rows,
        chunk_terms=chunk_terms,
        secrets=tuple(sorted((*blocks, *tokens))),
        has_errors=has_errors,
    )
    return without_secrets(facts, text)


def digest_of(text: bytes) -> bytes:
    """Eight bytes that tell one text of a file from another."""
    return hashlib.blake2b(text, digest_size=8).digest()


VALUE_NUMBERS = frozenset(KIND_NUMBER[kind] for kind in VALUES)


def _without_repeated_values(
    symbols: NDArray[np.int32], details: list[str], owners: dict[int, str]
) -> tuple[NDArray[np.int32], tuple[str, ...], NDArray[np.int32]]:
    """Keeps the first assignment of each variable and field, with the first type that is known.

    `owners` are those of symbols that are defined outside of what they belong to, by row.

    Also returns where each symbol went: int32 [symbols before].
    """
    first: dict[tuple[int, int, str], int] = {}
    keep = [True] * len(symbols)
    rows: list[list[int]] = symbols[:, : PARENT + 1].tolist()
    for index, (name, kind, parent) in enumerate(rows):
        if kind in VALUE_NUMBERS:
            known = first.setdefault((parent, name, owners.get(index, "")), index)
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
    symbols: NDArray[np.int32], details: tuple[str, ...], parameters: Sequence[Parameter]
) -> tuple[str, ...]:
    """Gives `self.x = x` the type of the parameter x, declared before it in the same class."""
    waiting = [index for index, detail in enumerate(details) if detail[:1] == "="]
    if not waiting:
        return details
    declared: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        declared.setdefault(parameter.name, []).append(parameter)
    known = list(details)
    for index in waiting:
        parent = int(symbols[index, PARENT])
        low = int(symbols[parent, START]) if parent >= 0 else 0
        candidates = declared.get(details[index][1:], [])
        before = bisect_left(candidates, int(symbols[index, START]), key=lambda one: one.start)
        fits = before > 0 and candidates[before - 1].start >= low
        known[index] = candidates[before - 1].type if fits else ""
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


def _chunk_columns(
    chunks: Sequence[Chunk], table: tuple[str, ...]
) -> tuple[bytes, bytes, tuple[str, ...]]:
    """The columns of chunks, and the names with the terms that are none of them put behind."""
    numbers = {name: number for number, name in enumerate(table)}
    rows: list[tuple[int, int, int, int, int, int]] = []
    terms: list[tuple[int, int]] = []
    for chunk in chunks:
        first = len(terms)
        terms += [
            (numbers.setdefault(term, len(numbers)), count)
            for term, count in zip(chunk.terms, chunk.counts, strict=True)
        ]
        rows.append((chunk.start, chunk.end, chunk.start_line, chunk.end_line, first, len(terms)))
    columns = np.array(rows, np.int32).tobytes(), np.array(terms, np.int32).tobytes()
    return (*columns, tuple(numbers))
