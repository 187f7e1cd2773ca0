"""How exact is the index? Its definitions beside those of parsers that are known to be right.

    python -m benchmarks.index_exactness --tree DIR --language X [--files 0] [--typescript DIR]
    python -m benchmarks.index_exactness --broken --tree DIR --language X [--files 60] [--seed 0]
    python -m benchmarks.index_exactness --goto --tree DIR --language X [--names 500] [--seed 0]

Each run prints one section of Markdown. A row is one kind of definition; a hit has the name, line,
kind and container that the oracle gives. Oracles that are not installed are named, not guessed:
CPython's `ast` is always there; `--typescript` and `--scalameta` are folders of npm packages; ctags
is looked for on the path; `--goto` needs jedi or basedpyright in `--python`'s environment.
"""

from __future__ import annotations

import argparse
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.exactness import ctags_oracle, python_oracle, scala_oracle, typescript_oracle
from benchmarks.exactness.compare import (
    Comparison,
    Definition,
    index_definitions,
    line_starts,
    read_tree,
)
from indexer import FileFacts

Read = tuple[str, bytes, FileFacts]
MAX_CLASSES = 12
"""Classes of differences that are shown, the largest first."""


@dataclass(frozen=True)
class Oracle:
    """Somebody who knows what files define."""

    name: str  # "" when it is not installed
    needs: str  # what to install then
    read: Callable[[Path, list[Read]], Iterator[list[Definition] | str]]
    """Definitions of each file, or why the file can't be compared."""
    turn: Callable[[Definition], Definition | None] = lambda one: one
    """The index's definition in the oracle's words, None for what the oracle does not know."""


def python_ast(options: argparse.Namespace) -> Oracle:
    def read(tree: Path, files: list[Read]) -> Iterator[list[Definition] | str]:
        for _, text, _ in files:
            facts = python_oracle.read(text)
            yield "not a program to this CPython" if facts is None else facts.definitions

    return Oracle(python_oracle.NAME, "", read)


def typescript(options: argparse.Namespace) -> Oracle:
    package: Path | None = options.typescript

    def read(tree: Path, files: list[Read]) -> Iterator[list[Definition] | str]:
        paths = [tree / path for path, _, _ in files]
        found = typescript_oracle.read(package or Path(), paths)
        for path in paths:
            known = found[str(path)]
            yield "errors of syntax to TypeScript" if known is None else known

    needs = "node and the npm package typescript, its folder given with --typescript"
    return Oracle(typescript_oracle.version(package), needs, read)


def scala(options: argparse.Namespace) -> Oracle:
    package: Path | None = options.scalameta

    def read(tree: Path, files: list[Read]) -> Iterator[list[Definition] | str]:
        paths = [tree / path for path, _, _ in files]
        found = scala_oracle.read(package or Path(), paths)
        for path in paths:
            yield found[str(path)] or "errors of syntax to Scalameta"

    needs = "node and the npm package scalameta-parsers, its folder given with --scalameta"
    return Oracle(scala_oracle.version(package), needs, read, _without_extensions)


def _without_extensions(one: Definition) -> Definition | None:
    return None if one.kind == "extension" else one


def ctags(options: argparse.Namespace) -> Oracle:
    language = ctags_oracle.LANGUAGES[options.language]

    def read(tree: Path, files: list[Read]) -> Iterator[list[Definition] | str]:
        paths = [tree / path for path, _, _ in files]
        found = ctags_oracle.read(language, paths)
        for path in paths:
            yield found.get(str(path), [])

    turn = ctags_oracle.comparable(language)
    return Oracle(ctags_oracle.version(), "universal-ctags on the path", read, turn)


ORACLES: dict[str, Callable[[argparse.Namespace], Oracle]] = {
    "python": python_ast,
    "typescript": typescript,
    "tsx": typescript,
    "javascript": typescript,
    "scala": scala,
    **dict.fromkeys(ctags_oracle.LANGUAGES, ctags),
}
"""Who knows a language. A language of ctags is one more entry of ctags_oracle.LANGUAGES."""


def main() -> int:
    options = arguments()
    if options.broken:
        from benchmarks.exactness import broken

        print(broken.section(options.tree, options.language, options.files or 60, options.seed))
        return 0
    if options.goto:
        from benchmarks.exactness import goto

        print(goto.section(options))
        return 0
    oracle = ORACLES[options.language](options)
    if not oracle.name:
        print(f"No oracle for {options.language} here: it needs {oracle.needs}.", file=sys.stderr)
        return 2
    print(definitions_section(options, oracle))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.index_exactness", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tree", type=Path, required=True, help="folder with source files")
    parser.add_argument("--language", choices=sorted(ORACLES), required=True)
    parser.add_argument("--files", type=int, default=0, help="at most so many files, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--typescript", type=Path, help="folder of the npm package typescript")
    parser.add_argument("--scalameta", type=Path, help="folder of the npm package")
    parser.add_argument("--broken", action="store_true", help="break files and count survivors")
    parser.add_argument("--goto", action="store_true", help="go to definition beside other servers")
    parser.add_argument("--names", type=int, default=500, help="uses to ask for with --goto")
    parser.add_argument("--cases", type=Path, help="JSON lines with places to ask for as well")
    parser.add_argument("--python", type=Path, help="Python that has jedi and basedpyright")
    return parser.parse_args()


