"""Outline, symbols, definition, references, highlights, hover, folding, selection.

All of it comes from the index; each part can be switched off, since many users have a server of
the language itself beside this one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lsprotocol import types

from indexer import (
    Document,
    Fold,
    Kind,
    LineIndex,
    Occurrence,
    Symbol,
    Target,
    folds,
    selections,
    word_at,
)
from lsp_server.convert import offset_of, path_of, position_of, range_of, uri_of
from lsp_server.features import navigation
from lsp_server.features.navigation import Hover, OutlineItem
from lsp_server.handlers.connection import Connection
from lsp_server.protocol import content_modified

log = logging.getLogger(__name__)

MAX_SYMBOLS = 200
REFERENCE_SECONDS = 10.0

SYMBOL_KINDS = {
    Kind.FUNCTION: types.SymbolKind.Function,
    Kind.METHOD: types.SymbolKind.Method,
    Kind.CLASS: types.SymbolKind.Class,
    Kind.INTERFACE: types.SymbolKind.Interface,
    Kind.ENUM: types.SymbolKind.Enum,
    Kind.TYPE: types.SymbolKind.Struct,
    Kind.VARIABLE: types.SymbolKind.Variable,
    Kind.CONSTANT: types.SymbolKind.Constant,
    Kind.FIELD: types.SymbolKind.Field,
    Kind.MODULE: types.SymbolKind.Module,
    Kind.MACRO: types.SymbolKind.Constant,
    Kind.EXTENSION: types.SymbolKind.Object,
    Kind.KEY: types.SymbolKind.Key,
    Kind.SECTION: types.SymbolKind.String,
    Kind.STYLE: types.SymbolKind.Class,
    Kind.ELEMENT: types.SymbolKind.Field,
}
HIGHLIGHTS = {
    "definition": types.DocumentHighlightKind.Write,
    "write": types.DocumentHighlightKind.Write,
    "read": types.DocumentHighlightKind.Read,
    "call": types.DocumentHighlightKind.Read,
}
FOLD_KINDS = {
    "comment": types.FoldingRangeKind.Comment,
    "imports": types.FoldingRangeKind.Imports,
    "region": types.FoldingRangeKind.Region,
}


def document_symbol(connection: Connection, params: types.DocumentSymbolParams) -> Any:
    path = path_of(params.text_document.uri)
    document = connection.session.index.document(path)
    if document is None:
        return None
    lines = document.line_index
    symbols = connection.session.index.symbols(path)
    ask = connection.of_document("document_symbol")
    if ask is not None and ask.hierarchical_document_symbol_support:
        return [_outlined(connection, lines, item) for item in navigation.outline(symbols)]
    return [
        types.SymbolInformation(
            name=symbol.name,
            kind=_kind(symbol),
            location=types.Location(
                params.text_document.uri,
                range_of(lines, symbol.start, symbol.end, connection.encoding),
            ),
            container_name=symbol.container or None,
        )
        for symbol in symbols
    ]


def _outlined(connection: Connection, lines: LineIndex, item: OutlineItem) -> types.DocumentSymbol:
    symbol, encoding = item.symbol, connection.encoding
    owner = symbol.container if symbol.parent < 0 else ""
    start, end = min(symbol.start, symbol.name_start), max(symbol.end, symbol.name_end)
    return types.DocumentSymbol(
        name=f"{owner}.{symbol.name}" if owner else symbol.name or "?",
        detail=symbol.detail or None,
        kind=_kind(symbol),
        range=range_of(lines, start, end, encoding),
        selection_range=range_of(lines, symbol.name_start, symbol.name_end, encoding),
        children=[_outlined(connection, lines, child) for child in item.children],
    )


def _kind(symbol: Symbol) -> types.SymbolKind:
    return SYMBOL_KINDS[symbol.kind]


def workspace_symbol(connection: Connection, params: types.WorkspaceSymbolParams) -> Any:
    """Symbols of the whole index; their lines and columns on request where the client can ask."""
    index = connection.session.index
    found = index.symbols_matching(params.query, MAX_SYMBOLS)
    workspace = connection.capabilities.workspace
    support = workspace.symbol.resolve_support if workspace and workspace.symbol else None
    if support is not None and "location.range" in support.properties:
        return [
            types.WorkspaceSymbol(
                name=symbol.name,
                kind=_kind(symbol),
                container_name=_where(connection, symbol),
                location=types.LocationUriOnly(uri_of(symbol.path)),
                data=[symbol.path, symbol.name_start, symbol.name_end],
            )
            for symbol in found
        ]
    places = Places(connection)
    return [
        types.WorkspaceSymbol(
            name=symbol.name,
            kind=_kind(symbol),
            container_name=_where(connection, symbol),
            location=types.Location(uri_of(symbol.path), place),
        )
        for symbol in found
        if (place := places.range(symbol.path, symbol.name_start, symbol.name_end)) is not None
    ]


def _where(connection: Connection, symbol: Symbol) -> str:
    return symbol.container or connection.session.index.relative(symbol.path)


def resolve_workspace_symbol(connection: Connection, params: types.WorkspaceSymbol) -> Any:
    match params.data:
        case [str(path), int(start), int(end)]:
            place = Places(connection).range(path, start, end)
            if place is not None:
                params.location = types.Location(uri_of(path), place)
    return params


def definition(connection: Connection, params: types.DefinitionParams) -> Any:
    asked = _asked(connection, params)
    if asked is None:
        return None
    document, path, offset = asked
    places = Places(connection)
    targets = connection.session.index.definitions_at(path, offset)
    support = connection.of_document("definition")
    if support is None or not support.link_support:
        return [
            types.Location(uri_of(target.path), place)
            for target in targets
            if (place := places.range(target.path, target.name_start, target.name_end)) is not None
        ]
    word = word_at(document.text, offset)
    origin = range_of(document.line_index, *word, connection.encoding) if word else None
    return [link for target in targets if (link := _link(places, target, origin)) is not None]


def _link(places: Places, target: Target, origin: types.Range | None) -> types.LocationLink | None:
    name = places.range(target.path, target.name_start, target.name_end)
    start, end = min(target.start, target.name_start), max(target.end, target.name_end)
    whole = places.range(target.path, start, end)
    if name is None or whole is None:
        return None
    return types.LocationLink(uri_of(target.path), whole, name, origin)


def references(connection: Connection, params: types.ReferenceParams) -> Any:
    asked = _asked(connection, params)
    if asked is None:
        return None
    document, path, offset = asked
    by_file = connection.session.index.references_by_file(
        path, offset, params.context.include_declaration, time.monotonic() + REFERENCE_SECONDS
    )
    return _located(connection, by_file, document, document.version)


async def _located(
    connection: Connection,
    by_file: Iterator[list[Occurrence]],
    document: Document,
    version: int,
) -> list[types.Location]:
    """A file at a time: keystrokes are taken in between, and make the answer worthless."""
    places, found = Places(connection), list[types.Location]()
    for uses in by_file:
        for use in uses:
            place = places.range(use.path, use.start, use.end)
            if place is not None:
                found.append(types.Location(uri_of(use.path), place))
        await asyncio.sleep(0)
        if document.version != version:
            raise content_modified()
    return found


def document_highlight(connection: Connection, params: types.DocumentHighlightParams) -> Any:
    asked = _asked(connection, params)
    if asked is None:
        return None
    document, path, offset = asked
    return [
        _highlight(connection, document, use)
        for use in connection.session.index.occurrences_in(path, offset)
    ]


def _highlight(
    connection: Connection, document: Document, use: Occurrence
) -> types.DocumentHighlight:
    return types.DocumentHighlight(
        range_of(document.line_index, use.start, use.end, connection.encoding),
        HIGHLIGHTS.get(use.role, types.DocumentHighlightKind.Text),
    )


def hover(connection: Connection, params: types.HoverParams) -> Any:
    asked = _asked(connection, params)
    if asked is None:
        return None
    document, path, offset = asked
    card = navigation.hover(connection.session.index, path, offset)
    if card is None:
        return None
    support = connection.of_document("hover")
    formats = support.content_format if support is not None else None
    markdown = formats is None or types.MarkupKind.Markdown in formats
    return types.Hover(
        types.MarkupContent(
            types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText,
            _markdown(card) if markdown else _plain(card),
        ),
        range_of(document.line_index, card.start, card.end, connection.encoding),
    )


def _markdown(card: Hover) -> str:
    fence = "```" if "```" not in card.signature else "````"
    parts = [f"{fence}{card.language}\n{card.signature}\n{fence}", card.documentation]
    return "\n\n".join([*(part for part in parts if part), f"`{card.place}`"])


def _plain(card: Hover) -> str:
    return "\n\n".join(part for part in (card.signature, card.documentation, card.place) if part)


def folding_range(connection: Connection, params: types.FoldingRangeParams) -> Any:
    document = connection.session.index.document(path_of(params.text_document.uri))
    if document is None:
        return None
    support = connection.of_document("folding_range")
    limit = support.range_limit if support is not None else None
    only_lines = support is not None and bool(support.line_folding_only)
    return _folded(connection, document.line_index, folds(document), limit, only_lines)


async def _folded(
    connection: Connection,
    lines: LineIndex,
    found: Iterator[Fold | None],
    limit: int | None,
    only_lines: bool,
) -> list[types.FoldingRange]:
    """Long documents are folded bit by bit: keystrokes are taken in between."""
    ranges: list[types.FoldingRange] = []
    for fold in found:
        if fold is None:
            await asyncio.sleep(0)
            continue
        whole = range_of(lines, fold.start, fold.end, connection.encoding)
        ranges.append(
            types.FoldingRange(
                start_line=fold.start_line,
                start_character=None if only_lines else whole.start.character,
                end_line=fold.end_line,
                end_character=None if only_lines else whole.end.character,
                kind=FOLD_KINDS[fold.kind],
            )
        )
    # The client may not want all: the longest are the most useful.
    if limit is not None and len(ranges) > limit:
        ranges.sort(key=lambda one: one.start_line - one.end_line)
        ranges = sorted(ranges[:limit], key=lambda one: one.start_line)
    return ranges


def selection_range(connection: Connection, params: types.SelectionRangeParams) -> Any:
    document = connection.session.index.document(path_of(params.text_document.uri))
    if document is None:
        return None
    lines, encoding = document.line_index, connection.encoding
    answers: list[types.SelectionRange] = []
    for position in params.positions:
        outer: types.SelectionRange | None = None
        for start, end in reversed(selections(document, offset_of(lines, position, encoding))):
            outer = types.SelectionRange(range_of(lines, start, end, encoding), outer)
        assert outer is not None, "the whole text is always a selection"
        answers.append(outer)
    return answers


def _asked(connection: Connection, params: Any) -> tuple[Document, str, int] | None:
    """The open document that a request is about, its path, and the byte offset."""
    path = path_of(params.text_document.uri)
    document = connection.session.index.document(path)
    if document is None:
        return None
    return document, path, offset_of(document.line_index, params.position, connection.encoding)


class Places:
    """Turns offsets in any file into LSP's ranges; each file is read once an answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lines: dict[str, LineIndex | None] = {}

    def range(self, path: str, start: int, end: int) -> types.Range | None:
        """None where the file is gone, or has become shorter than it was."""
        lines = self._lines_of(path)
        if lines is None or end > len(lines.text):
            return None
        encoding = self._connection.encoding
        return types.Range(position_of(lines, start, encoding), position_of(lines, end, encoding))

    def _lines_of(self, path: str) -> LineIndex | None:
        if path not in self._lines:
            index = self._connection.session.index
            document = index.document(path)
            self._lines[path] = (
                document.line_index if document is not None else navigation.lines_of(index, path)
            )
        return self._lines[path]


