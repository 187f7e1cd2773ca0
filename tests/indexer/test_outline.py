"""Outlines answer what facts answer; texts are kept only while they are those of their facts."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import extract, language_of
from indexer.facts import FileFacts
from indexer.outline import Outline, Outlines
from indexer.texts import Sources
from indexer.usage import written_after

lines = st.sampled_from(
    [
        "import os, sys as system\n",
        "from a.b import c, d as e\n",
        "from x import *\n",
        "class A(B):\n    x = 1\n    def f(self): self.y = a.b.c\n",
        "def f(a):\n    return a.b + a.c\n",
        "VALUE = a.b\n",
        "if 1:\n    def f(): ...\n",
    ]
)
texts = st.lists(lines, max_size=8).map("".join)


def facts_of(text: str, path: str = "/repo/a.py") -> FileFacts:
    language = language_of(path)
    assert language is not None
    return extract(path, language, text.encode())


@settings(deadline=None)
@given(texts)
def test_an_outline_says_what_the_facts_say(text: str) -> None:
    facts = facts_of(text)
    outline = Outline(facts)
    names = {symbol.name for symbol in facts.symbols} | {"missing"}
    for name in names:
        assert outline.named(name) == facts.symbols_named(name)
        for parent in range(-1, facts.symbol_count):
            assert list(outline.members(parent, name)) == list(facts.members_of(parent, name))
    for parent in range(-1, facts.symbol_count):
        assert list(outline.members(parent)) == list(facts.members_of(parent))
    top = {symbol.name: symbol.index for symbol in reversed(list(facts.members_of(-1)))}
    assert outline.tops == top
    assert outline.stars == tuple(clause for clause in facts.imports if clause.star)
    for clause in facts.imports:
        for there, here in clause.names:
            assert (clause, there) in outline.importing(here)


@settings(deadline=None)
@given(texts)
def test_names_written_after_a_name_are_those_of_the_text(text: str) -> None:
    found = written_after(facts_of(text), "a")
    assert found == {
        name: text.count(f" a.{name}") for name in ("b", "c") if text.count(f" a.{name}")
    }


def test_new_facts_make_a_new_outline() -> None:
    known = {"/repo/a.py": facts_of("def f(): ...\n")}
    outlines = Outlines(known.get)
    first = outlines.get("/repo/a.py")
    assert first is not None and outlines.get("/repo/a.py") is first
    known["/repo/a.py"] = facts_of("def g(): ...\n")
    second = outlines.get("/repo/a.py")
    assert second is not None and list(second.tops) == ["g"]
    assert outlines.get("/repo/b.py") is None


def test_a_text_that_changed_on_disk_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    reads: list[str] = []
    facts = {str(file): facts_of("one = 1\n", str(file))}

    def current_text(path: str) -> bytes | None:
        reads.append(path)
        text = Path(path).read_bytes()
        return text if text == b"one = 1\n" else None

    sources = Sources(current_text, facts.get, lambda path: False)
    file.write_bytes(b"one = 1\n")
    for _ in range(2):  # it was written just now, and may be again without a new time
        assert sources.lines(str(file)) is not None
    assert len(reads) == 2
    file.write_bytes(b"two = 2\n")
    os.utime(file, (1, 1))
    assert sources.lines(str(file)) is None
    file.unlink()
    assert sources.lines(str(tmp_path / "none.py")) is None
