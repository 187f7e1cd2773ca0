"""Between LSP's types and ours: positions, ranges, URIs. Nothing behind here knows of them.

Positions are converted against our own text and line index, in the encoding agreed with the client.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast
from urllib.parse import quote, unquote, urlsplit

from lsprotocol import types

from indexer import ByteEdit, Encoding, LineIndex
from lsp_server.features.completion import Completion
from lsp_server.protocol import ACCEPT_COMMAND

_DRIVE = re.compile(r"/?([A-Za-z]):(?=/|$)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")


def path_of(uri: str) -> str:
    """The path of a file's URI, with `/` as separator; any other URI stands for itself.

    `file:///c%3A/a%20b` is `c:/a b`: a drive's letter is lower case, as editors differ in it.
    """
    parts = urlsplit(uri)
    if parts.scheme.lower() != "file":
        return uri
    path = unquote(parts.path, errors="surrogateescape")
    if parts.netloc and parts.netloc.lower() != "localhost":
        return f"//{unquote(parts.netloc)}{path}"
    drive = _DRIVE.match(path)
    if drive:
        return f"{drive[1].lower()}:{path[drive.end() :] or '/'}"
    return path.rstrip("/") or "/"


def uri_of(path: str) -> str:
    """The URI of a path as `path_of` gives it."""
    if _SCHEME.match(path):
        return path
    if path.startswith("//"):
        return f"file:{quote(path, errors='surrogateescape')}"
    lead = "" if path.startswith("/") else "/"
    return f"file://{lead}{quote(path, errors='surrogateescape')}"


def choose_encoding(capabilities: types.ClientCapabilities) -> Encoding:
    """The first encoding that the client offers and we know; UTF-16 if it offers none."""
    offered = capabilities.general.position_encodings if capabilities.general else None
    for name in offered or ():
        value = getattr(name, "value", name)
        if value in ENCODINGS:
            return cast(Encoding, value)
    return "utf-16"


def offset_of(lines: LineIndex, position: types.Position, encoding: Encoding) -> int:
    """The byte offset of a position. Raises ValueError for a line that the text does not have."""
    return lines.offset_of(position.line, position.character, encoding)


def position_of(lines: LineIndex, offset: int, encoding: Encoding) -> types.Position:
    line, character = lines.position_of(offset, encoding)
    return types.Position(line, character)


def range_of(lines: LineIndex, start: int, end: int, encoding: Encoding) -> types.Range:
    return types.Range(position_of(lines, start, encoding), position_of(lines, end, encoding))


def edits_of(
    lines: LineIndex,
    changes: Sequence[types.TextDocumentContentChangeEvent],
    encoding: Encoding,
) -> tuple[ByteEdit, ...]:
    """The content changes of one notification, each relative to what the one before left.

    A change without a range replaces the whole text. As editors do, a position behind the last line
    counts as the end of the text, and a range whose ends are swapped is read the right way round.
    """
    edits = []
    for change in changes:
        text = _encode(change.text)
        if isinstance(change, types.TextDocumentContentChangePartial):
            ends = (change.range.start, change.range.end)
            start, end = sorted(_clamped(lines, place, encoding) for place in ends)
        else:
            start, end = 0, len(lines.text)
        edits.append(ByteEdit(start, end, text))
        lines = lines.edited(start, end, text, lines.text[:start] + text + lines.text[end:])
    return tuple(edits)


def _clamped(lines: LineIndex, position: types.Position, encoding: Encoding) -> int:
    if position.line >= lines.line_count:
        return len(lines.text)
    return offset_of(lines, position, encoding)


def _encode(text: str) -> bytes:
    """UTF-8; half of a surrogate pair, which has none, becomes one character of the same width."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return re.sub("[\ud800-\udfff]", "\ufffd", paired).encode()


def inline_item(
    completion: Completion,
    identifier: str,
    lines: LineIndex,
    encoding: Encoding,
    selected: types.SelectedCompletionInfo | None = None,
) -> types.InlineCompletionItem:
    """An item of textDocument/inlineCompletion.

    With `selected`, the item takes that entry's range and extends its text, as LSP wants it; then
    the offsets of the completion are relative to the document with the entry's text in it.
    """
    if selected is None:
        text, place = completion.text, range_of(lines, completion.start, completion.end, encoding)
    else:
        behind = completion.end - completion.start
        text = selected.text + completion.text
        end = offset_of(lines, selected.range.end, encoding) + behind
        place = types.Range(selected.range.start, position_of(lines, end, encoding))
    return types.InlineCompletionItem(
        insert_text=text,
        range=place,
        command=types.Command(
            title="Suggestion accepted", command=ACCEPT_COMMAND, arguments=[identifier]
        ),
    )


def completion_items(
    completion: Completion, identifier: str, lines: LineIndex, encoding: Encoding
) -> list[types.CompletionItem]:
    """Items of textDocument/completion: the suggestion, and its first line if it has several.

    Menus filter by the word before the cursor, so an item's text begins with that word.
    """
    word_start = _word_start(lines.text, completion.start)
    word = lines.text[word_start : completion.start].decode("utf-8", "replace")
    place = range_of(lines, word_start, completion.end, encoding)
    first_line = completion.text.split("\n", 1)[0]
    texts = [completion.text]
    if first_line != completion.text and first_line.strip():
        texts.append(first_line)
    return [
        types.CompletionItem(
            label=_label(word, text),
            label_details=types.CompletionItemLabelDetails(description="LLM"),
            kind=types.CompletionItemKind.Text,
            detail="Sopilka",
            documentation=text if "\n" in text else None,
            sort_text=f"0{number}",
            filter_text=word + first_line,
            preselect=False,
            insert_text_format=types.InsertTextFormat.PlainText,
            text_edit=types.TextEdit(range=place, new_text=word + text),
            command=types.Command(
                title="Suggestion accepted", command=ACCEPT_COMMAND, arguments=[identifier]
            ),
        )
        for number, text in enumerate(texts)
    ]


def _word_start(text: bytes, offset: int) -> int:
    start = offset
    while start > 0 and (
        text[start - 1 : start].isalnum() or text[start - 1] in b"_" or text[start - 1] >= 0x80
    ):
        start -= 1
    return start


def _label(word: str, text: str) -> str:
    first, _, more = text.partition("\n")
    label = (word + first).strip() or more.strip().split("\n", 1)[0]
    return f"{label} …" if more else label