@dataclass(frozen=True, slots=True)
class Feature:
    """A method, the setting that switches it, and where the client says what it can do."""

    handler: Callable[[Connection, Any], Any]
    setting: str
    options: Any = None
    of_workspace: bool = False


def _switched(feature: Feature) -> Feature:
    """A client that was not told of a switch goes on asking: it gets an empty answer."""

    def run(connection: Connection, params: Any) -> Any:
        if not is_on(connection, feature):
            return None
        return feature.handler(connection, params)

    return replace(feature, handler=run)


FEATURES = {
    method: _switched(feature)
    for method, feature in {
        types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: Feature(document_symbol, "document_symbol"),
        types.WORKSPACE_SYMBOL: Feature(
            workspace_symbol,
            "workspace_symbol",
            types.WorkspaceSymbolOptions(resolve_provider=True),
            of_workspace=True,
        ),
        types.TEXT_DOCUMENT_DEFINITION: Feature(definition, "definition"),
        types.TEXT_DOCUMENT_REFERENCES: Feature(references, "references"),
        types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: Feature(document_highlight, "document_highlight"),
        types.TEXT_DOCUMENT_HOVER: Feature(hover, "hover"),
        types.TEXT_DOCUMENT_FOLDING_RANGE: Feature(folding_range, "folding_range"),
        types.TEXT_DOCUMENT_SELECTION_RANGE: Feature(selection_range, "selection_range"),
    }.items()
}


