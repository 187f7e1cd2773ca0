"""Files and folders that come and go while the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lsp_server.test_server import Scripted, until
from tests.support.client import PLAIN, ErrorReply

TELLS = {**PLAIN, "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}


@pytest.fixture
async def scripted(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    server = Scripted(monkeypatch)
    yield server
    await server.process.server.aclose()


def plant(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def in_{path.stem}(): ...\n")


def known(session: Any, root: Path) -> set[str]:
    return {Path(path).relative_to(root).as_posix() for path in session.index.paths()}


async def started(scripted: Scripted, root: Path, **options: Any) -> tuple[Any, Any]:
    client = await scripted.start(root=root, **options)
    return client, scripted.process.server.connection.session


async def settled(condition: Callable[[], bool]) -> None:
    await until(condition)
    await asyncio.sleep(0.1)
    assert condition()


async def test_hundreds_of_changed_files_in_one_message(scripted: Scripted, tmp_path: Path) -> None:
    client, session = await started(scripted, tmp_path, capabilities=TELLS)
    names = [f"pkg{number % 7}/m{number}.py" for number in range(600)]
    plant(tmp_path, *names, "node_modules/dep/index.js")
    changes: list[Any] = [{"uri": (tmp_path / name).as_uri(), "type": 1} for name in names]
    changes += [None, 5, {}, {"uri": 5}, {"uri": "file://["}, {"uri": "untitled:a"}]
    changes += [{"uri": (tmp_path / "node_modules/dep/index.js").as_uri(), "type": 1}]
    client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    await settled(lambda: known(session, tmp_path) == set(names))
    for wrong in ({"changes": 7}, {}, None):
        client.notify("workspace/didChangeWatchedFiles", wrong)
    (tmp_path / "pkg1").rename(tmp_path / "moved")
    folders = [{"uri": (tmp_path / name).as_uri(), "type": 2} for name in ("pkg1", "moved")]
    client.notify("workspace/didChangeWatchedFiles", {"changes": folders})
    wanted = {name.replace("pkg1/", "moved/") for name in names}
    await settled(lambda: known(session, tmp_path) == wanted)


async def test_files_are_watched_here_when_the_client_refuses_to(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a.py")
    process_started = Scripted.start

    async def start(self: Scripted, **options: Any) -> Any:
        from tests.support import client as support

        plain = support.InProcess.__init__

        def init(process: Any) -> None:
            plain(process)
            refusal = ErrorReply({"code": -32601, "message": "unknown"})
            process.client.answers["client/registerCapability"] = refusal

        monkeypatch.setattr(support.InProcess, "__init__", init)
        return await process_started(self, **options)

    monkeypatch.setattr(Scripted, "start", start)
    _, session = await started(scripted, tmp_path, capabilities=TELLS)
    await until(lambda: session.watches_files)
    await asyncio.sleep(0.5)  # the watches are set beside the loop
    plant(tmp_path, "b.py")
    await until(lambda: known(session, tmp_path) == {"a.py", "b.py"})


async def test_without_a_client_that_tells_of_files_they_are_watched(
    scripted: Scripted, tmp_path: Path
) -> None:
    plant(tmp_path, "a.py", "sub/b.py")
    _, session = await started(scripted, tmp_path)
    assert session.watches_files
    await until(lambda: known(session, tmp_path) == {"a.py", "sub/b.py"})
    plant(tmp_path, "sub/deep/c.py")
    (tmp_path / "a.py").unlink()
    await until(lambda: known(session, tmp_path) == {"sub/b.py", "sub/deep/c.py"})


async def test_folders_that_stay_are_not_read_again(scripted: Scripted, tmp_path: Path) -> None:
    plant(tmp_path, "one/a.py", "two/b.py", "two/inner/c.py")
    await asyncio.sleep(0.1)  # younger files might change without another time
    client, session = await started(scripted, tmp_path / "one")
    kept = session.index.facts(str(tmp_path / "one/a.py"))
    client.open((tmp_path / "one/a.py").as_uri(), "def in_editor(): ...\n")
    uris = {name: {"uri": (tmp_path / name).as_uri(), "name": name} for name in ("one", "two")}
    inner = {"uri": (tmp_path / "two/inner").as_uri(), "name": "inner"}

    async def change(added: list[Any], removed: list[Any]) -> None:
        event = {"added": added, "removed": removed}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        await client.request("sopilka/status", {})

    await change([uris["two"], inner], [])
    await settled(lambda: known(session, tmp_path) == {"one/a.py", "two/b.py", "two/inner/c.py"})
    assert session.index.definitions_of("in_editor")
    await change([], [uris["two"]])
    await settled(lambda: known(session, tmp_path) == {"one/a.py", "two/inner/c.py"})
    client.close((tmp_path / "one/a.py").as_uri())
    await client.request("sopilka/status", {})
    # Read again only if a crawl was cut short before its facts had been taken.
    assert session.index.facts(str(tmp_path / "one/a.py")) == kept
    await change([], [uris["one"], inner])
    await settled(lambda: known(session, tmp_path) == set())


async def test_other_rules_change_what_is_known(scripted: Scripted, tmp_path: Path) -> None:
    plant(tmp_path, "a.py", "docs/b.py")
    client, session = await started(scripted, tmp_path)
    await until(lambda: known(session, tmp_path) == {"a.py", "docs/b.py"})
    for settings, wanted in (
        ({"exclude": ["docs/"]}, {"a.py"}),
        ({"exclude": [], "enable": False}, set()),
        ({"enable": True}, {"a.py", "docs/b.py"}),
    ):
        changed = {"settings": {"sopilka": {"index": settings}}}
        client.notify("workspace/didChangeConfiguration", changed)
        await settled(lambda wanted=wanted: known(session, tmp_path) == wanted)  # type: ignore[misc]
