"""Retrieval: which code elsewhere helps to write at the cursor.

Two sources that complement each other: definitions that the code at the cursor needs, found by
resolving names, and chunks that look like the code at the cursor, found by their words.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from indexer.chunks import terms_of
from indexer.definitions import DOTTED
from indexer.document import Document
from indexer.facts import ROLE_NUMBER, TYPES, FileFacts, Kind, Role, Symbol
from indexer.files import FileTable
from indexer.lexical import ChunkIndex
from indexer.nearby import Surroundings, surroundings
from indexer.outline import Outlines
from indexer.resolve import Module, Resolver, Target
from indexer.snippet import Snippet, Sources, range_snippet, skeleton
from indexer.symbol_table import SymbolTable

RECEIVER_WEIGHT = 10.0
BASE_WEIGHT = 0.8
UNUSED_IMPORT_WEIGHT = 1.5
IMPORT_WEIGHT = 0.2
MODULE_MEMBER_WEIGHT, NEAR_MODULE = 0.3, 1.0
MAX_MENTIONS = 60
MAX_MEMBERS, MAX_GROUP = 16, 14
MAX_OFFERED = 40
"""Names of an imported module that are considered."""
MAX_BASES = 5
GROUP = -1
CONSTRUCTORS = ("__init__", "constructor", "new", "__new__")
SAME = 0.8
"""Jaccard similarity from which a chunk counts as a copy of the window."""
IMPORT_ROLE = ROLE_NUMBER[Role.IMPORT]
QUERY_LINES_BEFORE, QUERY_LINES_AFTER = 20, 5


@dataclass(frozen=True, slots=True)
class Repository:
    """The parts of the index that a search reads."""

    table: SymbolTable
    files: FileTable
    chunks: ChunkIndex
    current_text: Callable[[str], bytes | None]
    """The text that the facts of a path were taken from, key material masked; None if it is gone
    or has changed since."""
    outlines: Outlines

    def sources(self) -> Sources:
        return Sources(self.current_text)


@dataclass(slots=True)
class Need:
    """A top-level thing that the cursor needs, with those of its members that are needed."""

    symbol: Symbol
    weight: float
    why: str
    members: dict[int, float] = field(default_factory=dict)
    whole: bool = False  # whether members that nobody mentioned are worth showing too
    group: bool = False  # whether `members` stand beside the symbol, not inside of it


def definitions_needed(
    repository: Repository,
    document: Document,
    offset: int,
    limit: int,
    deadline: float | None = None,
) -> list[Snippet]:
    """Definitions for the code at the cursor, the most needed first."""
    facts = document.facts
    if facts is None or limit <= 0:
        return []
    search = _DefinitionSearch(repository, document, facts, offset, deadline)
    search.receiver()
    search.mentions()
    search.bases()
    search.imports()
    return search.snippets(limit)


class _DefinitionSearch:
    """One search; collects needs, then renders the heaviest."""

    def __init__(
        self,
        repository: Repository,
        document: Document,
        facts: FileFacts,
        offset: int,
        deadline: float | None,
    ) -> None:
        self.repository = repository
        self.path = document.path
        self.facts = facts
        self.deadline = deadline
        self.resolver = Resolver(repository.table, repository.files, repository.outlines)
        self.around: Surroundings = surroundings(document, facts, offset)
        self.receivers = document.language.receivers if document.language else ()
        self.needs: dict[tuple[str, int], Need] = {}
        self.offered: set[str] = set()

    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def receiver(self) -> None:
        """`a.b.|`: the members of what stands before the dot."""
        if not self.around.receiver:
            return
        name = ".".join(self.around.receiver)
        if self.around.receiver == ("super",) and self.around.owner is not None:
            bases = self._with_bases(self.around.owner)[1:]
            self._classes(bases, f"base of {self.around.owner.name}")
            return
        target = self._chain(self.around.receiver)
        if isinstance(target, Module):
            self._module_members(target, RECEIVER_WEIGHT, self.around.typed)
        elif target is not None:
            owner = self.resolver.class_of(target)
            self._classes(self._with_bases(owner) if owner is not None else [], f"type of {name}")

    def _classes(self, classes: list[Symbol], why: str) -> None:
        """The classes whose members may stand after the dot, the nearest first."""
        weight = RECEIVER_WEIGHT
        for cls in classes:
            self._class(cls, weight, why)
            why, weight = f"base of {cls.name}", 0.5 * weight

    def mentions(self) -> None:
        for mention in self.around.mentions[:MAX_MENTIONS]:
            if self.late():
                return
            self._mention(mention.parts, mention.weight)

    def bases(self) -> None:
        """Bases of the class around the cursor, whose members `self` has."""
        owner = self.around.owner
        if owner is None:
            return
        weight = BASE_WEIGHT
        for cls in self._with_bases(owner)[1:]:
            self._class(cls, weight, f"base of {owner.name}")
            weight *= 0.8

    def _with_bases(self, owner: Symbol) -> list[Symbol]:
        return list(islice(self.resolver.with_bases(owner), MAX_BASES + 1))

    def imports(self) -> None:
        """Imported names, those that nothing uses yet first: they were imported to be used."""
        last_use = self._last_uses()
        count = max(1, len(last_use))
        recency = {
            name: rank / count
            for rank, name in enumerate(sorted(last_use, key=lambda n: last_use[n]))
        }
        for clause in self.facts.imports:
            if self.late():
                return
            names = [here for _, here in clause.names] or [
                clause.binds or clause.module.split(".")[0]
            ]
            for name in names:
                weight = (
                    IMPORT_WEIGHT * (1 + recency[name])
                    if name in last_use
                    else UNUSED_IMPORT_WEIGHT
                )
                target = self.resolver.name(self.path, name)
                if isinstance(target, Module):
                    unseen = MODULE_MEMBER_WEIGHT if name in last_use else UNUSED_IMPORT_WEIGHT
                    self._module_members(target, unseen, "")
                elif target is not None:
                    self._need(target, weight, f"definition of {name}")

    def _last_uses(self) -> dict[str, int]:
        names = self.facts.names
        last: dict[str, int] = {}
        for number, start, role in self.facts.uses.tolist():
            if role != IMPORT_ROLE:
                last[names[number]] = start
        return last

    def _mention(self, parts: tuple[str, ...], weight: float) -> None:
        """Needs what each prefix of a dotted name means."""
        target = self._first(parts[0])
        if target is None:
            return
        if isinstance(target, Symbol) and parts[0] not in self.receivers:
            self._need(
                target, weight if len(parts) == 1 else 0.7 * weight, f"definition of {target.name}"
            )
            typed = self.resolver.class_of(target)
            if typed is not None and parts[0] in self.around.types:
                self._class(typed, 0.8 * weight, f"type of {parts[0]}")
            elif typed is not None and typed != target:
                self._need(typed, 0.6 * weight, f"type of {parts[0]}")
        for part in parts[1:]:
            if isinstance(target, Module):
                self._module_members(target, NEAR_MODULE * weight, "")
            found = self.resolver.attribute(target, part, self.path)
            if found is None:
                return
            if isinstance(found, Symbol):
                self._need(found, weight, f"definition of {part}")
            target = found

    def _chain(self, parts: tuple[str, ...]) -> Target | None:
        first = self._first(parts[0])
        return self.resolver.chain(self.path, list(parts), first) if first is not None else None

    def _first(self, name: str) -> Target | None:
        """What a name means inside the function at the cursor."""
        if name in self.receivers:
            return self.around.owner
        written = self.around.types.get(name)
        if written is not None:
            for dotted in DOTTED.findall(written.encode()):
                parts = dotted.decode("utf-8", "replace").replace("::", ".").split(".")
                if parts[0] == name:
                    continue
                target = self.resolver.chain(self.path, parts)
                if isinstance(target, Symbol):
                    return self.resolver.class_of(target) or target
        return self.resolver.name(self.path, name)

    def _need(self, symbol: Symbol, weight: float, why: str) -> None:
        """Needs a symbol; a member is shown within its class, a namespace says nothing."""
        if symbol.kind is Kind.MODULE:
            return
        facts = self.repository.table.facts(symbol.path)
        if facts is None:
            return
        top, member = symbol, -1
        if symbol.parent >= 0:
            parent = facts.symbol(symbol.parent)
            if parent.kind in TYPES or parent.kind is Kind.EXTENSION:
                top, member = parent, symbol.index
        need = self._needed(top, weight, why)
        if need is not None and member >= 0:
            need.members[member] = max(need.members.get(member, 0.0), weight)

    def _class(self, symbol: Symbol, weight: float, why: str) -> None:
        need = self._needed(symbol, weight, why)
        if need is None or need.whole:
            return
        need.whole = True
        for member in self.resolver.own_members(symbol):
            if member.path != symbol.path and member.name.startswith(self.around.typed):
                self._offer(member, 0.9 * weight, f"members of {symbol.name}")

    def _needed(self, symbol: Symbol, weight: float, why: str) -> Need | None:
        low, high = self.around.window
        if symbol.path == self.path and symbol.start < high and symbol.end > low:
            return None
        key = (symbol.path, symbol.index)
        need = self.needs.get(key)
        if need is None:
            need = self.needs[key] = Need(symbol, weight, why)
        elif weight > need.weight:
            need.weight, need.why = weight, why
        return need

    def _module_members(self, module: Module, weight: float, typed: str) -> None:
        """What a module offers, the names that the repository uses most first; once a module."""
        if module.path in self.offered:
            return
        self.offered.add(module.path)
        facts = self.repository.table.facts(module.path)
        if facts is None:
            return
        names = {symbol.name for symbol in facts.members_of(-1)}
        for clause in facts.imports:
            names.update(here for _, here in clause.names)
            if clause.star:
                for path in self.resolver.modules(module.path, clause):
                    starred = self.repository.table.facts(path)
                    if starred is not None:
                        names.update(symbol.name for symbol in starred.members_of(-1))
        used = self.repository.chunks.chunk_frequency
        wanted = [name for name in names if name.startswith(typed) and not name.startswith("_")]
        wanted.sort(key=lambda name: (-used(name), name))
        for rank, name in enumerate(wanted[:MAX_OFFERED]):
            target = self.resolver.attribute(module, name, module.path)
            if isinstance(target, Symbol) and target.path != self.path:
                self._offer(target, weight / (1 + 0.1 * rank), f"offered by {module.name}")

    def _offer(self, symbol: Symbol, weight: float, why: str) -> None:
        """A top-level symbol that may be needed: shown in one group with others of its file."""
        if (symbol.path, symbol.index) in self.needs:
            return
        group = self.needs.get((symbol.path, GROUP))
        if group is None:
            self.needs[symbol.path, GROUP] = Need(symbol, weight, why, group=True)
        else:
            group.members[symbol.index] = weight

    def snippets(self, limit: int) -> list[Snippet]:
        sources = self.repository.sources()
        found: list[Snippet] = []
        for need in sorted(self.needs.values(), key=lambda need: -need.weight):
            if len(found) >= limit or self.late():
                break
            facts = self.repository.table.facts(need.symbol.path)
            lines = sources.lines(need.symbol.path)
            if facts is None or lines is None:
                continue
            first, *members = [need.symbol, *self._members(need, facts)]
            if need.group:  # without those that are shown on their own account
                left = [one for one in (first, *members) if (one.path, one.index) not in self.needs]
                if not left:
                    continue
                first, *members = left
            found.append(skeleton(lines, facts, first, members, need.why, need.weight))
        return found

    def _members(self, need: Need, facts: FileFacts) -> list[Symbol]:
        """The members of a class to show: those mentioned, the constructor, the most used."""
        limit = MAX_GROUP if need.group else MAX_MEMBERS
        chosen = sorted(need.members, key=lambda index: -need.members[index])[:limit]
        mentioned = [facts.symbol(index) for index in chosen]
        if need.group or need.symbol.kind not in TYPES:
            return mentioned
        others = [
            symbol
            for symbol in self.resolver.own_members(need.symbol)
            if symbol.path == need.symbol.path and symbol.index not in chosen
        ]
        constructors = [symbol for symbol in others if symbol.name in CONSTRUCTORS][:1]
        rest: list[Symbol] = []
        if need.whole:
            used, typed = self.repository.chunks.chunk_frequency, self.around.typed
            rest = [
                symbol
                for symbol in others
                if symbol.name not in CONSTRUCTORS and symbol.name.startswith(typed)
            ]
            rest.sort(key=lambda symbol: -used(symbol.name))
        room = max(0, MAX_MEMBERS - len(chosen) - len(constructors))
        return mentioned + constructors + rest[:room]


def similar_chunks(
    repository: Repository,
    document: Document,
    offset: int,
    limit: int,
    deadline: float | None = None,
) -> list[Snippet]:
    """Chunks elsewhere that share rare words with the lines around the cursor.

    The best one comes with the lines that follow it: they often show what comes next here.
    """
    lines = document.line_index
    line = lines.line_of(offset)
    first = max(0, line - QUERY_LINES_BEFORE)
    last = min(lines.line_count, line + QUERY_LINES_AFTER + 1)
    start, end = lines.line_start(first), lines.line_start(last)
    query = terms_of(
        document.text[start:offset] + b"\n" + document.text[lines.line_end(line) : end]
    )
    window = (
        max(0, line - 2 * QUERY_LINES_BEFORE),
        min(lines.line_count, line + 2 * QUERY_LINES_AFTER),
    )
    skip = [(document.path, lines.line_start(window[0]), lines.line_start(window[1]))]
    sources = repository.sources()
    words = frozenset(query)
    found: list[Snippet] = []
    for hit in repository.chunks.search(query, 3 * limit, skip):
        if len(found) >= limit or (deadline is not None and time.monotonic() > deadline):
            break
        source = sources.lines(hit.path)
        if source is None or _nearly_same(words, hit.chunk.terms):
            continue
        last_line = hit.chunk.end_line + (10 if not found else 0)
        why = f"similar to lines {first + 1}-{last}"
        found.append(
            range_snippet(source, hit.path, hit.chunk.start_line, last_line, why, hit.score)
        )
    return found


def _nearly_same(words: frozenset[str], terms: tuple[str, ...]) -> bool:
    """Whether a chunk says the same as the window: a model would only copy it."""
    shared = sum(term in words for term in terms)
    return shared >= SAME * (len(words) + len(terms) - shared)
