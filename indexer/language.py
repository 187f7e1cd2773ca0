"""The table of languages, put together from the folders under `languages/`.

Adding a language is adding a folder: `language.toml`, `queries/facts.scm`, perhaps
`queries/locals.scm` and `imports.py`. Nothing else names a language. Languages whose grammars are
alike share query files: `queries` in `language.toml` lists the folders that they are taken from.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import indexer.languages
from indexer.definitions import CUTTING, FUNCTIONS, VALUES
from indexer.facts import CONTAINERS, KINDS, ROLES
from indexer.native import Grammar, check_trees, language_pointer
from indexer.secrets import TRIGGERS

if TYPE_CHECKING:
    import tree_sitter

HEAD = re.compile(
    rb"@((?:definition|reference)\.\w+|import\.none|import|parameter|comment)(?![\w.])"
)


@dataclass(frozen=True, slots=True)
class Language:
    """One language. Grammar and queries are loaded on first use: most are never used."""

    name: str
    grammar_module: str
    grammar_function: str
    extensions: tuple[str, ...]
    file_names: tuple[str, ...]
    client_ids: tuple[str, ...]  # how editors call it
    line_comment: str
    comment_end: str  # what a comment of one line ends with where its line end does not do
    docstring: str  # "inside": first statement of a body; "above": comment before a definition
    receivers: tuple[str, ...]  # how a method calls its own object
    sigils: bytes  # characters before a name that are not part of it: Ruby's `:name` and `@name`
    queries_of: tuple[str, ...]  # folders whose queries serve, one after another
    imports_of: str  # folder whose import resolution serves
    visible: str  # without an import: "file", "directory", "package" (that files declare),
    # "namespace" (with those around it), "language" (all its files) or "repository"
    members: str  # where members of a type may be defined: "file", "directory", or "parts" of a
    # type, which several definitions of its name in a directory are
    member_mark: str  # a character besides the dot that members stand behind: Lua's colon, or ""
    is_data: bool  # what it holds is no code and stands behind code in searches
    max_bytes: int | None  # a file on disk with more is data, not worth knowing; None: any size
    mixins: bool  # whether an import inside of a class gives it more bases: PHP's traits
    implicit_members: bool  # whether a bare name may be a member of the class around

    @property
    def grammar(self) -> tree_sitter.Language:
        return _grammar(self.grammar_module, self.grammar_function)

    @property
    def facts_query(self) -> tree_sitter.Query:
        query = _query(self.grammar_module, self.grammar_function, self.queries_of, "facts.scm")
        if query is None:
            raise FileNotFoundError(f"languages/{self.queries_of[0]}/queries/facts.scm is missing")
        return query

    @property
    def facts_source(self) -> bytes:
        """What `facts_query` is compiled from."""
        return _source(self.queries_of, "facts.scm")

    @property
    def native(self) -> Grammar:
        """Grammar and facts query for the native extraction."""
        return _native(self)

    @property
    def native_for_trees(self) -> Grammar:
        """As `native`, for the trees of the installed tree-sitter. Raises NativeError."""
        _check_trees(self.grammar_module, self.grammar_function)
        return self.native

    @property
    def imports_are_split(self) -> bool:
        """Whether a function of the language's own makes imports of what patterns find."""
        return hasattr(self.imports, "split") or hasattr(self.imports, "default_binding")

    @property
    def facts_heads(self) -> tuple[str, ...]:
        """For each pattern of the facts query the capture that says what it finds."""
        return _heads(self.grammar_module, self.grammar_function, self.queries_of)

    @property
    def locals_query(self) -> tree_sitter.Query | None:
        return _query(self.grammar_module, self.grammar_function, self.queries_of, "locals.scm")

    @property
    def scopes_query(self) -> tree_sitter.Query | None:
        return _query(self.grammar_module, self.grammar_function, self.queries_of, "scopes.scm")

    @property
    def imports(self) -> ModuleType:
        """The module with `candidates()`, which turns an import into files."""
        return importlib.import_module(f"indexer.languages.{self.imports_of}.imports")

    def comment(self, words: str) -> str:
        """Words as a comment of one line."""
        return f"{self.line_comment} {words} {self.comment_end}".rstrip()

    def parse(self, text: bytes, old: tree_sitter.Tree | None = None) -> tree_sitter.Tree:
        import tree_sitter

        parser = tree_sitter.Parser(self.grammar)
        return parser.parse(text) if old is None else parser.parse(text, old)


@cache
def languages() -> MappingProxyType[str, Language]:
    """All languages by name."""
    folders = [folder for place in folders_of_languages() for folder in place.iterdir()]
    tables = [folder for folder in folders if (folder / "language.toml").is_file()]
    found = [_read_language(folder) for folder in sorted(tables, key=lambda folder: folder.name)]
    return MappingProxyType({language.name: language for language in found})


