"""What a name in a text means: a symbol, a module, or a variable of the function around it.

Goes from the tree: local scopes first, then the classes around, the file and its imports; the name
after a dot is a member of what stands before it, as far as declarations and constructors tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import tree_sitter

from indexer import evidence, syntax
from indexer.bindings import Binding, Bindings, Local, outermost_scope
from indexer.facts import (
    CONTAINERS,
    END,
    NAME_START,
    SIGNATURE_END,
    START,
    TYPES,
    FileFacts,
    Import,
    Kind,
    Symbol,
)
from indexer.language import Language
from indexer.resolve import Module, Resolver

MAX_DEPTH = 12
DOTTED = re.compile(
    r"[A-Za-z_$\x80-\U0010ffff][\w$]*(?:(?:\.|::|\\)[A-Za-z_$\x80-\U0010ffff][\w$]*)*"
)
TRANSPARENT = re.compile(
    r"^(?:Optional|Union|Annotated|Final|ClassVar|Type|type|None|typing|t"
    r"|Promise|Awaitable|Readonly|Partial|Required|readonly|null|undefined"
    r"|Box|Arc|Rc|Ref|Option|dyn|mut|const|struct|class|std|unique_ptr|shared_ptr)$"
)
"""Names in a type that are not what a value of it is."""


@dataclass(frozen=True, slots=True)
class LocalName:
    """A variable or parameter of a function as the meaning of a name."""

    path: str
    local: Local


@dataclass(frozen=True, slots=True)
class Bases:
    """`super`: the bases of a class."""

    owner: Symbol


Meaning = Symbol | Module | LocalName
Value = Symbol | Module | Bases


class Source:
    """A text with its tree and facts; scopes are read when they are asked for."""

    inserted_at = 0  # where text that the facts do not know begins

    def __init__(
        self, path: str, language: Language, text: bytes, tree: tree_sitter.Tree, facts: FileFacts
    ) -> None:
        self.path = path
        self.language = language
        self.text = text
        self.tree = tree
        self.facts = facts
        self._bindings: dict[tuple[int, int], Bindings] = {}

    @property
    def root(self) -> tree_sitter.Node:
        return self.tree.root_node

    def bindings_at(self, offset: int) -> Bindings | None:
        """The scopes of the outermost function around an offset; None outside of functions."""
        for (low, high), known in self._bindings.items():
            if low < offset < high:
                return known
        place = outermost_scope(self.language, self.root, offset)
        return self.bindings_of(*place) if place is not None else None

    def bindings_of(self, low: int, high: int) -> Bindings:
        known = self._bindings.get((low, high))
        if known is None:
            known = self._bindings[low, high] = Bindings(self.language, self.root, low, high)
        return known

    def local(self, name: str, offset: int) -> Local | None:
        bindings = self.bindings_at(offset)
        return bindings.lookup(name, offset) if bindings is not None else None

    def in_facts(self, offset: int) -> int | None:
        """Where an offset lies in the text that the facts are of; None for what is not in it."""
        return offset

    def defined_at(self, start: int) -> Symbol | None:
        """The symbol whose name starts at an offset."""
        place = self.in_facts(start)
        rows = np.flatnonzero(self.facts.table[:, NAME_START] == (-1 if place is None else place))
        return self.facts.symbol(int(rows[0])) if len(rows) else None

    def around(self, offset: int) -> list[Symbol]:
        """The symbols whose bodies an offset is in, the innermost first."""
        place = self.in_facts(offset)
        offset = self.inserted_at if place is None else place
        table = self.facts.table
        inside = (table[:, START] <= offset) & (table[:, SIGNATURE_END] <= offset)
        rows = np.flatnonzero(inside & (table[:, END] >= offset))
        return [self.facts.symbol(index) for index in reversed(rows.tolist())]


class Meanings:
    """Answers for one state of the index; thrown away with the next change."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def of_name(self, source: Source, node: tree_sitter.Node, depth: int = 0) -> Meaning | None:
        """What a name means; None if that is not known."""
        if depth > MAX_DEPTH:
            return None
        written = syntax.text_of(node)
        name = written.lstrip(source.language.sigils.decode())
        defined = source.defined_at(node.end_byte - len(name.encode()))
        if defined is not None:
            return defined
        if name != written:  # Ruby's `@name` and `:name`
            owner = self._owner(source, node.start_byte)
            return self.resolver.member(owner, name) if owner is not None else None
        imported = self._in_import(source, node, name)
        if imported is not None:
            return imported
        receiver = syntax.receiver_of(node)
        if receiver is not None:
            value = self.of_value(source, receiver, depth + 1)
            return self.member(value, name, source.path) if value is not None else None
        if syntax.is_member_name(node):
            return self._key(source, node, name, depth)
        return self.plain(source, name, node.start_byte)

    def member(self, value: Value, name: str, path: str) -> Symbol | Module | None:
        if isinstance(value, Bases):
            for base in self.resolver.bases(value.owner):
                found = self.resolver.member(base, name)
                if found is not None:
                    return found
            return None
        return self.resolver.attribute(value, name, path)

    def plain(self, source: Source, name: str, offset: int) -> Meaning | None:
        """What a name without a receiver means at an offset."""
        local = source.local(name, offset)
        if local is not None:
            return self._of_local(source, local)
        around = source.around(offset)
        for position, symbol in enumerate(around):
            if symbol.kind not in CONTAINERS:
                continue
            found = self._in_container(source, symbol, name, directly=position == 0)
            if found is not None:
                return found
        return self.resolver.name(source.path, name)

    def _in_container(
        self, source: Source, symbol: Symbol, name: str, directly: bool
    ) -> Symbol | None:
        if source.language.implicit_members and symbol.kind is not Kind.MODULE:
            owner = self.resolver.class_of(symbol)
            return self.resolver.member(owner, name) if owner is not None else None
        if symbol.kind is Kind.MODULE or (directly and source.language.docstring == "inside"):
            return next(source.facts.members_of(symbol.index, name), None)
        return None

    def _of_local(self, source: Source, local: Local) -> Meaning | None:
        first = local.bindings[0]
        symbol = source.defined_at(first.start)
        if symbol is not None:
            return symbol
        if first.how == "import":
            node = syntax.name_node(source.root, first.start, first.end)
            found = self._in_import(source, node, local.name) if node is not None else None
            if found is not None:
                return found
        return LocalName(source.path, local)

    def _in_import(self, source: Source, node: tree_sitter.Node, name: str) -> Meaning | None:
        """What a name within an import statement means."""
        start = source.in_facts(node.start_byte)
        for clause in source.facts.imports if start is not None else ():
            if start is None or not clause.start <= start < clause.end:
                continue
            for there, here in clause.names:
                if name in (there, here) and not _in_module(source, node, clause):
                    return self.resolver.imported(source.path, clause, there)
            if clause.binds == name or name in clause.module:
                part = _module_up_to(source, node, clause)
                modules = self.resolver.modules(source.path, part)
                if modules:
                    return Module(modules[0])
        return None

    def _key(self, source: Source, node: tree_sitter.Node, name: str, depth: int) -> Symbol | None:
        """The key of a literal or the name of an argument: a member of the type, if any."""
        around = node.parent
        for _ in range(4):
            if around is None:
                return None
            if syntax.CALL_NODE.search(around.type) or around.type in (
                "composite_literal",
                "struct_expression",
            ):
                callee = syntax.callee_of(around)
                value = self.of_value(source, callee, depth + 1) if callee is not None else None
                if isinstance(value, Symbol) and value.kind in TYPES:
                    return self.resolver.member(value, name)
                return None
            around = around.parent
        return None

    def of_value(self, source: Source, node: tree_sitter.Node, depth: int = 0) -> Value | None:
        """What an expression is, or is an instance of: a class, a function, a module."""
        if depth > MAX_DEPTH:
            return None
        text = syntax.text_of(node) if node.child_count == 0 else ""
        if node.type == "variable_name":  # PHP's `$this`
            text = syntax.text_of(node)
        if text in source.language.receivers:
            local = source.local(text, node.start_byte)  # a class within a method has no own self
            place = local.bindings[0].start if local is not None else node.start_byte
            return self._owner(source, place)
        if text == "super" or node.type == "super":
            return self._bases(source, node.start_byte)
        if syntax.CALL_NODE.search(node.type) or node.type in (
            "composite_literal",
            "struct_expression",
        ):
            return self._of_call(source, node, depth)
        if syntax.WRAPPER.search(node.type):
            inner = next((child for child in node.named_children), None)
            return self.of_value(source, inner, depth + 1) if inner is not None else None
        for operand in evidence.operands(node):
            found = self.of_value(source, operand, depth + 1)
            if found is not None:
                return found
        collection = evidence.container_of(node)
        if collection is not None:
            return self.element_of(source, collection, depth + 1)
        if syntax.TEXT_NODE.search(node.type):
            return None
        last = syntax.last_name(node)
        if last is None or (last.end_byte != node.end_byte and "generic" not in node.type):
            return None
        tested = evidence.tested_type(node)
        if tested is not None:
            narrowed = self.of_type(source, tested)
            if narrowed is not None:
                return narrowed
        meaning = self.of_name(source, last, depth + 1)
        if isinstance(meaning, LocalName):
            return self.type_of_local(source, meaning.local, depth + 1)
        return meaning

    def _of_call(self, source: Source, node: tree_sitter.Node, depth: int) -> Value | None:
        callee = syntax.callee_of(node)
        if callee is None:
            return None
        if syntax.text_of(callee) == "super":
            return self._bases(source, node.start_byte)
        value = self.of_value(source, callee, depth + 1)
        if value is None and syntax.text_of(callee) == "new":  # Ruby makes objects so
            receiver = syntax.receiver_of(callee)
            value = self.of_value(source, receiver, depth + 1) if receiver is not None else None
        return self.resolver.class_of(value) if isinstance(value, Symbol) else None

    def _owner(self, source: Source, offset: int) -> Symbol | None:
        for symbol in source.around(offset):
            if symbol.kind in CONTAINERS and symbol.kind is not Kind.MODULE:
                return self.resolver.class_of(symbol)
            owner = source.facts.owner_of(symbol.index)
            if owner:
                target = self.resolver.name(source.path, owner)
                return target if isinstance(target, Symbol) else None
        return None

    def _bases(self, source: Source, offset: int) -> Bases | None:
        owner = self._owner(source, offset)
        return Bases(owner) if owner is not None else None

    def type_of_local(self, source: Source, local: Local, depth: int) -> Value | None:
        """The class of a variable, from its declared type or from a value that is assigned."""
        for binding in local.bindings:
            found = self._type_of_binding(source, binding, depth)
            if found is not None:
                return found
        if local.bindings[0].how == "parameter":
            fixture = self.resolver.injected(source.path, local.name)
            return self.resolver.class_of(fixture) if fixture is not None else None
        return None

    def _type_of_binding(self, source: Source, binding: Binding, depth: int) -> Value | None:
        node = source.root.descendant_for_byte_range(binding.start, binding.end)
        if node is None:
            return None
        declared, value = syntax.declaration_of(node)
        if declared is not None:
            return self.of_type(source, declared)
        if value is not None:
            return self.of_value(source, value, depth + 1)
        loop = evidence.looped_over(node)
        return self._of_loop(source, *loop, depth + 1) if loop is not None else None

    def _of_loop(
        self, source: Source, values: tree_sitter.Node, position: int, depth: int
    ) -> Symbol | None:
        """The class of a loop's variable: of elements, of an enumeration's second name."""
        if syntax.CALL_NODE.search(values.type):
            callee = syntax.callee_of(values)
            called = syntax.text_of(callee) if callee is not None else ""
            if called == "enumerate":
                inner = evidence.first_argument(values)
                known = inner is not None and position == 1
                return self.element_of(source, inner, depth) if inner and known else None
            if called.endswith(".items") and position == 0:
                return None
        return self.element_of(source, values, depth)

    def element_of(self, source: Source, node: tree_sitter.Node, depth: int) -> Symbol | None:
        """The class of what a collection holds, as far as annotations and literals tell."""
        if depth > MAX_DEPTH:
            return None
        if syntax.CALL_NODE.search(node.type):
            return self._element_of_call(source, node, depth)
        if node.type in ("list", "tuple", "set", "array", "list_comprehension"):
            first = node.child_by_field_name("body") or next(iter(node.named_children), None)
            value = self.of_value(source, first, depth + 1) if first is not None else None
            return self.resolver.class_of(value) if isinstance(value, Symbol) else None
        last = syntax.last_name(node)
        meaning = self.of_name(source, last, depth + 1) if last is not None else None
        if isinstance(meaning, LocalName):
            return self._element_of_local(source, meaning.local, depth + 1)
        return self.resolver.element_of(meaning) if isinstance(meaning, Symbol) else None

    def _element_of_call(self, source: Source, node: tree_sitter.Node, depth: int) -> Symbol | None:
        callee = syntax.callee_of(node)
        last = syntax.last_name(callee) if callee is not None else None
        if callee is None or last is None:
            return None
        called = syntax.text_of(last)
        argument = evidence.first_argument(node)
        if callee == last and called in evidence.SAME_ELEMENTS:
            return self.element_of(source, argument, depth + 1) if argument is not None else None
        meaning = self.of_name(source, last, depth + 1)
        if isinstance(meaning, Symbol):
            return self.resolver.element_of(meaning)
        receiver = syntax.receiver_of(last)
        if receiver is not None and called in evidence.HANDS_ON:
            return self.element_of(source, receiver, depth + 1)
        return None

    def _element_of_local(self, source: Source, local: Local, depth: int) -> Symbol | None:
        for binding in local.bindings:
            node = source.root.descendant_for_byte_range(binding.start, binding.end)
            declared, value = syntax.declaration_of(node) if node is not None else (None, None)
            if declared is not None:
                return self._argument_of_type(source, declared)
            found = self.element_of(source, value, depth) if value is not None else None
            if found is not None:
                return found
        return None

    def _argument_of_type(self, source: Source, node: tree_sitter.Node) -> Symbol | None:
        """The last class in a type such as `dict[str, Store]` or `Store[]`."""
        text = syntax.text_of(node)[:200]
        names = DOTTED.findall(text)
        if len(names) < 2 and "[]" not in text:
            return None
        for dotted in reversed(names):
            parts = re.split(r"\.|::|\\", dotted)
            if TRANSPARENT.search(parts[-1]):
                continue
            first = self.plain(source, parts[0], node.start_byte)
            if first is None or isinstance(first, LocalName):
                continue
            target = self.resolver.chain(source.path, parts, first)
            if isinstance(target, Symbol):
                return self.resolver.class_of(target) or target
        return None

    def of_type(self, source: Source, node: tree_sitter.Node) -> Symbol | None:
        """The class that a written type names; None for collections and unknown types."""
        for number, dotted in enumerate(DOTTED.findall(syntax.text_of(node)[:200])):
            parts = re.split(r"\.|::|\\", dotted)
            if TRANSPARENT.search(parts[-1]):
                continue
            first = self.plain(source, parts[0], node.start_byte)
            if isinstance(first, LocalName):
                continue
            target = self.resolver.chain(source.path, parts, first) if first is not None else None
            if isinstance(target, Symbol):
                return self.resolver.class_of(target) or target
            if number == 0:  # `list[Foo]` is no Foo
                return None
        return None


def _in_module(source: Source, node: tree_sitter.Node, clause: Import) -> bool:
    """Whether a name is part of the module's name, not one that is imported from it."""
    parent = node.parent
    while parent is not None and parent.start_byte >= clause.start:
        around = parent.parent
        if around is not None and around.child_by_field_name("module_name") == parent:
            return True
        parent = around
    return False


def _module_up_to(source: Source, node: tree_sitter.Node, clause: Import) -> Import:
    """The import of the module whose name ends with a node: `a.b` for the b of `a.b.c`."""
    module = clause.module
    parent = node.parent
    if parent is not None and parent.type == "dotted_name":
        written = source.text[parent.start_byte : node.end_byte].decode("utf-8", "replace")
        if module.startswith(written):
            module = written
    return Import(module, (), "", clause.level, False, clause.start, clause.end)
