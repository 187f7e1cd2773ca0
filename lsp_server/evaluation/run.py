"""Asks for a suggestion in each hole, with each variant of the settings, and judges it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import indexer
from indexer import Close, Open, language_of
from lsp_server.evaluation.holes import Hole
from lsp_server.evaluation.metrics import edit_similarity, identifier_match
from lsp_server.evaluation.variants import Variant
from lsp_server.features.completion import Ask, Completion, Prepared, Silence, finish, write
from lsp_server.features.place import place_at
from lsp_server.features.syntax import closed
from lsp_server.session import Session


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one hole with one variant. All but the first fields are of what was shown.

    `exact`: the first line, or all lines of a target of several, equals the target; `first`: the
    first lines are equal. `new_errors` and `unknown` count syntax errors and unknown names that
    accepting it would add; brackets that it leaves open for the user to go on in are no errors.
    """

    hole: Hole
    variant: str
    milliseconds: float
    confidence: float
    shown: bool
    text: str
    reason: str
    exact: bool
    first: bool
    similarity: float
    identifiers: float
    new_errors: int
    unknown: int


async def evaluate(
    session: Session,
    holes: Sequence[Hole],
    variants: Sequence[Variant],
    told: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Outcomes, hole by hole. Each is a cold switch to a file: nothing is kept from the one before
    but what the engine remembers of its prompts."""
    outcomes = []
    for number, hole in enumerate(holes):
        index = session.index
        index.apply(Open(hole.path, None, 1, hole.holed))
        index.symbols(hole.path)
        try:
            for variant in variants:
                outcomes.append(await _ask(session, hole, variant))
        finally:
            index.apply(Close(hole.path))
            session.documents.pop(hole.path, None)
        told(number + 1)
    return outcomes


async def _ask(session: Session, hole: Hole, variant: Variant) -> Outcome:
    session.settings = variant.settings
    session.documents.pop(hole.path, None)
    language = language_of(hole.path)
    name = language.name if language is not None else None
    ask = Ask(hole.path, hole.holed, hole.start, name, version=1)
    began = time.perf_counter()
    prepared = session.prepare(ask)
    found: Completion | Silence
    if isinstance(prepared, Prepared):
        found = await (_raw(prepared) if variant.raw else _finish(session, prepared))
    else:
        found = prepared
    return judge(session, hole, variant.name, found, (time.perf_counter() - began) * 1e3)


async def _finish(session: Session, prepared: Prepared) -> Completion | Silence:
    return await finish(prepared, session.settings, session.clock)


async def _raw(prepared: Prepared) -> Completion | Silence:
    """What the model wrote, up to the line's end; in an empty block, all of it."""
    written = await write(prepared.model, prepared.attempts[0], replace(prepared.place))
    text = written.text if prepared.place.multiline else written.text.split("\n", 1)[0]
    if not text.strip():
        return Silence("the model wrote nothing")
    offset = prepared.ask.offset
    return Completion(text, offset, offset, written.confidence, prepared.receipt)


def judge(
    session: Session, hole: Hole, variant: str, found: Completion | Silence, milliseconds: float
) -> Outcome:
    """Compares a suggestion with what stood in the hole."""
    if isinstance(found, Silence):
        return Outcome(
            hole, variant, milliseconds, 0.0, False, "", found.reason, False, False, 0.0, 0.0, 0, 0
        )
    target, text = hole.target, found.text
    # A target of one line is met by a suggestion that begins with it.
    compared = text if "\n" in target else text.split("\n", 1)[0]
    # A bracket behind the cursor that the suggestion replaces is not its own.
    replaced = hole.holed[found.start : found.end].decode("utf-8", "replace")
    compared = compared.removesuffix(replaced) if replaced else compared
    return Outcome(
        hole,
        variant,
        milliseconds,
        found.confidence,
        True,
        text,
        "",
        _same(compared, target),
        _same(compared.split("\n", 1)[0], target.split("\n", 1)[0]),
        edit_similarity(compared.strip(), target.strip()),
        identifier_match(compared, target),
        _new_errors(hole, found),
        len(session.index.unknown_names(hole.path, found.start, text)),
    )


def _same(one: str, other: str) -> bool:
    """Equal but for the space at the ends of lines."""
    lines = ([line.rstrip() for line in text.strip().split("\n")] for text in (one, other))
    return next(lines) == next(lines)


def _new_errors(hole: Hole, found: Completion) -> int:
    before, after = hole.holed[: found.start], hole.holed[found.start :]
    text = (before + after).decode("utf-8", "replace")
    place = place_at(text, len(before.decode("utf-8", "replace")), None)
    behind = hole.holed[found.start + len(place.line_after.encode()) :]
    ways = (before + way.encode() + behind for way in closed(found.text, place))
    return max(0, min(_errors(hole.path, way) for way in ways) - _errors(hole.path, hole.holed))


def _errors(path: str, text: bytes) -> int:
    language = language_of(path)
    return indexer.syntax_errors(language.name, text) if language is not None else 0
