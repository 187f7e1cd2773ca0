"""Where this program keeps what it can make again, from one start to the next.

Facts of files, and four numbers that say how sure a suggestion has to be for this user.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lsp_server.features.keeping import Keeping
from lsp_server.settings import IndexSettings, Settings
from lsp_server.user_files import own_folder

_MAX_BYTES = 1000


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
    inside = {"win32": "AppData/Local", "darwin": "Library/Caches"}
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(platform, "XDG_CACHE_HOME")
    return own_folder(environment, variable, inside.get(platform, ".cache"))


def read_keeping(settings: Settings) -> Keeping:
    """What was learned of this user; nothing where there is no file, or no sane one."""
    file = _keeping_file(settings)
    with suppress(OSError):
        if file is not None and file.stat().st_size <= _MAX_BYTES:
            return Keeping.from_json(file.read_bytes())
    return Keeping()


def write_keeping(settings: Settings, keeping: Keeping) -> None:
    """For the next start, whole or not at all. Of several editors the last that ends counts."""
    file = _keeping_file(settings)
    if file is None or not keeping.seen:
        return
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, made = tempfile.mkstemp(dir=file.parent, prefix=".keeping")
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(keeping.to_json())
        Path(made).replace(file)


def _keeping_file(settings: Settings) -> Path | None:
    folder = cache_folder(os.environ, sys.platform) if settings.completion.learn else None
    return None if folder is None else folder / "keeping.json"
