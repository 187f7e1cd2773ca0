"""Whole files for large budgets, in an order that only imports and places of files decide.

Files that the document names, imports or lies beside come first, by what speaks for each; then
what those import that it imports. The cursor has no say: a pack of many thousand tokens stays the
same, to its last token, while people write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from indexer.beside import files_beside
from indexer.facts import FileFacts, Import
from indexer.files import closeness, name_of, parent_of
from indexer.needs import Need
from indexer.repository import Repository
from indexer.resolve import Module, Resolver, Target
from indexer.snippet import Snippet, range_snippet

MAX_HOPS = 3
MAX_BESIDE = 40
LED_TO, MEANT, WHOLE_MODULE, BESIDE, CLOSE = 0.2, 0.5, 1.0, 0.1, 0.01
"""What speaks for a file besides what of it is likely needed: that an import leads to it, that a
name of an import means something in it, or all of it, that it lies beside the document, and each
folder that both lie in."""
ENOUGH = 80
"""Tokens below which no further file is tried."""
MAX_MISFITS = 30
TEST_MARKS = ("test_", "_test", ".test", ".spec", "_spec", "Test")


def whole_files(
    repository: Repository,
    facts: FileFacts,
    needed: Iterable[Need],
    room: int,
    count: Callable[[str], int],
    late: Callable[[], bool],
) -> Iterator[Snippet]:
    """Files of at most `room` tokens together, the nearest to the document of `facts` first.

    `needed` is what its imports ask for.
    """
    misfits = 0
    for number, (path, why) in enumerate(files_by_rank(repository, facts, needed)):
        if room < ENOUGH or misfits > MAX_MISFITS or late():
            return
        known = repository.table.facts(path)
        if known is None or not 0 < known.size <= 8 * room:
            misfits += known is not None and known.size > 0
            continue
        lines = repository.sources.lines(path)
        if lines is None:
            continue
        snippet = range_snippet(lines, path, 0, lines.line_count, why, 1 / (2 + number))
        cost = count(snippet.text)
        if cost > room:
            misfits += 1
            continue
        room -= cost
        yield snippet


def files_by_rank(
    repository: Repository, facts: FileFacts, needed: Iterable[Need]
) -> Iterator[tuple[str, str]]:
    """All files but the document's, the likeliest to be needed first, and why."""
    resolver = repository.resolver(facts.path)
    near = _Near(repository, resolver, facts)
    near.needed(needed)
    near.imported()
    near.beside()
    seen = {facts.path}
    level: list[str] = []
    for path in near.ordered():
        seen.add(path)
        if path in near.direct:
            level.append(path)
        yield path, near.why(path)
    for _ in range(1, MAX_HOPS):
        after: list[str] = []
        for path in level:
            for other in _imported(repository, resolver, path):
                if other not in seen:
                    seen.add(other)
                    after.append(other)
                    yield other, f"imported by {name_of(path)}"
        level = after
    rest = [path for path in repository.table.paths() if path not in seen]
    rest.sort(key=lambda path: closeness(path, facts.path))
    for path in rest:
        yield path, "near this file"


class _Near:
    """What speaks for each file that a document names, imports or lies beside."""

    def __init__(self, repository: Repository, resolver: Resolver, facts: FileFacts) -> None:
        self._repository = repository
        self._resolver = resolver
        self._facts = facts
        self._scores: dict[str, float] = {}
        self.direct: set[str] = set()  # files that an import leads to
        self._named: dict[str, str] = {}  # files with what names of the document mean, and why

    def ordered(self) -> list[str]:
        """All of them, those with the most to speak for them first; then the closest."""
        near = self._facts.path
        self._scores.pop(near, None)
        rank = {path: closeness(path, near) for path in self._scores}
        scores = {path: worth - CLOSE * rank[path][0] for path, worth in self._scores.items()}
        return sorted(scores, key=lambda path: (-scores[path], rank[path]))

    def why(self, path: str) -> str:
        return "imported" if path in self.direct else self._named.get(path, "beside this file")

    def _add(self, path: str, worth: float) -> None:
        self._scores[path] = self._scores.get(path, 0.0) + worth

    def needed(self, needs: Iterable[Need]) -> None:
        """Files that define what the document asks for."""
        for need in needs:
            self._add(need.symbol.path, max([need.weight, *need.members.values()]))
            if not need.group:
                self._named.setdefault(need.symbol.path, need.why)

    def imported(self) -> None:
        """Files that names of imports mean, and that imports lead to."""
        path = self._facts.path
        meant: set[str] = set()
        modules: set[str] = set()
        for clause in self._facts.imports:
            self.direct.update(self._resolver.modules(path, clause))
            for target in _targets(self._resolver, path, clause):
                meant.add(target.path)
                if isinstance(target, Module):
                    modules.add(target.path)
        self.direct |= meant | modules
        for found, worth in ((self.direct, LED_TO), (meant, MEANT), (modules, WHOLE_MODULE)):
            for other in found:
                self._add(other, worth)

    def beside(self) -> None:
        """Files whose names need no import; the test or the subject; files of the folder."""
        for place, other in enumerate(files_beside(self._repository, self._facts)):
            self._add(other, BESIDE / (1 + 0.01 * place))
        for place, other in enumerate(_beside(self._repository, self._facts.path)):
            self._add(other, BESIDE / (1 + 0.2 * place))


def _targets(resolver: Resolver, path: str, clause: Import) -> Iterator[Target]:
    """What the names that an import brings mean."""
    names = [here for _, here in clause.names]
    if not names and (clause.binds or clause.module):
        names = [clause.binds or clause.module.split(".", 1)[0]]
    for name in names:
        target = resolver.name(path, name)
        if target is not None and (clause.names or isinstance(target, Module)):
            yield target


def _imported(repository: Repository, resolver: Resolver, path: str) -> list[str]:
    """Files that an import of a file leads to: of what names mean first, then the modules."""
    outline = repository.outlines.get(path)
    if outline is None:
        return []
    meant: dict[str, int] = {}
    modules: dict[str, None] = {}
    for clause in outline.facts.imports:
        for target in _targets(resolver, path, clause):
            meant[target.path] = meant.get(target.path, 0) + 1
        for module in resolver.modules(path, clause):
            modules[module] = None
    ordered = sorted(meant, key=lambda other: (-meant[other], other))
    return list(dict.fromkeys([*ordered, *modules]))


def _beside(repository: Repository, path: str) -> list[str]:
    """The test or the subject of a file, then the files of its folder."""
    name = name_of(path)
    stem, dot, ending = name.partition(".") if name.count(".") == 1 else name.rpartition(".")
    plain = stem
    for mark in TEST_MARKS:
        plain = plain.removeprefix(mark).removesuffix(mark)
    names = [f"{plain}{dot}{ending}"] if plain != stem else []
    names += [f"{mark}{stem}{dot}{ending}" for mark in TEST_MARKS if mark.endswith("_")]
    names += [f"{stem}{mark}{dot}{ending}" for mark in TEST_MARKS if not mark.endswith("_")]
    found = [
        other
        for one in names
        for other in sorted(repository.files.named(one), key=lambda other: closeness(other, path))[
            :2
        ]
    ]
    inside = sorted(repository.files.in_folder(parent_of(path)))
    return [*found, *inside[:MAX_BESIDE]]
