"""Whatever bytes a server of models sends, a request ends with text or with one clear error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import RemoteError
from tests.runtime.remote.checks import generate, remote
from tests.support.model_server import (
    STREAM,
    chat_events,
    chunk,
    completion_events,
    event,
    head,
    infill_events,
    raw,
)

QUICK = {"first_seconds": 0.2, "connect_seconds": 0.2, "total_seconds": 1.0}
KINDS = st.sampled_from(["completions", "chat", "infill"])
FIELDS = ["choices", "text", "delta", "message", "content", "usage", "finish_reason", "error"]
FIELDS += ["tool_calls", "function", "index", "stop", "stop_type", "prompt_tokens", "timings"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)
PIECES = [STREAM, head(), head(content_type="application/json"), b"\r\n", b"0\r\n\r\n", b"data: "]
EVENTS = (completion_events("a"), chat_events("```\nb"), infill_events("c"))
PARTS = st.sampled_from([*PIECES, *(chunk(part) for events in EVENTS for part in events)])


async def check(kind: str, *content: bytes) -> None:
    async with remote(raw(*content), kind=kind, **QUICK) as (server, engine):
        try:
            _, result = await generate(engine)
            assert result.finish_reason in ("stop", "length")
        except RemoteError as error:
            assert str(error).startswith(f"127.0.0.1:{server.port}: ")
        assert engine.status.running == 0


SLOW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


@SLOW
@given(KINDS, st.binary(max_size=300))
def test_any_bytes(kind: str, content: bytes) -> None:
    asyncio.run(check(kind, content))


@SLOW
@given(KINDS, st.lists(PARTS | st.binary(max_size=20), max_size=8))
def test_parts_of_answers_in_any_order(kind: str, parts: list[bytes]) -> None:
    asyncio.run(check(kind, b"".join(parts)))


@SLOW
@given(KINDS, st.lists(JSON, max_size=4))
def test_events_that_hold_anything(kind: str, values: list[Any]) -> None:
    content = [chunk(event(value)) for value in values]
    asyncio.run(check(kind, STREAM, *content, chunk(b"")))


@SLOW
@given(KINDS, st.data())
def test_answers_that_are_cut_and_altered(kind: str, data: st.DataObject) -> None:
    made = {"completions": completion_events, "chat": chat_events, "infill": infill_events}[kind]
    whole = STREAM + b"".join(chunk(part) for part in made("```\nx = 1\n", "```")) + chunk(b"")
    content = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
    asyncio.run(check(kind, bytes(content)))


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_pieces_make_no_difference(size: int) -> None:
    whole = head() + b"".join(completion_events("na", "mes 🎉", " = 1"))
    pieces = [whole[place : place + size] for place in range(0, len(whole), size)]
    async with remote(raw(*pieces)) as (_, engine):
        texts, result = await generate(engine)
    assert (texts, result.text) == (["na", "mes 🎉", " = 1"], "names 🎉 = 1")
