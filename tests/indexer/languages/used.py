"""Samples as fixtures, and a text-in, text-out check of references."""

from __future__ import annotations

from indexer import extract, language_of
from tests.indexer.samples import SAMPLES


def sample(name: str) -> str:
    return f"-- {name} --\n{SAMPLES[name]}"


def check_references(name: str, expect: str) -> None:
    """Compares the references of a sample, those in imports left out: `name:role` by lines."""
    language = language_of(name)
    assert language is not None
    text = SAMPLES[name].encode()
    rows: dict[int, list[str]] = {}
    for use in extract(name, language, text).references:
        assert text[use.start : use.end].decode() == use.name
        if use.role != "import":
            line = text.count(b"\n", 0, use.start) + 1
            rows.setdefault(line, []).append(f"{use.name}:{use.role}")
    assert "\n".join(f"{line} {' '.join(uses)}" for line, uses in rows.items()) == expect
