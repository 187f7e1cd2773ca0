"""Lines of a Python repository that need a definition from another file, found by `ast` alone.

A case hides one line. Its gold are the definitions, in other files, of the names in that line:
imported names, attributes of imported modules, members inherited from bases or reached through a
receiver whose class is evident. Nothing here shares code with the index that is judged.

Bias to keep in mind: gold is what static resolution can see. Registries, duck typing and similar
code elsewhere are not measured.
"""

from __future__ import annotations

import ast
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.holes.case import Case, Use, cases_of, chosen

Function = ast.FunctionDef | ast.AsyncFunctionDef
MAX_DEPTH = 12
FAR = 25
"""Lines around a control that no name of another file is in."""


@dataclass(eq=False)
class Definition:
    """A function, class, variable or attribute; members for classes."""

    module: Module
    name: str
    node: ast.stmt | ast.expr
    members: dict[str, Definition] | None = None

    @property
    def line(self) -> int:
        return self.node.lineno


@dataclass(eq=False)
class Module:
    path: str
    name: str
    is_package: bool
    lines: list[str]
    tree: ast.Module
    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)  # local -> module, name there
    stars: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Instance:
    """A value whose class is known; `skip_own` for super()."""

    cls: Definition
    skip_own: bool = False


Meaning = Module | Definition | Instance | None


