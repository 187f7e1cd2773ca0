"""What is known about data files in JSON: keys as far down as is worth it."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_symbols
from tests.indexer.languages.used import sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.json"),
        snapshot("""\
key name | "name": "shop"
key scripts | "scripts":
key scripts.build | "build": "make"
key scripts.test | "test":
key scripts.test.unit | "unit": "é"
key scripts.test.deep | "deep":
key files | "files":
key empty | "empty":\
"""),
    )
