"""What the code at a cursor needs from elsewhere: definitions with weights, the likeliest heaviest.

Names near the cursor, imports and the class around lead to definitions through the resolver. Where
only a receiver is known, `self.` or an imported module, its members are ranked by how people use
them. Weights were chosen on a few repositories and judged on others; see
benchmarks/results/index_retrieval.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.definitions import DOTTED
from indexer.document import Document
from indexer.facts import ROLE_NUMBER, TYPES, FileFacts, Kind, Role, Symbol
from indexer.line_needs import Event
from indexer.nearby import Mention, Surroundings
from indexer.offers import Members, Offers
from indexer.repository import Repository
from indexer.resolve import Module, Target
from indexer.usage import Usage

RECEIVER_WEIGHT, EVENT_WEIGHT = 10.0, 2.0
BASE_WEIGHT = 0.8
UNUSED_IMPORT_WEIGHT = 1.5
IMPORT_WEIGHT = 0.2
MODULE_MEMBER_WEIGHT, NEAR_MODULE = 0.3, 1.0
TYPED_WEIGHT, CLASS_MEMBER_WEIGHT = 0.8, 0.3
WORDS_WEIGHT = 0.5
BESIDE_WEIGHT = 0.25
DECAY = 0.1
"""A member of rank r is worth 1 / (1 + DECAY r) of the first."""
MAX_MENTIONS = 60
MAX_MEMBERS, MAX_OFFERED, MAX_OF_CLASS = 32, 40, 6
"""Members that are considered of a receiver's classes, of a module, of a class by its name."""
MAX_CLASSES = 10
"""Imported classes whose members are considered."""
GROUP = -1
CONSTRUCTORS = ("__init__", "constructor", "new", "__new__")
IMPORT_ROLE = ROLE_NUMBER[Role.IMPORT]
APART = (IMPORT_ROLE, ROLE_NUMBER[Role.ATTRIBUTE])
MAX_USED = 60
"""Names of a file that are looked up among the files beside it."""


@dataclass(slots=True)
class Need:
    """A top-level thing that the cursor needs, with those of its members that are needed."""

    symbol: Symbol
    weight: float
    why: str
    members: dict[int, float] = field(default_factory=dict)
    group: bool = False  # whether `members` stand beside the symbol, not inside of it


