"""The pipeline of a completion, on one screen: context, prompt, generate, postprocess.

`prepare` runs at once and sees exactly the text that the user sees; waiting for the engine is the
only await; `complete` is both, for whoever need not keep the order of messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

import indexer
from indexer import Index, RecentSpan, Snippet, SyntaxAt, UnknownName
from lsp_server.features.brackets import replaced_after
from lsp_server.features.context import gather
from lsp_server.features.healing import (
    Way,
    heals,
    way_without_healing,
    ways_to_heal,
    without_held,
    without_overlap,
)
from lsp_server.features.model import Model
from lsp_server.features.place import Place, can_complete, place_at, wants_multiline
from lsp_server.features.postprocess import is_enough, postprocess
from lsp_server.features.prompt import Prompt, Span, render_prompt
from lsp_server.features.syntax import keep_what_parses
from lsp_server.features.verify import keep_what_is_known, whole_line
from lsp_server.settings import CompletionSettings, Settings
from runtime import MemoryScope, Priority, Request, Result, Usage

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ask:
    """One wish for a completion: `offset` counts bytes of `text`, the document's whole text.

    `text` is the document's own, or what it would be with the entry that is chosen in the editor's
    menu in it; then `offset` is behind that entry.
    """

    path: str
    text: bytes
    offset: int
    language: str | None
    version: int = 0
    automatic: bool = True
    tab_size: int = 4
    # Otherwise the text is one that may come, or has `above` bytes of other cells before it.
    is_own_text: bool = True
    above: int = 0
    priority: Priority = Priority.TYPING


@dataclass(frozen=True, slots=True)
class Receipt:
    """Why a completion is what it is: what the model saw, what it cost, what was filtered."""

    model: str
    context: tuple[Span, ...] = ()
    sections: dict[str, int] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    usage: Usage = field(default_factory=lambda: Usage(0, 0, 0, 0))
    confidence: float = 0.0
    finish_reason: str = ""
    # Two where the model did not write the unfinished word anew; all numbers are of both together.
    attempts: int = 0
    multiline: bool = False
    # Whether the search for context met its deadline before it was done.
    cut_short: bool = False
    filtered: str | None = None
    # The prompt that the model continued, as token ids.
    prompt: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """`text` replaces the bytes [start, end) of the document; both lie on the cursor's line."""

    text: str
    start: int
    end: int
    confidence: float
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing to show, and why, in words for a person."""

    reason: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request to the engine, whose answer must begin with the `held` text.

    Or, where the model cannot be made to begin with it, an answer that may repeat the `line`.
    """

    request: Request
    held: str
    line: str | None = None

    def rest(self, text: str) -> str:
        """What was written behind the line at the cursor."""
        if self.line is not None:
            return without_overlap(text, self.line)
        return text[len(self.held) :]

    def heals(self, text: str) -> Literal["yes", "no", "not yet"]:
        return "yes" if self.line is not None else heals(text, self.held)


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that was read from the index and the document; what follows needs neither."""

    ask: Ask
    model: Model
    place: Place
    prompt: Prompt
    # The first is what the model is asked; the next, if any, where it does not heal.
    attempts: tuple[Attempt, ...]
    snippets: tuple[Snippet, ...]
    receipt: Receipt
    # Names in a suggestion that nothing knows, where that can be told.
    unknown: Callable[[str], Sequence[UnknownName]]
    # Lines that the user has just deleted something of.
    unwanted: frozenset[str]
    kept: Callable[[float], float]


async def complete(
    index: Index, model: Model, ask: Ask, settings: Settings, clock: Clock
) -> Completion | Silence:
    prepared = prepare(index, model, ask, settings, clock)
    return prepared if isinstance(prepared, Silence) else await finish(prepared, settings, clock)


def prepare(
    index: Index,
    model: Model,
    ask: Ask,
    settings: Settings,
    clock: Clock,
    recent: tuple[RecentSpan, ...] = (),
    expected: str = "",
    unwanted: frozenset[str] = frozenset(),
    kept: Callable[[float], float] = lambda confidence: confidence,
) -> Prepared | Silence:
    """Context and prompt. `recent` are the places that were edited lately, the latest first.

    What is `expected`, as an earlier suggestion said, is checked faster than it would be written.
    Lines that are `unwanted` are not suggested. `kept` makes of a suggestion's confidence the
    chance that this user keeps it.

    `clock` is time.monotonic, in seconds.
    """
    began = clock()
    before = ask.text[: ask.offset].decode("utf-8", "replace")
    after = ask.text[ask.offset :].decode("utf-8", "replace")
    place = place_at(before + after, len(before), ask.language)
    is_document = is_text_of(index, ask)
    syntax = index.syntax_at(ask.path, ask.offset) if is_document else None
    reason = why_silent(place, syntax, settings.completion) if ask.automatic else None
    if reason is not None:
        return Silence(reason)
    begins_block = syntax.opens_block if syntax is not None else None
    multiline = wants_multiline(place, settings.completion.multiline, begins_block)
    place = replace(place, multiline=multiline, tab_size=ask.tab_size)
    deadline = began + settings.context.deadline_ms / 1000
    budget = min(settings.context.max_tokens, model.context)
    snippets = gather(index, ask.path, _in_document(index, ask), budget, deadline, recent)
    gathered = clock()
    prompt = render_prompt(
        model,
        repository=repository_name(index, ask.path),
        path=index.relative(ask.path),
        before=before,
        after=after,
        snippets=snippets,
        shown_path={snippet.path: index.relative(snippet.path) for snippet in snippets},
        max_tokens=settings.completion.max_tokens,
        max_context_tokens=settings.context.max_tokens,
    )
    receipt = Receipt(
        model.name,
        prompt.spans,
        prompt.sections,
        {"context": (gathered - began) * 1e3, "prompt": (clock() - gathered) * 1e3},
        multiline=place.multiline,
        cut_short=gathered >= deadline,
    )
    attempts = tuple(
        Attempt(
            engine_request(model, ask, place, prompt, way, settings, expected),
            way.held,
            None if model.engine.forces_start else prompt.line,
        )
        for way in ways_for(model, prompt.line, before[: len(before) - len(prompt.line)] + after)
    )
    is_checked = is_document and settings.completion.check_names

    def unknown(text: str) -> Sequence[UnknownName]:
        is_same = is_checked and is_text_of(index, ask)
        return index.unknown_names(ask.path, ask.offset, text) if is_same else ()

    return Prepared(ask, model, place, prompt, attempts, snippets, receipt, unknown, unwanted, kept)


def ways_for(model: Model, line: str, elsewhere: str) -> tuple[Way, ...]:
    """How the unfinished line can be asked for, in the order in which that is tried."""
    if model.engine.forces_start:
        return ways_to_heal(line, elsewhere)
    return (way_without_healing(line),)


def _in_document(index: Index, ask: Ask) -> int:
    """The place in the document's own text that is nearest to the one that is asked about."""
    document = index.document(ask.path)
    return (
        ask.offset - ask.above
        if document is None
        else min(ask.offset - ask.above, len(document.text))
    )


