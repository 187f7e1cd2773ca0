"""Where facts are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsp_server.cache import store_folder
from lsp_server.session import index_config
from lsp_server.settings import IndexSettings


@pytest.mark.parametrize(
    ("platform", "environment", "expect"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/sopilka/index"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "HOME/.cache/sopilka/index"),
        ("linux", {}, "HOME/.cache/sopilka/index"),
        ("darwin", {"XDG_CACHE_HOME": "/x"}, "HOME/Library/Caches/sopilka/index"),
        ("win32", {}, "HOME/AppData/Local/sopilka/index"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/sopilka/index"),
    ],
)
def test_the_cache_folder_of_each_system(
    platform: str,
    environment: dict[str, str],
    expect: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = store_folder(IndexSettings(), environment, platform)
    assert found == expect.replace("HOME", str(tmp_path))


def test_settings_name_another_folder_or_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    named = IndexSettings(cache_folder="~/mine", cache_mb=7)
    assert store_folder(named, {}, "linux") == str(tmp_path / "mine")
    assert store_folder(IndexSettings(cache_mb=0, cache_folder="/x"), {}, "linux") == ""
    config = index_config(named)
    assert (config.store_folder, config.max_store_bytes) == (str(tmp_path / "mine"), 7_000_000)
    assert index_config(IndexSettings(max_memory_mb=20)).max_memory_bytes == 20_000_000
