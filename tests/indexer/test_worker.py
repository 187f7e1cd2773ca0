"""Worker processes that crash, hang, eat memory or are killed lose no file but the guilty one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from indexer import Crawler, Index, IndexConfig, Rules
from indexer.source import FactsSource
from indexer.worker import Extract, Walk, Worker, WorkerDiedError, command, perform
from tests.indexer.samples import SAMPLES
from tests.indexer.test_crawl import fill, known

PACKAGES = str(Path(__file__).resolve().parent.parent.parent)
POISONED = f"""
import ctypes, os, signal, sys, time
sys.path.insert(0, {PACKAGES!r})
import indexer.source, indexer.worker
plain_extract, plain_list = indexer.source.extract, indexer.source.list_folder

def poison():
    {{deed}}

def extract(path, *more):
    if "poison" in path:
        poison()
    return plain_extract(path, *more)

def list_folder(rules, folder):
    if "poisoned" in folder:
        poison()
    return plain_list(rules, folder)

indexer.source.extract, indexer.source.list_folder = extract, list_folder
indexer.worker.main()
"""
TOO_LONG = "it kept a worker process busy for too long: more than 0.5 s"
SPIN = "[None for _ in iter(int, 1)]"
HANG = "ctypes.PyDLL(None).sleep(1000)"  # holds the interpreter's lock, as a parser may
DEEDS = {
    "os.kill(os.getpid(), signal.SIGKILL)": "the parser crashed on it",
    "os.abort()": "the parser crashed on it",
    "ctypes.string_at(0)": "the parser crashed on it",
    SPIN: TOO_LONG,
    HANG: TOO_LONG,
    "os.kill(os.getpid(), signal.SIGSTOP)": TOO_LONG,
    "bytearray(1 << 40)": "its facts need more memory than a worker may take",
    "[bytes(1 << 20) for _ in range(1 << 20)]": "its facts need more memory than a worker may take",
    "print(1 / 0)": "its facts could not be taken: ZeroDivisionError",
}
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


def poisoned(monkeypatch: pytest.MonkeyPatch, deed: str) -> None:
    """Workers that do something bad when they come to a file or a folder called poison."""
    code = POISONED.format(deed=deed)
    monkeypatch.setattr("indexer.worker.command", lambda: [sys.executable, "-P", "-c", code])
    monkeypatch.setattr("indexer.worker.GRACE_SECONDS", 1.0)


def plant(root: Path) -> None:
    """Six innocent files and a folder."""
    for number in range(5):
        (root / f"good{number}.py").write_text("x = 1\n")
    (root / "sub").mkdir()
    (root / "sub/good.py").write_text("x = 1\n")


def crawled(root: Path, workers: int = 2) -> tuple[Index, dict[str, str]]:
    config = IndexConfig(workers=workers, max_file_seconds=0.5, max_worker_bytes=300_000_000)
    index = Index(config, (str(root),))
    skipped: dict[str, str] = {}
    for batch in Crawler(index.rules).crawl():
        skipped.update(batch.skipped)
        for change in batch.changes:
            index.apply(change)
    return index, skipped


def test_a_worker_answers_as_the_caller_itself_would(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / os.fsdecode(b"src/new\nline \xff.py")).write_text("x = 1\n")
    worker = Worker((str(tmp_path),), IndexConfig())
    rules, source = Rules((str(tmp_path),), IndexConfig()), FactsSource(IndexConfig())
    try:
        for folder in (tmp_path, tmp_path / "src", tmp_path / "nowhere"):
            task = Walk((str(folder),))
            assert list(worker.perform(task)) == list(perform(task, rules, source, None))
        paths = tuple(str(path) for path in (tmp_path / "src").iterdir() if path.is_file())
        task = Extract((*paths, str(tmp_path / "gone.py")))
        here = list(perform(task, rules, source, None))
        assert list(worker.perform(task)) == here
        assert sum(file.facts is not None for reply in here for file in reply) == len(SAMPLES) + 1
    finally:
        worker.close()


@needs_posix
def test_a_judged_file_is_not_read_where_a_link_has_taken_the_place_of_its_folder(
    tmp_path: Path,
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "a", root / "b", outside / "a"):
        folder.mkdir(parents=True)
        (folder / "x.py").write_text("x = 1\n")
    rules, source = Rules((str(root),), IndexConfig()), FactsSource(IndexConfig())
    task = Extract((f"{root}/a/x.py", f"{root}/b/x.py"), is_judged=True)
    worker = Worker((str(root),), IndexConfig())
    try:
        for change, reasons in (
            (lambda: None, ["", ""]),
            (lambda: swap(root / "a", outside / "a"), [ESCAPES, ""]),
            (lambda: swap(root / "b", root / "elsewhere"), [ESCAPES, INSIDE]),
        ):
            change()
            rules.look_again()
            here = [file for reply in perform(task, rules, source, None) for file in reply]
            assert [file.reason for file in here] == reasons
            assert [file.facts is not None for file in here] == [not reason for reason in reasons]
            assert [file for reply in worker.perform(task) for file in reply] == here
    finally:
        worker.close()


ESCAPES = "a link that leaves the workspace folders"
INSIDE = "a link to a file that counts under its own path"


def swap(folder: Path, target: Path) -> None:
    """Moves a folder away unless its target is elsewhere, and puts a link to that in its place."""
    if target.exists():
        shutil.rmtree(folder)
    else:
        folder.rename(target)
    folder.symlink_to(target)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_dead_worker_is_told_and_replaced(tmp_path: Path) -> None:
    fill(tmp_path)
    worker = Worker((str(tmp_path),), IndexConfig())
    list(worker.perform(Walk((str(tmp_path),))))
    os.kill(worker._process.pid, signal.SIGKILL)
    worker._process.wait()
    with pytest.raises(WorkerDiedError):
        list(worker.perform(Extract((str(tmp_path / "src/people.py"),))))
    worker.close()


@needs_posix
@pytest.mark.parametrize("deed", DEEDS)
def test_a_file_that_ends_its_worker_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    plant(tmp_path)
    poison = tmp_path / "poison.py"
    poison.write_text("x = 1\n")
    poisoned(monkeypatch, deed)
    index, skipped = crawled(tmp_path)
    assert skipped == {str(poison): DEEDS[deed]}
    assert len(known(index, tmp_path)) == 6


@needs_posix
def test_several_bad_files_in_one_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tmp_path / f"{'poison' if number % 7 == 3 else 'good'}{number}.py").write_text("x = 1\n")
    poisoned(monkeypatch, "os._exit(3)")
    index, skipped = crawled(tmp_path, workers=1)
    assert sorted(Path(path).name for path in skipped) == [
        "poison10.py",
        "poison17.py",
        "poison3.py",
    ]
    assert len(known(index, tmp_path)) == 17


@needs_posix
@pytest.mark.parametrize("deed", [HANG, "os.abort()"])
def test_a_folder_that_cannot_be_listed_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    plant(tmp_path)
    (tmp_path / "poisoned").mkdir()
    (tmp_path / "poisoned/a.py").write_text("x = 1\n")
    poisoned(monkeypatch, deed)
    index, skipped = crawled(tmp_path)
    assert skipped == {str(tmp_path / "poisoned"): DEEDS[deed]}
    assert len(known(index, tmp_path)) == 6


@needs_posix
def test_what_ended_a_worker_is_read_again_only_when_it_changed_and_only_by_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = tmp_path / "poison.py"
    poison.write_text("x = 1\n")
    rules = Rules((str(tmp_path),), IndexConfig(workers=1))
    crawler = Crawler(rules)
    with monkeypatch.context() as patched:
        poisoned(patched, "os.abort()")
        assert dict(pair for batch in crawler.crawl() for pair in batch.skipped)
        assert not [pair for batch in crawler.crawl() for pair in batch.skipped]
        poison.write_text("y = 2\n")
        for paths in ([str(poison)], None):
            poison.write_text(poison.read_text() + "\n")
            (pair,) = [pair for batch in crawler.crawl(paths) for pair in batch.skipped]
            assert pair == (str(poison), "the parser crashed on it")
    poison.write_text("z = 3\n")
    assert [change.path for batch in crawler.crawl([str(poison)]) for change in batch.changes]


@needs_posix
def test_a_worker_that_grew_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "poison.py").write_text("x = 1\n")
    poisoned(monkeypatch, "sys.leak = bytes(range(256)) * 600_000")
    worker = Worker((str(tmp_path),), IndexConfig(max_worker_bytes=300_000_000))
    try:
        for name, is_spent in (("good.py", False), ("poison.py", True)):
            list(worker.perform(Extract((str(tmp_path / name),))))
            assert worker.is_spent is is_spent
    finally:
        worker.close()


def test_torn_frames_end_a_worker_not_the_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "poison.py").write_text("x = 1\n")
    (tmp_path / "good.py").write_text("x = 1\n")
    for noise in ("b'\\xff' * 100", "b'\\x02\\0\\0\\0\\xc1\\xc1'", "b'\\x01\\0\\0\\0\\x90'"):
        poisoned(monkeypatch, f"os.write(4, {noise}); time.sleep(0.2)")
        index, skipped = crawled(tmp_path, workers=1)
        assert skipped == {str(tmp_path / "poison.py"): "the parser crashed on it"}
        assert known(index, tmp_path) == ["good.py"]


@needs_posix
def test_workers_that_somebody_kills_lose_no_file(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"more{number}.py").write_text("def f(): ...\n" * 50)
    config = IndexConfig(workers=2)
    index = Index(config, (str(tmp_path),))
    crawler = Crawler(index.rules)
    kills = 0
    for batch in crawler.crawl():
        for change in batch.changes:
            index.apply(change)
        if batch.changes and not kills:
            kills = killed_children()
    assert kills
    assert len(known(index, tmp_path)) == 200


def killed_children() -> int:
    """Kills the worker processes of this one; returns how many there were."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    children: list[int] = []
    for task in Path("/proc/self/task").iterdir() if listed.exists() else ():
        children += [int(number) for number in (task / "children").read_text().split()]
    for number in children:
        os.kill(number, signal.SIGKILL)
    return len(children)


def test_a_worker_loads_no_more_than_it_needs() -> None:
    """What asks questions of the index, and numpy, take longer to load than many files to read."""
    then = (
        "import indexer.worker; from indexer.language import languages;"
        "[language.imports_are_split for language in languages().values()];"
        "print(*sys.modules)"
    )
    done = subprocess.run(command(then), check=True, capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "indexer.worker" in loaded
    assert not {"numpy", "indexer.index", "indexer.crawl"}.intersection(loaded)
