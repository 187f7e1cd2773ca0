"""A thousand secrets in a workspace, in files and in open buffers: none of them goes anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.canaries import Canary, canaries
from tests.support.client import ROOT, over_stdio, span

PLANTED = canaries(40)  # A thousand.
FILES = 20


def plant(root: Path) -> dict[str, list[Canary]]:
    """A workspace: code with secrets in it, files that are made of them, and who uses both."""
    planted: dict[str, list[Canary]] = {}
    for number in range(FILES):
        mine = PLANTED[number::FILES]
        body = "".join(
            f"def use_{number}_{at}(client):\n    {canary.line}\n    return client.send({at})\n\n\n"
            for at, canary in enumerate(mine)
        )
        (root / f"part_{number}.py").write_text(body)
        planted[f"part_{number}.py"] = mine
    for name in (".env", "id_rsa", "credentials.json"):
        (root / name).write_text("".join(f"{canary.line}\n" for canary in PLANTED[::7]))
    return planted


def found_in(text: str) -> list[str]:
    return sorted({canary.kind for canary in PLANTED if canary.secret in text})


async def test_no_secret_reaches_a_prompt_a_suggestion_a_log_or_the_cache(tmp_path: Path) -> None:
    work, cache, log = tmp_path / "work", tmp_path / "cache", tmp_path / "log"
    work.mkdir()
    plant(work)
    settings = {
        "index": {"cacheFolder": str(cache)},
        "completion": {"minConfidence": 0},
        "engine": {"shared": False},
    }
    said: list[str] = []
    async with over_stdio("--log-level", "debug", log=log) as client:
        await client.initialize(work, initializationOptions=settings)
        await client.until_ready()
        for number in range(0, FILES, 4):
            uri = (work / f"part_{number}.py").as_uri()
            text = (work / f"part_{number}.py").read_text()
            client.open(uri, text)
            lines = text.split("\n")
            # Unsaved text holds one as well, and so does a line that is pasted and taken back.
            client.type(uri, 0, 0, f"{PLANTED[number].line}\n")
            client.change(uri, {"range": span(0, 0, end_line=1, end=0), "text": ""})
            for line in range(2, len(lines), 29):
                at = len(lines[line])
                for item in await client.inline(uri, line, at, automatic=False):
                    asked = {"id": item["command"]["arguments"][0]}
                    receipt = await client.request("sopilka/explainCompletion", asked)
                    assert any(piece.get("text") for piece in receipt["prompt"])
                    said.append(json.dumps([item, receipt]))
        for name in (".env", "id_rsa", "credentials.json"):
            client.open((work / name).as_uri(), (work / name).read_text())
            assert await client.inline((work / name).as_uri(), 3, 5, automatic=False) == []
        said.append(json.dumps(await client.request("workspace/symbol", {"query": "use"})))
        said.append(json.dumps(await client.request("sopilka/status")))
        said.append(json.dumps(client.notifications))
        await client.shut_down()
        await client.process.wait()
    assert sum(map(len, said)) > 20_000, "there was something to look at"
    assert found_in("".join(said)) == []
    assert found_in(log.read_text(encoding="utf-8", errors="replace")) == []
    kept = [file for file in cache.rglob("*") if file.is_file()]
    assert kept, "the cache was used"
    assert found_in("".join(file.read_bytes().decode("latin-1") for file in kept)) == []


def _has_namespaces() -> bool:
    unshare = shutil.which("unshare")
    return unshare is not None and (
        subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not _has_namespaces(), reason="needs user namespaces")
def test_everything_works_where_there_is_no_network(tmp_path: Path) -> None:
    """In a network namespace of its own, whose loopback is down, not even a socket could be had."""
    (tmp_path / "shop.py").write_text("def price_of(name):\n    return len(name)\n")
    (tmp_path / "main.py").write_text("from shop import price_of\n\nprint(price_o\n")
    command = (sys.executable, "-m", "lsp_server", "complete", f"{tmp_path}/main.py:3:14")
    run = subprocess.run(
        ["unshare", "-rn", *command, "--root", str(tmp_path), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["usage"]["generated"] > 0 and found["context"][0]["path"] == "shop.py"
