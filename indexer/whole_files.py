"""Whole files for large budgets, in an order that only imports and places of files decide.

Files whose definitions the document imports come first, then the modules it imports, files beside
it and its test or subject, then what all those import. The cursor has no say: a pack of many
thousand tokens stays the same, to its last token, while people write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from indexer.facts import FileFacts
from indexer.files import closeness, name_of, parent_of
from indexer.needs import Need
from indexer.repository import Repository
from indexer.resolve import Module, Resolver
from indexer.snippet import Snippet, range_snippet

MAX_HOPS = 3
MAX_BESIDE = 40
IMPORTED_WEIGHT = 0.5
"""What an import of a file itself is worth, besides what of it is likely needed."""
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
    resolver = repository.resolver()
    seen = {facts.path}
    level = [facts.path]
    scores: dict[str, float] = {}
    for need in needed:
        weight = max([need.weight, *need.members.values()])
        scores[need.symbol.path] = scores.get(need.symbol.path, 0.0) + weight
    for path in _imported(repository, resolver, facts.path):
        scores[path] = scores.get(path, 0.0) + IMPORTED_WEIGHT
    for path in sorted(scores, key=lambda path: (-scores[path], path)):
        if path not in seen:
            seen.add(path)
            yield path, "imported"
    for hop in range(1, MAX_HOPS + 1):
        after: list[str] = []
        for path in level:
            for other in _imported(repository, resolver, path):
                if hop == 1 and other in scores and other != facts.path:
                    after.append(other)
                if other not in seen:
                    seen.add(other)
                    after.append(other)
                    yield other, "imported" if hop == 1 else f"imported by {name_of(path)}"
        if hop == 1:
            for other in _beside(repository, facts.path):
                if other not in seen:
                    seen.add(other)
                    after.append(other)
                    yield other, "beside this file"
        level = after
    rest = [path for path in repository.table.paths() if path not in seen]
    rest.sort(key=lambda path: closeness(path, facts.path))
    for path in rest:
        yield path, "near this file"


def _imported(repository: Repository, resolver: Resolver, path: str) -> list[str]:
    """Files that an import of a file leads to: of what names mean first, then the modules."""
    outline = repository.outlines.get(path)
    if outline is None:
        return []
    meant: dict[str, int] = {}
    modules: dict[str, None] = {}
    for clause in outline.facts.imports:
        for _, here in clause.names:
            target = resolver.name(path, here)
            if target is not None:
                meant[target.path] = meant.get(target.path, 0) + 1
        if not clause.names and (clause.binds or clause.module):
            whole = resolver.name(path, clause.binds or clause.module.split(".", 1)[0])
            if isinstance(whole, Module):
                meant[whole.path] = meant.get(whole.path, 0) + 1
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