def folders_of_languages() -> list[Path]:
    """The folders that hold those of languages: ours, and any that were added to the package."""
    return [Path(place) for place in indexer.languages.__path__]


def language_of(path: str, client_id: str | None = None) -> Language | None:
    """The language of a file: by the client's word for it if we know that, else by its name."""
    by_id, by_name, by_extension = _lookup()
    if client_id is not None and client_id in by_id:
        return by_id[client_id]
    name = path.rsplit("/", 1)[-1]
    if name in by_name:
        return by_name[name]
    dot = name.rfind(".")
    return by_extension.get(name[dot:].lower()) if dot > 0 else None


@cache
def _lookup() -> tuple[dict[str, Language], dict[str, Language], dict[str, Language]]:
    table = languages().values()
    return (
        {key: language for language in table for key in language.client_ids},
        {key: language for language in table for key in language.file_names},
        {key: language for language in table for key in language.extensions},
    )


def _read_language(folder: Path) -> Language:
    table: dict[str, Any] = tomllib.loads((folder / "language.toml").read_text("utf-8"))
    try:
        return Language(
            name=table["name"],
            grammar_module=table["grammar"],
            grammar_function=table.get("function", "language"),
            extensions=tuple(table["extensions"]),
            file_names=tuple(table.get("file_names", ())),
            client_ids=tuple(table["client_ids"]),
            line_comment=table["line_comment"],
            comment_end=table.get("comment_end", ""),
            docstring=table.get("docstring", "above"),
            receivers=tuple(table.get("receivers", ())),
            sigils=table.get("sigils", "").encode(),
            queries_of=tuple(table.get("queries", (folder.name,))),
            imports_of=table.get("imports", folder.name),
            visible=table.get("visible", "file"),
            members=table.get("members", "file"),
            member_mark=table.get("member_mark", ""),
            is_data=table.get("data", False),
            max_bytes=table.get("max_bytes"),
            mixins=table.get("mixins", False),
            implicit_members=table.get("implicit_members", False),
        )
    except KeyError as missing:
        raise ValueError(f"languages/{folder.name}/language.toml lacks {missing}") from missing


@cache
def _grammar(module: str, function: str) -> tree_sitter.Language:
    import tree_sitter  # not loaded where texts are only read

    return tree_sitter.Language(getattr(importlib.import_module(module), function)())


@cache
def _check_trees(module: str, function: str) -> None:
    check_trees(_grammar(module, function), b"x")


@cache
def _query(
    module: str, function: str, folders: tuple[str, ...], name: str
) -> tree_sitter.Query | None:
    """A compiled query. Compiling takes milliseconds, so it happens once a process."""
    import tree_sitter

    source = _source(folders, name)
    return tree_sitter.Query(_grammar(module, function), source.decode()) if source else None


def _source(folders: tuple[str, ...], name: str) -> bytes:
    """The query files of that name; a pattern of an earlier folder counts before later ones."""
    files = [
        place / folder / "queries" / name for folder in folders for place in folders_of_languages()
    ]
    return b"\n".join(file.read_bytes() for file in files if file.is_file())


@cache
def _heads(module: str, function: str, folders: tuple[str, ...]) -> tuple[str, ...]:
    query = _query(module, function, folders, "facts.scm")
    source = _source(folders, "facts.scm")
    if query is None:
        return ()
    patterns = [
        source[query.start_byte_for_pattern(number) : query.end_byte_for_pattern(number)]
        for number in range(query.pattern_count)
    ]
    found = [HEAD.findall(pattern) for pattern in patterns]
    for pattern, heads in zip(patterns, found, strict=True):
        if len(set(heads)) != 1:
            raise ValueError(
                f"languages/{folders[0]}/queries/facts.scm: a pattern needs one capture of"
                f" @definition.*, @reference.*, @import, @parameter or @comment: {pattern.decode()}"
            )
    return tuple(heads[0].decode() for heads in found)


@cache
def _native(language: Language) -> Grammar:
    capsule = getattr(importlib.import_module(language.grammar_module), language.grammar_function)()
    lines = [
        f"kinds {' '.join(KINDS)}",
        f"roles {' '.join(ROLES)}",
        f"containers {' '.join(sorted(CONTAINERS))}",
        f"functions {' '.join(sorted(FUNCTIONS))}",
        f"values {' '.join(sorted(VALUES))}",
        f"cutting {' '.join(sorted(CUTTING))}",
        f"receivers {' '.join(language.receivers)}",
        f"docstring {language.docstring}",
        f"sigils {language.sigils.decode()}",
        f"imports {'split' if language.imports_are_split else ''}",
        *(f"trigger {literal.decode()} {also.decode()}" for literal, also in TRIGGERS),
    ]
    settings = "\n".join(lines).encode()
    try:
        return Grammar(language_pointer(capsule), language.facts_source, settings)
    except ValueError as error:
        raise ValueError(f"languages/{language.queries_of[0]}/queries/facts.scm: {error}") from None
