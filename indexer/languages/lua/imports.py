"""Where Lua modules lie."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """`a.b` is a/b.lua or a/b/init.lua below some folder of the search path, the nearest one."""
    module = "." * clause.level + clause.module
    if module.endswith(".lua"):  # dofile takes a path
        beside = list(files.existing(f"{parent_of(importer)}/{module}"))
        yield from beside or files.ending_with(module.lstrip("./"), near=importer)
        return
    path = module.replace(".", "/").strip("/")
    for name in (f"{path}.lua", f"{path}/init.lua"):
        yield from files.ending_with(name, near=importer)