class Repository:
    """All modules below a folder, with what their names mean."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules: dict[str, list[Module]] = defaultdict(list)
        self.by_path: dict[str, Module] = {}
        for path in sorted(root.rglob("*.py")):
            module = self._read(path)
            if module is not None:
                self.by_path[module.path] = module
                self.modules[module.name].append(module)
        for module in self.by_path.values():
            self._collect(module, module.tree.body, module.definitions)

    def _read(self, path: Path) -> Module | None:
        try:
            source = path.read_bytes().decode()
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return None
        if "\r" in source or "\f" in source:  # lines would be counted differently
            return None
        parts = [] if path.name == "__init__.py" else [path.stem]
        folder = path.parent
        while (folder / "__init__.py").exists() and folder != self.root:
            parts.insert(0, folder.name)
            folder = folder.parent
        relative = path.relative_to(self.root).as_posix()
        is_package = path.name == "__init__.py"
        return Module(relative, ".".join(parts), is_package, source.splitlines(True), tree)

    def _collect(self, module: Module, body: list[ast.stmt], into: dict[str, Definition]) -> None:
        for node in body:
            if isinstance(node, Function):
                into.setdefault(node.name, Definition(module, node.name, node))
            elif isinstance(node, ast.ClassDef):
                into.setdefault(node.name, self._class(module, node))
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                            into.setdefault(name.id, Definition(module, name.id, node))
            elif isinstance(node, ast.Import | ast.ImportFrom):
                if into is module.definitions:
                    self._bind(module, node, module.imports, module.stars)
            else:
                for inner in ("body", "orelse", "finalbody"):
                    self._collect(module, getattr(node, inner, []), into)
                for handler in getattr(node, "handlers", []):
                    self._collect(module, handler.body, into)

    def _class(self, module: Module, node: ast.ClassDef) -> Definition:
        members: dict[str, Definition] = {}
        self._collect(module, node.body, members)
        for method in node.body:
            if isinstance(method, Function):
                for store in ast.walk(method):
                    if (
                        isinstance(store, ast.Attribute)
                        and isinstance(store.ctx, ast.Store)
                        and isinstance(store.value, ast.Name)
                        and store.value.id == "self"
                    ):
                        members.setdefault(store.attr, Definition(module, store.attr, store))
        return Definition(module, node.name, node, members)

    def _bind(
        self,
        module: Module,
        node: ast.Import | ast.ImportFrom,
        names: dict[str, tuple[str, str]],
        stars: list[str],
    ) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                names[alias.asname or first] = (alias.name if alias.asname else first, "")
            return
        base = node.module or ""
        if node.level:
            parts = module.name.split(".") if module.name else []
            drop = node.level - module.is_package
            if drop > len(parts):
                return
            base = ".".join(parts[: len(parts) - drop] + ([node.module] if node.module else []))
        for alias in node.names:
            if alias.name == "*":
                stars.append(base)
            else:
                names[alias.asname or alias.name] = (base, alias.name)

    def find(self, name: str, near: Module) -> Module | None:
        """A module by its dotted name; of several, the one that shares most folders with `near`."""
        found = self.modules.get(name, [])

        def shared(module: Module) -> int:
            pairs = zip(module.path.split("/"), near.path.split("/"), strict=False)
            return next((n for n, (one, two) in enumerate(pairs) if one != two), 0)

        return max(found, key=shared, default=None)

    def imported(self, module: Module, target: tuple[str, str], depth: int = 0) -> Meaning:
        base, name = target
        source = self.find(base, module)
        if not name:
            return source
        found = self.name(source, name, depth + 1) if source is not None else None
        return found if found is not None else self.find(f"{base}.{name}".lstrip("."), module)

    def name(self, module: Module, name: str, depth: int = 0) -> Meaning:
        if depth > MAX_DEPTH:
            return None
        if name in module.definitions:
            return module.definitions[name]
        if name in module.imports:
            return self.imported(module, module.imports[name], depth + 1)
        for star in module.stars:
            source = self.find(star, module)
            if source is not None and source is not module:
                found = self.name(source, name, depth + 1)
                if found is not None:
                    return found
        return None

    def member(
        self, cls: Meaning, name: str, skip_own: bool = False, depth: int = 0
    ) -> Definition | None:
        if not isinstance(cls, Definition) or cls.members is None or depth > MAX_DEPTH:
            return None
        if not skip_own and name in cls.members:
            return cls.members[name]
        assert isinstance(cls.node, ast.ClassDef)
        for base in cls.node.bases:
            found = self.member(self.meaning(cls.module, base, None), name, False, depth + 1)
            if found is not None:
                return found
        return None

    def meaning(self, module: Module, node: ast.expr, scope: Scope | None) -> Meaning:
        """What an expression means, as far as it is evident."""
        if isinstance(node, ast.Name):
            if scope is not None:
                local, meaning = scope.lookup(node.id)
                if local:
                    return meaning
            return self.name(module, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.meaning(module, node.value, scope)
            if isinstance(owner, Module):
                found = self.name(owner, node.attr)
                return found if found is not None else self.find(f"{owner.name}.{node.attr}", owner)
            if isinstance(owner, Instance):
                return self.member(owner.cls, node.attr, owner.skip_own)
            return self.member(owner, node.attr)
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
                cls = scope.cls if scope is not None else None
                return Instance(cls, True) if cls is not None else None
            called = self.meaning(module, node.func, scope)
            if isinstance(called, Definition) and called.members is not None:
                return Instance(called)
        return None


class Scope:
    """Names local to a function and to those around it."""

    def __init__(
        self,
        repository: Repository,
        module: Module,
        function: Function,
        cls: Definition | None,
        around: Scope | None,
    ) -> None:
        self.cls: Definition | None = (
            cls if cls is not None else (around.cls if around is not None else None)
        )
        self._around = around
        self._names: dict[str, Meaning] = {}
        arguments = function.args
        plain = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
        for argument in plain + [one for one in (arguments.vararg, arguments.kwarg) if one]:
            self._names[argument.arg] = None
        for argument in plain:
            if argument.annotation is not None:
                declared = repository.meaning(module, argument.annotation, None)
                if isinstance(declared, Definition) and declared.members is not None:
                    self._names[argument.arg] = Instance(declared)
        static = any(
            isinstance(one, ast.Name) and one.id == "staticmethod"
            for one in function.decorator_list
        )
        if cls is not None and plain and not static:
            self._names[plain[0].arg] = Instance(cls)
        self._assignments(repository, module, function)

    def _assignments(self, repository: Repository, module: Module, function: Function) -> None:
        stores: Counter[str] = Counter()
        values: list[tuple[str, ast.expr]] = []
        imports: dict[str, tuple[str, str]] = {}
        for node in _own_nodes(function):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                stores[node.id] += 1
                self._names.setdefault(node.id, None)
            elif isinstance(node, Function | ast.ClassDef):
                self._names[node.name] = None
            elif isinstance(node, ast.Import | ast.ImportFrom):
                repository._bind(module, node, imports, [])
            elif isinstance(node, ast.ExceptHandler) and node.name:
                self._names[node.name] = None
            elif isinstance(node, ast.Global | ast.Nonlocal):
                for name in node.names:
                    self._names.pop(name, None)
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                if isinstance(target, ast.Name):
                    values.append((target.id, node.value))
        for name, imported in imports.items():
            self._names[name] = repository.imported(module, imported)
        for name, value in values:
            if stores[name] == 1 and self._names.get(name) is None and isinstance(value, ast.Call):
                meaning = repository.meaning(module, value, self)
                if isinstance(meaning, Instance):
                    self._names[name] = meaning

    def lookup(self, name: str) -> tuple[bool, Meaning]:
        if name in self._names:
            return True, self._names[name]
        return self._around.lookup(name) if self._around is not None else (False, None)


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """Nodes of a function, those of functions and classes inside it left out."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


