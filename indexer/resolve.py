"""From names to definitions: through the file, its imports, re-exports, bases and declared types.

A Resolver serves one query and is thrown away with the next change; answers that still hold then
are kept for the next one, see answers.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from indexer.answers import MISSING, Answers, Asking, definers_of
from indexer.definitions import assigns, outwards
from indexer.facts import TYPES, Import, Kind, Symbol
from indexer.files import FileTable, closeness, name_of, parent_of
from indexer.language import Language
from indexer.mixins import mixed_in
from indexer.outline import Outline, Outlines
from indexer.symbol_table import SymbolTable

MAX_DEPTH = 8
PACKAGES = ("package", "namespace")
"""Kinds of visibility in which the files of a package declare it, wherever they lie."""
OPEN = frozenset({Kind.MODULE, Kind.KEY})
"""Kinds of containers whose contents are known in the whole file: namespaces, keys of data."""
ITSELF = frozenset(("self", "static", "Self", "cls", "this"))
"""Types that mean the type around."""
MANY_MODULES = 4
"""Modules of one import from which on the table of all names is asked which define a name."""
MAX_STARRED = 20
"""Modules of one `import *` that are searched for what they import themselves."""


@dataclass(frozen=True, slots=True)
class Module:
    """A whole file as the meaning of a name."""

    path: str

    @property
    def name(self) -> str:
        """As people call it: a package's file by the package's name."""
        *_, folder, file = ["", *self.path.split("/")]
        stem = file.split(".")[0]
        return folder if stem in ("__init__", "index", "mod", "lib") else stem


Target = Symbol | Module


class Resolver:
    """Resolves names over one state of the index."""

    def __init__(
        self,
        table: SymbolTable,
        files: FileTable,
        outlines: Outlines | None = None,
        answers: Answers | None = None,
        document: str = "",
    ) -> None:
        """`outlines` and `answers` may be kept from query to query; without they are not.

        Answers that are read from the `document` at hand never are.
        """
        self._table = table
        self._files = files
        self._outlines = outlines if outlines is not None else Outlines(table.facts)
        self._seen: dict[str, Outline | None] = {}
        self.asking = Asking(answers, MAX_DEPTH, document)

    def name(self, path: str, name: str) -> Target | None:
        """What a name means at the top of a file, or in one of its classes if nowhere else."""
        return self._exported(path, name, 0) or self._nested(path, name)

    def imported(self, path: str, clause: Import, name: str) -> Target | None:
        """What a name that an import takes from its module means."""
        return self._imported(path, clause, name, 0)

    def chain(self, path: str, parts: list[str], start: Target | None = None) -> Target | None:
        """What a dotted name means; `start` is the meaning of its first part if known."""
        target = start if start is not None else self.name(path, parts[0])
        for part in parts[1:]:
            if target is None:
                return None
            target = self.attribute(target, part, path)
        return target

    def attribute(self, target: Target, name: str, path: str) -> Target | None:
        """What `target.name` means in the file `path`."""
        if isinstance(target, Module):
            exported = self._exported(target.path, name, 0) or self._submodule(target.path, name)
            return exported or self._of_value(target.path, name)
        if target.kind is Kind.MODULE:  # a namespace, which other files may have parts of
            inside = self.own_members(target, name)
            return next(inside, None) or self._exported(path, name, 0)
        owner = self.class_of(target)
        return self.member(owner, name) if owner is not None else None

    def _of_value(self, path: str, name: str) -> Symbol | None:
        """A member of the value that a module is: what it returns, or exports as its default."""
        value = self._exported(path, "default", 0)
        owner = self.class_of(value) if isinstance(value, Symbol) else None
        return self.member(owner, name) if owner is not None else None

    def injected(self, path: str, name: str) -> Symbol | None:
        """What gives a parameter of a test its value by its name alone: a fixture."""
        language = self._language(path)
        find = getattr(language.imports, "injected", None) if language is not None else None
        for file in find(path, self._files) if find is not None else ():
            found = self._exported(file, name, 0)
            if isinstance(found, Symbol) and found.kind is Kind.FUNCTION:
                return found
        return None

    def class_of(self, symbol: Symbol) -> Symbol | None:
        """The class that a symbol is, or is an instance of."""
        key = ("class", symbol.path, symbol.index)
        return self.asking.answer(key, None, lambda: self._class_of(symbol))

    def _class_of(self, symbol: Symbol) -> Symbol | None:
        self.asking.read(symbol.path)
        if symbol.kind in TYPES and not (symbol.kind is Kind.TYPE and symbol.detail):
            return symbol
        if symbol.kind is Kind.EXTENSION:
            extended = self.name(symbol.path, symbol.name)
            return extended if isinstance(extended, Symbol) else None
        for name in symbol.detail.split():
            target = self._around(symbol) if name in ITSELF else self.in_scope(symbol, name)
            if isinstance(target, Symbol) and target != symbol:
                found = self.class_of(target)
                if found is not None:
                    return found
        return symbol if symbol.kind in TYPES or self._has_members(symbol) else None

    def element_of(self, symbol: Symbol) -> Symbol | None:
        """The class of what a symbol holds or hands out many of: `Store` of `list[Store]`."""
        key = ("element", symbol.path, symbol.index)
        return self.asking.answer(key, None, lambda: self._element_of(symbol))

    def _element_of(self, symbol: Symbol) -> Symbol | None:
        self.asking.read(symbol.path)
        names = symbol.detail.split()
        if symbol.kind in TYPES:  # a class that says what going through it gives
            step = self.member(symbol, "__iter__") or self.member(symbol, "__getitem__")
            return self.element_of(step) if step is not None and step.detail else None
        for name in reversed(names[1:]):
            target = self._around(symbol) if name in ITSELF else self.in_scope(symbol, name)
            found = self.class_of(target) if isinstance(target, Symbol) else None
            if found is not None:
                return found
        whole = self.in_scope(symbol, names[0]) if len(names) == 1 else None
        return self.element_of(whole) if isinstance(whole, Symbol) and whole != symbol else None

    def _has_members(self, symbol: Symbol) -> bool:
        """Whether something is an object with members of its own: a table, a constructor."""
        outline = self.outline(symbol.path)
        if outline is None or symbol.parent >= 0 or outline.facts.owner_of(symbol.index):
            return False
        return bool(outline.owned_by(symbol.name))

    def _around(self, symbol: Symbol) -> Symbol | None:
        """The type that a member belongs to."""
        outline = self.outline(symbol.path)
        around = symbol.parent
        while outline is not None and around >= 0:
            found = outline.symbol(around)
            if found.kind in TYPES or found.kind is Kind.EXTENSION:
                return found
            around = found.parent
        return None

    def in_scope(self, symbol: Symbol, dotted: str) -> Target | None:
        """What a dotted name means where a symbol is defined: its siblings, then the file."""
        parts = dotted.replace("::", ".").split(".")
        if parts[0] in ITSELF and len(parts) > 1:
            own = self._around(symbol)
            return self.chain(symbol.path, parts, own) if own is not None else None
        outline = self.outline(symbol.path)
        around = symbol.parent
        while outline is not None and around >= 0:
            for sibling in outline.members(around, parts[0]):
                if sibling.kind in TYPES:
                    return self.chain(symbol.path, parts, sibling)
            around = outline.symbol(around).parent
        return self.chain(symbol.path, parts)

    def member(self, owner: Symbol, name: str) -> Symbol | None:
        """A member of a class or of its bases, in the order of a depth-first search."""
        key = ("member", owner.path, owner.index, name)
        return self.asking.answer(key, None, lambda: self._member(owner, name))

    def _member(self, owner: Symbol, name: str) -> Symbol | None:
        for cls in self.with_bases(owner):
            for symbol in self.own_members(cls, name):
                return symbol
        return None

    def own_members(self, owner: Symbol, name: str | None = None) -> Iterator[Symbol]:
        """Members of a class itself: inside it, in its extensions, or defined apart from it."""
        return (outline.symbol(index) for outline, index in self.own_places(owner, name))

    def own_places(self, owner: Symbol, name: str | None = None) -> Iterator[tuple[Outline, int]]:
        """The outlines and indexes of `own_members`."""
        for path in self._parts(owner):
            outline = self.outline(path)
            if outline is None:
                continue
            for part in outline.named(owner.name):
                same = part.path == owner.path and part.index == owner.index
                if same or part.kind is Kind.EXTENSION or self._is_part(part, owner):
                    yield from ((outline, index) for index in outline.inside(part.index, name))
            for index in outline.owned_by(owner.name):
                if name is None or outline.name_of(index) == name:
                    yield outline, index

    def _is_part(self, other: Symbol, owner: Symbol) -> bool:
        """Whether a type is defined in several pieces: C#'s partial classes, Scala's companions."""
        language = self._language(owner.path)
        reopened = language is not None and language.members == "parts"
        return reopened and other.kind in TYPES and other.container == owner.container

    def _parts(self, owner: Symbol) -> list[str]:
        """Files that may hold members of a type: its own, and those beside it in some languages."""
        language = self._language(owner.path)
        if language is None or language.members == "file" or owner.kind is Kind.MODULE:
            return [owner.path]
        others = sorted(self._files.in_folder(parent_of(owner.path)))
        return [owner.path, *(path for path in others if path != owner.path)]

    def with_bases(self, owner: Symbol) -> Iterator[Symbol]:
        """A class, then its bases and theirs, each once."""
        seen: set[tuple[str, int]] = set()
        pending = [owner]
        while pending:
            cls = pending.pop(0)
            if (cls.path, cls.index) in seen or len(seen) > 50:
                continue
            seen.add((cls.path, cls.index))
            yield cls
            pending = [*self.bases(cls), *pending]

    def bases(self, cls: Symbol) -> tuple[Symbol, ...]:
        """The classes named as bases of a class, as far as they are known."""
        key = ("bases", cls.path, cls.index)
        return self.asking.answer(key, (), lambda: self._bases_of(cls))

    def _bases_of(self, cls: Symbol) -> tuple[Symbol, ...]:
        targets = [self.in_scope(cls, name) for name in cls.detail.split()]
        names = mixed_in(self._language(cls.path), self.outline(cls.path), cls)
        mixins = [self.in_scope(cls, name) for name in names]
        return tuple(
            target
            for target in targets + mixins
            if isinstance(target, Symbol)
            and (target.kind in TYPES or (target.kind is Kind.MODULE and target in mixins))
            and target != cls
        )

    def modules(self, path: str, clause: Import) -> tuple[str, ...]:
        """Files that an import of a file may mean, likeliest first."""
        language = self._language(path)  # the text itself does not count for the rest
        if language is None:
            return ()
        key = ("modules", language.name, path, clause)
        return self.asking.answer(key, (), lambda: self._modules_of(language, path, clause))

    def _modules_of(self, language: Language, path: str, clause: Import) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(language.imports.candidates(clause, path, self._files)))
        if found or language.visible not in PACKAGES:
            return found
        declaring = self._definers(clause.module)
        return tuple(sorted(declaring, key=lambda other: closeness(other, path)))

    def _definers(self, name: str) -> frozenset[str]:
        """All files that define a name, as a package that they declare at their top."""
        if not name:
            return frozenset()
        key = ("definers", name)
        return self.asking.answer(key, frozenset(), lambda: self._paths_defining(name))

    def _paths_defining(self, name: str) -> frozenset[str]:
        self.asking.read(definers_of(name))
        return self._table.paths_defining(name)

    def _in_packages(self, path: str, packages: list[str], name: str) -> Symbol | None:
        """A definition in a file of one of several packages, seen from another file."""
        defining = self._definers(name) if packages else frozenset()
        for package in packages:
            others = defining & self._definers(package)
            found = self._first_of(path, others, name)
            if found is not None:
                return found
        return None

    def _first_of(self, path: str, others: frozenset[str], name: str) -> Symbol | None:
        """The definition of a name in one of several files, the one called like it first."""

        def order(other: str) -> tuple[bool, tuple[int, int, str]]:
            stem = name_of(other).split(".", 1)[0]
            return stem.replace("_", "").lower() != name.lower(), closeness(other, path)

        for other in sorted(others - {path}, key=order):
            own = self._own(other, name)
            if own is not None:
                return own
        return None

    def _exported(self, path: str, name: str, depth: int) -> Target | None:
        if depth > MAX_DEPTH:
            self.asking.cut()
            return None
        outline = self.outline(path)
        if outline is None or not outline.may_tell(name):
            return None
        key = (path, name)
        found: Target | None = self.asking.known(key, depth)
        if found is MISSING:
            found = self.asking.find(key, None, lambda: self._find(path, name, depth), depth)
        return found

    def _find(self, path: str, name: str, depth: int) -> Target | None:
        outline = self.outline(path)
        if outline is None:
            return None
        own = self._own(path, name)
        importing = outline.importing(name)
        if own is not None and not any(assigns(own, clause) for clause, _ in importing):
            return own
        for clause, there in importing:
            if there is not None:
                target = self._imported(path, clause, there, depth)
            else:
                target = self._whole(path, clause, clause.binds == name)
            if target is not None:
                return target
        return own or self._starred(path, name, depth) or self._beside(path, name)

    def _starred(self, path: str, name: str, depth: int) -> Target | None:
        """A name that came with everything else of a module."""
        outline = self.outline(path)
        for clause in outline.stars if outline is not None else ():
            modules = [module for module in self.modules(path, clause) if module != path]
            for module in self._defining(modules, name) + modules[:MAX_STARRED]:
                target = self._exported(module, name, depth + 1)
                if target is not None:
                    return target
            member = self._taken(path, clause, name, depth)
            if member is not None:
                return member
        return None

    def _defining(self, modules: list[str], name: str) -> list[str]:
        """Those of the modules that define a name."""
        if len(modules) > MANY_MODULES:
            defining = self._definers(name)
            return [module for module in modules if module in defining]
        outlines = [self.outline(module) for module in modules]
        return [
            module
            for module, outline in zip(modules, outlines, strict=True)
            if outline is not None and outline.named(name)
        ]

    def _own(self, path: str, name: str, owned: bool = False) -> Symbol | None:
        """A definition at the top of a file, or in a namespace there.

        With `owned` also one that belongs to a type elsewhere, as Kotlin's extensions do.
        """
        outline = self.outline(path)
        if outline is None:
            return None
        for symbol in outline.named(name):
            if symbol.kind is Kind.EXTENSION:
                continue
            if not owned and outline.facts.owner_of(symbol.index):
                continue
            if symbol.parent < 0 or outline.symbol(symbol.parent).kind in OPEN:
                return symbol
        return None

    def _imported(self, path: str, clause: Import, name: str, depth: int) -> Target | None:
        if not clause.module and not clause.level:  # a name of the file itself, exported by another
            return self._exported(path, name, depth + 1)
        modules = self.modules(path, clause)
        language = self._language(path)
        if language is not None and language.visible in PACKAGES:
            declared = self._in_packages(path, [clause.module], name)
            if declared is not None:
                return declared
            defining = self._definers(name)
            modules = tuple(module for module in modules if module in defining)
        for module in modules:
            if module == path:
                submodule = self._submodule(module, name)
                if submodule is not None:
                    return submodule
                continue
            target = self._exported(module, name, depth + 1) or self._submodule(module, name)
            if target is not None:
                return target
        member = self._taken(path, clause, name, depth)
        if member is not None:
            return member
        found = (self._own(module, name, owned=True) for module in modules[:MAX_STARRED])
        return next((symbol for symbol in found if symbol is not None), None)

    def _taken(self, path: str, clause: Import, name: str, depth: int) -> Symbol | None:
        owner = self._type_taken_apart(path, clause, depth)
        return self.member(owner, name) if owner is not None else None

    def _type_taken_apart(self, path: str, clause: Import, depth: int) -> Symbol | None:
        """The type whose members an import takes: Util of `import static app.Util.helper`."""
        key = ("apart", path, clause)
        found: Symbol | None = self.asking.known(key, depth)
        if found is MISSING:
            find = partial(self._find_taken_apart, path, clause, depth)
            found = self.asking.find(key, None, find, depth)
        return found

    def _find_taken_apart(self, path: str, clause: Import, depth: int) -> Symbol | None:
        module, separator = clause.module.replace("::", "."), "."
        if "\\" in module:
            separator = "\\"
        package, _, last = module.rpartition(separator)
        if not package or not last:
            return None
        for file in self.modules(path, clause)[:MAX_STARRED]:
            own = self._own(file, last)
            if own is not None and own.kind in TYPES:
                return own
        language = self._language(path)
        if language is None or language.visible not in PACKAGES:
            return None
        outer = Import(package, ((last, last),), "", 0, False, clause.start, clause.end)
        target = self._imported(path, outer, last, depth + 1)
        return target if isinstance(target, Symbol) and target.kind in TYPES else None

    def _nested(self, path: str, name: str) -> Symbol | None:
        """A type inside another type of the same file, if only one is called so."""
        language, outline = self._language(path), self.outline(path)
        if language is None or outline is None or language.visible not in PACKAGES:
            return None
        found = outline.named(name)
        types = [symbol for symbol in found if symbol.kind in TYPES and symbol.parent >= 0]
        return types[0] if len(types) == 1 else None

    def _whole(self, path: str, clause: Import, bound: bool) -> Target | None:
        """The module itself; for `import a.b` that binds only `a`, the package `a`."""
        if not bound and "." in clause.module and clause.level == 0:
            package = clause.module.split(".", 1)[0]
            first = Import(package, (), "", 0, False, clause.start, clause.end)
            modules = self.modules(path, first)
        else:
            modules = self.modules(path, clause)
        return Module(modules[0]) if modules else None

    def _submodule(self, path: str, name: str) -> Module | None:
        language = self._language(path)
        find = getattr(language.imports, "submodule", None) if language is not None else None
        found = find(path, name, self._files) if find is not None else None
        return Module(found) if found is not None else None

    def _beside(self, path: str, name: str) -> Symbol | None:
        """A definition in another file that needs no import: of the same folder or package."""
        language = self._language(path)
        visible = language.visible if language is not None else "file"
        if visible == "file":
            return None
        if visible == "repository":  # Ruby: whatever was loaded; only constants are so far apart
            constant = name[:1].isupper()
            defining = self._definers(name) if constant else frozenset()
            return self._first_of(path, defining, name)
        if visible == "language":  # tables, custom properties
            alike = (other for other in self._definers(name) if self._language(other) is language)
            return self._first_of(path, frozenset(alike), name)
        outline = self.outline(path)
        packages = outline.packages if visible in PACKAGES and outline is not None else []
        if packages:
            if visible == "namespace":
                packages = [outer for package in packages for outer in outwards(package)]
            return self._in_packages(path, packages, name)
        folder = parent_of(path)
        defining = self._definers(name)
        beside = frozenset(other for other in defining if parent_of(other) == folder)
        return self._first_of(path, beside, name)

    def outline(self, path: str) -> Outline | None:
        """The outline of a file, as a source of the question at hand."""
        self.asking.read(path)
        if path not in self._seen:
            self._seen[path] = self._outlines.get(path)
        return self._seen[path]

    def _language(self, path: str) -> Language | None:
        outline = self.outline(path)
        return outline.language if outline is not None else None
