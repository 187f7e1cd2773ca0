"""Navigation through the whole server: what an editor asks, and what it is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from indexer import Kind
from lsp_server.features.navigation import documentation
from lsp_server.handlers.navigation import SYMBOL_KINDS
from tests.support.client import InProcess, recorded_capabilities, span
from tests.support.fixture import parse, write

SHOP = """\
-- .git/HEAD --
ref: refs/heads/main
-- shop/price.py --
TAX = 0.2


class Price:
    \"\"\"What a thing costs.

    With tax, or without.
    \"\"\"

    def __init__(self, net: float) -> None:
        self.net = net

    def gross(
        self, tax: float = TAX
    ) -> float:
        \"\"\"The price with tax.\"\"\"
        return self.net * (1 + tax)
-- main.py --
from shop.price import Price


def main(names: list[str]) -> float:
    price = Price(2.0)
    total = price.gross()
    total += len(names)
    return total
"""
ONLY_NAVIGATION = {"textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}}}


class Shop:
    """A server that indexed the shop, with main.py open in its client."""

    def __init__(self, root: Path) -> None:
        self.root = root
        write(parse(SHOP, root.as_posix()), root)
        self.process = InProcess()
        self.client = self.process.client
        self.uri = self.uri_of("main.py")

    def uri_of(self, name: str) -> str:
        return (self.root / name).as_uri()

    async def start(self, capabilities: Any = ONLY_NAVIGATION, **options: Any) -> dict[str, Any]:
        reply = await self.client.initialize(
            self.root,
            capabilities,
            initializationOptions={"engine": {"bundle": "/nowhere"}, **options},
        )
        await self.client.until_ready()
        self.open("main.py")
        found: dict[str, Any] = reply["capabilities"]
        return found

    def open(self, name: str) -> None:
        self.client.open(self.uri_of(name), (self.root / name).read_text(encoding="utf-8"))

    async def ask(self, method: str, line: int, character: int, **more: Any) -> Any:
        place = {"line": line, "character": character}
        params = {"textDocument": {"uri": self.uri}, "position": place, **more}
        return await self.client.request(f"textDocument/{method}", params)

    async def of_document(self, method: str, name: str = "main.py") -> Any:
        params = {"textDocument": {"uri": self.uri_of(name)}}
        return await self.client.request(f"textDocument/{method}", params)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    found = Shop(tmp_path)
    yield found
    await found.process.server.aclose()


def outlined(items: list[dict[str, Any]], depth: int = 0) -> list[str]:
    lines = []
    for item in items:
        start, end = item["range"]["start"]["line"], item["range"]["end"]["line"]
        lines.append(f"{'  ' * depth}{item['name']} {item['kind']} {start}-{end}")
        lines += outlined(item["children"], depth + 1)
    return lines


async def test_the_outline_is_a_tree(shop: Shop) -> None:
    await shop.start()
    shop.open("shop/price.py")
    assert outlined(await shop.of_document("documentSymbol", "shop/price.py")) == snapshot(
        ["TAX 13 0-0", "Price 5 3-16", "  __init__ 6 9-10", "  net 8 10-10", "  gross 6 12-16"]
    )


async def test_the_outline_for_a_client_without_trees(shop: Shop) -> None:
    await shop.start({"textDocument": {}})
    shop.open("shop/price.py")
    found = await shop.of_document("documentSymbol", "shop/price.py")
    assert [(item["name"], item.get("containerName")) for item in found] == snapshot(
        [
            ("TAX", None),
            ("Price", None),
            ("__init__", "Price"),
            ("net", "Price"),
            ("gross", "Price"),
        ]
    )
    assert found[1]["location"]["uri"] == shop.uri_of("shop/price.py")


async def test_symbols_of_the_workspace_are_found_and_resolved(shop: Shop) -> None:
    await shop.start(
        {"workspace": {"symbol": {"resolveSupport": {"properties": ["location.range"]}}}}
    )
    (found,) = await shop.client.request("workspace/symbol", {"query": "gross"})
    assert found["location"] == {"uri": shop.uri_of("shop/price.py")}
    assert found["containerName"] == "Price"
    resolved = await shop.client.request("workspaceSymbol/resolve", found)
    assert resolved["location"]["range"] == span(12, 8, 13)


async def test_symbols_of_the_workspace_with_their_places_at_once(shop: Shop) -> None:
    await shop.start()
    found = await shop.client.request("workspace/symbol", {"query": "price"})
    assert found[0]["name"] == "Price"
    assert found[0]["location"] == {"uri": shop.uri_of("shop/price.py"), "range": span(3, 6, 11)}


async def test_definition_in_another_file(shop: Shop) -> None:
    await shop.start()
    assert await shop.ask("definition", 4, 14) == [
        {"uri": shop.uri_of("shop/price.py"), "range": span(3, 6, 11)}
    ]


async def test_definition_of_a_member_as_a_link(shop: Shop) -> None:
    await shop.start({"textDocument": {"definition": {"linkSupport": True}}})
    (link,) = await shop.ask("definition", 5, 20)
    assert link["targetUri"] == shop.uri_of("shop/price.py")
    assert link["originSelectionRange"] == span(5, 18, 23)
    assert link["targetSelectionRange"] == span(12, 8, 13)
    assert link["targetRange"]["start"]["line"] == 12


async def test_definition_of_a_local(shop: Shop) -> None:
    await shop.start()
    assert await shop.ask("definition", 7, 12) == [{"uri": shop.uri, "range": span(5, 4, 9)}]


async def test_references_with_and_without_the_definition(shop: Shop) -> None:
    await shop.start()
    uses = [
        {"uri": shop.uri, "range": span(0, 23, 28)},
        {"uri": shop.uri, "range": span(4, 12, 17)},
    ]
    without = await shop.ask("references", 4, 14, context={"includeDeclaration": False})
    assert sorted(without, key=str) == sorted(uses, key=str)
    definition = {"uri": shop.uri_of("shop/price.py"), "range": span(3, 6, 11)}
    both = await shop.ask("references", 4, 14, context={"includeDeclaration": True})
    assert sorted(both, key=str) == sorted([*uses, definition], key=str)


async def test_highlights_tell_reading_from_writing(shop: Shop) -> None:
    await shop.start()
    found = await shop.ask("documentHighlight", 6, 5)
    assert [(item["range"]["start"]["line"], item["kind"]) for item in found] == snapshot(
        [(5, 3), (6, 3), (7, 2)]
    )


async def test_the_card_shows_signature_documentation_and_place(shop: Shop) -> None:
    await shop.start()
    card = await shop.ask("hover", 5, 20)
    assert card["contents"]["value"] == snapshot("""\
