"""Cells of a notebook are one program: what stands above a cell is known in it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.features.notebooks import Cell, Notebooks
from tests.lsp_server.scripted import LINE, Scripted
from tests.support.client import PLAIN, span

CAPABILITIES = {**PLAIN, "notebookDocument": {"synchronization": {}}}
BOOK = "file:///home/me/a.ipynb"


def cell(number: int, kind: int = 2) -> dict[str, Any]:
    return {"kind": kind, "document": f"notebook-cell:/home/me/a.ipynb#{number}"}


def document(number: int, text: str, language: str = "python") -> dict[str, Any]:
    uri = cell(number)["document"]
    return {"uri": uri, "languageId": language, "version": 1, "text": text}


def open_book(client: Any) -> None:
    client.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": BOOK,
                "notebookType": "jupyter",
                "version": 1,
                "cells": [cell(0), cell(1, kind=1), cell(2)],
            },
            "cellTextDocuments": [
                document(0, "def cost(a, b):\n    return a + b"),
                document(1, "# A heading", "markdown"),
                document(2, LINE),
            ],
        },
    )


def change(client: Any, **cells: Any) -> None:
    client.notify(
        "notebookDocument/didChange",
        {"notebookDocument": {"uri": BOOK, "version": 2}, "change": {"cells": cells}},
    )


async def test_cells_above_are_in_the_prompt(scripted: Scripted) -> None:
    client = await scripted.start(capabilities=CAPABILITIES)
    assert client.reply["notebookDocumentSync"]["notebookSelector"] == [{"notebook": "*"}]
    open_book(client)
    uri = cell(2)["document"]
    (item,) = await client.inline(uri, 0, len(LINE))
    assert item["insertText"] == "min, max)"
    assert item["range"] == span(0, len(LINE)), "counted in the cell"
    asked = {"id": item["command"]["arguments"][0]}
    pieces = (await client.request("sopilka/explainCompletion", asked))["prompt"]
    prompt = "".join(piece.get("text", "") for piece in pieces)
    assert prompt.index("def cost(a, b):") < prompt.rindex("total")
    assert "heading" not in prompt
    # Typed along in the cell.
    change(
        client,
        textContent=[
            {
                "document": {"uri": uri, "version": 2},
                "changes": [{"range": span(0, len(LINE)), "text": "m"}],
            }
        ],
    )
    (rest,) = await client.inline(uri, 0, len(LINE) + 1)
    assert rest["insertText"] == "in, max)"


async def test_cells_come_and_go(scripted: Scripted) -> None:
    client = await scripted.start(capabilities=CAPABILITIES)
    open_book(client)
    new = cell(3)
    change(
        client,
        structure={
            "array": {"start": 0, "deleteCount": 1, "cells": [new]},
            "didOpen": [document(3, "other = 1\n")],
            "didClose": [{"uri": cell(0)["document"]}],
        },
    )
    assert await client.inline(cell(2)["document"], 0, len(LINE))
    session = scripted.process.server.connection.session
    above = session.notebooks.above(cell(2)["document"], session.index.text_of)
    assert above == b"other = 1\n"
    closing = [{"uri": cell(number)["document"]} for number in (1, 2, 3)]
    client.notify(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": BOOK}, "cellTextDocuments": closing},
    )
    assert await client.inline(cell(2)["document"], 0, 0) == []
    assert not list(session.index.documents()) and not session.notebooks._cells


paths = st.lists(st.sampled_from("abcdef"), unique=True)


@given(paths, st.integers(0, 8), st.integers(0, 8), paths)
def test_any_splice(first: list[str], start: int, count: int, second: list[str]) -> None:
    books = Notebooks()
    books.open("book", [Cell(path, True) for path in first])
    books.splice("book", start, count, [Cell(path, True) for path in second])
    expected = [*first[:start], *second, *first[start + count :]]
    assert [one.path for one in books.close("book")] == expected
    books.splice("unknown", 3, 1, [Cell("x", True), Cell("y", False), Cell("z", True)])
    assert books.above("z", lambda path: path.encode()) == b"x\n"
    assert books.above("y", lambda path: path.encode()) == b""
