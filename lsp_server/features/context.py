"""Which other code goes into the prompt: ranked snippets under a deadline."""

from __future__ import annotations

from collections.abc import Sequence

from indexer import Index, Snippet

_MAX_DEFINITIONS = 12
_MAX_SIMILAR = 6


def gather(index: Index, path: str, offset: int, deadline: float) -> tuple[Snippet, ...]:
    """Snippets for the code at a byte offset, the most useful first.

    Definitions that the code at the cursor needs come before chunks that only look alike. What was
    found before `deadline`, a value of time.monotonic(), is taken.
    """
    return without_overlaps(
        [
            *index.definitions_needed(path, offset, _MAX_DEFINITIONS, deadline),
            *index.similar_chunks(path, offset, _MAX_SIMILAR, deadline),
        ]
    )


def without_overlaps(snippets: Sequence[Snippet]) -> tuple[Snippet, ...]:
    """Drops a snippet whose bytes an earlier, better one has shown already."""
    kept: list[Snippet] = []
    for snippet in snippets:
        shares = any(
            other.path == snippet.path and snippet.start < other.end and other.start < snippet.end
            for other in kept
        )
        if not shares and snippet.text.strip():
            kept.append(snippet)
    return tuple(kept)
