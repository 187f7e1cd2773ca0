"""CONTRIBUTING.md shows how to add a language; here its lines are followed to the letter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"^`(schema/[\w./]+)`:\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PACKAGES = ("indexer", "tests")
PROGRAM = """
import sys
import indexer.languages
indexer.languages.__path__.append(sys.argv[1])

from indexer.resolve import Resolver
from tests.indexer.checks import render_symbols
from tests.support.fixture import index_of, parse

fixture = parse(sys.stdin.read())
index = index_of(fixture)
print(render_symbols(index, fixture))
resolver = Resolver(index._table, index._files)
for clause in index.imports(fixture.path):
    found = [index.relative(path) for path in resolver.modules(fixture.path, clause)]
    print(f"{clause.module} -> {' '.join(found)}")
"""


def section() -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    start = text.index("## How to add a language")
    return text[start : text.index("\n## ", start)]


def test_the_example_is_a_language(tmp_path: Path) -> None:
    files = dict(FILE.findall(section()))
    assert sorted(files) == [
        "schema/imports.py",
        "schema/language.toml",
        "schema/queries/facts.scm",
    ]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    blocks = dict(BLOCK.findall(section()))
    fixture = f"-- main.schema --\n{blocks['json']}-- place.schema --\n{{}}\n"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        input=fixture,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stderr == ""
    assert [line[:56] for line in done.stdout.splitlines()] == blocks["text"].splitlines()


NAMED = re.findall(r"`(\w+/[\w/]+\.\w+)`", section())


@pytest.mark.parametrize("name", [name for name in NAMED if name.split("/")[0] in PACKAGES])
def test_files_that_the_text_names_are_there(name: str) -> None:
    assert (ROOT / name).is_file()
