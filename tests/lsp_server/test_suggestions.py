"""What is suggested when: typed along, gone back, accepted, pasted, with the whole server."""

from __future__ import annotations

import pytest

from lsp_server.session import Session
from tests.lsp_server.scripted import LINE, URI, Scripted
from tests.support.client import span


async def test_going_back_and_typing_again_asks_nobody(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE})\n")
    (item,) = await client.inline(URI, 0, len(LINE))
    client.type(URI, 0, len(LINE), "m")
    await client.inline(URI, 0, len(LINE) + 1)
    runs = len(scripted.runner.runs)
    client.change(URI, {"range": span(0, len(LINE), len(LINE) + 1), "text": ""})
    assert (await client.inline(URI, 0, len(LINE)))[0]["insertText"] == item["insertText"]
    client.type(URI, 0, len(LINE), "m")
    assert (await client.inline(URI, 0, len(LINE) + 1))[0]["insertText"] == item["insertText"][1:]
    assert len(scripted.runner.runs) == runs
    # What was written elsewhere may change what the model would say.
    client.open("untitled:Untitled-1", "")
    client.type("untitled:Untitled-1", 0, 0, "x")
    await client.inline(URI, 0, len(LINE) + 1)
    assert len(scripted.runner.runs) > runs


async def test_what_follows_an_accepted_suggestion_is_there_at_once(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await scripted.start(initializationOptions={"completion": {"maxTokens": 3}})
    client.open(URI, f"{LINE}\n")
    (item,) = await client.inline(URI, 0, len(LINE))
    (state,) = scripted.process.server.connection.session.documents.values()
    await state.ahead.task

    def nobody(*_: object) -> None:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(Session, "read", nobody)
    client.type(URI, 0, len(LINE), item["insertText"])
    (following,) = await client.inline(URI, 0, len(LINE) + len(item["insertText"]))
    assert (item["insertText"] + following["insertText"]) == "min, m"


async def test_without_prefetch_nothing_is_computed_ahead(scripted: Scripted) -> None:
    options = {"completion": {"maxTokens": 3, "prefetch": False}}
    client = await scripted.start(initializationOptions=options)
    client.open(URI, f"{LINE}\n")
    await client.inline(URI, 0, len(LINE))
    (state,) = scripted.process.server.connection.session.documents.values()
    assert state.ahead is None


@pytest.mark.parametrize("pasted", ["a = 1\nb = 2\nc = 3\n"])
async def test_nothing_is_suggested_unasked_after_a_paste(scripted: Scripted, pasted: str) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    client.type(URI, 0, 0, pasted)
    assert await client.inline(URI, 3, len(LINE)) == []
    assert await client.inline(URI, 3, len(LINE), automatic=False), "who asks gets an answer"
    client.change(URI, {"range": span(3, 0, 0), "text": " "})
    client.change(URI, {"range": span(3, 0, 1), "text": ""})
    assert await client.inline(URI, 3, len(LINE))


async def test_names_are_not_missed_while_the_index_is_built(scripted: Scripted) -> None:
    scripted.text = "nobody_knows)"
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    assert await client.inline(URI, 0, len(LINE)) == []
    session = scripted.process.server.connection.session
    session.jobs.messages["index"] = "indexing"
    (item,) = await client.inline(URI, 0, len(LINE))
    assert item["insertText"] == "nobody_knows)"
