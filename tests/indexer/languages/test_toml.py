"""What is known about data files in TOML: keys as far down as is worth it."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_symbols
from tests.indexer.languages.used import sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.toml"),
        snapshot("""\
key title | title = "é" | # How the shop is built.
key owner.name | owner.name = "x"
key project | [project]
key project.name | name = "shop"
key project.extras | extras =
key project.extras.k | k = 1
key project.extras.quoted key | "quoted key" = 2
key tool.ruff.lint | [tool.ruff.lint] | # What the linter checks
key tool.ruff.lint.select | select = ["E"]
key bin | [[bin]]
key bin.name | name = "shop"\
"""),
    )
