"""Which names a function binds, and which binding a name means: parameters, variables, imports.

`queries/scopes.scm` of a language says where scopes are (`@scope.function`, `@scope.block`,
`@scope.class`: invisible from the functions in it), which parts of a scope are read in the one
around it (`@outside`), and what binds a name:

    @bind            in the innermost scope, all of it: Python's assignment, JavaScript's `let`
    @bind.parameter  the same, and the name comes from the caller
    @bind.import     the same, and an import says what it means
    @bind.after      in the innermost scope, from the end of its declaration on: C, Java, Go
    @bind.new        as `after`, and each declaration is a variable of its own: Rust's `let`
    @bind.function   in the innermost function: `var`, a walrus in a comprehension
    @bind.outer      in the scope around the one that the name stands in: the name of a function
    @write           nothing; the name is assigned to
    @global @nonlocal  nothing; the name is that of the module or of a function around

Everything works on one range, most often the outermost function around a cursor, so that its cost
does not grow with the file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import tree_sitter

from indexer.language import Language

DECLARES = re.compile(r"pattern|declarator|let_|short_var|_spec|expression_list|instanceof")
MODULE, FUNCTION, BLOCK, CLASS = "module", "function", "block", "class"


@dataclass(frozen=True, slots=True)
class Binding:
    """One place where a name is bound."""

    name: str
    start: int
    end: int
    how: str  # the part of its capture after "bind.", "" for plain ones
    visible_from: int


@dataclass(slots=True, eq=False)
class LocalScope:
    """A part of a text with names of its own."""

    kind: str
    start: int
    end: int
    parent: LocalScope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    escapes: dict[str, str] = field(default_factory=dict)  # name: "global" or "nonlocal"

    def starts(self, name: str) -> list[int]:
        """Where a name is bound in this scope."""
        return [binding.start for binding in self.bindings.get(name, ())]

    def visible(self, name: str, offset: int) -> tuple[Binding, ...]:
        """The bindings that make up the variable `name` as seen from an offset."""
        found = self.bindings.get(name)
        if not found:
            return ()
        seen = [one for one in found if one.visible_from <= offset or _holds(one, offset)]
        if not seen:
            return ()
        if seen[-1].how == "new":
            own = [one for one in seen if _holds(one, offset)]
            return (own[0] if own else max(seen, key=lambda one: one.visible_from),)
        return tuple(found)


def _holds(binding: Binding, offset: int) -> bool:
    return binding.start <= offset < binding.end


@dataclass(frozen=True, slots=True)
class Local:
    """A variable of a function: what all its names mean."""

    name: str
    scope: LocalScope
    bindings: tuple[Binding, ...]  # in the order of the text

    def same_as(self, other: Local | None) -> bool:
        return (
            other is not None
            and self.scope is other.scope
            and self.bindings[0].start == other.bindings[0].start
        )


class Bindings:
    """The scopes of a range of a text."""

    def __init__(self, language: Language, root: tree_sitter.Node, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.module = LocalScope(MODULE, low, high, None)
        self.writes: set[int] = set()  # where names are assigned to
        self.bound: set[int] = set()  # where names are bound
        self._starts: list[int] = []
        self._regions: list[tuple[int, LocalScope, int]] = []  # end, scope, region around
        self._read(language, root)

    def _read(self, language: Language, root: tree_sitter.Node) -> None:
        query = language.scopes_query
        if query is None:
            return
        cursor = tree_sitter.QueryCursor(query)
        cursor.set_byte_range(self.low, max(self.low + 1, self.high))
        events: list[tuple[int, int, int, str, tree_sitter.Node]] = []
        seen: set[tuple[int, int, str]] = set()
        named: set[int] = set()
        for _, captures in sorted(cursor.matches(root), key=lambda match: match[0]):
            for capture, nodes in captures.items():
                for node in nodes:
                    start, end = node.start_byte, node.end_byte
                    if not (self.low <= start and end <= self.high):
                        continue
                    is_name = not capture.startswith(("scope", "outside"))
                    if (is_name and start in named) or (start, end, capture) in seen:
                        continue
                    if is_name:
                        named.add(start)
                    seen.add((start, end, capture))
                    order = 2 if is_name else 0 if capture == "outside" else 1
                    events.append((start, -end, order, capture, node))
        events.sort(key=lambda event: event[:3])
        self._place(events)

    def _place(self, events: list[tuple[int, int, int, str, tree_sitter.Node]]) -> None:
        """One pass over the text with the scopes that are open."""
        stack = [(self.high, self.module, -1)]
        found: list[tuple[LocalScope, str, tree_sitter.Node]] = []
        for start, minus_end, _, capture, node in events:
            while len(stack) > 1 and stack[-1][0] <= start:
                stack.pop()
            _, scope, region = stack[-1]
            if capture.startswith("scope"):
                inner = LocalScope(capture[6:], start, -minus_end, scope)
                stack.append((-minus_end, inner, len(self._regions)))
                self._region(start, -minus_end, inner, region)
            elif capture == "outside":
                around = scope.parent or scope
                stack.append((-minus_end, around, len(self._regions)))
                self._region(start, -minus_end, around, region)
            elif capture in ("global", "nonlocal"):
                scope.escapes[_text(node)] = capture
            else:
                found.append((scope, capture, node))
        for scope, capture, node in found:
            self._bind(scope, capture, node)

    def _region(self, start: int, end: int, scope: LocalScope, around: int) -> None:
        self._starts.append(start)
        self._regions.append((end, scope, around))

    def _bind(self, scope: LocalScope, capture: str, node: tree_sitter.Node) -> None:
        start = node.start_byte
        if capture != "bind.outer":
            self.writes.add(start)
        if capture == "write":
            return
        how = capture[5:]
        if how == "outer":
            scope = scope.parent or scope
        while how == "function" and scope.kind not in (FUNCTION, MODULE) and scope.parent:
            scope = scope.parent
        name = _text(node)
        scope = self._escaped(scope, name)
        visible = _end_of_declaration(node) if how in ("after", "new") else scope.start
        binding = Binding(name, start, node.end_byte, how, visible)
        scope.bindings.setdefault(name, []).append(binding)
        self.bound.add(start)

    def _escaped(self, scope: LocalScope, name: str) -> LocalScope:
        """Where an assignment under `global` or `nonlocal` binds."""
        escape = scope.escapes.get(name)
        if escape == "global":
            return self.module
        around = scope.parent
        while escape == "nonlocal" and around is not None:
            if around.kind == FUNCTION and name in around.bindings:
                return around
            around = around.parent
        return scope

    def scope_at(self, offset: int) -> LocalScope:
        """The innermost scope that a name at an offset is read in."""
        region = bisect_right(self._starts, offset) - 1
        while region >= 0:
            end, scope, around = self._regions[region]
            if offset < end:
                return scope
            region = around
        return self.module

    def lookup(self, name: str, offset: int) -> Local | None:
        """The local variable that a name at an offset means; None for a name of the module."""
        for scope in self.visible_scopes(self._scope_of_name(name, offset)):
            escape = scope.escapes.get(name)
            if escape == "global":
                return None
            bindings = scope.visible(name, offset) if escape is None else ()
            if bindings:
                return Local(name, scope, bindings)
        return None

    def _scope_of_name(self, name: str, offset: int) -> LocalScope:
        """The scope to start from: a function's own name is looked up where it is bound."""
        scope = self.scope_at(offset)
        around = scope.parent
        if around is not None:
            for binding in around.bindings.get(name, ()):
                if binding.how == "outer" and _holds(binding, offset):
                    return around
        return scope

    def visible_scopes(self, scope: LocalScope) -> Iterator[LocalScope]:
        """A scope and those around it whose names it sees, without that of the module."""
        around: LocalScope | None = scope
        first = True
        while around is not None and around.kind != MODULE:
            if first or around.kind != CLASS:
                yield around
            first = False
            around = around.parent


def _end_of_declaration(node: tree_sitter.Node) -> int:
    """Where the declaration of a name ends, initial value included."""
    while node.parent is not None and DECLARES.search(node.parent.type):
        node = node.parent
    return node.end_byte


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def outermost_scope(
    language: Language, root: tree_sitter.Node, offset: int
) -> tuple[int, int] | None:
    """The range of the outermost function or block around an offset, classes left out."""
    query = language.scopes_query
    if query is None:
        return None
    cursor = tree_sitter.QueryCursor(query)
    cursor.set_byte_range(offset, offset + 1)
    found: tuple[int, int] | None = None
    for capture, nodes in cursor.captures(root).items():
        if capture in ("scope.function", "scope.block"):
            for node in nodes:
                start, end = node.start_byte, node.end_byte
                if start <= offset <= end and (found is None or end - start > found[1] - found[0]):
                    found = (start, end)
    return found
