"""Where JavaScript and TypeScript modules lie: as TypeScript's resolution for bundlers finds them.

Modules are looked for among the sources of the workspace. What a package of it says about the
files that its build will make leads to the sources that they are made from.
"""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of
from indexer.languages.javascript import packages, tsconfig
from indexer.languages.javascript.variants import ENDINGS, joined, variants

ALIASES = ("@/", "~/", "#/", "src/")


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Files that the module of an import may be, likeliest first."""
    module = "." * clause.level + clause.module
    if module.startswith(".") or module.startswith("/"):
        base = joined(parent_of(importer), module)
        yield from variants(base, files)
        for other in tsconfig.other_roots(base, importer, files):
            yield from variants(other, files)
        return
    found = False
    for base in tsconfig.mapped(module, importer, files):
        for path in variants(base, files):
            found = True
            yield path
    for base in packages.targets(module, importer, files):
        for path in variants(base, files):
            found = True
            yield path
    if not found:
        yield from _guesses(module, importer, files)


def _guesses(module: str, importer: str, files: FileTable) -> Iterator[str]:
    """Where modules usually lie in repositories whose configuration says nothing we know."""
    for alias in ALIASES:
        if module.startswith(alias):
            ending = module[len(alias) :]
            for name in (
                ending,
                *(ending + e for e in ENDINGS),
                *(f"{ending}/index{e}" for e in ENDINGS),
            ):
                yield from files.ending_with(name, near=importer)
            return
    name, _, rest = packages.split_name(module)
    for folder in files.folders_ending_with(f"{name.rsplit('/', 1)[-1]}/src", near=importer):
        yield from variants("/".join([folder, rest or "index"]), files)
