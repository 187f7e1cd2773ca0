"""Checks that the tests of languages share."""

from __future__ import annotations

import textwrap
from itertools import pairwise

from indexer import Role, extract, language_of
from tests.indexer.samples import SAMPLES
from tests.support.fixture import ROOT, Fixture, index_of, parse

MARK = "§"


def sample(name: str) -> str:
    """A sample as a fixture of one file."""
    return f"-- {name} --\n{SAMPLES[name]}"


def uses(name: str, *roles: Role) -> str:
    """Identifiers of a sample with their roles, each pair once, ordered by role and name."""
    language = language_of(name)
    assert language is not None
    facts = extract(name, language, SAMPLES[name].encode())
    found = {(use.role, use.name) for use in facts.references if not roles or use.role in roles}
    rows: dict[Role, list[str]] = {}
    for role, used in sorted(found):
        rows.setdefault(role, []).append(used)
    lines = [f"{role}: {' '.join(names)}" for role, names in rows.items()]
    return "\n".join(
        textwrap.fill(line, 96, break_on_hyphens=False, break_long_words=False) for line in lines
    )


def meanings(source: str) -> str:
    """What the names of the first file that stand behind a `§` mean: where each is defined."""
    plain = parse(source.replace(MARK, ""))
    marked = parse(source).files[plain.path].decode().split(MARK)
    index = index_of(plain)
    rows: list[str] = []
    offset = 0
    for before, after in pairwise(marked):
        offset += len(before.encode())
        name = after[: next((at for at, sign in enumerate(after) if sign in "\n .(<:;,)["), None)]
        found = index.definitions_at(plain.path, offset)
        places = [
            place(plain, one.path, one.name_start, one.name_end) + ("" if one.certain else " ?")
            for one in found
        ]
        rows.append(f"{name}: {', '.join(places) or 'nothing'}")
    return "\n".join(rows)


def place(fixture: Fixture, path: str, start: int, end: int) -> str:
    """`file:line:text`, lines from 1."""
    text = fixture.files[path]
    line = text.count(b"\n", 0, start) + 1
    return f"{path.removeprefix(ROOT + '/')}:{line}:{text[start:end].decode()}"
