"""Next edits through the whole server, for our own clients and for Copilot's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.lsp_server.scripted import Scripted
from tests.support.client import span

HOME = "def price_of(name):\n    return len(name)\n"
USER = "# é😀\nfrom shop import price_of\n\nprint(price_of('a'))\n"


def edits_at(client: Any, uri: str, line: int = 0) -> Any:
    params = {"textDocument": {"uri": uri}, "position": {"line": line, "character": 0}}
    return client.request("sopilka/nextEdit", params)


async def test_a_rename_leads_to_its_uses_elsewhere(scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(HOME)
    (tmp_path / "user.py").write_text(USER)
    client = await scripted.start(rootUri=tmp_path.as_uri())
    home, user = (tmp_path / name for name in ("shop.py", "user.py"))
    client.open(home.as_uri(), HOME)
    assert (await edits_at(client, home.as_uri()))["edits"] == []
    client.change(home.as_uri(), {"range": span(0, 4, 9), "text": "cost"})
    found = (await edits_at(client, home.as_uri()))["edits"]
    assert [(edit["uri"], edit["range"], edit["text"]) for edit in found] == [
        (user.as_uri(), span(1, 17, 25), "cost_of"),
        (user.as_uri(), span(3, 6, 14), "cost_of"),
    ]
    assert found[0]["version"] is None and found[0]["certain"]
    assert found[0]["why"] == "price_of was renamed to cost_of"


async def test_a_client_of_copilot_gets_the_nearest_in_its_document(scripted: Scripted) -> None:
    client = await scripted.start()
    uri = "file:///home/me/a.py"
    client.open(uri, HOME + "\nprice_of('a')\nprice_of('b')\n")
    client.change(uri, {"range": span(0, 4, 9), "text": "cost"})
    params = {
        "textDocument": {"uri": uri, "version": 2},
        "position": {"line": 4, "character": 0},
    }
    (edit,) = (await client.request("textDocument/copilotInlineEdit", params))["edits"]
    assert edit["range"] == span(4, 0, 8) and edit["text"] == "cost_of"
    assert edit["textDocument"] == {"uri": uri, "version": 2}
    client.notify("textDocument/didShowInlineEdit", {"item": edit})
    await client.request("workspace/executeCommand", edit["command"])
    client.change(uri, {"range": edit["range"], "text": edit["text"]})
    params["textDocument"]["version"] = 3
    (edit,) = (await client.request("textDocument/copilotInlineEdit", params))["edits"]
    assert edit["range"] == span(3, 0, 8), "the other one"
    params["textDocument"]["version"] = 1
    assert (await client.request("textDocument/copilotInlineEdit", params))["edits"] == []


async def test_it_can_be_switched_off(scripted: Scripted) -> None:
    client = await scripted.start(initializationOptions={"nextEdit": {"enable": False}})
    uri = "file:///home/me/a.py"
    client.open(uri, HOME + "\nprice_of('a')\n")
    client.change(uri, {"range": span(0, 4, 9), "text": "cost"})
    assert (await edits_at(client, uri))["edits"] == []
