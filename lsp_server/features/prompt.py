"""From a place and snippets to a prompt, within the model's context.

Parts come in the order of volatility, and cuts move in steps: while a line is being typed, only its
own tokens change, so the engine computes few tokens anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer import Snippet
from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenIds

# The parts of the room that other code and, where the layout shows it, the text below may take.
SNIPPETS_SHARE = 0.5
SNIPPETS_SHARE_OF_SHORT_CONTEXT = 0.2
SUFFIX_SHARE = 0.2
# The part of the room for other code that is kept for what the line itself asks for.
LINE_SHARE = 0.2
SHORT_CONTEXT = 1024
# The window on the text above moves in this many steps of its own size.
WINDOW_STEPS = 4
LINE_STEP = 64


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of other code in the prompt, for the receipt. Lines count from 0, both included.

    Its path and text are `tokens` of the prompt from `first_token` on.
    """

    path: str
    start_line: int
    end_line: int
    tokens: int
    why: str
    name: str | None = None
    score: float = 0.0
    first_token: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Token ids, where they come from, and the tokens of the whole document for the memory.

    `ids` end before the unfinished `line`, whose tokens every layout has last; `above` are the
    tokens of all whole lines above, `after` those of everything behind the cursor.
    """

    ids: tuple[int, ...]
    line: str
    spans: tuple[Span, ...]
    sections: dict[str, int]
    above: TokenIds
    after: TokenIds


def render_prompt(
    model: Model,
    *,
    repository: str,
    path: str,
    before: str,
    after: str,
    snippets: Sequence[Snippet],
    shown_path: dict[str, str],
    max_tokens: int,
    max_context_tokens: int,
) -> Prompt:
    """The prompt for the text `before` the cursor; `max_tokens` stay free for the answer.

    `path` and the values of `shown_path` are as people say them; its keys are the snippets' paths.
    """
    line_start = before.rfind("\n") + 1
    above = model.tokens.chunks(before[:line_start])
    line = model.tokens.encode(before[line_start:])
    below = model.tokens.encode(after)
    header = [model.tokens.encode(name) for name in (repository, path)]
    room = max(16, model.context - max_tokens - 1)
    # The line counts in steps: else each of its tokens would move the window above it.
    reserved = min(room // 2, -(-len(line) // LINE_STEP) * LINE_STEP)
    room = max(0, room - max(reserved, len(line)) - sum(map(len, header)) - 8)
    suffix = below[: int(room * SUFFIX_SHARE)] if model.prompt_format.layout == "fim" else below[:0]
    room -= len(suffix)
    whole_above = np.concatenate([np.empty(0, np.int32), *(ids for _, ids in above)])
    share = SNIPPETS_SHARE if model.context > SHORT_CONTEXT else SNIPPETS_SHARE_OF_SHORT_CONTEXT
    # What the text above leaves free is for snippets too.
    budget = min(max_context_tokens, max(int(room * share), room - len(whole_above)))
    smallest = _window(above, room - budget)
    useful = _not_in_sight(snippets, path, shown_path, before, _text_of(above, smallest))
    files, spans, kept = _snippets(model, useful, shown_path, budget)
    window = whole_above[_window(above, room - kept) :]
    ids = model.prompt_format.render(
        repo=header[0].tolist(),
        files=files,
        current_path_ids=header[1].tolist(),
        prefix_ids=window.tolist(),
        suffix_ids=suffix.tolist(),
        line_ids=(),
    )
    spans = _placed(model, spans, files, len(header[0]))
    sections = {
        "context": sum(span.tokens for span in spans),
        "above": len(window),
        "below": len(suffix),
        "line": len(line),
        "all": len(ids) + len(line),
    }
    return Prompt(tuple(ids), before[line_start:], spans, sections, whole_above, below)


def _not_in_sight(
    snippets: Sequence[Snippet],
    path: str,
    shown_path: dict[str, str],
    before: str,
    in_sight: str,
) -> list[Snippet]:
    """Without those of the same file that the text above the cursor shows anyway."""
    cursor = before.count("\n")
    first = cursor - in_sight.count("\n")
    return [
        snippet
        for snippet in snippets
        if shown_path[snippet.path] != path
        or not first <= snippet.start_line <= snippet.end_line <= cursor
    ]


def _snippets(
    model: Model, snippets: Sequence[Snippet], shown_path: dict[str, str], budget: int
) -> tuple[list[tuple[list[int], list[int]]], tuple[Span, ...], int]:
    """As many as fit, best first in choosing; the best last in the prompt, near the cursor.

    What the line itself asks for comes behind all others, and has a room of its own: while the line
    is typed, tokens are only added. Returns files, spans, and the tokens to be kept free for them.
    """
    chosen: list[tuple[list[int], list[int], Span]] = []
    of_line: list[tuple[list[int], list[int], Span]] = []
    reserved = int(LINE_SHARE * budget) if snippets else 0
    room = budget - reserved
    for snippet in snippets:
        text = snippet.text if snippet.text.endswith("\n") else f"{snippet.text}\n"
        path = model.tokens.encode(shown_path[snippet.path]).tolist()
        ids = model.tokens.encode(text).tolist()
        cost = len(ids) + len(path) + 2
        if cost > room + (reserved if snippet.of_line else 0):
            continue
        room -= cost
        span = Span(
            shown_path[snippet.path],
            snippet.start_line,
            snippet.end_line,
            cost,
            snippet.why,
            snippet.name,
            snippet.score,
        )
        (of_line if snippet.of_line else chosen).append((path, ids, span))
    ordered = [*reversed(chosen), *of_line]
    spans = tuple(span for _, _, span in ordered)
    spent = sum(span.tokens for span in spans)
    kept = max(spent, sum(span.tokens for _, _, span in chosen) + reserved)
    return [(path, ids) for path, ids, _ in ordered], spans, kept


def _placed(
    model: Model,
    spans: Sequence[Span],
    files: Sequence[tuple[list[int], list[int]]],
    repository: int,
) -> tuple[Span, ...]:
    """The spans with their places in the prompt, where the files follow the repository's name."""
    form = model.prompt_format
    at = len(form.head)
    if form.repo_name is not None:
        at += 1 + repository + len(form.newline)
    placed = []
    for span, (path, text) in zip(spans, files, strict=True):
        tokens = len(form.header(path)) + len(text)
        placed.append(replace(span, first_token=at, tokens=tokens))
        at += tokens
    return tuple(placed)


def _window(chunks: list[tuple[str, TokenIds]], room: int) -> int:
    """Where the end of the text above that fits begins; it moves in steps, between chunks."""
    lengths = [len(ids) for _, ids in chunks]
    surplus = sum(lengths) - room
    if surplus <= 0:
        return 0
    step = max(1, room // WINDOW_STEPS)
    dropped = -(-surplus // step) * step
    starts = np.cumsum([0, *lengths])[:-1]
    start = int(starts[np.searchsorted(starts, dropped)]) if dropped <= starts[-1] else dropped
    # A chunk longer than a step would leave too little: then the cut goes through it.
    return start if start - dropped <= step else dropped


def _text_of(chunks: list[tuple[str, TokenIds]], start: int) -> str:
    """The text of the whole chunks that begin at token `start` or later."""
    position, parts = 0, []
    for text, ids in chunks:
        if position >= start:
            parts.append(text)
        position += len(ids)
    return "".join(parts)
