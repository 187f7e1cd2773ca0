"""Where included C and C++ files lie: as the compiler would find them, where we know its calls."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import Import
from indexer.files import FileTable, parent_of
from indexer.languages.c.compile_commands import include_folders

STANDARD = frozenset(
    {
        "assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits",
        "locale", "math", "setjmp", "signal", "stdalign", "stdarg", "stdatomic", "stdbool",
        "stddef", "stdint", "stdio", "stdlib", "stdnoreturn", "string", "tgmath", "threads", "time",
        "uchar", "wchar", "wctype",
    }
)  # fmt: skip
"""Headers of C's own library: a file of the workspace that is called so is not meant."""


def candidates(clause: Import, importer: str, files: FileTable) -> Iterator[str]:
    """Beside the including file, in the include folders in their order, else by the path's end.

    Names in angle brackets (their imports have `binds`) are not looked for beside the file.
    """
    in_brackets = clause.binds == clause.module
    module = "." * clause.level + clause.module
    if not in_brackets:
        beside = next(files.existing(f"{parent_of(importer)}/{module}"), None)
        if beside is not None:
            yield beside
            return
    folders = include_folders(importer, files)
    if folders is not None:
        quoted, others = folders
        for folder in others if in_brackets else (*quoted, *others):
            found = next(files.existing(f"{folder}/{module}"), None)
            if found is not None:
                yield found
                return
    if not (in_brackets and module.removesuffix(".h") in STANDARD):
        yield from files.ending_with(module.lstrip("./"), near=importer)[:2]
