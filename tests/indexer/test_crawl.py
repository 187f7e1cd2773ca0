"""Files on disk become facts, in worker processes or without."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from indexer import (
    Batch,
    Crawler,
    FileFound,
    FileGone,
    Index,
    IndexConfig,
    language_of,
)
from indexer.extract import extract as plain_extract
from tests.indexer.samples import SAMPLES


def fill(root: Path) -> None:
    for name, text in SAMPLES.items():
        for folder in ("src", "src/deep"):
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (root / "src/.gitignore").write_text("ignored.py\n")
    (root / "src/ignored.py").write_text("x = 1\n")
    (root / "src/latin.py").write_bytes(b"x = '\xe9'\n")
    (root / "notes.txt").write_text("no source\n")
    (root / "node_modules").mkdir()
    (root / "node_modules/dep.js").write_text("function dep() {}\n")


def apply(index: Index, batches: Iterable[Batch]) -> Batch:
    batch: Batch | None = None
    for batch in batches:
        for change in batch.changes:
            index.apply(change)
    assert batch is not None
    return batch


def known(index: Index, root: Path) -> list[str]:
    return sorted(Path(path).relative_to(root).as_posix() for path in index.paths())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_crawl_finds_what_the_rules_allow(tmp_path: Path, workers: int) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=workers), (str(tmp_path),))
    last = apply(index, Crawler(index.rules).crawl())
    expect = sorted(f"{folder}/{name}" for name in SAMPLES for folder in ("src", "src/deep"))
    assert known(index, tmp_path) == expect
    assert last.progress.complete and last.progress.done == last.progress.found - 1
    for path in index.paths():
        language = language_of(path)
        assert language is not None
        assert index.facts(path) == plain_extract(path, language, Path(path).read_bytes())


def test_files_that_are_left_out_come_with_reasons(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    skipped = dict(pair for batch in Crawler(index.rules).crawl() for pair in batch.skipped)
    assert skipped == {
        str(tmp_path / "src/ignored.py"): "excluded by an ignore file",
        str(tmp_path / "src/latin.py"): "not UTF-8",
        str(tmp_path / "node_modules"): "node_modules holds no source of this project",
    }


def test_changes_on_disk_are_followed(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    crawler = Crawler(index.rules)
    apply(index, crawler.crawl())
    changed, gone, new = (tmp_path / name for name in ("src/people.py", "src/people.go", "n/a.py"))
    changed.write_text("def changed(): ...\n")
    gone.unlink()
    new.parent.mkdir()
    new.write_text("def fresh(): ...\n")
    apply(index, crawler.crawl([str(changed), str(gone), str(new.parent)]))
    assert [s.name for s in index.symbols(str(changed))] == ["changed"]
    assert str(gone) not in index.paths()
    assert index.definitions_of("fresh")[0].path == str(new)


def test_a_folder_that_vanished_takes_its_files_along(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    crawler = Crawler(index.rules)
    apply(index, crawler.crawl())
    (tmp_path / "src/deep").rename(tmp_path / "elsewhere")
    apply(index, crawler.crawl([str(tmp_path / "src/deep"), str(tmp_path / "elsewhere")]))
    assert not any("src/deep" in path for path in index.paths())
    assert len(known(index, tmp_path)) == 2 * len(SAMPLES)


def test_a_changed_ignore_file_means_everything(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    crawler = Crawler(index.rules)
    apply(index, crawler.crawl())
    (tmp_path / "src/.gitignore").write_text("deep/\n")
    apply(index, crawler.crawl([str(tmp_path / "src/.gitignore")]))
    assert known(index, tmp_path) == sorted(
        ["src/ignored.py", *(f"src/{name}" for name in SAMPLES)]
    )


def test_a_second_crawl_notices_what_went_away(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    crawler = Crawler(index.rules)
    apply(index, crawler.crawl())
    (tmp_path / "src/people.c").unlink()
    gone = [change for batch in crawler.crawl() for change in batch.changes]
    assert FileGone(str(tmp_path / "src/people.c")) in gone


def test_several_roots_one_inside_the_other(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=0), (str(tmp_path), str(tmp_path / "src/deep")))
    found = [
        change.path
        for batch in Crawler(index.rules).crawl()
        for change in batch.changes
        if isinstance(change, FileFound)
    ]
    assert len(found) == len(set(found)) == 2 * len(SAMPLES)
    assert index.relative(str(tmp_path / "src/deep/people.py")) == "deep/people.py"


def test_linked_folders_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.py").write_text("x = 1\n")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    apply(index, Crawler(index.rules).crawl())
    assert known(index, tmp_path) == ["a/x.py"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs file modes")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "a.py").chmod(0)
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    skipped = [pair for batch in Crawler(index.rules).crawl() for pair in batch.skipped]
    assert skipped == [(str(tmp_path / "a.py"), "cannot be read: Permission denied")]


async def test_batches_come_to_an_event_loop(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=1), (str(tmp_path),))
    async for batch in Crawler(index.rules).batches():
        for change in batch.changes:
            index.apply(change)
    assert len(known(index, tmp_path)) == 2 * len(SAMPLES)


async def test_leaving_the_loop_cancels(tmp_path: Path) -> None:
    fill(tmp_path)
    index = Index(IndexConfig(workers=1), (str(tmp_path),))
    crawler = Crawler(index.rules)
    batches = crawler.batches()
    await anext(batches)
    await batches.aclose()
    again = [batch async for batch in Crawler(index.rules).batches()]
    assert again[-1].progress.complete
    later = await asyncio.to_thread(lambda: list(crawler.crawl()))
    assert later[-1].progress.complete


def test_without_worker_processes_the_crawl_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    for command in ([sys.executable, "-c", ""], ["/nowhere/python"]):
        monkeypatch.setattr("indexer.worker.command", lambda command=command: command)
        index = Index(IndexConfig(workers=2), (str(tmp_path),))
        apply(index, Crawler(index.rules).crawl())
        assert len(known(index, tmp_path)) == 2 * len(SAMPLES)


def test_a_full_index_reads_no_more_and_takes_in_what_room_is_made_for(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"m{number:02}.py").write_text(f"def f{number}(): return g{number}()\n")
    config = IndexConfig(workers=0, max_memory_bytes=100_000)
    index = Index(config, (str(tmp_path),))
    crawler = Crawler(index.rules)
    skipped = [pair for batch in crawler.crawl() for pair in took(index, batch)]
    kept = len(known(index, tmp_path))
    assert 10 < kept < 40 and len(skipped) == crawler.left_out == 60 - kept
    assert {reason for _, reason in skipped} == {"the index is full: it may take 0 MB of memory"}
    for path in list(index.paths()):
        Path(path).unlink()
    for batch in crawler.crawl():
        took(index, batch)
    for batch in crawler.crawl():
        took(index, batch)
    assert len(known(index, tmp_path)) == kept


def took(index: Index, batch: Batch) -> tuple[tuple[str, str], ...]:
    for change in batch.changes:
        index.apply(change)
    return batch.skipped


def test_what_cannot_fit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.crawl.ENOUGH_WAITING", 1)
    monkeypatch.setattr("indexer.crawl.WALK_FOLDERS", 1)
    for number in range(60):
        (tmp_path / f"p{number}").mkdir()
        (tmp_path / f"p{number}/m.py").write_text(f"def f{number}(): return g{number}()\n")
    config = IndexConfig(workers=0, max_memory_bytes=50_000)
    batches = list(Crawler(Index(config, (str(tmp_path),)).rules).crawl())
    kept = sum(len(batch.changes) for batch in batches)
    assert sum(len(batch.skipped) for batch in batches) == 60 - kept
    assert kept <= batches[-1].progress.done < 20


def test_what_waits_when_the_index_is_full_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one folder: they are listed long before the first of them does not fit."""
    monkeypatch.setattr("indexer.crawl.TASK_FILES", 2)
    for number in range(200):
        (tmp_path / f"m{number}.py").write_text(f"def f{number}(): return g{number}()\n")
    config = IndexConfig(workers=0, max_memory_bytes=50_000)
    crawler = Crawler(Index(config, (str(tmp_path),)).rules)
    batches = list(crawler.crawl())
    kept = {change.path for batch in batches for change in batch.changes}
    skipped = [path for batch in batches for path, _ in batch.skipped]
    assert len(kept) + len(skipped) == 200 and kept.isdisjoint(skipped)
    assert len(kept) <= batches[-1].progress.done < 40
    assert crawler.left_out == len(skipped)
    for path in kept:  # what it holds already is still followed
        Path(path).write_text("def again(): return once_more()\n")
    (tmp_path / "new.py").write_text("def new(): pass\n")
    changes = [change for batch in crawler.crawl() for change in batch.changes]
    assert {change.path for change in changes} >= kept


def test_of_many_changed_files_the_last_saved_is_read_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.crawl.INLINE_BYTES", 100)
    for number in range(40):
        (tmp_path / f"m{number:02}.py").write_text(f"def f{number}(): return g{number}()\n")
        os.utime(tmp_path / f"m{number:02}.py", (10**9, 10**9 + number))
    index = Index(IndexConfig(workers=0), (str(tmp_path),))
    crawler = Crawler(index.rules)
    apply(index, crawler.crawl())
    for number in range(40):
        (tmp_path / f"m{number:02}.py").write_text(f"def now{number}(): return g{number}()\n")
        os.utime(tmp_path / f"m{number:02}.py", (10**9, 2 * 10**9 - abs(number - 7)))
    (tmp_path / "m39.py").unlink()
    paths = [str(path) for path in (*tmp_path.glob("*.py"), tmp_path / "m39.py")]
    told = [change.path for batch in crawler.crawl(paths) for change in batch.changes]
    assert told[0].endswith("m07.py") and told.index(f"{tmp_path}/m08.py") <= 2
    assert sorted(told) == sorted(paths)  # each once