Found = tuple[int, str, str, Definition]
"""line, name, kind, definition in another file"""


def uses(repository: Repository, module: Module) -> Iterator[Found]:
    """All references of a module into other files."""

    def visit(node: ast.AST, scope: Scope | None, cls: Definition | None) -> Iterator[Found]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            return
        if isinstance(node, Function):
            inner = Scope(repository, module, node, cls, scope)
            for child in ast.iter_child_nodes(node):
                own = child in node.body
                yield from visit(child, inner if own else scope, None if own else cls)
            return
        if isinstance(node, ast.ClassDef):
            known = module.definitions.get(node.name) if scope is None else None
            here = known if known is not None and known.node is node else None
            for child in ast.iter_child_nodes(node):
                yield from visit(child, scope, here if child in node.body else cls)
            return
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            found = repository.meaning(module, node, scope)
            if isinstance(found, Definition) and found.module is not module:
                name = node.id if isinstance(node, ast.Name) else node.attr
                line = node.end_lineno or node.lineno
                yield line, name, _kind(repository, module, node, scope), found
        for child in ast.iter_child_nodes(node):
            yield from visit(child, scope, cls)

    for statement in module.tree.body:
        yield from visit(statement, None, None)


def _kind(
    repository: Repository, module: Module, node: ast.Name | ast.Attribute, scope: Scope | None
) -> str:
    if isinstance(node, ast.Name):
        return "symbol"
    owner = repository.meaning(module, node.value, scope)
    if isinstance(owner, Module):
        return "modattr"
    if isinstance(owner, Instance):
        own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        return "inherited" if own or owner.skip_own else "instance"
    return "classattr"


def python_cases(tree: Path, count: int, seed: int) -> list[Case]:
    """Cases of a tree of Python files."""
    repository = Repository(tree)
    modules = repository.by_path.values()
    return chosen((_cases_of(repository, module) for module in modules), count, seed)


def _cases_of(repository: Repository, module: Module) -> list[Case]:
    try:
        found = [
            Use(line, name, kind, target.module.path, target.line)
            for line, name, kind, target in uses(repository, module)
        ]
    except RecursionError:
        return []
    return cases_of(module.path, module.lines, _importing(module), found)


def _importing(module: Module) -> set[int]:
    """Lines of import statements."""
    return {
        line
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def python_controls(tree: Path, count: int, seed: int) -> list[Case]:
    """Lines with no name of another file in them or near them: what a context offers is not needed.

    Two a file at most, their gold is empty.
    """
    repository = Repository(tree)
    rng = random.Random(seed)
    found: list[Case] = []
    for module in repository.by_path.values():
        try:
            used = {line for line, *_ in uses(repository, module)}
        except RecursionError:
            continue
        used |= _importing(module)
        free = [
            number
            for number, text in enumerate(module.lines, 1)
            if text.strip(" \t\n)]}#") and not used.intersection(_around(number))
        ]
        for line in rng.sample(free, min(2, len(free))):
            text = module.lines[line - 1]
            indent = text[: len(text) - len(text.lstrip())]
            before = "".join(module.lines[: line - 1]) + indent
            after = "\n" + "".join(module.lines[line:])
            found.append(Case(module.path, line, before, after, (), text.strip()))
    rng.shuffle(found)
    return found[:count]


def _around(line: int) -> range:
    return range(line - FAR, line + FAR + 1)
