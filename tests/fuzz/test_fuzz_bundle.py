"""Whatever stands in a bundle's files: a Bundle or a BundleError, never another exception."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.bundle import Bundle
from runtime.errors import BundleError
from runtime.external_data import external_files
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer
from tests.runtime.bundles import graph, write_bundle
from tests.support.tiny_tokenizer import tokenizer_definition

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**320)
    | st.floats()
    | st.text()
    | st.sampled_from(["weights.bin", "../x", "\ud800", "a" * 5000, "0" * 64]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("fuzz") / "b")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every position in a JSON value, as the keys that lead there."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def check_open(bundle: Path, manifest: bytes) -> None:
    (bundle / "bundle.json").write_bytes(manifest)
    with contextlib.suppress(BundleError):
        opened = Bundle.open(bundle)
        tokenizer = Tokenizer.from_file(opened.tokenizer_path)
        PromptFormat.from_manifest(opened.prompt_format, tokenizer)


@given(st.data())
@settings(deadline=None)
def test_a_manifest_with_one_entry_replaced(bundle: Path, data: st.DataObject) -> None:
    good = json.loads((write_once(bundle)).read_text())
    path = data.draw(st.sampled_from([place for place in places(good) if place]))
    check_open(bundle, json.dumps(replaced(good, path, data.draw(JSON))).encode())


@given(JSON)
@settings(deadline=None)
def test_a_manifest_of_any_json(bundle: Path, value: Any) -> None:
    check_open(bundle, json.dumps(value).encode())


@given(st.data())
@settings(deadline=None)
def test_a_manifest_with_bytes_replaced(bundle: Path, data: st.DataObject) -> None:
    content = bytearray(write_once(bundle).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 20, len(content))))
        content[start:end] = data.draw(st.binary(max_size=8))
    check_open(bundle, bytes(content))


@given(st.data())
def test_a_graph_with_bytes_replaced(data: st.DataObject) -> None:
    content = bytearray(graph())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BundleError):
        external_files(bytes(content))


@given(st.binary())
def test_a_graph_of_any_bytes(content: bytes) -> None:
    with contextlib.suppress(BundleError):
        external_files(content)


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_a_tokenizer_with_one_entry_replaced(data: st.DataObject) -> None:
    good = tokenizer_definition(("a b",))
    shallow = [place for place in places(good) if 0 < len(place) <= 3]
    path = data.draw(st.sampled_from(shallow))
    with contextlib.suppress(BundleError):
        Tokenizer(replaced(good, path, data.draw(JSON))).encode("ab <|endoftext|>")


def write_once(bundle: Path) -> Path:
    """The good manifest, kept beside the one that the tests overwrite."""
    good = bundle / "good.json"
    if not good.exists():
        fresh = write_bundle(bundle.parent / "fresh")
        good.write_bytes((fresh / "bundle.json").read_bytes())
    return good
