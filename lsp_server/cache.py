"""Where this program keeps what it can make again: facts of files, from one start to the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lsp_server.settings import IndexSettings


def store_folder(settings: IndexSettings, environment: Mapping[str, str], platform: str) -> str:
    """The folder of the index's store; "" where the settings or the system give none."""
    if not settings.cache_mb:
        return ""
    if settings.cache_folder:
        return str(Path(settings.cache_folder).expanduser().absolute())
    folder = cache_folder(environment, platform)
    return "" if folder is None else str(folder / "index")


def cache_folder(environment: Mapping[str, str], platform: str) -> Path | None:
    """This program's folder in the user's cache folder; None for a user without a home."""
    if platform == "win32":
        named = environment.get("LOCALAPPDATA", "")
    elif platform == "darwin":
        named = ""
    else:
        named = environment.get("XDG_CACHE_HOME", "")
    # By the XDG Base Directory Specification a path that is not absolute does not count.
    if named and Path(named).is_absolute():
        return Path(named) / "sopilka"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    inside = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(platform, ".cache")
    return home / inside / "sopilka"
