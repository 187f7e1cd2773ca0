"""Names in a suggestion that nothing knows: variables out of scope, members that do not exist.

Made to be believed: where scope, imports or types leave room for doubt, a name counts as known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from indexer import syntax
from indexer.facts import CONTAINERS, TYPES, FileFacts, Symbol
from indexer.meaning import Bases, LocalName, Meaning, Meanings, Value
from indexer.overlay import Overlay
from indexer.resolve import Module
from indexer.standard import builtins_of, members_of
from indexer.symbol_table import SymbolTable
from indexer.visible import bound_by

DEFINING = re.compile(r"definition|declaration|declarator|_item$|_spec$|parameter|signature$")
IMPORTING = re.compile(
    r"import|export_clause|^use_|include|require|package|namespace_use|using_directive"
)
LABEL = re.compile(r"label|goto|jump|break_|continue_")
MARKUP = re.compile(r"jsx|attribute_item|^annotation|marker_annotation|macro|token_tree")
AMBIENT = re.compile(r"\.d\.[mc]?ts$")
MAX_OCCURRENCES = 50
DYNAMIC = ("__getattr__", "__getattribute__", "__call", "method_missing", "__get")
MAX_NODES = 4_000


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name that nothing knows; offsets are bytes in the suggestion, negative before it."""

    name: str
    start: int
    end: int
    why: str


class Unknown:
    """Checks names of overlays, for one state of the index."""

    def __init__(self, meanings: Meanings, table: SymbolTable) -> None:
        self._meanings = meanings
        self._table = table

    def names(self, source: Overlay) -> tuple[UnknownName, ...]:
        """The unknown names of the inserted text, in their order."""
        if source.language.scopes_query is None:
            return ()
        found: list[UnknownName] = []
        for node in checked_names(source):
            name = syntax.text_of(node)
            why = self._why(source, node, name)
            if why:
                start, end = node.start_byte, node.end_byte
                at = source.inserted_at
                found.append(UnknownName(name, start - at, end - at, why))
        return tuple(found)

    def _why(self, source: Overlay, node: tree_sitter.Node, name: str) -> str:
        """Why a name is unknown; empty if it is known or if nobody can tell."""
        receiver = syntax.receiver_of(node)
        if receiver is not None:
            return self._of_member(source, receiver, name)
        return self._of_plain(source, node, name)

    def _of_member(self, source: Overlay, receiver: tree_sitter.Node, name: str) -> str:
        value = self._meanings.of_value(source, receiver)
        if value is not None:
            if self._meanings.member(value, name, source.path) is not None:
                return ""
            if isinstance(value, Symbol) and self._answers_anything(value):
                return ""
            owner = self._complete(value)
            if owner and not name.startswith("__") and not self._table.paths_defining(name):
                return f"{owner} has no member of this name"
        standard = members_of(source.language)
        if standard is None or name in standard or self._occurs(name):
            return ""
        return "no member of this name is known"

    def _complete(self, value: Value) -> str:
        """The name of a module or class of which all members are known, else empty."""
        if isinstance(value, Module):
            return value.name if self._is_complete_module(value.path) else ""
        if isinstance(value, Bases) or value.kind not in TYPES:
            return ""
        known = self._has_known_bases(value) and self._is_plain(value)
        return value.name if known else ""

    def _answers_anything(self, value: Symbol) -> bool:
        """Whether code like `__getattr__` makes up members."""
        resolver = self._meanings.resolver
        owner = resolver.class_of(value)
        return owner is not None and any(
            next(resolver.own_members(cls, name), None)
            for cls in resolver.with_bases(owner)
            for name in DYNAMIC
        )

    def _is_plain(self, owner: Symbol) -> bool:
        """Whether no metaclass and no decorator adds members to a class or its bases."""
        for cls in self._meanings.resolver.with_bases(owner):
            facts = self._table.facts(cls.path)
            if facts is None or cls.start != cls.signature_start or _has_metaclass(facts, cls):
                return False
        return True

    def _is_complete_module(self, path: str) -> bool:
        facts = self._table.facts(path)
        if facts is None or facts.has_errors:
            return False
        if any(clause.star for clause in facts.imports):
            return False
        if any(True for name in DYNAMIC for _ in facts.members_of(-1, name)):
            return False
        return not facts.symbols_named("globals") and not facts.references_named("globals")

    def _of_plain(self, source: Overlay, node: tree_sitter.Node, name: str) -> str:
        builtins = builtins_of(source.language)
        if builtins is None or name in builtins:
            return ""
        meaning = self._meanings.plain(source, name, node.start_byte)
        if meaning is not None and not _is_only_changed(source, meaning):
            return ""
        if name in _imported(source) or name in _signatures(source):
            return ""
        if self._is_open(source) and (self._occurs(name) or _is_standard(source, name)):
            return ""
        if self._is_ambient(name) or _is_bound_outside(source, name):
            return ""
        return "no such name in scope"

    def _is_ambient(self, name: str) -> bool:
        """Whether a name is declared for all files, or set from outside by convention."""
        if name.startswith("__") and name.endswith("__"):
            return self._occurs(name)
        return any(AMBIENT.search(path) for path in self._table.paths_defining(name))

    def _is_open(self, source: Overlay) -> bool:
        """Whether names come from where nothing is known: other libraries, scripts side by side."""
        resolver = self._meanings.resolver
        imports = source.facts.imports
        if source.language.implicit_members:
            for symbol in source.around(source.inserted_at):
                if symbol.kind in CONTAINERS and not self._has_known_bases(symbol):
                    return True
        if any(clause.star and not resolver.modules(source.path, clause) for clause in imports):
            return True
        return not imports or source.language.visible != "file"

    def _has_known_bases(self, symbol: Symbol) -> bool:
        resolver = self._meanings.resolver
        return all(
            len(resolver.bases(cls)) == len([one for one in cls.detail.split() if one != "object"])
            for cls in resolver.with_bases(symbol)
        )

    def _occurs(self, name: str) -> bool:
        """Whether any file uses or defines a name."""
        return bool(self._table.paths_using(name))


