"""Opens whatever the user named: a folder, a GGUF file, or a repository in the local cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runtime.export.errors import ExportError
from runtime.export.sources.checkpoint import CONFIG, INDEX, SINGLE, Checkpoint
from runtime.export.sources.gguf import PART_NAME, GgufModel
from runtime.export.sources.gguf_file import MAGIC
from runtime.export.sources.hub_cache import find, is_repository
from runtime.export.sources.source import Source


def open_source(named: str, environment: Mapping[str, str]) -> Source:
    """Open a model by its path or by the id of its repository. Raises ExportError."""
    path = Path(named).expanduser()
    try:
        if path.is_dir():
            return _open_folder(path)
        if path.is_file():
            return _open_file(path)
        if path.exists():
            raise ExportError(f"{path} is neither a file nor a folder")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name.
        raise ExportError(f"cannot read {named!r:.200}: {error}") from error
    if not is_repository(named):
        raise ExportError(
            f"{path} does not exist: give a folder with {CONFIG} and safetensors, a GGUF file, or "
            "the id of a repository in the Hugging Face cache"
        )
    source = _open_folder(find(named, environment))
    if isinstance(source, Checkpoint):
        source.name = source.known_as = named.rpartition("/")[2]  # The folder is named by a commit.
    return source


def _open_folder(path: Path) -> Source:
    if not (path / SINGLE).exists() and not (path / INDEX).exists():
        files = sorted(item for item in path.iterdir() if item.suffix == ".gguf")
        firsts = [item for item in files if _is_first(item)]
        if len(firsts) == 1:
            return GgufModel(firsts[0])
        if firsts:
            names = ", ".join(item.name for item in firsts[:8])
            raise ExportError(f"{path} holds {len(firsts)} models, give one of them: {names}")
    return Checkpoint(path)


def _is_first(path: Path) -> bool:
    match = PART_NAME.fullmatch(path.name)
    return match is None or int(match[2]) == 1


def _open_file(path: Path) -> Source:
    with path.open("rb") as file:
        is_gguf = file.read(4) == MAGIC
    if is_gguf or path.suffix == ".gguf":
        return GgufModel(path)
    if path.name.endswith((".safetensors", ".safetensors.index.json", CONFIG)):
        raise ExportError(f"{path} is one file of a model: give its folder, {path.parent}")
    raise ExportError(
        f"{path} is no GGUF file: give a GGUF file, or a folder with {CONFIG} and safetensors; "
        "pickles (.bin, .pt) are not read, since they can run any program"
    )
