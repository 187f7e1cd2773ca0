"""What universal-ctags says files define. A language is one entry of `LANGUAGES`.

Containers are compared without the parts that have no name, which ctags numbers and the index
leaves out; a struct without a name that a typedef names is called by that name, as in the index.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.exactness.compare import Definition

ANONYMOUS = re.compile(r"__anon\w+")
TYPES = frozenset({"class", "struct", "union", "interface", "enum", "implementation", "trait"})


@dataclass(frozen=True)
class Ctags:
    """How ctags and the index talk about one language."""

    name: str  # as ctags calls the language
    kinds: dict[str, str]  # ctags' kind: the index's; kinds that are missing are not compared
    extra_kinds: str = ""  # letters of kinds that ctags leaves out unless asked
    method_scopes: frozenset[str] = frozenset()  # functions in these are methods
    containers: bool = True  # whether ctags' scopes are those of the index
    last_container: bool = False  # the index names out-of-line members by their class alone
    package_first: bool = False  # whether scopes begin with the package
    ignored_macros: str = ""  # annotations that ctags can't tell from names
    same_kinds: dict[str, str] = field(default_factory=dict)  # the index tells more apart
    invented: str = r"(?!)"  # "kind:name:line" of what is no definition, as a pattern
    prefix: str = r"(?!)"  # what ctags puts before names, as a pattern


C_KINDS = {
    "function": "function",
    "prototype": "function",
    "struct": "class",
    "union": "class",
    "enum": "enum",
    "enumerator": "constant",
    "typedef": "type",
    "member": "field",
    "variable": "variable",
    "externvar": "variable",
    "macro": "macro",
}
CPP_ANNOTATIONS = (
    "GUARDED_BY",
    "EXCLUSIVE_LOCKS_REQUIRED",
    "LOCKS_EXCLUDED",
    "SCOPED_LOCKABLE",
)
"""Macros of thread safety analysis, as Clang's documentation names them."""
LANGUAGES = {
    "java": Ctags(
        "Java",
        {
            "class": "class",
            "interface": "interface",
            "annotation": "interface",
            "enum": "enum",
            "enumConstant": "constant",
            "method": "method",
            "field": "field",
            "package": "module",
        },
    ),
    # Values of classes and of files have one kind to ctags, `val` and `var` by turns; extensions
    # have no scope.
    "kotlin": Ctags(
        "Kotlin",
        {
            "package": "module",
            "class": "class",
            "object": "class",
            "interface": "interface",
            "typealias": "type",
            "method": "function",
            "constant": "variable",
            "variable": "variable",
        },
        containers=False,
        same_kinds={
            "method": "function",
            "field": "variable",
            "constant": "variable",
            "enum": "class",
        },
        # Parameters of lambdas and names of loops are methods to ctags.
        invented=r"method:(?!.*\bfun\b)|object:Companion:",
    ),
    "csharp": Ctags(
        "C#",
        {
            "class": "class",
            "struct": "class",
            "interface": "interface",
            "enum": "enum",
            "enumerator": "field",
            "method": "method",
            "property": "field",
            "field": "field",
            "event": "field",
            "namespace": "module",
        },
        containers=False,  # ctags does not know namespaces of a whole file
        # Types after `where` are fields to ctags, delegates and calls of `base` are methods.
        invented=r".*\bwhere\b.*:|method:(base|this):|method:.*\bdelegate\b",
        prefix=r".*\.|operator |~",
    ),
    "ruby": Ctags(
        "Ruby",
        {
            "module": "module",
            "class": "class",
            "constant": "constant",
            "accessor": "field",
            "method": "function",
            "singletonMethod": "function",
            "alias": "function",
        },
        containers=False,
        same_kinds={"method": "function", "constant": "field", "variable": "field"},
        # An accessor has a second method; a constant that is compared is defined elsewhere.
        invented=r"accessor:\w+=:|constant:(\w+):.*\b\1\s*=[=>~]",
    ),
    "php": Ctags(
        "PHP",
        {
            "namespace": "module",
            "class": "class",
            "trait": "class",
            "interface": "interface",
            "function": "function",
            "define": "variable",
            "variable": "variable",
        },
        containers=False,
        same_kinds={
            "method": "function",
            "field": "variable",
            "constant": "variable",
            "enum": "class",
        },
        invented=r"class:AnonymousClass|variable:this:",
    ),
    "go": Ctags(
        "Go",
        {
            "func": "function",
            "methodSpec": "method",
            "struct": "class",
            "interface": "interface",
            "type": "type",
            "talias": "type",
            "member": "field",
            "anonMember": "field",
            "const": "constant",
            "var": "variable",
        },
        method_scopes=frozenset({"struct", "type", "unknown", "talias", "interface"}),
        package_first=True,
    ),
    "rust": Ctags(
        "Rust",
        {
            "struct": "class",
            "enum": "enum",
            "enumerator": "field",
            "interface": "interface",
            "implementation": "extension",
            "function": "function",
            "field": "field",
            "method": "function",
            "module": "module",
            "macro": "macro",
            "typedef": "type",
            "variable": "variable",
        },
        containers=False,
        same_kinds={"method": "function"},  # ctags goes by self, and loses track of impls
    ),
    # Functions without a name of their own are called by the word before them.
    "lua": Ctags(
        "Lua",
        {"function": "function"},
        containers=False,
        same_kinds={"method": "function"},
        invented=r"function:[^:]*[\[\]'\"]|function:[^/]*/(?!.*\bfunction\b\s*[\w.:]+\s*\("
        r"|.*[\w\]]\s*=\s*function\b)",
        prefix=r".*[.:]",
    ),
    # An empty array is a function to ctags.
    "bash": Ctags(
        "Sh", {"function": "function"}, containers=False, invented=r"function:\W*\w*\W+:"
    ),
    "sql": Ctags(
        "SQL",
        {
            "table": "class",
            "field": "field",
            "view": "class",
            "function": "function",
            "procedure": "function",
            "trigger": "function",
            "index": "key",
        },
        containers=False,
        prefix=r".*\.",
    ),
    "html": Ctags("HTML", {"id": "element"}, containers=False),
    "markdown": Ctags(
        "Markdown",
        {
            "chapter": "section",
            "section": "section",
            "subsection": "section",
            "subsubsection": "section",
            "l4subsection": "section",
            "l5subsection": "section",
        },
        containers=False,
    ),
    "c": Ctags("C", C_KINDS, "px"),
    "cpp": Ctags(
        "C++",
        {**C_KINDS, "class": "class", "namespace": "module"},
        "px",
        method_scopes=frozenset({"class", "struct", "union"}),
        last_container=True,
        ignored_macros=",".join(f"{macro}+" for macro in CPP_ANNOTATIONS),
    ),
}