class NeedSearch:
    """One search; collects needs by (path, index of the symbol), or (path, GROUP)."""

    def __init__(
        self,
        repository: Repository,
        document: Document,
        facts: FileFacts,
        around: Surroundings,
        deadline: float | None,
    ) -> None:
        self.repository = repository
        self.path = document.path
        self.facts = facts
        self.around = around
        self.deadline = deadline
        self.resolver = repository.resolver(document.path)
        self.offers = Offers(repository, self.resolver)
        self.usage = Usage(
            facts,
            repository.written,
            repository.files,
            around.line,
            repository.chunks,
            around.words,
        )
        language = document.language
        self.receivers = language.receivers if language is not None else ()
        self.implicit = language is not None and language.implicit_members
        self.needs: dict[tuple[str, int], Need] = {}
        self.offered: dict[str, float] = {}
        self.listed: dict[tuple[str, int, str], float] = {}
        self.answered: set[tuple[str, int]] = set()  # classes whose members were filtered as typed
        self.classes: list[tuple[float, str, Symbol]] = []  # imported ones: weight and name here
        self.meanings: dict[str, Target | None] = {}  # of names at the cursor

    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def away_from_the_line(self) -> None:
        """Collects what does not depend on the line that is being written."""
        self._mentioned(self.around.mentions[:MAX_MENTIONS])
        self._bases()
        self._imports()
        self._beside(self.around.line[0])
        self._of_classes()

    def of_imports(self) -> None:
        """Collects what imports and names of the file ask for, wherever the cursor is."""
        self._imports()
        self._beside(0)
        self._of_classes()

    def in_the_line(self) -> None:
        """Collects what the part of the line before the cursor asks for."""
        self._receiver(self.around.receiver, self.around.typed)
        self._mentioned(self.around.written)

    def event(self, event: Event) -> None:
        """Collects what one name of the line asks for."""
        if event.receiver:
            self._receiver(event.parts, event.typed)
        else:
            self._mention(event.parts, EVENT_WEIGHT)

    def _receiver(self, parts: tuple[str, ...], typed: str) -> None:
        """`a.b.|`: the members of what stands before the dot."""
        if not parts:
            return
        name, last = ".".join(parts), parts[-1]
        if parts == ("super",) and self.around.owner is not None:
            why = f"base of {self.around.owner.name}"
            bases = self.offers.members(self.around.owner, inherited=True)
            self._members(bases, RECEIVER_WEIGHT, why, "self", typed)
            return
        target = self._chain(parts)
        if isinstance(target, Module):
            self._module_members(target, RECEIVER_WEIGHT, last, typed)
        elif target is not None:
            owner = self.resolver.class_of(target)
            if owner is not None:
                self._typed(owner, RECEIVER_WEIGHT, f"type of {name}", last, typed)
                self.answered.add((owner.path, owner.index))

    def _mentioned(self, mentions: Iterable[Mention]) -> None:
        for mention in mentions:
            if self.late():
                return
            self._mention(mention.parts, mention.weight)

    def _mention(self, parts: tuple[str, ...], weight: float) -> None:
        """Needs what each prefix of a dotted name means."""
        target = self._first(parts[0])
        if target is None:
            return
        if isinstance(target, Symbol) and parts[0] not in self.receivers:
            alone = weight if len(parts) == 1 else 0.7 * weight
            self._need(target, alone, f"definition of {target.name}")
            self._type_of(target, parts[0], weight)
        for part, before in zip(parts[1:], parts, strict=False):
            if isinstance(target, Module):
                self._module_members(target, NEAR_MODULE * weight, before)
            found = self.resolver.attribute(target, part, self.path)
            if found is None:
                return
            if isinstance(found, Symbol):
                self._need(found, weight, f"definition of {part}")
            target = found

    def _type_of(self, target: Symbol, name: str, weight: float) -> None:
        """The members that a variable has through its type."""
        typed = self.resolver.class_of(target)
        if typed is None:
            return
        if name in self.around.types or target.kind not in TYPES:
            self._typed(typed, TYPED_WEIGHT * weight, f"type of {name}", name)

    def _bases(self) -> None:
        """Bases of the class around the cursor, whose members `self` has."""
        owner = self.around.owner
        if owner is None:
            return
        receiver = self.receivers[0] if self.receivers else ""
        bases = self.offers.members(owner, inherited=True)
        self._members(bases, BASE_WEIGHT, f"base of {owner.name}", receiver)

    def _imports(self) -> None:
        """Imported names, those that nothing uses yet first: they were imported to be used."""
        recency = self._recency()
        for clause in self.facts.imports:
            if self.late():
                return
            names = [here for _, here in clause.names] or [
                clause.binds or clause.module.split(".")[0]
            ]
            for name in names:
                self._imported(name, recency.get(name))

    def _beside(self, start: int) -> None:
        """Names that need no import: those the file uses near `start`, then likely ones."""
        names = self.offers.beside(self.facts)
        if not len(names.table):
            return
        used = self._nearest_uses(start, names.table.places)
        for rank, name in enumerate(used[:MAX_USED]):
            if self.late():
                return
            self._imported(name, 1 - rank / MAX_USED)
        for rank, name in enumerate(self.usage.ranked("", names.table, MAX_OFFERED)):
            place = names.found[name]
            symbol = self.offers.symbol(place) if place is not None else None
            if symbol is not None:
                weight = BESIDE_WEIGHT / (1 + DECAY * rank) + WORDS_WEIGHT * self.usage.alike(name)
                self._offer(symbol, weight, "visible here")

    def _nearest_uses(self, start: int, wanted: Container[str]) -> list[str]:
        """Those of the `wanted` names that the file uses, the one used nearest to `start` first."""
        uses = self._uses_elsewhere()
        uses = uses[~np.isin(uses[:, 2], APART)]
        numbers, first = np.unique(uses[:, 0], return_index=True)
        distance = np.full(len(self.facts.names), np.iinfo(np.int32).max, np.int32)
        np.minimum.at(distance, uses[:, 0], np.abs(uses[:, 1] - start))
        order = np.lexsort((first, distance[numbers]))
        names = self.facts.names
        return [name for number in numbers[order].tolist() if (name := names[number]) in wanted]

    def _uses_elsewhere(self) -> NDArray[np.int32]:
        """The uses of names in the file without those in the line that is being written."""
        low, high = self.around.line
        uses = self.facts.uses
        return uses[(uses[:, 1] < low) | (uses[:, 1] >= high)]

    def _imported(self, name: str, recency: float | None) -> None:
        """`recency` goes from 0 to 1 for the name used last, None for one that nothing uses."""
        target = self.resolver.name(self.path, name)
        if isinstance(target, Module):
            weight = MODULE_MEMBER_WEIGHT if recency is not None else UNUSED_IMPORT_WEIGHT
            self._module_members(target, weight, name)
        elif target is not None:
            weight = UNUSED_IMPORT_WEIGHT
            if recency is not None:
                weight = IMPORT_WEIGHT * (1 + recency) + WORDS_WEIGHT * self.usage.alike(name)
            self._need(target, weight, f"definition of {name}")
            if target.kind in TYPES:
                self.classes.append((weight, name, target))

    def _of_classes(self) -> None:
        """Members of the likeliest imported classes."""
        for weight, name, cls in sorted(self.classes, key=lambda one: -one[0])[:MAX_CLASSES]:
            if self.late():
                return
            members = self.offers.members(cls, inherited=False)
            here = CLASS_MEMBER_WEIGHT * weight
            self._members(members, here, f"definition of {name}", name, limit=MAX_OF_CLASS)

    def _recency(self) -> dict[str, float]:
        """When names were used last, from 0 to 1; without imports and the line being written."""
        uses = self._uses_elsewhere()
        uses = uses[uses[:, 2] != IMPORT_ROLE]
        last = np.full(len(self.facts.names), -1, np.int32)
        last[uses[:, 0]] = uses[:, 1]  # they are sorted by place, so the last one stays
        used = np.flatnonzero(last >= 0)
        used = used[np.argsort(last[used])]
        names = self.facts.names
        return {names[number]: rank / len(used) for rank, number in enumerate(used.tolist())}

    def _chain(self, parts: tuple[str, ...]) -> Target | None:
        first = self._first(parts[0])
        return self.resolver.chain(self.path, list(parts), first) if first is not None else None

    def _first(self, name: str) -> Target | None:
        """What a name means inside the function at the cursor."""
        if name not in self.meanings:
            # Types that are written in circles mean what their names mean in the file. Each name
            # is asked for once: a dozen that name one another have millions of ways through them.
            typed = name in self.around.types
            self.meanings[name] = self.resolver.name(self.path, name) if typed else None
            self.meanings[name] = self._meaning(name)
        return self.meanings[name]

    def _meaning(self, name: str) -> Target | None:
        if name in self.receivers:
            return self.around.owner
        written = self.around.types.get(name)
        if written is not None:
            for dotted in DOTTED.findall(written.encode()):
                parts = dotted.decode("utf-8", "replace").replace("::", ".").split(".")
                if parts[0] == name:
                    continue
                target = self._chain(tuple(parts))
                if isinstance(target, Symbol):
                    return self.resolver.class_of(target) or target
        if self.implicit and self.around.owner is not None:
            found = self.offers.members(self.around.owner, inherited=False).found.get(name)
            if found is not None:
                return self.offers.symbol(found[:2])
        known = self.resolver.name(self.path, name)
        if known is None and name in self.around.parameters:
            return self._overridden(name) or self.resolver.injected(self.path, name)
        return known

    def _overridden(self, name: str) -> Symbol | None:
        """The class of a parameter as the method of a base says it."""
        owner, function = self.around.owner, self.around.function
        if owner is None or function is None:
            return None
        found = self.offers.members(owner, inherited=True).found.get(function.name)
        method = self.offers.symbol(found[:2]) if found is not None else None
        lines = self.repository.sources.lines(method.path) if method is not None else None
        if method is None or lines is None:
            return None
        signature = lines.text[method.signature_start : method.signature_end]
        written = re.search(rb"\b" + re.escape(name.encode()) + rb"\s*\??:\s*([^,=)]+)", signature)
        for dotted in DOTTED.findall(written[1]) if written is not None else ():
            target = self.resolver.in_scope(method, dotted.decode("utf-8", "replace"))
            if isinstance(target, Symbol):
                return self.resolver.class_of(target) or target
        return None

    def _typed(
        self, owner: Symbol, weight: float, why: str, receiver: str, typed: str = ""
    ) -> None:
        """A class as the type of a receiver: it and its bases, with the members used most."""
        self._needed(owner, weight, why)
        self._members(self.offers.members(owner, inherited=False), weight, why, receiver, typed)

    def _members(
        self,
        members: Members,
        weight: float,
        why: str,
        receiver: str,
        typed: str = "",
        limit: int = MAX_MEMBERS,
    ) -> None:
        """Members of a class and its bases, the likeliest behind `receiver` heaviest."""
        classes = members.classes
        if not classes or (classes[0].path, classes[0].index) in self.answered:
            return
        why_bases = why if why.startswith("base of ") else f"base of {classes[0].name}"
        key = (classes[0].path, classes[0].index, receiver)
        if self.listed.get(key, 0.0) >= weight:
            return
        self.listed[key] = weight
        for rank, name in enumerate(self.usage.ranked(receiver, members.table, limit, typed)):
            path, index, cls = members.found[name]
            here = weight / (1 + DECAY * rank)
            if path == cls.path:
                need = self._needed(cls, here, why if cls is classes[0] else why_bases)
                if need is not None:
                    need.members[index] = max(need.members.get(index, 0.0), here)
            else:
                member = self.offers.symbol((path, index))
                if member is not None:
                    self._offer(member, 0.9 * here, f"members of {cls.name}")

    def _need(self, symbol: Symbol, weight: float, why: str) -> None:
        """Needs a symbol; a member is shown within its class, a namespace says nothing."""
        if symbol.kind is Kind.MODULE:
            return
        outline = self.repository.outlines.get(symbol.path)
        if outline is None:
            return
        top, member = symbol, -1
        if symbol.parent >= 0:
            parent = outline.symbol(symbol.parent)
            if parent.kind in TYPES or parent.kind is Kind.EXTENSION:
                top, member = parent, symbol.index
        need = self._needed(top, weight, why)
        if need is not None and member >= 0:
            need.members[member] = max(need.members.get(member, 0.0), weight)

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

    def _module_members(
        self, module: Module, weight: float, receiver: str, typed: str = ""
    ) -> None:
        """What a module offers, the names that are likeliest behind `receiver` first."""
        if self.offered.get(module.path, 0.0) >= weight:
            return
        self.offered[module.path] = weight
        names = self.offers.of_module(module)
        left_out = None if typed.startswith("_") else names.private
        ranked = self.usage.ranked(receiver, names.table, MAX_OFFERED, typed, left_out)
        for rank, name in enumerate(ranked):
            target = self.offers.target(module, name, names.found[name])
            if isinstance(target, Symbol) and target.path != self.path:
                self._offer(target, weight / (1 + DECAY * rank), f"offered by {module.name}")

    def _offer(self, symbol: Symbol, weight: float, why: str) -> None:
        """A top-level symbol that may be needed: shown in one group with others of its file."""
        if (symbol.path, symbol.index) in self.needs:
            need = self.needs[symbol.path, symbol.index]
            need.weight = max(need.weight, weight)
            return
        group = self.needs.get((symbol.path, GROUP))
        if group is None:
            group = self.needs[symbol.path, GROUP] = Need(symbol, weight, why, group=True)
        elif weight > group.weight:
            group.weight, group.why = weight, why
        group.members[symbol.index] = max(group.members.get(symbol.index, 0.0), weight)
