"""Lines of Go and Java repositories that need a definition from another file, by simple rules.

Only what plain text shows beyond doubt counts: names behind a Go package, functions of the same Go
package, imported Java classes, classes of the same Java package, static members behind a class.
Nothing here shares code with the index that is judged.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.holes.case import Case, Use, cases_of, chosen

GO_IMPORT = re.compile(r'^\s*(?:import\s+)?(?:(\w+)\s+)?"([^"]+)"\s*$')
GO_TOP = re.compile(r"^(?:func|type|var|const)\s+(\w+)\b")
GO_BLOCK = re.compile(r"^(?:type|var|const)\s*\($")
GO_IN_BLOCK = re.compile(r"^\t(\w+)\b")
GO_QUALIFIED = re.compile(r"(?<![\w.])(\w+)\.([A-Z]\w*)")
GO_CALL = re.compile(r"(?<![\w.])([A-Za-z]\w{3,})\(")
JAVA_IMPORT = re.compile(r"^import\s+([\w.]+)\.(\w+);")
JAVA_PACKAGE = re.compile(r"^package\s+([\w.]+);", re.MULTILINE)
JAVA_TYPE = r"^(?!\s*\*).*\b(?:class|interface|enum|record)\s+{}\b"
JAVA_STATIC = r"^\s[^=(;]*\bstatic\b[^=(;]*\b{}\s*[(=;]"
JAVA_NAME = re.compile(r"(?<![\w.\"])([A-Z]\w*)(?:\.(\w+))?")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|//.*$')


def go_cases(tree: Path, count: int, seed: int) -> list[Case]:
    texts = _texts(tree, "*.go")
    module = re.search(r"^module\s+(\S+)", (tree / "go.mod").read_text(), re.MULTILINE)
    assert module is not None, "go.mod names no module"
    defined: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)
    for path, lines in texts.items():
        if not path.endswith("_test.go"):
            for name, line in _go_definitions(lines):
                defined[_folder(path)].setdefault(name, (path, line))

    def uses(path: str, lines: list[str]) -> tuple[set[int], Iterator[Use]]:
        packages: dict[str, str] = {}
        importing: set[int] = set()
        for number, text in enumerate(lines, 1):
            found = GO_IMPORT.match(text)
            if found:
                importing.add(number)
                alias, name = found.group(1), found.group(2)
                if name.startswith(module.group(1) + "/"):
                    folder = name[len(module.group(1)) + 1 :]
                    packages[alias or folder.rsplit("/", 1)[-1]] = folder
        return importing, _go_uses(path, lines, packages, defined)

    return _chosen(texts, uses, count, seed)


def _go_definitions(lines: list[str]) -> Iterator[tuple[str, int]]:
    in_block = False
    for number, text in enumerate(lines, 1):
        top = GO_TOP.match(text)
        inside = GO_IN_BLOCK.match(text) if in_block else None
        if top or inside:
            yield (top or inside).group(1), number  # type: ignore[union-attr]
        in_block = bool(GO_BLOCK.match(text.rstrip())) or (in_block and not text.startswith(")"))


def _go_uses(
    path: str,
    lines: list[str],
    packages: dict[str, str],
    defined: dict[str, dict[str, tuple[str, int]]],
) -> Iterator[Use]:
    own = {name for name, _ in _go_definitions(lines)}
    text = "".join(lines)
    hidden = {name for name in packages if re.search(rf"\b{name}\b\s*(?:,[^=\n]*)?:?=[^=]", text)}
    beside = defined.get(_folder(path), {})
    called = {name for name in GO_CALL.findall(text) if name in beside and name not in own}
    called = {
        name for name in called if not re.search(rf"\b{name}\b[^\n(]*:=|[(,]\s*{name} func\(", text)
    }
    for number, line in enumerate(lines, 1):
        code = STRING.sub("", line)
        for package, name in GO_QUALIFIED.findall(code):
            found = defined.get(packages.get(package, "?"), {}).get(name)
            if found is not None and package not in hidden and found[0] != path:
                yield Use(number, name, "modattr", *found)
        for name in GO_CALL.findall(code):
            found = beside.get(name)
            if found is not None and name in called and found[0] != path:
                yield Use(number, name, "symbol", *found)


def java_cases(tree: Path, count: int, seed: int) -> list[Case]:
    texts = _texts(tree, "*.java")
    files: dict[str, str] = {}
    packages: dict[str, str] = {}
    known: dict[tuple[str, str], int] = {}
    for path, lines in texts.items():
        package = JAVA_PACKAGE.search("".join(lines))
        packages[path] = package.group(1) if package else ""
        files.setdefault(f"{packages[path]}.{path.rsplit('/', 1)[-1][:-5]}", path)

    def uses(path: str, lines: list[str]) -> tuple[set[int], Iterator[Use]]:
        imported: dict[str, str] = {}
        importing: set[int] = set()
        for number, text in enumerate(lines, 1):
            found = JAVA_IMPORT.match(text)
            if text.startswith(("import ", "package ")):
                importing.add(number)
            if found and f"{found.group(1)}.{found.group(2)}" in files:
                imported[found.group(2)] = files[f"{found.group(1)}.{found.group(2)}"]
        return importing, _java_uses(path, lines, imported, files, packages, texts, known)

    return _chosen(texts, uses, count, seed)


def _java_uses(
    path: str,
    lines: list[str],
    imported: dict[str, str],
    files: dict[str, str],
    packages: dict[str, str],
    texts: dict[str, list[str]],
    known: dict[tuple[str, str], int],
) -> Iterator[Use]:
    nested = set(re.findall(r"\b(?:class|interface|enum|record)\s+(\w+)", "".join(lines)))
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith(("*", "/*", "//")):
            continue
        for cls, member in JAVA_NAME.findall(STRING.sub("", line)):
            target = imported.get(cls) or files.get(f"{packages[path]}.{cls}")
            if target is None or target == path or cls in nested:
                continue
            place = _line_with(target, texts[target], JAVA_TYPE.format(cls), known)
            if place:
                yield Use(number, cls, "symbol", target, place)
            if member and member != "class":
                place = _line_with(target, texts[target], JAVA_STATIC.format(member), known)
                if place:
                    yield Use(number, member, "classattr", target, place)


def _line_with(path: str, lines: list[str], pattern: str, known: dict[tuple[str, str], int]) -> int:
    """The first line of a file that a pattern matches, from 1; 0 if there is none."""
    if (path, pattern) not in known:
        wanted = re.compile(pattern)
        hits = (number for number, text in enumerate(lines, 1) if wanted.match(text))
        known[path, pattern] = next(hits, 0)
    return known[path, pattern]


def _texts(tree: Path, pattern: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted(tree.rglob(pattern)):
        text = file.read_text(errors="replace")
        if "\r" not in text and "\f" not in text and "\ufffd" not in text:
            found[file.relative_to(tree).as_posix()] = text.splitlines(keepends=True)
    return found


def _folder(path: str) -> str:
    return path.rsplit("/", 1)[0] if "/" in path else ""


def _chosen(
    texts: dict[str, list[str]],
    uses: Callable[[str, list[str]], tuple[set[int], Iterator[Use]]],
    count: int,
    seed: int,
) -> list[Case]:
    found = (cases_of(path, lines, *uses(path, lines)) for path, lines in texts.items())
    return chosen(found, count, seed)