def definitions_section(options: argparse.Namespace, oracle: Oracle) -> str:
    """Markdown about all definitions of a tree."""
    comparison = Comparison()
    files = list(read_tree(options.tree, options.language, options.files, comparison.left_out))
    uses, imports = Comparison(), Comparison()
    for (path, text, facts), expected in zip(files, oracle.read(options.tree, files), strict=True):
        if isinstance(expected, str):
            comparison.left_out[expected] += 1
            continue
        comparison.files += 1
        read = list(index_definitions(facts, text))
        found = [turned for one, _ in read if (turned := oracle.turn(one))]
        local = [turned for one, inside in read if inside and (turned := oracle.turn(one))]
        if options.language == "rust":  # `mod a;` is an import to the index
            found += declared_modules(facts, text)
        remark = ", in a file that the grammar finds errors in" if facts.has_errors else ""
        comparison.add(path, expected, found, remark, local)
        if options.language == "python":
            compare_python(path, text, facts, uses, imports)
    title = f"## {options.language}: {options.tree.resolve().name} against {oracle.name}"
    rows = [title, "", *table("definitions", comparison)]
    if options.language == "python":
        rows += ["", *table("imports", imports), "", *table("names and attributes used", uses)]
    return "\n".join(rows) + "\n"


def declared_modules(facts: FileFacts, text: bytes) -> Iterator[Definition]:
    starts = line_starts(text)
    for clause in facts.imports:
        if clause.module == f"self::{clause.binds}" and b"mod " in text[clause.start : clause.end]:
            line = bisect_right(starts, text.index(b"mod ", clause.start))
            yield Definition(line, clause.binds, "module", "")


def compare_python(
    path: str, text: bytes, facts: FileFacts, uses: Comparison, imports: Comparison
) -> None:
    """Counts imports, and the places where names are used, of one Python file."""
    expected = python_oracle.read(text)
    assert expected is not None
    starts = line_starts(text)
    clauses = (
        Definition(bisect_right(starts, clause.start), module, "import", f"{there} as {here}")
        for clause in facts.imports
        for module in ["." * clause.level + clause.module]
        for there, here in [
            *clause.names,
            *([("*", "")] if clause.star else []),
            *([("", clause.binds)] if not clause.names and not clause.star else []),
        ]
    )
    wanted = (
        Definition(one.line, "." * one.level + one.module, "import", f"{one.name} as {one.binds}")
        for one in expected.imports
    )
    imports.add(path, wanted, clauses)
    known = {(one.start, one.name) for one in facts.references}
    known |= {(one.name_start, one.name) for one in facts.symbols}
    places = [
        (int(starts[use.line - 1]) + use.column, Definition(use.line, use.name, use.kind, ""))
        for use in expected.uses
    ]
    hits = [use for start, use in places if (start, use.name) in known]
    uses.add(path, (use for _, use in places), hits)


def table(what: str, comparison: Comparison) -> Iterator[str]:
    left_out = ", ".join(f"{count} {why}" for why, count in comparison.left_out.most_common())
    if comparison.files:
        yield f"{comparison.files} files" + (f"; left out: {left_out}." if left_out else ".")
        yield ""
    yield f"| {what} | in the oracle | in the index | in both | recall % | precision % |"
    yield "|---|---|---|---|---|---|"
    tallies = [*sorted(comparison.tallies.items()), ("all", comparison.total)]
    for kind, tally in tallies:
        numbers = f"{tally.expected} | {tally.found} | {tally.both}"
        yield f"| {kind} | {numbers} | {tally.recall:.2f} | {tally.precision:.2f} |"
    yield ""
    classes = comparison.differences.most_common()
    for difference, count in classes[:MAX_CLASSES]:
        yield f"- {count} {difference}: {listed(comparison.examples[difference])}."
    if len(classes) > MAX_CLASSES:
        rest = sum(count for _, count in classes[MAX_CLASSES:])
        yield f"- {rest} more in {len(classes) - MAX_CLASSES} smaller classes."


def listed(examples: Iterable[str]) -> str:
    return "; ".join(f"`{example}`" for example in examples)


if __name__ == "__main__":
    sys.exit(main())
