"""Packages of the workspace: which folder has a name, and what its package.json lets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from indexer.files import FileTable, closeness, parent_of
from indexer.languages.javascript.variants import built, joined, variants

CONDITIONS = ("source", "development", "types", "import", "module", "browser", "node", "require")
MAX_DEPTH = 6


def split_name(module: str) -> tuple[str, str, str]:
    """`@scope/name/a/b` as ("@scope/name", "/", "a/b")."""
    if module.startswith("@") and "/" in module:
        scope, _, rest = module.partition("/")
        name, slash, inside = rest.partition("/")
        return f"{scope}/{name}", slash, inside
    return module.partition("/")


def targets(module: str, importer: str, files: FileTable) -> Iterator[str]:
    """Files of workspace packages that a bare module name may mean, or `#name` within one."""
    if module.startswith("#"):
        folder = nearest(importer, files)
        if folder is not None:
            yield from _chosen(folder, _manifest(folder, files).get("imports"), module, files)
        return
    name, _, inside = split_name(module)
    folders = files.contents.derived("packages", lambda: _by_name(files)).get(name, ())
    for folder in sorted(folders, key=lambda folder: closeness(folder, importer)):
        yield from _inside(folder, inside, files)


def nearest(importer: str, files: FileTable) -> str | None:
    """The folder of the package that a file belongs to."""
    folder = parent_of(importer)
    while folder:
        if files.has(f"{folder}/package.json"):
            return folder
        folder = parent_of(folder)
    return None


def folder_of(name: str, importer: str, files: FileTable) -> str | None:
    """The folder of the workspace package with a name."""
    folders = files.contents.derived("packages", lambda: _by_name(files)).get(name, ())
    return min(folders, key=lambda folder: closeness(folder, importer), default=None)


def _by_name(files: FileTable) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(files.named("package.json")):
        manifest = files.contents.json(path)
        name = manifest.get("name") if isinstance(manifest, dict) else None
        if isinstance(name, str):
            found.setdefault(name, []).append(parent_of(path))
    return found


def _manifest(folder: str, files: FileTable) -> dict[str, Any]:
    manifest = files.contents.json(f"{folder}/package.json")
    return manifest if isinstance(manifest, dict) else {}


def _inside(folder: str, inside: str, files: FileTable) -> Iterator[str]:
    """What a package offers under a path inside it, "" being the package itself."""
    manifest = _manifest(folder, files)
    exports = manifest.get("exports")
    if exports is not None:
        if not _has_paths(exports):
            exports = {".": exports}
        yield from _chosen(folder, exports, f"./{inside}" if inside else ".", files)
    if inside:
        if exports is None:
            yield from variants(f"{folder}/{inside}", files)
        yield from variants(f"{folder}/src/{inside}", files)
        return
    for key in ("source", "types", "typings", "module", "main"):
        entry = manifest.get(key)
        if isinstance(entry, str):
            yield from built(folder, entry, files)
    yield from variants(f"{folder}/src/index", files)
    yield from variants(f"{folder}/index", files)


def _has_paths(exports: object) -> bool:
    return isinstance(exports, dict) and any(key.startswith(".") for key in exports)


def _chosen(folder: str, table: object, wanted: str, files: FileTable) -> Iterator[str]:
    """Files for an entry of `exports` or `imports`: the exact one, else the longest pattern."""
    if not isinstance(table, dict):
        return
    if wanted in table:
        for target in _targets(table[wanted]):
            yield from _offered(folder, target, files)
        return
    patterns = [key for key in table if "*" in key and _matches(key, wanted)]
    for key in sorted(patterns, key=lambda key: -key.index("*")):
        before, _, after = key.partition("*")
        middle = wanted[len(before) : len(wanted) - len(after)]
        for target in _targets(table[key]):
            yield from _offered(folder, target.replace("*", middle), files)


def _matches(pattern: str, wanted: str) -> bool:
    before, _, after = pattern.partition("*")
    long_enough = len(wanted) >= len(before) + len(after)
    return long_enough and wanted.startswith(before) and wanted.endswith(after)


def _offered(folder: str, target: str, files: FileTable) -> Iterator[str]:
    if target.startswith("."):
        yield from built(folder, target, files)
        yield from variants(joined(folder, target), files)
    else:  # `imports` may lead to another package
        name, _, inside = split_name(target)
        other = folder_of(name, folder, files)
        if other is not None:
            yield from _inside(other, inside, files)


def _targets(entry: object, depth: int = 0) -> Iterator[str]:
    """The paths of an entry, those of the conditions that lead to sources first."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, list):
        for one in entry:
            yield from _targets(one, depth)
    elif isinstance(entry, dict) and depth < MAX_DEPTH:
        known = [key for key in CONDITIONS if key in entry]
        for key in (*known, *(key for key in entry if key not in known)):
            yield from _targets(entry[key], depth + 1)
