"""notebookDocument/*: cells open, move, change and close as the documents that they are."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from lsp_server.convert import path_of
from lsp_server.features.notebooks import Cell
from lsp_server.handlers import sync
from lsp_server.handlers.connection import Connection

SYNC = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
)


def did_open(connection: Connection, params: types.DidOpenNotebookDocumentParams) -> None:
    notebook = params.notebook_document
    connection.session.notebooks.open(path_of(notebook.uri), _cells(notebook.cells))
    for document in params.cell_text_documents:
        sync.did_open(connection, types.DidOpenTextDocumentParams(document))


def did_change(connection: Connection, params: types.DidChangeNotebookDocumentParams) -> None:
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        array = cells.structure.array
        connection.session.notebooks.splice(
            path_of(params.notebook_document.uri),
            array.start,
            array.delete_count,
            _cells(array.cells or ()),
        )
        for opened in cells.structure.did_open or ():
            sync.did_open(connection, types.DidOpenTextDocumentParams(opened))
        for closed in cells.structure.did_close or ():
            sync.did_close(connection, types.DidCloseTextDocumentParams(closed))
    for content in cells.text_content or ():
        sync.did_change(
            connection, types.DidChangeTextDocumentParams(content.document, content.changes)
        )


def did_close(connection: Connection, params: types.DidCloseNotebookDocumentParams) -> None:
    connection.session.notebooks.close(path_of(params.notebook_document.uri))
    for document in params.cell_text_documents:
        sync.did_close(connection, types.DidCloseTextDocumentParams(document))


def _cells(cells: Sequence[types.NotebookCell]) -> list[Cell]:
    code = types.NotebookCellKind.Code
    return [Cell(path_of(cell.document), cell.kind == code) for cell in cells]
