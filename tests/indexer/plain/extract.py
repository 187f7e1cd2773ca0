"""Takes the facts of a text the plain way: the oracle of the native extraction.

Nothing here is fast. Where the two differ, one of them is wrong.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.extract import digest_of
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
from indexer.hiding import without_secrets
from indexer.language import Language
from indexer.line_index import line_starts
from indexer.secrets import key_block_ranges, mask_ranges
from tests.indexer.plain.chunks import chunks_of
from tests.indexer.plain.definitions import VALUES
from tests.indexer.plain.names import Names
from tests.indexer.plain.reading import Parameter, read_tree


def plain_extract(path: str, language: Language, text: bytes) -> FileFacts:
    root = language.parse(text).root_node
    whole, has_errors = read_tree(language, text, root), root.has_error
    names = whole.names
    symbols, details, position = _without_repeated_values(
        whole.symbols, list(whole.details), dict(whole.owners)
    )
    owners = tuple(
        (int(position[index]), owner)
        for index, owner in whole.owners
        if index == 0 or position[index] != position[index - 1]
    )
    details = _with_parameter_types(symbols, details, whole.parameters)
    references = whole.references
    references = references[~np.isin(references[:, 1], symbols[:, NAME_START])]
    starts = line_starts(text)
    symbols[:, START_LINE] = np.searchsorted(starts, symbols[:, START], side="right") - 1
    last = np.maximum(symbols[:, START], symbols[:, END] - 1)
    symbols[:, END_LINE] = np.searchsorted(starts, last, side="right") - 1
    if language.docstring == "above":
        _attach_comments(text, starts.tolist(), symbols, whole.comments)
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


def _attach_comments(
    text: bytes,
    starts: list[int],
    symbols: NDArray[np.int32],
    comments: Sequence[tuple[int, int]],
) -> None:
    """Takes the comments on the lines just above a definition as its docstring."""
    by_last_line: dict[int, tuple[int, int, int]] = {}
    for start, end in comments:
        first = bisect_right(starts, start) - 1
        if not text[starts[first] : start].strip():
            last = bisect_right(starts, max(start, end - 1)) - 1
            by_last_line[last] = (start, end, first)
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