def is_on(connection: Connection, feature: Feature) -> bool:
    return bool(getattr(connection.session.settings.navigation, feature.setting))


def can_register(connection: Connection, feature: Feature) -> bool:
    """Whether the client lets a feature come and go while it runs."""
    support = (
        getattr(connection.capabilities.workspace, "symbol", None)
        if feature.of_workspace
        else connection.of_document(feature.setting)
    )
    return bool(getattr(support, "dynamic_registration", False))


def is_static(connection: Connection, method: str) -> bool:
    """Whether a method belongs into the answer to `initialize`."""
    feature = FEATURES[method]
    return is_on(connection, feature) and not can_register(connection, feature)


async def offer(connection: Connection) -> None:
    """Tells the client which features there are now; only some clients can be told."""
    movable = {method for method, feature in FEATURES.items() if can_register(connection, feature)}
    wanted = {method for method in movable if is_on(connection, FEATURES[method])}
    known, connection.offered = connection.offered, wanted
    await connection.unregister(sorted(known - wanted))
    await connection.register_methods(
        [(method, _registration(FEATURES[method].options)) for method in sorted(wanted - known)]
    )


def _registration(options: Any) -> Any:
    """What goes with a dynamic registration: the options, for all documents."""
    if isinstance(options, types.WorkspaceSymbolOptions):
        return types.WorkspaceSymbolRegistrationOptions(resolve_provider=options.resolve_provider)
    return types.TextDocumentRegistrationOptions(document_selector=None)
