"""The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can hold us to."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("lsp_server", "indexer", "runtime")
MAX_LINES = 500
OUTERMOST = re.compile(r"lsp_server/(__main__|server|convert|protocol|handlers/\w+)\.py")

# library -> where it may be imported, as a pattern over paths below the root
ALLOWED_IMPORTS = {
    "lsprotocol": OUTERMOST,
    "pygls": OUTERMOST,
    "tree_sitter": re.compile(r"indexer/.*"),
    "onnxruntime": re.compile(r"runtime/(model_runner\.py|ops/.*)"),
    "onnx": re.compile(r"runtime/export/.*"),
    "tokenizers": re.compile(r"runtime/tokenizer\.py"),
    "torch": re.compile(r"(?!)"),
    "runtime.export": re.compile(r"runtime/export/.*|lsp_server/cli/(bench|model\w*)\.py"),
    "gguf": re.compile(r"runtime/export/.*"),
    "huggingface_hub": re.compile(r"lsp_server/cli/model_pull\.py"),
}
FORBIDDEN_PACKAGES = {
    "indexer": ("lsp_server", "runtime"),
    "runtime": ("lsp_server", "indexer"),
    "lsp_server": (),
}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return tuple(path for name in listed if (path := ROOT / name).is_file())


def sources(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def is_library(module: str, library: str) -> bool:
    """`tree_sitter` stands for its grammars too (`tree_sitter_python`)."""
    return is_within(module, library) or (
        library == "tree_sitter" and module.startswith("tree_sitter_")
    )


def complain(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def test_packages_depend_in_one_direction() -> None:
    complain(
        [
            f"{path}:{line}: {package} must not import {module}"
            for package in PACKAGES
            for path, tree in sources(package)
            for line, module in imports(tree)
            for forbidden in FORBIDDEN_PACKAGES[package]
            if is_within(module, forbidden)
        ]
    )


def test_libraries_stay_at_their_seams() -> None:
    complain(
        [
            f"{path}:{line}: {module} may only be imported in {allowed.pattern}"
            for path, tree in sources(*PACKAGES)
            for line, module in imports(tree)
            for library, allowed in ALLOWED_IMPORTS.items()
            if is_library(module, library) and not allowed.fullmatch(path)
        ]
    )


def test_imports_are_absolute() -> None:
    complain(
        [
            f"{path}:{line}: write the import absolutely"
            for path, tree in sources(*PACKAGES)
            for line, module in imports(tree)
            if module.startswith(".")
        ]
    )


def test_features_do_no_io() -> None:
    banned = ("socket", "subprocess", "shutil", "tempfile", "os", "pathlib", "io", "logging")
    complain(
        [
            f"{path}:{line}: a feature is pure and must not import {module}"
            for path, tree in sources("lsp_server/features")
            for line, module in imports(tree)
            if any(is_within(module, name) for name in banned)
        ]
    )


def test_nothing_writes_to_stdout() -> None:
    """stdout is the wire; only the command line's own writer may touch it."""
    problems = []
    for path, tree in sources(*PACKAGES):
        if path.startswith("lsp_server/cli/") or path.endswith("__main__.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                problems.append(f"{path}:{node.lineno}: print writes to stdout")
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("sys.stdout"):
                problems.append(f"{path}:{node.lineno}: sys.stdout is the wire")
    complain(problems)


def test_no_mutable_module_state() -> None:
    problems = []
    for path, tree in sources(*PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                problems.append(
                    f"{path}:{node.lineno}: a module must not keep state ({node.names})"
                )
        for statement in tree.body:
            if not isinstance(statement, ast.Assign | ast.AnnAssign):
                continue
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                name = ast.unparse(target)
                is_container = isinstance(statement.value, ast.List | ast.Dict | ast.Set)
                if is_container and not name.isupper() and not name.startswith("__"):
                    problems.append(f"{path}:{statement.lineno}: {name} is mutable module state")
    complain(problems)


def test_files_stay_small() -> None:
    code = {".py", ".cc", ".h", ".cu", ".lua", ".ts", ".mjs"}
    complain(
        [
            f"{path.relative_to(ROOT)}: {count} lines, {MAX_LINES} at most"
            for path in tracked_files()
            if path.suffix in code
            if (count := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
        ]
    )


def test_every_operator_is_complete() -> None:
    operators = [path for path in (ROOT / "runtime/ops").iterdir() if (path / "op.cc").exists()]
    assert operators, "no operator found"
    complain(
        [
            f"{operator.relative_to(ROOT)}: {name} is missing"
            for operator in operators
            for name in ("reference.py", "kernel_cpu.cc")
            if not (operator / name).exists()
        ]
    )


def test_every_public_module_says_what_it_is_for() -> None:
    complain(
        [
            f"{path}: the module has no docstring"
            for path, tree in sources(*PACKAGES)
            if tree.body and not ast.get_docstring(tree)
        ]
    )


def test_no_registry_host_or_machine_path_is_named() -> None:
    hosts = (
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "registry.npmjs" + ".org",
        "deb.debian" + ".org",
    )
    machine_paths = ("/" + "work/", "/" + "root/", "/home/" + "dev")
    problems = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        problems += [
            f"{path.relative_to(ROOT)}: names {word!r}"
            for word in (*hosts, *machine_paths)
            if word in text
        ]
    complain(problems)


def test_importing_the_packages_is_quiet_and_light() -> None:
    """A client waits for the server's first answer: nothing heavy is loaded before it is needed."""
    code = (
        "import sys, runtime, indexer, lsp_server\n"
        "heavy = {'onnx', 'onnxruntime', 'tokenizers', 'torch'} & set(sys.modules)\n"
        "sys.exit(f'loaded too early: {sorted(heavy)}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
