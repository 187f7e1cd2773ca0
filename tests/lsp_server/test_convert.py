"""URIs, positions and edits: both ways, against a plain implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from indexer import Encoding, LineIndex
from lsp_server.convert import edits_of, offset_of, path_of, position_of, uri_of


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", "/a/b.py"),
        ("file:///a%20b/%C3%A9%F0%9F%98%80.py", "/a b/é😀.py"),
        ("file:///a%23b%3Fc%25.py", "/a#b?c%.py"),
        ("file://localhost/a.py", "/a.py"),
        ("file:///c%3A/Users/x.py", "c:/Users/x.py"),
        ("file:///C:/Users/x.py", "c:/Users/x.py"),
        ("file:///C:", "c:/"),
        ("file://server/share/x.py", "//server/share/x.py"),
        ("file:///a/b/", "/a/b"),
        ("file:///", "/"),
        ("FILE:///a", "/a"),
        ("untitled:Untitled-1", "untitled:Untitled-1"),
        ("vscode-notebook-cell:/a/b.ipynb#W0", "vscode-notebook-cell:/a/b.ipynb#W0"),
        ("file:///a+b&c=d@e:f.py", "/a+b&c=d@e:f.py"),
    ],
)
def test_a_uri_is_read_as_a_path(uri: str, path: str) -> None:
    assert path_of(uri) == path
    assert path_of(uri_of(path)) == path


names = st.text(st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1, max_size=9)


@given(st.lists(names, min_size=1, max_size=4), st.sampled_from(["/", "c:/", "//server/"]))
def test_a_path_survives_its_uri(parts: list[str], start: str) -> None:
    path = start + "/".join(part for part in parts if part not in (".", ".."))
    assert path_of(uri_of(path)) == (path.rstrip("/") or "/" if start == "/" else path)


texts = st.lists(st.text("aé😀\t ", max_size=6), max_size=6).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(lines))
)
encodings = st.sampled_from(["utf-8", "utf-16", "utf-32"])


@given(texts, encodings, st.integers(0, 60))
def test_positions_and_offsets_are_inverse(text: str, encoding: Encoding, at: int) -> None:
    lines = LineIndex(text.encode())
    offset = len(text[:at].encode())
    if text[at - 1 : at + 1] == "\r\n":
        offset -= 1
    assert offset_of(lines, position_of(lines, offset, encoding), encoding) == offset


@st.composite
def changes(draw: st.DrawFn) -> list[types.TextDocumentContentChangeEvent]:
    found: list[types.TextDocumentContentChangeEvent] = []
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.text("ab\né😀", max_size=5))
        if draw(st.integers(0, 5)) == 0:
            found.append(types.TextDocumentContentChangeWholeDocument(text=text))
            continue
        ends = [types.Position(draw(st.integers(0, 8)), draw(st.integers(0, 9))) for _ in range(2)]
        found.append(types.TextDocumentContentChangePartial(range=types.Range(*ends), text=text))
    return found


@given(texts, changes(), encodings)
def test_changes_become_byte_edits(
    text: str, given_changes: list[types.TextDocumentContentChangeEvent], encoding: Encoding
) -> None:
    edits = edits_of(LineIndex(text.encode()), given_changes, encoding)
    result = text.encode()
    for edit in edits:
        assert isinstance(edit.text, bytes)
        result = result[: edit.start] + edit.text + result[edit.end :]
    expected = text
    for change in given_changes:
        expected = apply_plainly(expected, change, encoding)
    assert result.decode() == expected


def apply_plainly(
    text: str, change: types.TextDocumentContentChangeEvent, encoding: Encoding
) -> str:
    if not isinstance(change, types.TextDocumentContentChangePartial):
        return change.text
    start, end = sorted(
        plain_offset(text, place, encoding) for place in (change.range.start, change.range.end)
    )
    return text[:start] + change.text + text[end:]


def plain_offset(text: str, position: types.Position, encoding: Encoding) -> int:
    """The index into a string, by walking over it character by character."""
    line = start = 0
    while line < position.line:
        ends = [
            (found, len(end))
            for end in ("\r\n", "\n", "\r")
            if (found := text.find(end, start)) >= 0
        ]
        if not ends:
            return len(text)
        at, size = min(ends, key=lambda each: (each[0], -each[1]))
        start, line = at + size, line + 1
    width = {"utf-8": lambda c: len(c.encode()), "utf-16": lambda c: 1 + (ord(c) > 0xFFFF)}
    units, place = 0, start
    while place < len(text) and text[place] not in "\r\n":
        units += width.get(encoding, lambda _: 1)(text[place])
        if units > position.character:
            break
        place += 1
    return place


def test_half_of_a_surrogate_pair_does_no_harm() -> None:
    change = types.TextDocumentContentChangeWholeDocument(text="a\ud83db\ud83d\ude00")
    (edit,) = edits_of(LineIndex(b""), [change], "utf-16")
    assert edit.text == "a\ufffdb😀".encode()
