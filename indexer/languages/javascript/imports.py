"""Where JavaScript and TypeScript modules lie."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, normal, parent_of

ENDINGS = (".ts", ".tsx", ".d.ts", ".mts", ".js", ".jsx", ".mjs", ".cjs")
COMPILED = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
ALIASES = ("@/", "~/", "#/", "src/")


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files that the module of an import may be, likeliest first."""
    module = "." * clause.level + clause.module
    if module.startswith("."):
        yield from _variants(normal(f"{parent_of(importer)}/{module}/.").rstrip("/"), files)
        return
    for alias in ALIASES:
        if module.startswith(alias):
            ending = module[len(alias) :]
            for name in (*_names(ending), *_names(f"{ending}/index")):
                yield from files.ending_with(name, near=importer)
            return
    # A package of the same repository, by its folder's name.
    *scope, package = module.split("/")[:2] if module.startswith("@") else [module.split("/")[0]]
    rest = module.split("/")[len(scope) + 1 :]
    for folder in files.folders_ending_with(f"{package}/src", near=importer):
        yield from _variants("/".join([folder, *(rest or ["index"])]), files)


def _variants(base: str, files: FileTable) -> Iterator[str]:
    yield from files.existing(base)
    yield from files.existing(*_names(base))
    for written, sources in COMPILED.items():
        if base.endswith(written):
            yield from files.existing(*(base[: -len(written)] + source for source in sources))
    yield from files.existing(*_names(f"{base}/index"))


def _names(base: str) -> tuple[str, ...]:
    return tuple(base + ending for ending in ENDINGS)
