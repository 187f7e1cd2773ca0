"""From a path as written in a module to the files that it may mean."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.files import FileTable, normal

ENDINGS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
COMPILED = {
    ".js": (".ts", ".tsx", ".d.ts", ".jsx"),
    ".jsx": (".tsx", ".d.ts"),
    ".mjs": (".mts", ".d.mts"),
    ".cjs": (".cts", ".d.cts"),
}
BUILT = frozenset({"dist", "lib", "build", "out", "esm", "cjs", "es", "output", "types", "_esm"})
"""Names of folders that builds write to."""


def joined(folder: str, written: str) -> str:
    """A path relative to a folder, with `.` and `..` taken out."""
    return normal(written if written.startswith("/") else f"{folder}/{written}/.").rstrip("/")


def variants(base: str, files: FileTable) -> Iterator[str]:
    """The file itself, the source it is compiled from, with an ending, or a folder's index."""
    yield from files.existing(base)
    for written, sources in COMPILED.items():
        if base.endswith(written):
            yield from files.existing(*(base[: -len(written)] + source for source in sources))
    yield from files.existing(*(base + ending for ending in ENDINGS))
    if files.has(f"{base}/package.json"):
        manifest = files.contents.json(f"{base}/package.json")
        for key in ("types", "typings", "module", "main"):
            entry = manifest.get(key) if isinstance(manifest, dict) else None
            if isinstance(entry, str) and entry.strip("./"):
                yield from built(base, entry, files)
    yield from files.existing(*(f"{base}/index{ending}" for ending in ENDINGS))


def built(folder: str, target: str, files: FileTable) -> Iterator[str]:
    """Files for what a package offers: what is named if it is there, else what it is made from."""
    path = joined(folder, target)
    stem = _without_ending(path)
    if path == folder:
        return
    yield from files.existing(path, *(stem + ending for ending in ENDINGS))
    inside = stem[len(folder) + 1 :].split("/")
    while len(inside) > 1 and inside[0] in BUILT:
        inside = inside[1:]
        for source in (f"{folder}/src", folder):
            base = "/".join([source, *inside])
            yield from files.existing(*(base + ending for ending in ENDINGS))
            yield from files.existing(*(f"{base}/index{ending}" for ending in ENDINGS))


def _without_ending(path: str) -> str:
    for ending in sorted((*ENDINGS, ".d.mts", ".d.cts"), key=len, reverse=True):
        if path.endswith(ending):
            return path[: -len(ending)]
    return path
