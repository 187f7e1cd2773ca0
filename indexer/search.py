"""Retrieval: which code elsewhere helps to write at the cursor.

Two sources that complement each other: definitions that the code at the cursor needs, found by
resolving names, and chunks that look like the code at the cursor, found by their words.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from indexer.chunks import terms_of
from indexer.document import Document
from indexer.facts import TYPES
from indexer.language import languages
from indexer.nearby import surroundings
from indexer.needs import CONSTRUCTORS, Need, NeedSearch
from indexer.outline import Outline
from indexer.repository import Repository
from indexer.snippet import Skeleton, Snippet, range_snippet

MAX_MEMBERS = 16
SAME = 0.8
"""Jaccard similarity from which a chunk counts as a copy of the window."""
QUERY_LINES_BEFORE, QUERY_LINES_AFTER = 20, 5


def definitions_needed(
    repository: Repository,
    document: Document,
    offset: int,
    limit: int,
    deadline: float | None = None,
) -> list[Snippet]:
    """Definitions for the code at the cursor, the most needed first."""
    facts = document.facts
    if facts is None or limit <= 0:
        return []
    around = surroundings(document, facts, offset)
    search = NeedSearch(repository, document, facts, around, deadline)
    search.in_the_line()
    search.away_from_the_line()
    found: list[Snippet] = []
    for need in sorted(search.needs.values(), key=lambda need: -need.weight):
        if len(found) >= limit or search.late():
            break
        snippet = _shown(repository, need, search.needs)
        if snippet is not None:
            found.append(snippet)
    return found


def _shown(
    repository: Repository, need: Need, needs: dict[tuple[str, int], Need]
) -> Snippet | None:
    outline = repository.outlines.get(need.symbol.path)
    lines = repository.sources.lines(need.symbol.path)
    if outline is None or lines is None:
        return None
    chosen = sorted(need.members, key=lambda index: -need.members[index])[:MAX_MEMBERS]
    if need.group:  # without those that are shown on their own account
        chosen = [index for index in chosen if (need.symbol.path, index) not in needs]
        if not chosen:
            return None
    else:
        chosen += [one for one in constructor_of(outline, need) if one not in chosen]
    skeleton = Skeleton(lines, outline.facts)
    if not need.group:
        skeleton.show(need.symbol)
    for index in chosen:
        skeleton.show(outline.symbol(index))
    name = need.symbol if not need.group else outline.symbol(chosen[0])
    return skeleton.snippet(need.why, need.weight, name.qualified_name)


def constructor_of(outline: Outline, need: Need) -> list[int]:
    """The constructor of a class: how to make one is worth knowing of any."""
    if need.symbol.kind not in TYPES:
        return []
    members = outline.members(need.symbol.index)
    return [one.index for one in members if one.name in CONSTRUCTORS][:1]


def similar_chunks(
    repository: Repository,
    document: Document,
    offset: int,
    limit: int,
    deadline: float | None = None,
    least: float = 0.0,
) -> list[Snippet]:
    """Chunks elsewhere that share rare words with the lines around the cursor.

    The best one comes with the lines that follow it: they often show what comes next here. Those
    are left out that are not `least` as like the lines as these are themselves.
    """
    lines = document.line_index
    line = lines.line_of(offset)
    first = max(0, line - QUERY_LINES_BEFORE)
    last = min(lines.line_count, line + QUERY_LINES_AFTER + 1)
    start, end = lines.line_start(first), lines.line_start(last)
    query = terms_of(
        document.text[start:offset] + b"\n" + document.text[lines.line_end(line) : end]
    )
    window = (
        max(0, line - 2 * QUERY_LINES_BEFORE),
        min(lines.line_count, line + 2 * QUERY_LINES_AFTER),
    )
    skip = [(document.path, lines.line_start(window[0]), lines.line_start(window[1]))]
    words = frozenset(query)
    code = document.language is not None and not document.language.is_data
    found: list[Snippet] = []
    for hit in repository.chunks.search(query, 3 * limit, skip, least):
        if len(found) >= limit or (deadline is not None and time.monotonic() > deadline):
            break
        if code and _is_data(repository, hit.path):
            continue
        source = repository.sources.lines(hit.path)
        chunk = hit.chunk
        if source is None or _nearly_same(words, chunk.terms):
            continue
        last_line = chunk.end_line + (10 if not found else 0)
        why = f"similar to lines {first + 1}-{last}"
        found.append(range_snippet(source, hit.path, chunk.start_line, last_line, why, hit.score))
    return found


def _is_data(repository: Repository, path: str) -> bool:
    """Whether a file is in a language of data, which code is never like."""
    facts = repository.table.facts(path)
    return facts is not None and languages()[facts.language].is_data


def _nearly_same(words: frozenset[str], terms: Iterable[str]) -> bool:
    """Whether a chunk says the same as the window: a model would only copy it."""
    others = frozenset(terms)
    shared = len(words & others)
    return shared >= SAME * (len(words) + len(others) - shared)
