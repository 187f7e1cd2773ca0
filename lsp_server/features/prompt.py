"""From a place and snippets to a prompt, within the model's context.

Parts come in the order of volatility, and cuts move in steps: while a line is being typed, only its
own tokens change, so the engine computes few tokens anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer import Snippet
from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenIds

# The parts of the room that other code and, where the layout shows it, the text below may take.
SNIPPETS_SHARE = 0.5
SNIPPETS_SHARE_OF_SHORT_CONTEXT = 0.2
SUFFIX_SHARE = 0.2
SHORT_CONTEXT = 1024
# The window on the text above moves in this many steps of its own size.
WINDOW_STEPS = 4
LINE_STEP = 64


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of other code in the prompt, for the receipt. Lines count from 0, both included."""

    path: str
    start_line: int
    end_line: int
    tokens: int
    why: str
    name: str | None = None


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
    """The prompt for the text `before` the cursor; `max_tokens` stay free for the answer."""
    room = max(16, model.context - max_tokens - 1)
    line_start = before.rfind("\n") + 1
    above = model.tokens.chunks(before[:line_start])
    line = model.tokens.encode(before[line_start:])
    below = model.tokens.encode(after)
    repository_ids = model.tokens.encode(repository)
    path_ids = model.tokens.encode(path)
    # The line counts in steps too: else each of its tokens would move the window.
    reserved = min(room // 2, -(-len(line) // LINE_STEP) * LINE_STEP)
    room = max(0, room - max(reserved, len(line)) - len(repository_ids) - len(path_ids) - 8)
    suffix = below[: int(room * SUFFIX_SHARE)] if model.prompt_format.layout == "fim" else below[:0]
    room -= len(suffix)
    share = SNIPPETS_SHARE if model.context > SHORT_CONTEXT else SNIPPETS_SHARE_OF_SHORT_CONTEXT
    # What the text above leaves free is for snippets too.
    length_above = sum(len(ids) for _, ids in above)
    budget = min(max_context_tokens, max(int(room * share), room - length_above))
    files, spans = _snippets(model, snippets, shown_path, budget)
    window = _window([ids for _, ids in above], room - sum(span.tokens for span in spans))
    ids = model.prompt_format.render(
        repo=repository_ids.tolist(),
        files=files,
        current_path_ids=path_ids.tolist(),
        prefix_ids=window.tolist(),
        suffix_ids=suffix.tolist(),
        line_ids=(),
    )
    sections = {
        "context": sum(span.tokens for span in spans),
        "above": len(window),
        "below": len(suffix),
        "line": len(line),
        "all": len(ids) + len(line),
    }
    whole_above = np.concatenate([np.empty(0, np.int32), *(ids for _, ids in above)])
    return Prompt(tuple(ids), before[line_start:], spans, sections, whole_above, below)


def _snippets(
    model: Model, snippets: Sequence[Snippet], shown_path: dict[str, str], budget: int
) -> tuple[list[tuple[list[int], list[int]]], tuple[Span, ...]]:
    """As many as fit, best first in choosing; the best last in the prompt, near the cursor."""
    chosen: list[tuple[list[int], list[int], Span]] = []
    for snippet in snippets:
        text = snippet.text if snippet.text.endswith("\n") else f"{snippet.text}\n"
        path = model.tokens.encode(shown_path[snippet.path]).tolist()
        ids = model.tokens.encode(text).tolist()
        cost = len(ids) + len(path) + 2
        if cost > budget:
            continue
        budget -= cost
        span = Span(
            shown_path[snippet.path],
            snippet.start_line,
            snippet.end_line,
            cost,
            snippet.why,
            snippet.name,
        )
        chosen.append((path, ids, span))
    return (
        [(path, ids) for path, ids, _ in reversed(chosen)],
        tuple(span for _, _, span in reversed(chosen)),
    )


def _window(chunks: list[TokenIds], room: int) -> TokenIds:
    """The end of the text above that fits; its start moves in steps and lies between chunks."""
    if not chunks:
        return np.empty(0, np.int32)
    whole = np.concatenate(chunks)
    if len(whole) <= room:
        return whole
    step = max(1, room // WINDOW_STEPS)
    dropped = -(-(len(whole) - room) // step) * step
    starts = np.concatenate(([0], np.cumsum([len(chunk) for chunk in chunks])))[:-1]
    start = int(starts[np.searchsorted(starts, dropped)]) if dropped <= starts[-1] else dropped
    # A chunk longer than a step would leave too little: then the cut goes through it.
    return whole[start if start - dropped <= step else dropped :]
