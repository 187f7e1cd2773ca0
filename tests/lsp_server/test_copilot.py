"""What Copilot's clients ask, in the words in which they ask it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lsp_server.scripted import LINE, URI, Scripted
from tests.support.client import ErrorReply, span

AT = {"line": 0, "character": len(LINE)}


async def opened(scripted: Scripted, **options: Any) -> Any:
    client = await scripted.start(**options)
    client.open(URI, f"{LINE})\n")
    return client


async def test_nobody_has_to_sign_in(scripted: Scripted) -> None:
    client = await opened(scripted)
    assert await client.request("setEditorInfo", {"editorInfo": {"name": "Vim"}}) == "OK"
    assert (await client.request("checkStatus", {}))["status"] == "OK"
    for method in ("signIn", "signInInitiate", "signInConfirm"):
        assert (await client.request(method, {}))["status"] == "AlreadySignedIn"
    assert (await client.request("signOut", {}))["status"] == "OK"
    assert (await client.request("getVersion", {}))["version"]


async def test_the_older_way_to_ask(scripted: Scripted) -> None:
    client = await opened(scripted)
    doc = {"uri": URI, "version": 1, "position": AT, "tabSize": 4, "languageId": "python"}
    (item,) = (await client.request("getCompletions", {"doc": doc}))["completions"]
    assert item["displayText"] == "min, max)"
    assert item["text"] == f"{LINE}min, max)"
    assert item["range"] == span(0, 0, len(LINE) + 1)
    assert item["position"] == AT and item["docVersion"] == 1
    several = (await client.request("getCompletionsCycling", {"doc": doc}))["completions"]
    assert several[0]["displayText"] == "min, max)"
    assert len({one["uuid"] for one in several}) == len(several)
    for method, params in (
        ("notifyShown", {"uuid": item["uuid"]}),
        ("notifyAccepted", {"uuid": item["uuid"], "acceptedLength": 4}),
        ("notifyRejected", {"uuids": [one["uuid"] for one in several]}),
    ):
        assert await client.request(method, params) == "OK"
    suggestions = scripted.process.server.connection.session.suggestions
    assert [suggestions.count(event) for event in ("seen", "accepted", "rejected")] == [
        1,
        1,
        len(several),
    ]


async def test_an_older_version_and_an_unknown_document_get_nothing(scripted: Scripted) -> None:
    client = await opened(scripted)
    client.type(URI, 0, 0, " ")
    for doc in (
        {"uri": URI, "version": 1, "position": AT},
        {"uri": "file:///not/open.py", "version": 1, "position": AT},
    ):
        assert await client.request("getCompletions", {"doc": doc}) == {"completions": []}


@pytest.mark.parametrize("method", ["getCompletions", "textDocument/copilotPanelCompletion"])
@pytest.mark.parametrize(
    "params", [{}, {"doc": 1}, {"doc": {"uri": 1}}, {"textDocument": {"uri": URI}}, []]
)
async def test_nonsense_is_refused(scripted: Scripted, method: str, params: Any) -> None:
    client = await opened(scripted)
    with pytest.raises(ErrorReply) as caught:
        await client.request(method, params)
    assert caught.value.code == -32602
    assert await client.inline(URI, 0, len(LINE)), "the session goes on"


async def test_a_panel_at_once_and_in_parts(scripted: Scripted) -> None:
    client = await opened(scripted)
    params = {"textDocument": {"uri": URI, "version": 1}, "position": AT}
    whole = (await client.request("textDocument/copilotPanelCompletion", params))["items"]
    assert whole[0]["insertText"] == "min, max)"
    assert whole[0]["range"] == span(0, len(LINE), len(LINE) + 1)
    assert whole[0]["command"]["command"] == "sopilka.accept"
    streamed = await client.request(
        "textDocument/copilotPanelCompletion", {**params, "partialResultToken": "t1"}
    )
    assert streamed == {"items": []}
    parts = [
        item
        for method, sent in client.notifications
        if method == "$/progress" and sent["token"] == "t1"
        for item in sent["value"]["items"]
    ]
    assert parts[0]["insertText"] == "min, max)"


async def test_what_became_of_a_suggestion(scripted: Scripted) -> None:
    client = await opened(scripted)
    (item,) = await client.inline(URI, 0, len(LINE))
    suggestions = scripted.process.server.connection.session.suggestions
    for _ in range(2):
        client.notify("textDocument/didShowCompletion", {"item": item})
        partly = {"item": item, "acceptedLength": 3}
        client.notify("textDocument/didPartiallyAcceptCompletion", partly)
    client.notify("textDocument/didShowCompletion", {"item": {"command": None}})
    client.notify("textDocument/didFocus", {"textDocument": {"uri": URI}})
    client.notify("textDocument/didFocus", {})
    await client.request("workspace/executeCommand", item["command"])
    counts = [suggestions.count(event) for event in ("offered", "seen", "partially", "accepted")]
    assert counts == [1, 1, 1, 1], "told twice counts once"
    status = await client.request("sopilka/status")
    assert (status["offered"], status["accepted"]) == (1, 1)
