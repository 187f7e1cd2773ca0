"""What all tests share: folders of their own instead of the user's."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.endpoint import addresses, ask


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Also for the processes that tests start."""
    patch = pytest.MonkeyPatch()
    for kind in ("CACHE", "CONFIG", "DATA"):
        patch.setenv(f"XDG_{kind}_HOME", str(tmp_path_factory.mktemp(kind.lower())))
    patch.delenv("SOPILKA_MODELS", raising=False)
    run = tmp_path_factory.mktemp("run")
    patch.setenv("SOPILKA_RUNTIME_DIR", str(run))
    yield
    for address in addresses(run).values():
        asyncio.run(ask(address, "stop"))
    patch.undo()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name: pytest's own may be too long for one."""
    with tempfile.TemporaryDirectory(prefix="s-") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def nothing_is_learned_yet(own_cache_folder: None) -> None:
    """What one test keeps of suggestions must not decide what another one is shown."""
    Path(os.environ["XDG_CACHE_HOME"], "sopilka", "keeping.json").unlink(missing_ok=True)
