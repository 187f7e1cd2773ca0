"""How files and definitions hang together: who imports whom, who calls whom, what is alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from indexer import syntax
from indexer.facts import CONTAINERS, ROLE_NUMBER, FileFacts, Import, Role, Symbol
from indexer.files import closeness, name_of, parent_of
from indexer.history import History
from indexer.language import languages
from indexer.navigate import Navigator
from indexer.repository import Repository
from indexer.resolve import Module, Resolver

CALL_ROLE = ROLE_NUMBER[Role.CALL]
TEST_NAME = re.compile(r"^(?:tests?[_-])?(.+?)(?:[._-](?:tests?|specs?|stories))?$")
CAMEL_TEST = re.compile(r"^(?:Test)?(.+?)(?:Tests?|Spec|IT)?$")
PACKAGE_FILES = frozenset(("__init__", "index", "mod", "lib", "main"))
IMPORTED, IMPORTING, SAME_SUBJECT, TESTS = 1.0, 0.8, 1.5, 2.0
SHARED_NAME = 0.25
RARE = 6
"""Files from which on a name is no longer rare."""
MAX_NAMES = 200


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """An import of a file and the files that it means, the likeliest first; none if unknown."""

    clause: Import
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """A file that has to do with another."""

    path: str
    score: float
    why: str  # the strongest reasons


@dataclass(frozen=True, slots=True)
class Call:
    """A place where something is called."""

    path: str
    start: int
    end: int
    caller: Symbol | None  # None at the top of a file
    callee: Symbol | None  # None where nothing tells what is called
    name: str
    certain: bool


class ImportGraph:
    """Imports of all files and their reverse, brought up to date when somebody asks.

    A file that changed is read again; when files come or go, every import may mean another one.
    """

    def __init__(self, repository: Repository, history: History) -> None:
        self._repository = repository
        self._history = history
        self._mark = -1
        self._paths: frozenset[str] = frozenset()
        self._facts: dict[str, FileFacts] = {}
        self._imports: dict[str, tuple[ImportedFile, ...]] = {}
        self._importers: dict[str, set[str]] = {}
        self._by_subject: dict[str, list[str]] = {}

    def imports_of(self, path: str) -> tuple[ImportedFile, ...]:
        """What a file imports, in its order."""
        return tuple(_imports_of(self._repository, self._repository.resolver(), path))

    def importers_of(self, path: str) -> list[str]:
        """The files that import a file, the closest first."""
        self._refresh()
        return sorted(self._importers.get(path, ()), key=lambda one: closeness(one, path))

    def about(self, subject: str) -> list[str]:
        """Files that are named after a subject, sorted."""
        self._refresh()
        return self._by_subject.get(subject, [])

    def _refresh(self) -> None:
        if self._mark == self._history.now:
            return
        changed = self._history.since(self._mark) if self._mark >= 0 else None
        self._mark = self._history.now
        table = self._repository.table
        paths = frozenset(table.paths())
        if changed is None or paths != self._paths:
            changed = set(paths)
            self._imports.clear()
            self._importers.clear()
            self._by_subject.clear()
            for path in sorted(paths):
                self._by_subject.setdefault(subject_of(path), []).append(path)
        self._paths = paths
        resolver = self._repository.resolver()
        for path in sorted(changed):
            for one in self._imports.pop(path, ()):
                for target in one.paths[:1]:
                    self._importers.get(target, set()).discard(path)
            if path not in paths:
                continue
            self._imports[path] = tuple(_imports_of(self._repository, resolver, path))
            for one in self._imports[path]:
                for target in one.paths[:1]:
                    self._importers.setdefault(target, set()).add(path)


def _imports_of(repository: Repository, resolver: Resolver, path: str) -> Iterator[ImportedFile]:
    facts = repository.table.facts(path)
    if facts is None:
        return
    submodule = getattr(languages()[facts.language].imports, "submodule", None)
    for clause in facts.imports:
        modules = resolver.modules(path, clause)
        rest = list(clause.names)
        for there, _ in clause.names:
            for module in modules[:1] if submodule is not None else ():
                found = submodule(module, there, repository.files) if submodule else None
                if found is not None:
                    rest.remove(next(pair for pair in rest if pair[0] == there))
                    yield ImportedFile(clause, (found,))
        if rest or not clause.names:
            yield ImportedFile(clause, tuple(one for one in modules if one != path))


class Relations:
    """Answers about files and calls, for one state of the index."""

    def __init__(self, repository: Repository, graph: ImportGraph, navigator: Navigator) -> None:
        self._repository = repository
        self._graph = graph
        self._navigator = navigator

    def related_files(self, path: str, limit: int) -> list[Related]:
        """Files that have to do with a file, the closest first."""
        scores: dict[str, dict[str, float]] = {}

        def add(other: str, worth: float, why: str) -> None:
            if other != path:
                reasons = scores.setdefault(other, {})
                reasons[why] = reasons.get(why, 0.0) + worth

        for one in self._graph.imports_of(path):
            for other in one.paths[:1]:
                add(other, IMPORTED, "imported by it")
        importers = self._graph.importers_of(path)
        for other in importers:
            add(other, IMPORTING / math.sqrt(len(importers)), "imports it")
        for other, is_test in _same_subject(self._graph, path):
            add(other, TESTS if is_test else SAME_SUBJECT, "test of it" if is_test else "same name")
        for other, name, worth in self._shared_names(path):
            add(other, worth, f"shares {name}")
        found = [_related(other, reasons) for other, reasons in scores.items()]
        found.sort(key=lambda one: (-one.score, closeness(one.path, path)))
        return found[:limit]

    def _shared_names(self, path: str) -> Iterator[tuple[str, str, float]]:
        """Files that use a rare name of this one: (file, name, worth)."""
        facts = self._repository.table.facts(path)
        if facts is None:
            return
        names = [name for name in facts.names[: facts.used_count] if len(name) > 3]
        for name in names[:MAX_NAMES]:
            others = self._repository.table.paths_using(name)
            if 1 < len(others) <= RARE:
                for other in others:
                    yield other, name, SHARED_NAME / math.sqrt(len(others) - 1)

    def callers(self, symbol: Symbol, deadline: float | None) -> list[Call]:
        """The places where a symbol is called, as far as syntax tells."""
        found: list[Call] = []
        by_file = self._navigator.references(symbol.path, symbol.name_start, False, deadline)
        for place in chain.from_iterable(by_file):
            if place.role == "call":
                facts = self._repository.table.facts(place.path)
                caller = _function_around(facts, place.start) if facts is not None else None
                found.append(
                    Call(
                        place.path,
                        place.start,
                        place.end,
                        caller,
                        symbol,
                        symbol.name,
                        place.certain,
                    )
                )
        return found

    def callees(self, symbol: Symbol) -> list[Call]:
        """What a symbol calls, in the order of the text; unknown callees come with their name."""
        source = self._navigator.source(symbol.path)
        if source is None:
            return []
        found: list[Call] = []
        uses = source.facts.uses
        inside = (uses[:, 1] >= symbol.start) & (uses[:, 1] < symbol.end)
        names = source.facts.names
        for number, start, role in uses[inside].tolist():
            end = start + len(names[number].encode())
            node = syntax.name_node(source.root, start, end) if role == CALL_ROLE else None
            if node is None:
                continue
            meaning = self._navigator.meanings.of_name(source, node)
            callee = meaning if isinstance(meaning, Symbol) else None
            caller = _function_around(source.facts, start) or symbol
            certain = callee is not None or isinstance(meaning, Module)
            found.append(Call(symbol.path, start, end, caller, callee, names[number], certain))
        return found


def _function_around(facts: FileFacts, offset: int) -> Symbol | None:
    """The innermost function, or else class, that an offset is in."""
    table = facts.table
    inside = (table[:, 3] <= offset) & (table[:, 4] > offset)
    rows = inside.nonzero()[0].tolist()
    symbols = [facts.symbol(index) for index in reversed(rows)]
    functions = [one for one in symbols if one.kind not in CONTAINERS]
    return next(iter(functions or symbols), None)


def _related(path: str, reasons: dict[str, float]) -> Related:
    strongest = sorted(reasons, key=lambda why: (-reasons[why], why))[:3]
    return Related(path, sum(reasons.values()), ", ".join(strongest))


def _same_subject(graph: ImportGraph, path: str) -> Iterator[tuple[str, bool]]:
    """Files named after the same thing: tests, headers, stories; and whether they are tests."""
    subject = subject_of(path)
    if not subject:
        return
    folder = parent_of(path)
    around = {folder, parent_of(folder)}
    for other in graph.about(subject):
        stem = _stem(other)
        is_test = stem != _stem(path) and subject_of(other) == subject
        is_near = parent_of(other) in around or parent_of(parent_of(other)) in around
        if is_test or is_near:
            yield other, is_test


def subject_of(path: str) -> str:
    """What a file is about, in lower case: `user` for `test_user.py` and `UserTest.java`."""
    stem = _stem(path)
    match = TEST_NAME.match(stem)
    subject = match[1] if match is not None else stem
    camel = CAMEL_TEST.match(subject) if subject[:1].isupper() else None
    subject = (camel[1] if camel is not None else subject).lower()
    return "" if subject in PACKAGE_FILES or len(subject) < 2 else subject


def _stem(path: str) -> str:
    return name_of(path).rsplit(".", 1)[0]
