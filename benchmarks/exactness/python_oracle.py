"""What CPython's own parser says a Python file defines, imports and refers to.

The rules of the comparison, which are those of the index:

* Functions, methods and classes count wherever they stand; variables of functions don't.
* A variable is what a module or class body binds: by assignment, `for`, `with`, `:=` or `match`.
  Of several bindings of one name in one body the first counts.
* A member is an attribute that a method assigns of its first parameter, or of a `self` or `cls`
  that it made.
"""

from __future__ import annotations

import ast
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.exactness.compare import Definition

NAME = f"ast of CPython {platform.python_version()}"
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
RECURSION = 20_000
"""Frames for walking long chains of operators."""
CONVENTIONS = ("self", "cls")
FSTRING_POSITIONS = tuple(map(int, platform.python_version_tuple()[:2])) >= (3, 12)
"""Before 3.12 `ast` does not know where in an f-string a name stands."""


class Imported(NamedTuple):
    """One name that an import statement takes, or a module that it takes as a whole."""

    line: int
    module: str
    level: int
    name: str  # "" for the module itself, "*" for everything
    binds: str


class Use(NamedTuple):
    """A place where a name is used: a variable or an attribute."""

    line: int
    column: int  # in bytes, from 0
    name: str
    kind: str


@dataclass
class Facts:
    """What one file holds."""

    definitions: list[Definition] = field(default_factory=list)
    imports: list[Imported] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


class Body(NamedTuple):
    """Where a node stands."""

    container: str
    kind: str  # "module", "class" or "function"
    values: set[str]  # what the body has bound so far
    owner: Body | None = None  # of a method or what it holds: the body of the class
    receiver: str = ""  # how the method calls its object

    def inside(self, name: str) -> str:
        return f"{self.container}.{name}" if self.container else name


def read(text: bytes) -> Facts | None:
    """The facts of a file; None if this Python can't parse it."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    facts = Facts()
    body = Body("", "module", set())
    for statement in tree.body:
        _visit(statement, body, facts)
    facts.imports += _imports(tree)
    facts.uses += _uses(tree, text)
    return facts


def _visit(node: ast.AST, body: Body, facts: Facts) -> None:
    add = facts.definitions.append
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            kind = "method" if body.kind == "class" else "function"
            add(Definition(node.lineno, node.name, kind, body.container))
            outside: list[ast.AST] = [*node.decorator_list, node.args]
            _visit_all([*outside, *([node.returns] if node.returns else [])], body, facts)
            _visit_all(node.body, _function_body(node, body), facts)
            return
        case ast.ClassDef():
            add(Definition(node.lineno, node.name, "class", body.container))
            _visit_all([*node.decorator_list, *node.bases, *node.keywords], body, facts)
            _visit_all(node.body, Body(body.inside(node.name), "class", set()), facts)
            return
        case ast.Lambda():
            _visit_all([node.args], body, facts)
            _visit_all([node.body], body._replace(kind="function"), facts)
            return
        case ast.AugAssign():  # changes what must be bound already
            _visit_all([node.value], body, facts)
            return
        case ast.Name(ctx=ast.Store()):
            _bind(node.id, node.lineno, body, facts)
        case ast.Attribute(ctx=ast.Store(), value=ast.Name()) if body.owner is not None:
            if isinstance(node.value, ast.Name) and node.value.id in (body.receiver, *CONVENTIONS):
                _bind(node.attr, node.end_lineno or node.lineno, body.owner, facts)
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            _bind(name, node.end_lineno or node.lineno, body, facts)
        case ast.comprehension():  # its target is a name of its own
            _visit_all([node.iter, *node.ifs], body, facts)
            return
        case _ if type(node).__name__ == "TypeAlias":  # from 3.12 on
            add(Definition(node.lineno, node.name.id, "type", body.container))  # type: ignore[attr-defined]
            return
    _visit_all(ast.iter_child_nodes(node), body, facts)


def _visit_all(
    nodes: Iterator[ast.AST] | list[ast.AST] | list[ast.stmt], body: Body, facts: Facts
) -> None:
    for node in nodes:
        _visit(node, body, facts)


def _bind(name: str, line: int, body: Body, facts: Facts) -> None:
    if body.kind != "function" and name not in body.values:
        body.values.add(name)
        kind = "field" if body.kind == "class" else "variable"
        facts.definitions.append(Definition(line, name, kind, body.container))


def _function_body(node: ast.FunctionDef | ast.AsyncFunctionDef, body: Body) -> Body:
    owner, receiver = body.owner, body.receiver
    parameters = [*node.args.posonlyargs, *node.args.args]
    if body.kind == "class":
        static = any(
            isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in node.decorator_list
        )
        owner = body
        receiver = parameters[0].arg if parameters and not static else ""
    elif any(parameter.arg == receiver for parameter in parameters):
        receiver = ""  # another thing of that name
    return Body(body.inside(node.name), "function", set(), owner, receiver)


def _imports(tree: ast.AST) -> Iterator[Imported]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Imported(node.lineno, alias.name, 0, "", alias.asname or "")
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                binds = "" if alias.name == "*" else alias.asname or alias.name
                yield Imported(node.lineno, node.module or "", node.level, alias.name, binds)


def _uses(tree: ast.AST, text: bytes) -> Iterator[Use]:
    waiting: list[ast.AST] = [tree]
    called: set[ast.AST] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr) and not FSTRING_POSITIONS:
            continue
        if isinstance(node, ast.Call):
            called.add(node.func)
        if isinstance(node, ast.Name):
            yield Use(node.lineno, node.col_offset, node.id, "call" if node in called else "name")
        elif isinstance(node, ast.Attribute) and node.end_lineno and node.end_col_offset:
            column = node.end_col_offset - len(node.attr.encode())
            kind = "call" if node in called else "attribute"
            yield Use(node.end_lineno, column, node.attr, kind)
        waiting += ast.iter_child_nodes(node)
