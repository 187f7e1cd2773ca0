from __future__ import annotations

import queue
from pathlib import Path

from indexer import IndexConfig, Rules, Watcher


def test_changes_come_in_groups_and_ignored_ones_do_not(tmp_path: Path) -> None:
    for folder in ("src", "node_modules/dep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("src/skipped/\n")
    (tmp_path / "src/old.py").write_text("x = 1\n")
    (tmp_path / "src/skipped").mkdir()
    groups: queue.Queue[tuple[str, ...] | None] = queue.Queue()
    watcher = Watcher(Rules((str(tmp_path),), IndexConfig()), groups.put)
    assert watcher.start() == ""
    try:
        (tmp_path / "node_modules/dep/a.js").write_text("1")
        (tmp_path / "src/skipped/b.py").write_text("1")
        (tmp_path / "src/notes.txt").write_text("1")
        (tmp_path / "src/old.py").unlink()
        (tmp_path / "src/new.py").write_text("y = 1\n")
        (tmp_path / "top.py").write_text("z = 1\n")
        seen: set[str] = set()
        while len(seen) < 3:
            group = groups.get(timeout=20)
            assert group is not None
            seen.update(group)
        assert seen == {str(tmp_path / name) for name in ("src/old.py", "src/new.py", "top.py")}
    finally:
        watcher.stop()


def test_a_flood_of_changes_asks_for_everything(tmp_path: Path) -> None:
    groups: queue.Queue[tuple[str, ...] | None] = queue.Queue()
    watcher = Watcher(Rules((str(tmp_path),), IndexConfig()), groups.put)
    assert watcher.start() == ""
    try:
        for number in range(3_000):
            (tmp_path / f"f{number}.py").touch()
        while groups.get(timeout=20) is not None:
            continue
    finally:
        watcher.stop()


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    watcher = Watcher(Rules((str(tmp_path / "none"),), IndexConfig()), print)
    assert watcher.start().startswith("files cannot be watched: ")
    watcher.stop()
