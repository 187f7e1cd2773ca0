"""Where Python modules lie."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, name_of, parent_of


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files that the module of an import may be, likeliest first."""
    relative = clause.module.replace(".", "/")
    if clause.level:
        folder = parent_of(importer)
        for _ in range(clause.level - 1):
            folder = parent_of(folder)
        base = f"{folder}/{relative}" if relative else folder
        yield from files.existing(f"{base}.pyi", f"{base}.py", f"{base}/__init__.py")
        return
    for ending in (f"{relative}.py", f"{relative}/__init__.py", f"{relative}.pyi"):
        for path in files.ending_with(ending, near=importer):
            top = path[: -len(ending) - 1]
            if not files.has(f"{top}/__init__.py"):  # else the module's full name is longer
                yield path


def injected(path: str, files: FileTable) -> Iterator[str]:
    """Files whose functions give the parameters of a test their values: fixtures of pytest."""
    name = name_of(path)
    if not (name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"):
        return
    yield path
    folder = parent_of(path)
    while folder:
        yield from files.existing(f"{folder}/conftest.py")
        folder = parent_of(folder)


def submodule(path: str, name: str, files: FileTable) -> str | None:
    """The file of the submodule `name` of the package whose file is `path`."""
    if path.rsplit("/", 1)[-1] not in ("__init__.py", "__init__.pyi"):
        return None
    folder = parent_of(path)
    return next(files.existing(f"{folder}/{name}.py", f"{folder}/{name}/__init__.py"), None)