```python
def gross(
    self, tax: float = TAX
) -> float:
```

The price with tax.

`shop/price.py:13`\
""")
    assert card["range"] == span(5, 18, 23)


async def test_the_card_in_plain_text(shop: Shop) -> None:
    await shop.start({"textDocument": {"hover": {"contentFormat": ["plaintext"]}}})
    card = await shop.ask("hover", 4, 14)
    assert card["contents"] == snapshot(
        {
            "kind": "plaintext",
            "value": """\
class Price:

What a thing costs.

With tax, or without.

shop/price.py:4\
""",
        }
    )


async def test_no_card_on_blank_space_or_beyond_the_line(shop: Shop) -> None:
    await shop.start()
    assert await shop.ask("hover", 1, 0) is None
    assert await shop.ask("hover", 1, 99) is None


async def test_folding_of_a_client_that_folds_lines_only(shop: Shop) -> None:
    await shop.start({"textDocument": {"foldingRange": {"lineFoldingOnly": True, "rangeLimit": 1}}})
    shop.open("shop/price.py")
    assert await shop.of_document("foldingRange", "shop/price.py") == [
        {"startLine": 3, "endLine": 16, "kind": "region"}
    ]
    full = await shop.of_document("foldingRange")
    assert full == [{"startLine": 3, "endLine": 7, "kind": "region"}]


async def test_selection_grows(shop: Shop) -> None:
    await shop.start()
    params = {"textDocument": {"uri": shop.uri}, "positions": [{"line": 5, "character": 19}]}
    (selection,) = await shop.client.request("textDocument/selectionRange", params)
    widths = []
    while selection is not None:
        widths.append(selection["range"])
        selection = selection.get("parent")
    assert widths[0] == span(5, 18, 23)
    assert widths[1] == span(5, 12, 23)
    assert widths[-1] == span(0, 0, 0, end_line=8)


# Switches

PROVIDERS = (
    "documentSymbolProvider",
    "workspaceSymbolProvider",
    "definitionProvider",
    "referencesProvider",
    "documentHighlightProvider",
    "hoverProvider",
    "foldingRangeProvider",
    "selectionRangeProvider",
)


async def test_a_plain_client_is_offered_all(shop: Shop) -> None:
    offered = await shop.start({})
    assert all(offered.get(provider) for provider in PROVIDERS)


async def test_what_is_off_from_the_start_is_not_offered(shop: Shop) -> None:
    offered = await shop.start({}, navigation={"hover": False, "workspaceSymbol": False})
    missing = [provider for provider in PROVIDERS if not offered.get(provider)]
    assert missing == ["workspaceSymbolProvider", "hoverProvider"]
    assert await shop.ask("hover", 4, 14) is None


async def test_what_is_switched_off_later_answers_empty(shop: Shop) -> None:
    await shop.start()
    assert await shop.ask("definition", 7, 12)
    params = {"settings": {"sopilka": {"navigation": {"definition": False}}}}
    shop.client.notify("workspace/didChangeConfiguration", params)
    assert await shop.ask("definition", 7, 12) is None


async def test_a_client_that_can_is_told_of_switches(shop: Shop) -> None:
    capabilities = recorded_capabilities("vscode-1.139.1")
    settings: dict[str, Any] = {"navigation": {"hover": False}, "engine": {"bundle": "/nowhere"}}
    shop.client.answers["workspace/configuration"] = lambda _: [settings]
    offered = await shop.start(capabilities)
    assert not any(offered.get(provider) for provider in PROVIDERS)
    registered = await shop.client.until(lambda: methods(shop, "client/registerCapability"))
    assert "textDocument/definition" in registered and "textDocument/hover" not in registered
    settings["navigation"] = {"definition": False}
    shop.client.notify("workspace/didChangeConfiguration", {"settings": None})
    gone = await shop.client.until(lambda: methods(shop, "client/unregisterCapability"))
    assert gone == ["textDocument/definition"]
    await shop.client.until(
        lambda: "textDocument/hover" in methods(shop, "client/registerCapability")
    )
    assert await shop.ask("hover", 4, 14)


def methods(shop: Shop, request: str) -> list[str]:
    """Navigation methods that the server registered or unregistered, in order."""
    key = "registrations" if request == "client/registerCapability" else "unregisterations"
    return [
        item["method"]
        for method, params in shop.client.requests
        if method == request
        for item in params[key]
        if not item["method"].startswith("workspace/did")
    ]


def test_every_kind_of_symbol_has_a_kind_in_the_protocol() -> None:
    assert set(SYMBOL_KINDS) == set(Kind)


# Documentation


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ('"""One line."""', "One line."),
        ('"""First.\n\n    More,\n      indented.\n    """', "First.\n\nMore,\n  indented."),
        ("/**\n * What it is.\n *\n * @param a one\n */", "What it is.\n\n@param a one"),
        ("/// Rust says\n/// two lines", "Rust says\ntwo lines"),
        ("# a\n# b", "a\nb"),
        ("// Go says", "Go says"),
        ("", ""),
    ],
)
def test_documentation_without_its_signs(comment: str, words: str) -> None:
    assert documentation(comment.encode()) == words
