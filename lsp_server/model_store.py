"""The folder of imported models: each a bundle in a folder of its own name."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from lsp_server.settings import EngineSettings
from lsp_server.user_files import MODELS_VARIABLE, models_folder
from runtime.bundle import MANIFEST, default_bundle_path
from runtime.errors import BundleError

SHIPPED = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_UNFINISHED = re.compile(r"\.(.+)\.importing")


@dataclass(frozen=True, slots=True)
class ModelStore:
    """A folder of models, which need not exist. Methods raise BundleError in words for the user."""

    folder: Path

    @classmethod
    def of(cls, settings: EngineSettings) -> ModelStore:
        """The store that settings and environment choose."""
        folder = models_folder(settings, os.environ, sys.platform)
        if folder is None:
            raise BundleError(
                "there is no home folder to keep models in: set engine.modelsFolder or "
                f"{MODELS_VARIABLE}"
            )
        return cls(folder)

    def path(self, name: str) -> Path:
        """The bundle of a model: one that was imported, or the one that ships."""
        if name == SHIPPED:
            return default_bundle_path()
        path = self.place(name)
        if not (path / MANIFEST).is_file():
            known = ", ".join([SHIPPED, *self.names()])
            raise BundleError(f"there is no model {name!r} in {self.folder}; there are {known}")
        return path

    def place(self, name: str) -> Path:
        """Where a model of this name lies or would lie."""
        check_name(name)
        return self.folder / name

    def names(self) -> list[str]:
        """All imported models, by name."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(
            item.name
            for item in found
            if _NAME.fullmatch(item.name) and (item / MANIFEST).is_file()
        )

    def unfinished(self) -> list[str]:
        """Models whose import was interrupted."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        matches = (_UNFINISHED.fullmatch(item.name) for item in found)
        return sorted(match[1] for match in matches if match is not None)

    def remove(self, name: str) -> int:
        """Delete a model and what an interrupted import of it left; return how many bytes."""
        place = self.place(name)
        doomed = [path for path in (place, place.with_name(f".{name}.importing")) if path.exists()]
        if not doomed:
            self.path(name)  # Says what there is.
        size = sum(
            file.lstat().st_size for path in doomed for file in path.rglob("*") if file.is_file()
        )
        for path in doomed:
            try:
                # The manifest first: what is half deleted is no model any more.
                (path / MANIFEST).unlink(missing_ok=True)
                if path.is_symlink():
                    path.unlink()
                else:
                    shutil.rmtree(path)
            except OSError as error:
                raise BundleError(f"cannot delete {path}: {error.strerror}") from error
        return size


def check_name(name: str) -> None:
    """Raise BundleError where a text cannot be the name of an imported model."""
    if not _NAME.fullmatch(name) or name == SHIPPED:
        raise BundleError(
            f"{name!r:.120} cannot be the name of a model: up to 100 letters, digits, dots, dashes "
            f"and underscores, the first a letter or digit, and not {SHIPPED!r}"
        )


def name_from(text: str) -> str:
    """A name for a model that is called anything."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100]
    return f"{name or 'model'}-imported" if name in ("", SHIPPED) else name
