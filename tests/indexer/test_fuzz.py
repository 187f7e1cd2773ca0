"""Whatever bytes come, in open documents and in crawled files: no crash, no hang, no lost file."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import Batch, ByteEdit, Crawler, Edit, Index, IndexConfig, Open, Replace, extract
from indexer.document import to_bytes
from indexer.language import language_of
from tests.indexer.samples import SAMPLES

ROOT = "/repo"
NAMES = ("a.py", "a.ts", "a.java", "a.go", "a.rs", "a.c", "a.rb", "a.json", "a.yaml", "a.md")
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

tokens = st.sampled_from((
    b"(", b")", b"[", b"{", b"}", b'"', b"'", b"`", b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\0",
    b"\r", b"\n", b"def f():", b"class A {", b"import x", b"#", b"/*", b"*/", b"\xf0\x9f\xa6\x80",
))  # fmt: skip
any_bytes = st.binary(max_size=200) | st.lists(tokens, max_size=40).map(b"".join)


@st.composite
def torn_samples(draw: st.DrawFn) -> bytes:
    """Code with bytes put in or taken away wherever, in the middle of characters too."""
    text = bytearray(draw(st.sampled_from(sorted(SAMPLES.values()))).encode())
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 9))] = draw(any_bytes)[:30]
    return bytes(text)


texts = any_bytes | torn_samples()


def check_inside(index: Index, path: str) -> None:
    """All that is known of a document lies in its text, and every question has an answer."""
    document, facts = index.document(path), index.facts(path)
    assert document is not None and facts is not None
    size = len(document.text)
    assert facts.size == size
    for symbol in facts.symbols:
        assert 0 <= symbol.start <= symbol.name_start <= symbol.name_end <= size
        assert symbol.end <= size
    for use in facts.references:
        assert 0 <= use.start < use.end <= size
    for piece in facts.chunks:
        assert 0 <= piece.start < piece.end <= size
    for offset in (0, size // 2, size):
        index.names_in_scope(path, offset)
        index.definitions_at(path, offset)
        index.context(path, offset, 200)


@SLOW
@given(st.sampled_from(NAMES), texts, st.lists(st.tuples(st.floats(0, 1), texts), max_size=4))
def test_any_bytes_may_be_an_open_document(
    name: str, text: bytes, script: list[tuple[float, bytes]]
) -> None:
    path, index = f"{ROOT}/{name}", Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, to_bytes(text.decode("utf-8", "replace"))))
    check_inside(index, path)
    index.apply(Replace(path, 1, to_bytes(text.decode("utf-8", "surrogateescape"))))
    for version, (where, piece) in enumerate(script, 2):
        document = index.document(path)
        assert document is not None
        at = int(where * len(document.text))  # anywhere, in the middle of a character too
        end = min(len(document.text), at + len(piece) // 2)
        index.apply(Edit(path, version, (ByteEdit(at, end, piece),)))
        check_inside(index, path)


def crawled(index: Index, batches: Iterable[Batch]) -> set[str]:
    """The files that were told of, one way or another."""
    told: set[str] = set()
    for batch in batches:
        index.apply_found(batch.changes)
        told.update(change.path for change in batch.changes)
        told.update(path for path, _ in batch.skipped)
    return told


@SLOW
@given(st.lists(st.tuples(st.sampled_from(NAMES), texts), min_size=1, max_size=6))
def test_any_bytes_may_lie_in_files(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("fuzz")
    files: dict[str, bytes] = {}
    for number, (name, text) in enumerate(contents):
        path = root / f"{number}{name}"
        path.write_bytes(text)
        files[str(path)] = text
    index = Index(IndexConfig(workers=0), (str(root),))
    assert crawled(index, Crawler(index.rules).crawl()) == set(files)
    for known in index.paths():
        language, facts = language_of(known), index.facts(known)
        assert language is not None and facts == extract(known, language, files[known])


def extreme_texts() -> dict[str, bytes]:
    return {
        "line": b"x = [" + b"1, " * 3_400_000 + b"]\n",  # 10 MB
        "brackets": b"x = " + b"(" * 100_000 + b"\n",
        "braces": b"{" * 100_000 + b"}" * 100_000,
        "surrogates": b"\xed\xa0\x80" * 30_000,
        "random": bytes((number * number >> 7) & 255 for number in range(200_000)),
    }


@pytest.mark.parametrize("limit", [1_000_000, 20_000_000])
def test_files_of_extreme_shape_are_known_or_named(tmp_path: Path, limit: int) -> None:
    """In workers, with a cap on time: the files beside them are read as ever."""
    for shape, text in extreme_texts().items():
        for ending in ("py", "ts", "c"):
            (tmp_path / f"{shape}.{ending}").write_bytes(text)
    for name, sample in SAMPLES.items():
        (tmp_path / name).write_text(sample)
    config = IndexConfig(workers=2, max_file_bytes=limit, max_file_seconds=1.0)
    index = Index(config, (str(tmp_path),))
    assert crawled(index, Crawler(index.rules).crawl()) == set(map(str, tmp_path.iterdir()))
    assert {str(tmp_path / name) for name in SAMPLES} <= set(index.paths())


@pytest.mark.parametrize("shape", sorted(extreme_texts()))
@pytest.mark.parametrize("name", ["a.py", "a.ts", "a.c"])
def test_documents_of_extreme_shape_can_be_opened_and_edited(name: str, shape: str) -> None:
    text = extreme_texts()[shape].decode("utf-8", "replace")
    path, index = f"{ROOT}/{name}", Index(IndexConfig(workers=0), (ROOT,))
    index.apply(Open(path, None, 0, text))
    index.facts(path)
    middle = len(text.encode()) // 2 if text.isascii() else 0
    for version, (start, piece) in enumerate([(0, "x = 1\n"), (middle, ")"), (middle, "\n")], 1):
        index.apply(Edit(path, version, (ByteEdit(start, start, piece),)))
        facts, document = index.facts(path), index.document(path)
        assert document is not None
        is_large = len(document.text) > index.config.max_file_bytes
        assert (facts is None) == is_large  # kept as text alone
        assert facts is None or facts.size == len(document.text)
    index.apply(Replace(path, 9, "def mended(): pass\n"))
    assert index.facts(path) is not None
    index.symbols_matching("mended", 5)


def test_files_that_change_while_they_are_read_are_known_as_they_are_at_last(
    tmp_path: Path,
) -> None:
    """Grown, shrunk, replaced and gone while crawls go on; then one crawl finds what there is."""
    paths = [tmp_path / f"m{number}.py" for number in range(30)]
    for path in paths:
        path.write_text("def first(): pass\n")
    index = Index(IndexConfig(workers=2), (str(tmp_path),))
    crawler, stop = Crawler(index.rules), threading.Event()

    def change_files() -> None:
        for number in range(100_000):
            if stop.is_set():
                return
            path = paths[number % len(paths)]
            deed = (number // len(paths)) % 4
            if deed == 0:
                path.write_text(f"def grown{number}(): pass\n" * (number % 400))
            elif deed == 1:
                path.write_bytes(b"\xff" * 10)
            elif deed == 2:
                path.unlink(missing_ok=True)
            else:
                other = path.with_suffix(".new")
                other.write_text(f"def moved{number}(): pass\n")
                other.replace(path)

    changing = threading.Thread(target=change_files)
    changing.start()
    try:
        for _ in range(3):
            crawled(index, crawler.crawl())
            crawled(index, crawler.crawl([str(path) for path in paths[:10]]))
    finally:
        stop.set()
        changing.join()
    crawled(index, crawler.crawl())
    there = {str(path): path.read_bytes() for path in paths if path.exists()}
    readable = set(index.paths())
    for known in readable:
        language = language_of(known)
        assert language is not None
        assert index.facts(known) == extract(known, language, there[known])
    assert all(text == b"\xff" * 10 for path, text in there.items() if path not in readable)
