"""The check in a part of a large document says what the check in the whole says."""

from __future__ import annotations

import pytest

import indexer
from lsp_server.features import syntax
from lsp_server.features.place import place_at
from lsp_server.features.syntax import keep_what_parses, part_around

FUNCTION = """\
def function_{n}(first, second):
    # A comment.
    if first:
        return second
    return [
        first,
        second,
    ]


"""
TRIES = ["1", "1 +", "foo bar", "f(a", "f(a)) + (", "[x for x in y]", "x = 1", "{'a': 1}", "):"]


def keep(document: str, offset: int, text: str) -> tuple[str, int]:
    """What is kept, and how many bytes were parsed for it."""
    parsed = 0

    def count(code: bytes) -> int:
        nonlocal parsed
        parsed += len(code)
        return indexer.syntax_errors("python", code)

    place = place_at(document, offset, "python")
    return keep_what_parses(text, place, document.encode(), offset, count), parsed


@pytest.mark.parametrize("text", TRIES)
def test_a_part_gives_what_the_whole_gives(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = "".join(FUNCTION.format(n=n) for n in range(300))
    for marker in ("function_150(", "        return ", "        second,\n    ]", "    return ["):
        at = document.index(marker, document.index("function_150")) + len(marker)
        at = document.index("\n", at) if marker.endswith("]") else at
        cut = document[:at] + document[document.index("\n", at) :]
        part, parsed = keep(cut, at, text)
        with monkeypatch.context() as patch:
            patch.setattr(syntax, "WHOLE_BYTES", 10**9)
            whole, _ = keep(cut, at, text)
        assert part == whole
        assert parsed < 40_000


def test_the_part_begins_and_ends_at_the_margin() -> None:
    document = "".join(FUNCTION.format(n=n) for n in range(300)).encode()
    start, end = part_around(document, document.index(b"second", len(document) // 2))
    assert document[start:].startswith(b"def ") and document[end:].startswith(b"def ")
    assert part_around(document, 0)[0] == 0
    assert part_around(document, len(document))[1] == len(document)


def test_a_definition_that_is_too_large_is_not_parsed() -> None:
    document = "class A:\n" + "    x = 1\n" * 40_000
    assert keep(document, 9, "foo bar") == ("foo bar", 0)
