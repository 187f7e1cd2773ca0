"""The user's own settings file and folder of models, by the rules of each system."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsp_server.settings import EngineSettings, Problem, Settings, from_client

MODELS_VARIABLE = "SOPILKA_MODELS"
_MAX_SETTINGS_BYTES = 1 << 20


def settings_file(environment: Mapping[str, str], platform: str) -> Path | None:
    """The file whose settings hold for every editor and command; None for a user without a home."""
    inside = {"win32": "AppData/Roaming", "darwin": "Library/Application Support"}
    variable = {"win32": "APPDATA", "darwin": ""}.get(platform, "XDG_CONFIG_HOME")
    folder = own_folder(environment, variable, inside.get(platform, ".config"))
    return None if folder is None else folder / "settings.json"


def models_folder(
    settings: EngineSettings, environment: Mapping[str, str], platform: str
) -> Path | None:
    """Where imported models lie; None for a user without a home who names no folder.

    The variable SOPILKA_MODELS goes before the setting.
    """
    named = environment.get(MODELS_VARIABLE) or settings.models_folder
    if named:
        return Path(named).expanduser().absolute()
    inside = {"win32": "AppData/Local", "darwin": "Library/Application Support"}
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(platform, "XDG_DATA_HOME")
    folder = own_folder(environment, variable, inside.get(platform, ".local/share"))
    return None if folder is None else folder / "models"


def own_folder(environment: Mapping[str, str], variable: str, inside: str) -> Path | None:
    """This program's folder where a variable says, else inside the home; None without a home."""
    named = environment.get(variable, "") if variable else ""
    # By the XDG Base Directory Specification a path that is not absolute does not count.
    if named and Path(named).is_absolute():
        return Path(named) / "sopilka"
    try:
        return Path.home() / inside / "sopilka"
    except RuntimeError:
        return None


def user_settings() -> tuple[Settings, tuple[Problem, ...]]:
    """What the user's file says, the rest being defaults; and what is wrong with it."""
    file = settings_file(os.environ, sys.platform)
    if file is None or not file.exists():
        return Settings(), ()
    try:
        return from_client(read_settings_file(file), Settings())
    except ValueError as error:
        return Settings(), (Problem(str(file), f"is not used: {error}"),)


def read_settings_file(file: Path) -> dict[str, Any]:
    """The JSON object of a settings file. Raises ValueError that says what is wrong."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_SETTINGS_BYTES + 1)
        if len(content) > _MAX_SETTINGS_BYTES:
            raise ValueError("it is too large")
        value = json.loads(content)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it must hold a JSON object")
    return value


def change_settings(file: Path, group: str, changes: Mapping[str, Any]) -> None:
    """Set or, with None, remove keys of a group, and keep all else in the file.

    Raises ValueError where what is there is no settings file, OSError where it cannot be written.
    """
    content = read_settings_file(file)
    # Whether the file is written flat, with dots, or nested, what we change stands in one place.
    values = content.setdefault(group, {})
    if not isinstance(values, dict):
        raise ValueError(f"{group!r} in it must be an object")
    for key, value in changes.items():
        content.pop(f"{group}.{key}", None)
        values.pop(key, None)
        if value is not None:
            values[key] = value
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=file.parent, prefix=".settings.", delete=False, encoding="utf-8"
    ) as stream:
        json.dump(content, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
    Path(stream.name).replace(file)
