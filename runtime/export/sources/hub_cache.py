"""Finds a model in the local cache of `huggingface_hub`, without that package and without network.

Layout: huggingface_hub's guide "Understand caching".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from runtime.export.errors import ExportError

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_repository(text: str) -> bool:
    """Whether a text can be the id of a repository, such as Qwen/Qwen3-Coder-30B-A3B-Instruct."""
    return _REPOSITORY.fullmatch(text) is not None and ".." not in text and "--" not in text


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where the cache is, by the variables that huggingface_hub heeds."""
    named = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    home = environment.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"


def find(repository: str, environment: Mapping[str, str]) -> Path:
    """Return the folder of a repository's snapshot. Raises ExportError where there is none."""
    cache = cache_folder(environment)
    folder = cache / f"models--{repository.replace('/', '--')}"
    if not folder.is_dir():
        raise ExportError(
            f"{repository} is neither a file or folder here nor a model in the cache {cache}: "
            f"give the path of the model, or fetch it with lsp-server model pull {repository}"
        )
    commits = [path for path in _folders(folder / "snapshots") if _COMMIT.fullmatch(path.name)]
    main = folder / "refs" / "main"
    if main.is_file():
        with main.open("rb") as file:
            commit = file.read(64).decode("ascii", "replace").strip()
        commits = [path for path in commits if path.name == commit] or commits
    if len(commits) != 1:
        raise ExportError(
            f"{folder} holds {len(commits)} snapshots of {repository} and none of them is main: "
            "give the folder of one of them"
        )
    return commits[0]


def _folders(path: Path) -> list[Path]:
    return sorted(item for item in path.iterdir() if item.is_dir()) if path.is_dir() else []