def version() -> str:
    """What answers, "" where universal-ctags is not installed."""
    if shutil.which("ctags") is None:
        return ""
    said = subprocess.run(["ctags", "--version"], capture_output=True, text=True, check=False)
    line = said.stdout.split("\n", 1)[0]
    return line.split(",")[0] if line.startswith("Universal Ctags") else ""


def read(language: Ctags, paths: Iterable[Path]) -> dict[str, list[Definition]]:
    """Definitions by path, for files that all are of one language."""
    command = ["ctags", f"--language-force={language.name}", "--output-format=json"]
    command += ["--fields=+nKsSe", "--sort=no", "-L", "-", "-o", "-"]
    if language.ignored_macros:
        command += ["-I", language.ignored_macros]
    if language.extra_kinds:
        command.append(f"--kinds-{language.name}=+{language.extra_kinds}")
    wanted = "\n".join(map(str, paths))
    said = subprocess.run(command, input=wanted, capture_output=True, text=True, check=True)
    tags: dict[str, list[dict[str, Any]]] = {}
    for line in said.stdout.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag":
            tags.setdefault(tag["path"], []).append(tag)
    return {path: _definitions(language, found) for path, found in tags.items()}


def _definitions(language: Ctags, tags: list[dict[str, Any]]) -> list[Definition]:
    named = {  # structs without a name, by what a typedef calls them
        kind_and_name[1].rsplit("::", 1)[-1]: (tag["name"], kind_and_name[0])
        for tag in tags
        if tag["kind"] == "typedef"
        and len(kind_and_name := tag.get("typeref", "").split(":", 1)) == 2
        and ANONYMOUS.fullmatch(kind_and_name[1].rsplit("::", 1)[-1])
    }
    typedefs = dict(named.values())
    classes = {tag["name"] for tag in tags if tag["kind"] in ("class", "struct", "union")}
    functions = {tag["name"] for tag in tags if tag["kind"] in ("function", "method")}
    found: list[Definition] = []
    for tag in tags:
        if re.match(language.invented, f"{tag['kind']}:{tag['name']}:{tag.get('pattern', '')}"):
            continue
        if tag["kind"] != "namespace":
            tag["name"] = re.sub(f"^(?:{language.prefix})", "", tag["name"])
        kind = language.kinds.get(tag["kind"])
        kind = language.same_kinds.get(kind, kind) if kind is not None else None
        if kind is None or ANONYMOUS.fullmatch(tag["name"]) or tag["name"] == "_":
            continue
        if kind == "variable" and tag.get("scopeKind") in ("function", "method"):
            continue  # a name of a function
        if kind == "function" and tag.get("scopeKind") in language.method_scopes:
            kind = "method"
        if tag["kind"] == "typedef" and tag["name"] in typedefs:
            kind = "enum" if typedefs[tag["name"]] == "enum" else "class"
        container = _container(language, tag.get("scope", ""), named)
        if kind == "macro":
            container = ""  # known to the whole file
        last = tag.get("scope", "").rsplit("::", 1)[-1]
        around = container.rsplit(".", 1)[-1]
        if ANONYMOUS.fullmatch(last) and around in functions - classes:
            continue  # part of a variable of a function
        if tag.get("scopeKind") == "enum" and (not ANONYMOUS.fullmatch(last) or last in named):
            kind = "field"  # the index calls the constants of an enum its fields
        elif kind == "constant" and container.rsplit(".", 1)[-1] in classes:
            kind = "field"  # and those of an enum without a name fields of the class around
        found.append(Definition(tag["line"], tag["name"].replace(" ", ""), kind, container))
    return found


def _container(language: Ctags, scope: str, named: dict[str, tuple[str, str]]) -> str:
    if not language.containers:
        return ""
    parts = [part for part in re.split(r"::|\.", scope) if part]
    if language.package_first:
        parts = parts[1:]
    parts = [named[part][0] if part in named else part for part in parts]
    parts = [part for part in parts if not ANONYMOUS.fullmatch(part)]
    return ".".join(parts[-1:] if language.last_container else parts)


def comparable(language: Ctags) -> Callable[[Definition], Definition | None]:
    """Turns a definition of the index into what ctags would say, None for kinds it has not."""
    kinds = {*language.kinds.values(), *(["method"] if language.method_scopes else [])}

    def turn(one: Definition) -> Definition | None:
        kind = language.same_kinds.get(one.kind, one.kind)
        container = one.container if language.containers and kind != "macro" else ""
        if kind not in kinds or one.name == "_":
            return None
        if language.last_container:
            container = container.rsplit(".", 1)[-1]
        return Definition(one.line, one.name.replace(" ", ""), kind, container)

    return turn