def checked_names(source: Overlay) -> list[tree_sitter.Node]:
    """The names of the inserted text that can be known or not: no definitions, keys, keywords."""
    nodes = list(_names_in(source))
    own = {syntax.text_of(node) for node in nodes if _defines(source, node)}
    own.update(source.language.receivers)
    return [
        node
        for node in nodes
        if syntax.text_of(node) not in own
        and not _is_doubtful(node)
        and (syntax.receiver_of(node) is not None or not syntax.is_member_name(node))
    ]


def _is_bound_outside(source: Overlay, name: str) -> bool:
    """Whether a statement at the top of the file binds a name, or a function declares it global."""
    word = re.escape(name.encode())
    if re.search(rb"\bglobal\s[^\n;]*\b" + word + rb"\b", source.text):
        return True
    places = re.finditer(rb"(?<![\w$])" + word + rb"(?![\w$])", source.text)
    for _, place in zip(range(MAX_OCCURRENCES), places, strict=False):
        top = source.root.descendant_for_byte_range(place.start(), place.end())
        while top is not None and top.parent is not None and top.parent.parent is not None:
            top = top.parent
        if top is not None and top.parent is not None:
            bindings = source.bindings_of(top.start_byte, top.end_byte)
            if any(not source.is_new(one) for one in bindings.module.starts(name)):
                return True
    return False


def _has_metaclass(facts: FileFacts, cls: Symbol) -> bool:
    number = facts.name_number("metaclass")
    starts = facts.uses[facts.uses[:, 0] == number, 1]
    return bool(((starts >= cls.signature_start) & (starts < cls.signature_end)).any())


def _names_in(source: Overlay) -> Iterator[tree_sitter.Node]:
    """The names that the inserted text touches, in the order of the text."""
    low, high = source.inserted_at, source.inserted_end
    root = source.root.descendant_for_byte_range(low, high) or source.root
    pending, visited = [root], 0
    while pending and visited < MAX_NODES:
        node = pending.pop()
        visited += 1
        if node.end_byte <= low or node.start_byte >= high:
            continue
        if node.child_count == 0:
            if _is_word(node):
                yield node
        elif not IMPORTING.search(node.type):
            pending += reversed(node.children)


def _is_word(node: tree_sitter.Node) -> bool:
    kind = node.type
    if not node.is_named or not syntax.NAME_NODE.search(kind) or syntax.TEXT_NODE.search(kind):
        return False
    return not node.is_missing and not LABEL.search(kind)


def _is_only_changed(source: Overlay, meaning: Meaning) -> bool:
    """Whether a variable has no other binding than `name += ...`."""
    if not isinstance(meaning, LocalName):
        return False
    for binding in meaning.local.bindings:
        node = source.root.descendant_for_byte_range(binding.start, binding.end)
        if node is None or node.parent is None or node.parent.type != "augmented_assignment":
            return False
    return True


def _defines(source: Overlay, node: tree_sitter.Node) -> bool:
    """Whether a name is new here: bound, declared, or assigned as a member."""
    if node.parent is not None and node.parent.type == "augmented_assignment":
        return False
    bindings = source.bindings_at(node.start_byte)
    if bindings is None:
        bindings = source.bindings_of(source.inserted_at, source.inserted_end)
    if node.start_byte in bindings.bound:
        return True
    if syntax.is_assigned(node):
        return True
    parent = node.parent
    return (
        parent is not None
        and DEFINING.search(parent.type) is not None
        and parent.child_by_field_name("name") == node
    )


def _is_doubtful(node: tree_sitter.Node) -> bool:
    """Whether the place of a name says too little: broken code, markup, macros, labels."""
    parent = node.parent
    if parent is None:
        return True
    if parent.is_error or parent.type == "ERROR":
        after = node.next_sibling
        return after is not None and after.type in ("=", ":", ",", "=>", "->")
    for _ in range(3):
        if parent is None:
            return False
        if LABEL.search(parent.type) or MARKUP.search(parent.type):
            return True
        if parent.end_byte != node.end_byte and parent.start_byte != node.start_byte:
            return False
        parent = parent.parent
    return False


def _imported(source: Overlay) -> set[str]:
    return {name for clause in source.facts.imports for name in bound_by(clause)}


def _signatures(source: Overlay) -> set[str]:
    """Words in the signatures around: parameters of types and of functions."""
    found: set[str] = set()
    for symbol in source.around(source.inserted_at):
        text = source.text[symbol.start : symbol.signature_end]
        found.update(word.decode("utf-8", "replace") for word in syntax.WORD_BYTES.findall(text))
    return found


def _is_standard(source: Overlay, name: str) -> bool:
    standard = members_of(source.language)
    return standard is None or name in standard
