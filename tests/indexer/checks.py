"""Text-in, text-out checks of the index."""

from __future__ import annotations

from indexer import Index, Snippet
from tests.support.fixture import Fixture, index_of, parse


def check_symbols(source: str, expect: str) -> None:
    """Compares the outline of the fixture's (first) file."""
    fixture = parse(source)
    assert render_symbols(index_of(fixture), fixture) == expect


def check_imports(source: str, expect: str) -> None:
    """Compares the imports of the fixture's (first) file."""
    fixture = parse(source)
    clauses = index_of(fixture).imports(fixture.path)
    rows: list[str] = []
    for clause in clauses:
        names = ", ".join(
            f"{there} as {here}" if there != here else here for there, here in clause.names
        )
        parts = [
            f"from {'.' * clause.level}{clause.module!r}",
            f"\n    {names}" if names else "",
            f"binds {clause.binds}" if clause.binds else "",
            "star" if clause.star else "",
        ]
        rows.append(" ".join(part for part in parts if part).replace(" \n", "\n"))
    assert "\n".join(rows) == expect


def check_definitions_needed(source: str, expect: str, limit: int = 8) -> None:
    """Compares the definitions for the fixture's cursor, path and reason before each text."""
    fixture = parse(source)
    index = index_of(fixture)
    found = index.definitions_needed(fixture.path, fixture.offset, limit)
    assert render_snippets(index, found) == expect


def check_similar(source: str, expect: str, limit: int = 3) -> None:
    """Compares the chunks for the fixture's cursor: path, lines and reason, no text."""
    fixture = parse(source)
    index = index_of(fixture)
    found = index.similar_chunks(fixture.path, fixture.offset, limit)
    rows = [
        f"{index.relative(snippet.path)}:{snippet.start_line + 1}-{snippet.end_line + 1}"
        f" {snippet.why}"
        for snippet in found
    ]
    assert "\n".join(rows) == expect


def render_symbols(index: Index, fixture: Fixture) -> str:
    """One line a symbol: kind, qualified name, detail, signature, summary of the docstring."""
    rows: list[str] = []
    for symbol in index.symbols(fixture.path):
        signature = fixture.text[symbol.signature_start : symbol.signature_end].decode()
        docstring = fixture.text[symbol.docstring_start : symbol.docstring_end].decode()
        row = f"{symbol.kind} {symbol.qualified_name}"
        row += f" <{symbol.detail}>" if symbol.detail else ""
        row += f" | {' '.join(signature.split())[:36].rstrip()}"
        row += f" | {' '.join(docstring.split())[:24].rstrip()}" if docstring else ""
        rows.append(row)
    return "\n".join(rows)


def render_snippets(index: Index, snippets: list[Snippet]) -> str:
    return "".join(
        f"{index.relative(snippet.path)} ({snippet.why})\n{_indented(snippet.text)}"
        for snippet in snippets
    )


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
