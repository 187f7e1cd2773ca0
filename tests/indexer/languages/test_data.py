"""Languages of data do not flood the index: sizes, generated files, places in searches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer import IndexConfig
from indexer.facts import DATA
from indexer.ignore import Rules
from indexer.language import languages
from tests.support.fixture import index_of, parse


@pytest.mark.parametrize("name", sorted(languages()))
def test_large_files_of_data_are_left_out(name: str, tmp_path: Path) -> None:
    language = languages()[name]
    rules = Rules((str(tmp_path),), IndexConfig())
    path = str(tmp_path / f"a{language.extensions[0]}")
    limit = language.max_bytes or rules.config.max_file_bytes
    assert rules.verdict(path, limit).allowed
    refused = rules.verdict(path, limit + 1)
    assert not refused.allowed
    assert refused.reason == f"{limit + 1} bytes, more than {limit}"
    small = Rules((str(tmp_path),), IndexConfig(max_file_bytes=10))
    assert small.verdict(path, 11).reason == "11 bytes, more than 10"


@pytest.mark.parametrize(
    "name",
    ["package-lock.json", "pnpm-lock.yaml", "npm-shrinkwrap.json", "uv-lock.toml", "lock.yml"],
)
def test_lists_of_locked_versions_are_generated(name: str, tmp_path: Path) -> None:
    rules = Rules((str(tmp_path),), IndexConfig())
    assert "generated" in rules.verdict(str(tmp_path / name), 10).reason


@pytest.mark.parametrize("name", ["package.json", "block.json", "clock.yaml", "tsconfig.json"])
def test_files_that_people_write_are_not(name: str, tmp_path: Path) -> None:
    assert Rules((str(tmp_path),), IndexConfig()).verdict(str(tmp_path / name), 10).allowed


def test_keys_are_told_to_a_sensible_depth_only() -> None:
    value: dict[str, object] = {}
    for depth in range(9, 0, -1):
        value = {f"key{depth}": value}
    rows = [{"id": number, "name": "x"} for number in range(1000)]
    index = index_of(parse(f"-- a.json --\n{json.dumps({'rows': rows, **value})}\n"))
    assert [symbol.name for symbol in index.symbols("/repo/a.json")] == [
        "rows",
        "key1",
        "key2",
        "key3",
    ]


def test_code_stands_before_data_in_a_search_by_name() -> None:
    files = [f'-- data/{number}.json --\n{{"load_config": 1}}\n' for number in range(60)]
    files += ["-- a.md --\n# load_config\n", "-- a.css --\n.load_config { top: 0 }\n"]
    files += ["-- z/deep/tests/last.py --\ndef load_configuration(): ...\n"]
    index = index_of(parse("".join(files)))
    found = index.symbols_matching("load_config", 5)
    assert found[0].name == "load_configuration"
    assert all(symbol.kind in DATA for symbol in found[1:])
    assert len(found) == 5


def test_code_is_not_like_data() -> None:
    rare = " ".join(f"rare_{letter}" for letter in "abcdefgh")
    fixture = parse(
        f'-- a.py --\nx = \'{rare}\'\n$0\n-- b.json --\n{{"a": "{rare} more"}}\n'
        f"-- c.py --\ny = '{rare} other'\nz = 1\n"
    )
    found = index_of(fixture).similar_chunks(fixture.path, fixture.offset, 5)
    assert [snippet.path for snippet in found] == ["/repo/c.py"]
