"""Names that a language and its standard library give without a definition in the repository.

One a line in the language's folder: `builtins.txt` holds names that are visible everywhere,
`members.txt` names of attributes. A language without such a list gives no verdict on its names.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from indexer.language import Language, languages


def builtins_of(language: Language) -> tuple[str, ...] | None:
    """Names visible everywhere, sorted; None where there is no list."""
    return _list(language.name, "builtins.txt")


def members_of(language: Language) -> frozenset[str] | None:
    """Names of attributes of standard types and modules; None where there is no list."""
    names = _list(language.name, "members.txt")
    return None if names is None else _as_set(names)


@cache
def _list(name: str, file_name: str) -> tuple[str, ...] | None:
    language = languages()[name]
    for folder in (name, *language.queries_of, language.imports_of):
        file = resources.files("indexer.languages") / folder / file_name
        if file.is_file():
            return tuple(file.read_text("utf-8").split())
    return None


@cache
def _as_set(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)