def is_text_of(index: Index, ask: Ask) -> bool:
    """Whether the text is the document's own, apart from secrets that are masked in it."""
    document = index.document(ask.path)
    return document is not None and ask.is_own_text and len(document.text) == len(ask.text)


def why_silent(place: Place, syntax: SyntaxAt | None, options: CompletionSettings) -> str | None:
    """Why nothing is suggested unasked at a place, in words; None where something may be."""
    if not can_complete(place):
        return "the cursor is in the middle of code"
    inside = syntax.inside if syntax is not None else "code"
    if inside == "comment" and not options.in_comments:
        return "the cursor is in a comment (setting sopilka.completion.inComments)"
    if inside == "string" and not options.in_strings:
        return "the cursor is in a string (setting sopilka.completion.inStrings)"
    return None


async def finish(prepared: Prepared, settings: Settings, clock: Clock) -> Completion | Silence:
    """Lets the model write, then filters. Leaving early, by a cancel too, cancels the engine."""
    spent: list[Result] = []
    for attempt in prepared.attempts:
        written = await write(prepared.model, attempt, prepared.place)
        spent.append(written.result)
        if written.heals:
            break
    generated = clock()
    completion = judged(prepared, written, settings.completion.min_confidence)
    if isinstance(completion, Silence) and written.first_line is not None:
        # Several lines were too much to be sure of: perhaps the first is not.
        written = replace(written, confidence=written.first_line)
        alone = replace(prepared, place=replace(prepared.place, multiline=False))
        completion = judged(alone, written, settings.completion.min_confidence)
    receipt = with_costs(prepared.receipt, spent, written, (clock() - generated) * 1e3)
    if isinstance(completion, Silence):
        return Silence(completion.reason, replace(receipt, filtered=completion.reason))
    return replace(completion, confidence=written.confidence, receipt=receipt)


