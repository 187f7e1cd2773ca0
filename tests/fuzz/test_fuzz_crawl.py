"""Whatever lies in a folder and happens to it meanwhile: no crash, no hang, no lost file."""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import Crawler, Index, IndexConfig, language_of
from indexer.disk import read_regular
from tests.indexer.samples import SAMPLES

NAMES = sorted(SAMPLES)
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file systems")


def crawled(root: Path, workers: int, **limits: float) -> tuple[Index, dict[str, str]]:
    """An index of a folder, and what was left out with the reasons."""
    index = Index(IndexConfig(workers=workers, **limits), (str(root),))  # type: ignore[arg-type]
    skipped: dict[str, str] = {}
    batch = None
    for batch in Crawler(index.rules).crawl():
        skipped.update(batch.skipped)
        for change in batch.changes:
            index.apply(change)
    assert batch is not None and batch.progress.complete
    return index, skipped


def sources(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        yield from (f"{folder}/{name}" for name in names if language_of(name) is not None)


def plant_oddities(root: Path) -> None:
    rng = random.Random(7)
    plain = root / "plain.py"
    plain.write_text("def plain(): ...\n")
    for number, name in enumerate(NAMES):
        ending = name.rpartition(".")[2]
        sample = SAMPLES[name].encode()
        (root / f"random{number}.{ending}").write_bytes(rng.randbytes(3_000))
        (root / f"cut{number}.{ending}").write_bytes(sample[: rng.randrange(len(sample))] + b"\xe2")
        nul_free = bytes(rng.randrange(1, 128) for _ in range(2_000))
        (root / f"noise{number}.{ending}").write_bytes(nul_free)
    line = "x = [" + "1, " * 3_500_000 + "]\n"
    (root / "long_line.py").write_text(line)
    (root / "empty.py").touch()
    (root / os.fsdecode(b"name\nwith \xff\xfe.py")).write_text("def odd(): ...\n")
    (root / "fifo.py").unlink(missing_ok=True)
    os.mkfifo(root / "fifo.py")
    listening = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(root)  # the name of a socket is short
    try:
        listening.bind("socket.py")
    finally:
        os.chdir(here)
        listening.close()
    (root / "dangling.py").symlink_to(root / "nowhere.py")
    (root / "itself.py").symlink_to(root / "itself.py")
    (root / "zero.py").symlink_to("/dev/zero")
    (root / "loop").symlink_to(root)
    (root / "folder.py").mkdir()
    (root / "folder.py/inner.py").write_text("def inner(): ...\n")
    plant_deep(root)


def plant_deep(root: Path) -> None:
    """Folders whose path is longer than the system takes in one piece."""
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=descriptor)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("deep.py", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


@needs_posix
@pytest.mark.parametrize("workers", [0, 1])
def test_every_source_file_is_known_or_left_out_with_a_reason(tmp_path: Path, workers: int) -> None:
    plant_oddities(tmp_path)
    index, skipped = crawled(tmp_path, workers)
    known = set(index.paths())
    lost = [
        path
        for path in sources(tmp_path)
        if path not in known and path not in skipped and len(path) < 4_000
    ]
    assert lost == []
    assert {
        str(tmp_path / name) for name in ("plain.py", "empty.py", "folder.py/inner.py")
    } <= known
    assert str(tmp_path / os.fsdecode(b"name\nwith \xff\xfe.py")) in known
    reasons = {Path(path).name: reason for path, reason in skipped.items()}
    assert reasons["fifo.py"] == reasons["socket.py"] == "cannot be read: not a regular file"
    assert reasons["long_line.py"] == "10500007 bytes, more than 1000000"
    assert reasons["zero.py"] == "a link that leaves the workspace folders"
    deep = next(reason for path, reason in skipped.items() if len(path) > 4_000)
    assert deep.startswith("the folder cannot be read: ")


@pytest.mark.parametrize("name", ["a.py", "a.js", "a.c", "a.json", "a.rs", "a.java"])
def test_brackets_nested_a_hundred_thousand_times(tmp_path: Path, name: str) -> None:
    """Broken into lines, so that no rule keeps them from the parser."""
    for opening, closing in ("()", "[]", "{}"):
        (tmp_path / f"{ord(opening)}{name}").write_text(
            (opening * 100 + "\n") * 1_000 + (closing * 100 + "\n") * 1_000
        )
    (tmp_path / "plain.py").write_text("def plain(): ...\n")
    index, skipped = crawled(tmp_path, 1, max_file_seconds=2.0)
    assert {*index.paths(), *skipped} == set(sources(tmp_path))
    assert str(tmp_path / "plain.py") in index.paths()


@needs_posix
def test_files_that_change_while_they_are_read(tmp_path: Path) -> None:
    """Truncated, replaced, deleted, growing; when that ends, the index is as a fresh one."""
    stop = threading.Event()

    def disturb() -> None:
        rng = random.Random(3)
        while not stop.is_set():
            path = tmp_path / f"f{rng.randrange(30)}.py"
            text = f"def version{rng.randrange(1000)}(): ...\n" * rng.randrange(1, 300)
            match rng.randrange(5):
                case 0:
                    path.write_text(text)
                case 1:
                    path.unlink(missing_ok=True)
                case 2:
                    with path.open("a") as file:
                        file.write(text)
                case 3 if path.exists():
                    os.truncate(path, rng.randrange(path.stat().st_size + 1))
                case _:
                    fresh = tmp_path / "fresh"
                    fresh.write_text(text)
                    fresh.rename(path)

    index = Index(IndexConfig(workers=1), (str(tmp_path),))
    crawler = Crawler(index.rules)
    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(4):
            take(index, crawler, None)
            for number in range(0, 30, 3):
                take(index, crawler, [str(tmp_path / f"f{number}.py")])
    finally:
        stop.set()
        thread.join()
    take(index, crawler, None)
    fresh, _ = crawled(tmp_path, 0)
    assert sorted(index.paths()) == sorted(fresh.paths())
    for path in fresh.paths():
        assert index.facts(path) == fresh.facts(path)


def take(index: Index, crawler: Crawler, paths: list[str] | None) -> None:
    for batch in crawler.crawl(paths):
        for change in crawler.current(batch):
            index.apply(change)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["write", "delete", "move", "folder", "ignore", "unignore", "look"]),
        st.sampled_from(["a.py", "b.js", "sub/a.py", "sub/c.go", "sub/deep/d.rs", "e/f.py"]),
        st.sampled_from(["a.py", "b.js", "sub/a.py", "sub/c.go", "sub/deep/d.rs", "e/f.py"]),
        st.sampled_from(["x = 1\n", "def f(): ...\n", "\0", "", "é = 2\n"]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_following_changes_gives_what_a_fresh_crawl_gives(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str, str, str]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    index = Index(IndexConfig(workers=0), (str(root),))
    crawler = Crawler(index.rules)
    take(index, crawler, None)
    told: list[str] = []
    for what, name, other, text in changes:
        told += happen(root, what, name, other, text)
        if what == "look":
            take(index, crawler, told)
            told = []
    take(index, crawler, told)
    fresh, _ = crawled(root, 0)
    assert {path: index.facts(path) for path in index.paths()} == {
        path: fresh.facts(path) for path in fresh.paths()
    }
    take(index, crawler, None)
    assert sorted(index.paths()) == sorted(fresh.paths())


def happen(root: Path, what: str, name: str, other: str, text: str) -> list[str]:
    """One change on disk; returns the paths that a watcher would tell."""
    path = root / name
    match what:
        case "write":
            is_new = not path.parent.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return [str(path.parent if is_new else path)]
        case "delete":
            path.unlink(missing_ok=True)
            return [str(path)]
        case "move" if path.exists() and (root / other).parent.exists():
            path.replace(root / other)
            return [str(path), str(root / other)]
        case "folder" if path.parent.exists() and path.parent != root:
            target = path.parent.with_name("moved")
            if not target.exists():
                path.parent.rename(target)
                return [str(path.parent), str(target)]
        case "ignore":
            (root / ".gitignore").write_text(f"/{name}\nsub/deep/\n")
            return [str(root / ".gitignore")]
        case "unignore":
            (root / ".gitignore").unlink(missing_ok=True)
            return [str(root / ".gitignore")]
    return []


@needs_posix
def test_reading_never_waits_and_never_follows(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link", "nothing", "."):
        with pytest.raises(OSError):
            read_regular(str(tmp_path / name), 100)
    with pytest.raises(OSError):
        read_regular("/dev/null", 100)
    (tmp_path / "file").write_bytes(b"x" * 200)
    assert len(read_regular(str(tmp_path / "file"), 100)[0]) == 101
    text, state = read_regular(str(tmp_path / "file"), 1_000)
    assert text == b"x" * 200 and state is not None and state.st_size == 200


@needs_posix
def test_a_text_that_grows_while_it_is_read_has_no_settled_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.py"
    path.write_bytes(b"a" * 10)
    plain = os.read

    def read(descriptor: int, length: int) -> bytes:
        with path.open("ab") as file:
            file.write(b"b")
        return plain(descriptor, length)

    monkeypatch.setattr(os, "read", read)
    text, state = read_regular(str(path), 1_000)
    assert state is None and text.startswith(b"a" * 10)
