"""Changes on disk are noticed, whatever happens to files and folders."""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from indexer import IndexConfig, Rules, Watcher
from indexer.inotify import OVERFLOW, Event, FolderWatches, Inotify
from indexer.watch import Note, Source, TreeWatches

Groups = queue.Queue[tuple[str, ...] | None]
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs inotify")
SOURCES = [
    pytest.param(None, id="best"),
    pytest.param(TreeWatches, id="trees"),
]


@contextmanager
def watching(root: Path, **options: Any) -> Iterator[tuple[Watcher, Groups]]:
    groups: Groups = queue.Queue()
    watcher = Watcher(Rules((str(root),), IndexConfig()), groups.put, **options)
    assert watcher.start() == ""
    try:
        yield watcher, groups
    finally:
        watcher.stop()


def seen_until(groups: Groups, wanted: set[Path]) -> set[str] | None:
    """All paths told until those that are wanted were; None if everything was."""
    seen: set[str] = set()
    while not {str(path) for path in wanted} <= seen:
        group = groups.get(timeout=20)
        if group is None:
            return None
        seen.update(group)
    return seen


@pytest.mark.parametrize("source", SOURCES)
def test_changes_come_in_groups_and_ignored_ones_do_not(
    tmp_path: Path, source: Callable[[Rules, Note], Source] | None
) -> None:
    for folder in ("src", "node_modules/dep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("src/skipped/\n")
    (tmp_path / "src/old.py").write_text("x = 1\n")
    (tmp_path / "src/skipped").mkdir()
    with watching(tmp_path, source=source) as (_, groups):
        (tmp_path / "node_modules/dep/a.js").write_text("1")
        (tmp_path / "src/skipped/b.py").write_text("1")
        (tmp_path / "src/notes.unknown").write_text("1")
        (tmp_path / "src/old.py").unlink()
        (tmp_path / "src/new.py").write_text("y = 1\n")
        (tmp_path / "top.py").write_text("z = 1\n")
        wanted = {tmp_path / name for name in ("src/old.py", "src/new.py", "top.py")}
        assert seen_until(groups, wanted) == {str(path) for path in wanted}


@pytest.mark.parametrize("source", SOURCES)
def test_folders_that_come_go_and_move(
    tmp_path: Path, source: Callable[[Rules, Note], Source] | None
) -> None:
    with watching(tmp_path, source=source) as (_, groups):
        (tmp_path / "a/b").mkdir(parents=True)
        seen_until(groups, {tmp_path / "a"})
        time.sleep(0.3)
        (tmp_path / "a/b/one.py").write_text("x = 1\n")
        seen_until(groups, {tmp_path / "a/b/one.py"})
        (tmp_path / "a").rename(tmp_path / "c")
        seen_until(groups, {tmp_path / "a", tmp_path / "c"})
        time.sleep(0.3)
        (tmp_path / "c/b/two.py").write_text("x = 2\n")
        seen_until(groups, {tmp_path / "c/b/two.py"})
        (tmp_path / "c/b/two.py").unlink()
        (tmp_path / "c/b/one.py").unlink()
        (tmp_path / "c/b").rmdir()
        seen_until(groups, {tmp_path / "c/b", tmp_path / "c/b/one.py"})


@only_linux
def test_ignored_folders_cost_no_watch_and_come_back_when_allowed(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("skipped/\n")
    for number in range(30):
        (tmp_path / f"skipped/{number}").mkdir(parents=True)
        (tmp_path / f"node_modules/{number}").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    with watching(tmp_path) as (watcher, groups):
        source = watcher._source
        assert isinstance(source, FolderWatches)
        assert set(source._watches) == {str(tmp_path), str(tmp_path / "src")}
        (tmp_path / ".gitignore").write_text("src/\n")
        seen_until(groups, {tmp_path / ".gitignore"})
        (tmp_path / "skipped/7/a.py").write_text("x = 1\n")
        seen_until(groups, {tmp_path / "skipped/7/a.py"})
        assert str(tmp_path / "src") not in source._watches


@only_linux
def test_a_virtual_environment_that_is_being_made_gives_its_watches_back(tmp_path: Path) -> None:
    with watching(tmp_path) as (watcher, groups):
        (tmp_path / "env/lib").mkdir(parents=True)
        seen_until(groups, {tmp_path / "env"})
        (tmp_path / "env/pyvenv.cfg").write_text("home = /usr/bin\n")
        (tmp_path / "last.py").write_text("x = 1\n")
        seen_until(groups, {tmp_path / "last.py"})
        source = watcher._source
        assert isinstance(source, FolderWatches)
        assert set(source._watches) == {str(tmp_path)}


def test_a_checkout_of_many_files_loses_none(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    names = [f"pkg{number % 40}/module{number}.py" for number in range(2_800)]
    for text, branch in (("x = 1\n", "one"), ("y = 22\n", "two")):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        for command in (["checkout", "-q", "-B", branch], ["add", "."], ["commit", "-qm", branch]):
            subprocess.run([*git, *command], check=True)
    with watching(tmp_path) as (_, groups):
        subprocess.run([*git, "checkout", "-q", "one"], check=True)
        seen = seen_until(groups, {tmp_path / name for name in names})
        assert seen is None or len(seen) >= len(names)


def test_a_flood_of_changes_asks_for_everything(tmp_path: Path) -> None:
    with watching(tmp_path, burst=5) as (_, groups):
        deadline = time.monotonic() + 20
        names = count()
        group: tuple[str, ...] | None = ()
        while group is not None and time.monotonic() < deadline:
            for number in islice(names, 200):
                (tmp_path / f"f{number}.py").touch()
            while not groups.empty() and group is not None:
                group = groups.get()
        assert group is None


@only_linux
def test_lost_events_ask_for_everything(tmp_path: Path) -> None:
    told: list[tuple[str | None, bool]] = []
    watches = FolderWatches(
        Rules((str(tmp_path),), IndexConfig()), lambda path, folder: told.append((path, folder))
    )
    watches.start()
    try:
        (tmp_path / "src").mkdir()
        watches._take(Event(-1, OVERFLOW, ""))
        assert (None, True) in told
        assert str(tmp_path / "src") in watches._watches
    finally:
        watches.stop()


@only_linux
def test_what_has_no_watch_is_polled(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"f{number}").mkdir()

    def scarce(rules: Rules, note: Note) -> Source:
        return FolderWatches(rules, note, most=4)

    with watching(tmp_path, source=scarce, poll_seconds=0.05) as (watcher, groups):
        assert watcher.unwatched == 7
        assert groups.get(timeout=20) is None


@only_linux
@pytest.mark.parametrize("call", ["__init__", "add"])
def test_when_the_system_has_no_watch_left_everything_is_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inotify, call, refuse)
    with watching(tmp_path, poll_seconds=0.05) as (watcher, groups):
        assert watcher.unwatched == 1
        assert groups.get(timeout=20) is None
        assert groups.get(timeout=20) is None


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    watcher = Watcher(Rules((str(tmp_path / "none"),), IndexConfig()), print)
    assert watcher.start().startswith("files cannot be watched: ")
    watcher.stop()
