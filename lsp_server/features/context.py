"""Which other code goes into the prompt: ranked snippets under a deadline."""

from __future__ import annotations

from collections.abc import Sequence

from indexer import Index, RecentSpan, Snippet


def gather(
    index: Index,
    path: str,
    offset: int,
    budget: int,
    deadline: float,
    recent: Sequence[RecentSpan] = (),
) -> tuple[Snippet, ...]:
    """Snippets for the code at a byte offset, the most useful first, of about `budget` tokens.

    What the line itself asks for comes last, so that the others stay while it is typed. What was
    found before `deadline`, a value of time.monotonic(), is taken.
    """
    return tuple(index.context(path, offset, budget, deadline, recent))
