"""Where Rust modules lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of

Clause = tuple[str, int, tuple[tuple[str, str], ...], str, bool]
MODULE = re.compile(r"(?:pub\s*(?:\([^)]*\))?\s*)?mod\s+(\w+)\s*;")
USE = re.compile(r"(?:pub\s*(?:\([^)]*\))?\s*)?use\s+(.*?);?\s*$", re.DOTALL)
MAX_CLAUSES = 200


def split(statement: str) -> list[Clause]:
    """`use a::{b, c::d as e, f::*};` and `mod a;` as one clause a name."""
    module = MODULE.fullmatch(statement.strip())
    if module is not None:
        name = module.group(1)
        return [(f"self::{name}", 0, (), name, False)]
    use = USE.fullmatch(statement.strip())
    if use is None:
        return []
    return [_clause(path) for path in _paths("", use.group(1))][:MAX_CLAUSES]


def _paths(prefix: str, tree: str) -> list[str]:
    """All paths of a use tree, braces multiplied out."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0 or not tree.endswith("}"):
        return [prefix + tree] if tree else []
    inside = prefix + tree[:brace].strip()
    paths: list[str] = []
    depth, start = 0, brace + 1
    for position in range(brace + 1, len(tree)):
        character = tree[position]
        if (character == "," and depth == 0) or position == len(tree) - 1:
            paths += _paths(inside, tree[start:position])
            start = position + 1
        depth += (character == "{") - (character == "}")
    return paths


def _clause(path: str) -> Clause:
    path, _, alias = path.partition(" as ")
    parts = [part.strip() for part in path.split("::") if part.strip()]
    if not parts:
        return ("", 0, (), "", False)
    last = parts.pop()
    if last == "*":
        return ("::".join(parts), 0, (), "", True)
    if last == "self" and parts:
        return ("::".join(parts), 0, (), alias.strip() or parts[-1], False)
    return ("::".join(parts) or "self", 0, ((last, alias.strip() or last),), "", False)


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files that the path of a `use` may mean, the longest path first.

    The last parts may name an item or an inline module, so shorter paths are tried too.
    """
    parts = [part for part in clause.module.split("::") if part]
    if not parts:
        return
    for count in range(len(parts), 0, -1):
        found = False
        for base in _bases(parts[:count], importer, files):
            for path in files.existing(
                f"{base}.rs", f"{base}/mod.rs", f"{base}/lib.rs", f"{base}/main.rs"
            ):
                found = True
                yield path
        if found:
            return


def submodule(path: str, name: str, files: FileTable) -> str | None:
    """The file of the module `name` declared in the file `path`."""
    folder = _module_folder(path)
    return next(files.existing(f"{folder}/{name}.rs", f"{folder}/{name}/mod.rs"), None)


def _bases(parts: list[str], importer: str, files: FileTable) -> Iterator[str]:
    """Paths without an ending that a path may mean."""
    first, rest = parts[0], parts[1:]
    if first == "crate":
        yield "/".join([_crate_folder(importer), *rest])
    elif first in ("self", "super"):
        folder = _module_folder(importer)
        ups = 0
        while ups < len(parts) and parts[ups] in ("self", "super"):
            if parts[ups] == "super":
                folder = parent_of(folder)
            ups += 1
        yield "/".join([folder, *parts[ups:]])
    else:
        yield "/".join([_module_folder(importer), *parts])
        yield "/".join([_crate_folder(importer), *parts])
        for name in {first, first.replace("_", "-")}:  # another crate of the workspace
            for folder in files.folders_ending_with(f"{name}/src", near=importer)[:2]:
                yield "/".join([folder, *rest])


def _module_folder(path: str) -> str:
    """The folder of a file's submodules."""
    folder, name = path.rsplit("/", 1)
    stem = name.removesuffix(".rs")
    return folder if stem in ("mod", "lib", "main") else f"{folder}/{stem}"


def _crate_folder(path: str) -> str:
    """The src folder around a file, else its own folder."""
    folder = parent_of(path)
    around = folder
    while around:
        if around.endswith("/src"):
            return around
        around = parent_of(around)
    return folder
