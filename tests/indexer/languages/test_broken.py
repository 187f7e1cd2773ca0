"""Texts cut off or torn, modules and configuration that nobody would write: never an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import Open, extract, language_of
from indexer.contents import parse_json, parse_list
from indexer.facts import Import
from indexer.language import languages
from indexer.resolve import Resolver
from tests.indexer.samples import SAMPLES
from tests.support.fixture import index_of, parse

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PIECES = st.sampled_from(
    [b"", b"{", b"}", b'"', b"'", b"(", b"\n", b"#", b"\xff", b"\x00", b"<", b"*"]
)


@SLOW
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_torn_samples_give_facts_that_lie_inside_the_text(name: str, data: st.DataObject) -> None:
    whole = SAMPLES[name].encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    text = whole[:start] + data.draw(PIECES) + whole[end : data.draw(st.integers(end, len(whole)))]
    language = language_of(name)
    assert language is not None
    facts = extract(name, language, text)
    for symbol in facts.symbols:
        assert 0 <= symbol.start <= symbol.name_start < symbol.name_end <= symbol.end <= len(text)
        assert symbol.start <= symbol.signature_start <= symbol.signature_end <= symbol.end
        assert text[symbol.name_start : symbol.name_end].decode("utf-8", "replace") == symbol.name
        assert symbol.parent < symbol.index
    for use in facts.references:
        assert 0 <= use.start < use.end
    assert all(0 <= clause.start < clause.end <= len(text) for clause in facts.imports)


@SLOW
@given(st.sampled_from(sorted(languages())), st.text(max_size=40), st.integers(0, 3))
def test_any_module_may_be_asked_for(name: str, module: str, level: int) -> None:
    fixture = parse("-- a/b.py --\n-- a/package.json --\n{}\n-- c.md --\n")
    files = index_of(fixture)._files
    clause = Import(module, (), "", level, False, 0, 1)
    found = list(languages()[name].imports.candidates(clause, "/repo/a/x", files))
    assert all(files.has(path) for path in found)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "./a", "*", "@x/*", "..", "/"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "extends", "compilerOptions", "paths", "baseUrl", "rootDirs", "references", "path",
                "name", "exports", "imports", "main", "types", "import", ".", "./*", "#x", "@x/*",
                "file", "directory", "command", "arguments",
            ]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@SLOW
@given(JSON, JSON, JSON)
def test_any_configuration_may_be_there(config: Any, manifest: Any, calls: Any) -> None:
    source = (
        "-- a/main.ts --\nimport '@x/y'; import '#x'; import './a'; import 'pkg/sub';\n"
        "-- a/main.c --\n#include <x.h>\n-- a/x.h --\n-- a/a.ts --\n"
    )
    fixture = parse(source)
    index = index_of(fixture)
    for name, value in (
        ("a/tsconfig.json", config),
        ("tsconfig.json", config),
        ("a/package.json", manifest),
        ("b/package.json", {"name": "pkg", "exports": manifest}),
        ("a/compile_commands.json", calls),
    ):
        index.apply(Open(f"/repo/{name}", None, 1, json.dumps(value).encode()))
    index.refresh()
    resolver = Resolver(index._table, index._files)
    for path in ("/repo/a/main.ts", "/repo/a/main.c"):
        for clause in index.imports(path):
            assert all(index._files.has(found) for found in resolver.modules(path, clause))


LISTS = st.lists(st.sampled_from([b"[", b"]", b",", b" ", b"\n", b"1", b"{}", b'"a"', b"//x\n"]))


@given(st.binary(max_size=60) | LISTS.map(b"".join))
def test_any_bytes_may_be_asked_for_as_json(text: bytes) -> None:
    """And item by item they are what they are at once."""
    assert repr(parse_list(text)) == repr(parse_json(text))


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 2]))
def test_a_list_read_item_by_item_is_the_list(items: list[Any], indent: int | None) -> None:
    assert parse_list(json.dumps(items, indent=indent).encode()) == items


@pytest.mark.parametrize("extends", ["./tsconfig.json", "../tsconfig", ["./b", "./tsconfig.json"]])
def test_configurations_that_extend_one_another(extends: object) -> None:
    config = json.dumps({"extends": extends, "compilerOptions": {"paths": {"@/*": ["./*"]}}})
    fixture = parse(f"-- main.ts --\nimport '@/a';\n-- a.ts --\n-- tsconfig.json --\n{config}\n")
    index = index_of(fixture)
    clause = index.imports(fixture.path)[0]
    found = Resolver(index._table, index._files).modules(fixture.path, clause)
    assert found == ("/repo/a.ts",)