def judged(prepared: Prepared, written: Written, min_confidence: float) -> Completion | Silence:
    """What is shown of a text, if it passes the filters and is likely enough to be kept."""
    completion = to_completion(prepared, written)
    chance = prepared.kept(written.confidence)
    if isinstance(completion, Silence) or not prepared.ask.automatic or chance >= min_confidence:
        return completion
    return Silence(f"confidence {chance:.2f} is below completion.minConfidence")


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote behind the held text, and how sure it was of that."""

    heals: bool
    text: str
    result: Result
    confidence: float
    prompt: Sequence[int] = ()
    # How sure the model was of the first line alone, where it wrote more.
    first_line: float | None = None


async def write(model: Model, attempt: Attempt, place: Place) -> Written:
    """One attempt, ended as soon as what follows would not be shown."""
    text, held_probability, first_line = "", 1.0, None
    async with model.engine.generate(attempt.request) as generation:
        async for output in generation:
            if len(text) < len(attempt.held):
                held_probability *= output.confidence
            text += output.text
            if first_line is None and "\n" in attempt.rest(text):
                first_line = output.so_far
            if attempt.heals(text) == "no" or is_enough(attempt.rest(text), place):
                generation.cancel()
                break
        result = await generation.result()
    is_healed = not attempt.held or attempt.heals(text) == "yes"
    # Where the start was forced, the probabilities are conditional on it already.
    is_forced = attempt.request.sampling.start == attempt.held
    confidence = result.confidence
    if not is_forced and attempt.line is None:
        confidence = without_held(confidence, held_probability)
        first_line = first_line and without_held(first_line, held_probability)
    rest = attempt.rest(text)
    return Written(is_healed, rest, result, confidence, attempt.request.prompt, first_line)


def to_completion(prepared: Prepared, written: Written) -> Completion | Silence:
    """The filters, then the check that the suggestion parses where it would stand."""
    ask, place = prepared.ask, prepared.place
    if written.result.error:
        return Silence(f"the engine failed: {written.result.error}")
    filtered = postprocess(written.text, place)
    if not filtered.text:
        return Silence(f"nothing was left by {filtered.dropped_by}")
    kept = keep_what_parses(
        filtered.text, place, ask.text, ask.offset, lambda code: errors_in(ask.language, code)
    )
    if not kept:
        return Silence("the suggestion would add a syntax error")
    if ask.automatic:
        known, name = keep_what_is_known(kept, prepared.unknown)
        if not known:
            return Silence(f"nothing here knows the name {name}")
        kept = known
        if whole_line(kept, place) in prepared.unwanted:
            return Silence("it would bring back what was just deleted")
    replaced = len(place.line_after[: replaced_after(kept, place)].encode())
    return Completion(kept, ask.offset, ask.offset + replaced, 0.0, prepared.receipt)


def with_costs(
    receipt: Receipt, spent: list[Result], written: Written, postprocess_ms: float
) -> Receipt:
    """The receipt with what all attempts together took."""
    times = {
        name: sum(getattr(result.timings, name) for result in spent)
        for name in ("waiting", "prefill", "decode")
    }
    counts = (
        sum(getattr(result.usage, name) for result in spent)
        for name in ("prompt", "reused", "computed", "generated", "drafted", "accepted")
    )
    return replace(
        receipt,
        milliseconds={**receipt.milliseconds, **times, "postprocess": postprocess_ms},
        usage=Usage(*counts),
        confidence=written.confidence,
        finish_reason=written.result.finish_reason,
        attempts=len(spent),
        prompt=tuple(written.prompt),
    )


def engine_request(
    model: Model,
    ask: Ask,
    place: Place,
    prompt: Prompt,
    way: Way,
    settings: Settings,
    expected: str,
) -> Request:
    """The prompt with one way to write its unfinished line, and what the memory may use."""
    line_ids = model.tokens.encode(way.line)
    ids = (*prompt.ids, *line_ids.tolist())
    # What was held back is written anew and must not cost the suggestion any of its length.
    max_tokens = settings.completion.max_tokens + len(model.tokens.encode(way.held))
    sampling = replace(
        model.sampling,
        max_tokens=max(1, min(max_tokens, model.context - len(ids))),
        start=way.forced,
        stop=model.sampling.stop if place.multiline else (*model.sampling.stop, "\n"),
    )
    scope = None
    if settings.memory.enable:
        before = np.concatenate([prompt.above, line_ids])
        scope = MemoryScope(key=ask.path, before=before, after=prompt.after)
    foreseen = model.tokens.encode(way.held + expected).tolist() if expected else []
    return Request(ids, sampling, ask.priority, scope, expected=tuple(foreseen))


def errors_in(language: str | None, code: bytes) -> int:
    return 0 if language is None else indexer.syntax_errors(language, code)


def repository_name(index: Index, path: str) -> str:
    """The name of the folder that holds the file, as the workspace has it."""
    root = path[: -len(index.relative(path))].rstrip("/")
    return root.rsplit("/", 1)[-1]
