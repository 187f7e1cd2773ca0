"""Several suggestions for a user who asks by a key: the likeliest, then others by sampling."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from lsp_server.features.completion import Clock, Completion, Prepared, Silence, finish
from lsp_server.settings import Settings
from runtime import EngineError

TEMPERATURE = 0.8
TOP_P = 0.95


async def candidates(
    prepared: Prepared, settings: Settings, clock: Clock
) -> tuple[Completion, ...] | Silence:
    """Different suggestions, the greedy one first, then the most confident.

    The others start when the first is done: they share all that was computed of its prompt.
    """
    first = await finish(prepared, settings, clock)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(another(sampled(prepared, seed), settings, clock))
            for seed in range(1, settings.completion.candidates)
        ]
    others = [found for task in tasks if isinstance(found := task.result(), Completion)]
    others.sort(key=lambda found: -found.confidence)
    kept: dict[str, Completion] = {}
    for found in [first, *others]:
        if isinstance(found, Completion):
            kept.setdefault(found.text, found)
    if kept:
        return tuple(kept.values())
    assert isinstance(first, Silence)
    return first


async def another(
    prepared: Prepared, settings: Settings, clock: Clock
) -> Completion | Silence | None:
    """A further suggestion; that there is none takes nothing away from those that there are."""
    try:
        return await finish(prepared, settings, clock)
    except EngineError:
        return None


def sampled(prepared: Prepared, seed: int) -> Prepared:
    """The same prompt, written with some chance."""
    attempts = tuple(
        replace(
            attempt,
            request=replace(
                attempt.request,
                sampling=replace(
                    attempt.request.sampling, temperature=TEMPERATURE, top_p=TOP_P, seed=seed
                ),
            ),
        )
        for attempt in prepared.attempts
    )
    return replace(prepared, attempts=attempts)
