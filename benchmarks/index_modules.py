"""Where imports lead, beside those who decide: TypeScript for modules, the C compiler for includes.

    python -m benchmarks.index_modules --tree T --typescript FOLDER_OF_THE_NPM_PACKAGE
    python -m benchmarks.index_modules --tree T --calls T/build/compile_commands.json

TypeScript is asked for every import of the tree. The compiler lists what each source includes,
directly or not (`-M`); this is compared with what the index reaches from include to include.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from indexer import FileFound, Index, IndexConfig, extract, language_of
from indexer.resolve import Resolver

SCRIPT = Path(__file__).parent / "exactness" / "typescript_modules.cjs"
SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
MAX_EXAMPLES = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.index_modules", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tree", type=Path, required=True)
    oracle = parser.add_mutually_exclusive_group(required=True)
    oracle.add_argument("--typescript", type=Path, help="folder of the npm package typescript")
    oracle.add_argument("--calls", type=Path, help="a compile_commands.json")
    options = parser.parse_args()
    root = str(options.tree.resolve())
    index = index_of(root)
    if options.typescript is not None:
        print(modules(index, root, options.typescript.resolve()))
    else:
        print(includes(index, root, options.calls))


def index_of(root: str) -> Index:
    """An index of the files below a folder that the rules allow."""
    index = Index(IndexConfig(workers=0), (root,))
    found: list[FileFound] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [
            one for one in folders if index.rules.folder_verdict(f"{folder}/{one}").allowed
        ]
        for name in names:
            path, language = f"{folder}/{name}", language_of(name)
            if language is not None and index.rules.verdict(path, os.path.getsize(path)).allowed:  # noqa: PTH202
                found.append(FileFound(path, extract(path, language, Path(path).read_bytes())))
    index.apply_found(found)
    return index


def modules(index: Index, root: str, package: Path) -> str:
    resolver = Resolver(index._table, index._files)
    asked: list[tuple[str, str]] = []
    ours: list[str] = []
    began = time.process_time()
    for path in sorted(index.paths()):
        for clause in index.imports(path) if path.endswith(SCRIPTS) else ():
            module = "." * clause.level + clause.module
            if module:
                asked.append((path, module))
                ours.append(next(iter(resolver.modules(path, clause)), ""))
    seconds = time.process_time() - began
    command = ["node", str(SCRIPT), str(package)]
    said = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    theirs: list[str] = json.loads(said.stdout)
    kinds = {"same file": 0, "neither finds it": 0, "differ": 0, "missed": 0, "only ours": 0}
    examples: list[str] = []
    for (path, module), mine, right in zip(asked, ours, theirs, strict=True):
        if mine == right:
            kind = "same file" if mine else "neither finds it"
        else:
            kind = "differ" if mine and right else "only ours" if mine else "missed"
            if kind != "only ours" and len(examples) < MAX_EXAMPLES:
                examples.append(f"- {kind}: `{path[len(root) + 1 :]}` imports `{module}`")
        kinds[kind] += 1
    rows = [f"## Modules of {Path(root).name} against TypeScript", ""]
    rows += [f"{len(asked)} imports, {1e6 * seconds / max(1, len(asked)):.0f} us of CPU each.", ""]
    rows += _table(kinds)
    return "\n".join([*rows, "", *examples])


def includes(index: Index, root: str, calls: Path) -> str:
    resolver = Resolver(index._table, index._files)
    kinds = {"same file": 0, "missed": 0, "only ours": 0}
    sources = 0
    for source, listed in _compiled(json.loads(calls.read_text("utf-8"))):
        inside = {path for path in listed if index._files.has(path)}
        reached = _reached(index, resolver, source)
        kinds["same file"] += len(inside & reached)
        kinds["missed"] += len(inside - reached)
        kinds["only ours"] += len(reached - inside)
        sources += 1
    rows = [f"## Includes of {Path(root).name} against the compiler", "", f"{sources} sources.", ""]
    return "\n".join([*rows, *_table(kinds)])


def _compiled(entries: list[dict[str, str]]) -> Iterator[tuple[str, set[str]]]:
    """Each source that compiles, with the files that it is made of."""
    for entry in entries:
        call = [*shlex.split(re.sub(r" -o \S+", "", entry["command"])), "-M"]
        folder = Path(entry["directory"])
        said = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
        if said.returncode == 0:
            names = said.stdout.replace("\\\n", " ").split()[1:]
            yield (
                str((folder / entry["file"]).resolve()),
                {str((folder / name).resolve()) for name in names},
            )


def _reached(index: Index, resolver: Resolver, source: str) -> set[str]:
    reached, pending = {source}, [source]
    while pending:
        path = pending.pop()
        for clause in index.imports(path):
            for found in resolver.modules(path, clause)[:1]:
                if found not in reached:
                    reached.add(found)
                    pending.append(found)
    return reached


def _table(kinds: dict[str, int]) -> list[str]:
    return [
        "| | imports |",
        "|---|---|",
        *(f"| {kind} | {count} |" for kind, count in kinds.items()),
    ]


if __name__ == "__main__":
    main()
