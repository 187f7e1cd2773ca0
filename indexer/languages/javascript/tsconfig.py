"""What tsconfig.json and jsconfig.json say: `paths`, `baseUrl` and `rootDirs`, inherited too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indexer.files import FileTable, parent_of
from indexer.languages.javascript.packages import folder_of, split_name
from indexer.languages.javascript.variants import joined

NAMES = ("tsconfig.json", "jsconfig.json")
MAX_DEPTH = 10
OWN_FOLDER = "${configDir}"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one configuration that decide where modules lie; paths are absolute."""

    base: str | None  # baseUrl
    paths: tuple[tuple[str, tuple[str, ...]], ...]  # patterns with what they stand for
    roots: tuple[str, ...]  # rootDirs


NONE = Options(None, (), ())


def mapped(module: str, importer: str, files: FileTable) -> Iterator[str]:
    """Paths without endings that the configuration of a file gives a bare module name."""
    for options in _options_for(importer, files):
        best = max(
            ((pattern, targets) for pattern, targets in options.paths if _fits(pattern, module)),
            key=lambda entry: ("*" not in entry[0], len(entry[0].partition("*")[0])),
            default=None,
        )
        if best is not None:
            before, _, after = best[0].partition("*")
            middle = module[len(before) : len(module) - len(after)]
            for target in best[1]:
                yield target.replace("*", middle)
        if options.base is not None:
            yield f"{options.base}/{module}"


def other_roots(base: str, importer: str, files: FileTable) -> Iterator[str]:
    """The same path in the other folders that `rootDirs` lays over one another."""
    for options in _options_for(importer, files):
        for root in options.roots:
            if base.startswith(root + "/"):
                for other in options.roots:
                    if other != root:
                        yield other + base[len(root) :]


def _fits(pattern: str, module: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == module
    long_enough = len(module) >= len(before) + len(after)
    return long_enough and module.startswith(before) and module.endswith(after)


def _options_for(importer: str, files: FileTable) -> tuple[Options, ...]:
    """Those of the nearest configuration, and of the projects it refers to."""
    folder = parent_of(importer)
    key = ("tsconfig", folder)
    return files.contents.derived(key, lambda: _find(folder, files))


def _find(folder: str, files: FileTable) -> tuple[Options, ...]:
    while folder:
        for name in NAMES:
            path = f"{folder}/{name}"
            if files.has(path):
                return _with_references(path, files)
        folder = parent_of(folder)
    return ()


def _with_references(path: str, files: FileTable) -> tuple[Options, ...]:
    """The options of a configuration; a solution's are those of the projects it consists of."""
    own = _read(path, path, files, 0)
    found = [own] if own != NONE else []
    references = _dict(files.contents.json(path)).get("references")
    for reference in references if isinstance(references, list) else ():
        written = _dict(reference).get("path")
        if not isinstance(written, str):
            continue
        other = joined(parent_of(path), written)
        for candidate in (other, f"{other}/tsconfig.json"):
            # A reference to another folder is another project: its aliases are its own.
            if files.has(candidate) and parent_of(candidate) == parent_of(path):
                found.append(_read(candidate, candidate, files, 0))
    return tuple(dict.fromkeys(option for option in found if option != NONE))


def _read(path: str, leaf: str, files: FileTable, depth: int) -> Options:
    """The options of a file, what it lacks taken from those that it extends."""
    config = _dict(files.contents.json(path))
    inherited = NONE
    extends = config.get("extends")
    for written in extends if isinstance(extends, list) else [extends]:
        parent = _extended(written, path, files) if isinstance(written, str) else None
        if parent is not None and depth < MAX_DEPTH:
            inherited = _over(_read(parent, leaf, files, depth + 1), inherited)
    own = _dict(config.get("compilerOptions"))
    folder = parent_of(path)

    def placed(written: str) -> str:
        if written.startswith(OWN_FOLDER):
            return joined(parent_of(leaf), "." + written[len(OWN_FOLDER) :])
        return joined(folder, written)

    base = own.get("baseUrl")
    base_path = placed(base) if isinstance(base, str) else None
    anchor = base_path or inherited.base or folder
    paths = _dict(own.get("paths"))
    roots = own.get("rootDirs")
    return _over(
        Options(
            base_path,
            tuple(
                (
                    pattern,
                    tuple(
                        placed(target) if target.startswith(OWN_FOLDER) else joined(anchor, target)
                        for target in targets
                        if isinstance(target, str)
                    ),
                )
                for pattern, targets in paths.items()
                if isinstance(targets, list)
            ),
            tuple(placed(root) for root in roots if isinstance(root, str))
            if isinstance(roots, list)
            else (),
        ),
        inherited,
    )


def _over(own: Options, inherited: Options) -> Options:
    return Options(
        own.base if own.base is not None else inherited.base,
        own.paths or inherited.paths,
        own.roots or inherited.roots,
    )


def _extended(written: str, path: str, files: FileTable) -> str | None:
    """The file that `extends` names: relative, or in a package of the workspace."""
    if written.startswith((".", "/")):
        base = joined(parent_of(path), written)
    else:
        name, _, inside = split_name(written)
        folder = folder_of(name, path, files)
        if folder is None:
            return None
        base = f"{folder}/{inside}" if inside else folder
    return next(files.existing(base, f"{base}.json", f"{base}/tsconfig.json"), None)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
