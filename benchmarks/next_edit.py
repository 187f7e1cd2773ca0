"""Does the index know where one edits next? Real commits of a repository, replayed edit by edit.

For each commit its parent is indexed, and the changes of its files are made one after another in
the order of the diff, as a person would: where a line stays a line, word by word. After each of
them the server's own question is asked: where next? A hit is one of the first five places that
lies within two lines of a change that is still to come.

    python benchmarks/next_edit.py [--repository DIR] [--commits 200] [--save FILE.md]

Most changes of a commit have nothing to do with the one before, so three rates are given: how often
a proposal was right; how often a place was right after a change that is made again later in the
commit (the same words in place of the same); and how often after any change.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from indexer import ByteEdit, Edit, FileFound, Index, IndexConfig, Open, extract, language_of
from lsp_server.features.edit_history import EditHistory
from lsp_server.features.next_edit import next_edits

ROOT = Path(__file__).resolve().parent.parent
AT, NEAR = 5, 2
# Larger commits are generated or moved code.
MOST_FILES, MOST_CHANGES = 12, 200
WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Change:
    """The characters [start, end) of a file as it was are replaced."""

    path: str
    start: int
    end: int
    old: str
    new: str


@dataclass
class Counts:
    steps: int = 0
    again: int = 0
    proposed: int = 0
    hits: int = 0
    hits_again: int = 0
    commits: int = 0
    milliseconds: list[float] = field(default_factory=list)


def git(repository: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, check=True
    )
    return run.stdout.decode("utf-8", "replace")


def commits(repository: Path, count: int) -> Iterator[tuple[str, list[str]]]:
    """Commits without merges, with the code files that they change, the latest first."""
    for commit in git(repository, "rev-list", "--no-merges", f"-{count}", "HEAD").split():
        names = git(repository, "show", "--format=", "--name-only", "--diff-filter=M", commit)
        paths = [name for name in names.splitlines() if language_of(name) is not None]
        if 1 <= len(paths) <= MOST_FILES:
            yield commit, paths


def changes_of(before: str, after: str, path: str) -> list[Change]:
    """Line by line, and word by word in lines that stay lines."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    at = [0]
    for line in old:
        at.append(at[-1] + len(line))
    found: list[Change] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "replace" and last - first == end - start:
            for number in range(last - first):
                found += words_of(
                    old[first + number], new[start + number], at[first + number], path
                )
        elif kind != "equal":
            texts = "".join(old[first:last]), "".join(new[start:end])
            found.append(Change(path, at[first], at[last], *texts))
    return found


def words_of(old: str, new: str, offset: int, path: str) -> list[Change]:
    mine, theirs = WORDS.findall(old), WORDS.findall(new)
    at = [0]
    for word in mine:
        at.append(at[-1] + len(word))
    matcher = difflib.SequenceMatcher(None, mine, theirs, autojunk=False)
    return [
        Change(
            path,
            offset + at[first],
            offset + at[last],
            "".join(mine[first:last]),
            "".join(theirs[start:end]),
        )
        for kind, first, last, start, end in matcher.get_opcodes()
        if kind != "equal"
    ]


def replay(repository: Path, commit: str, paths: list[str], counts: Counts) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tree = subprocess.run(
            ["git", "-C", str(repository), "archive", f"{commit}^"], capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=tree.stdout, check=True)
        texts = {path: (root / path).read_text(errors="replace") for path in paths}
        changes = [
            change
            for path in paths
            for change in changes_of(texts[path], git(repository, "show", f"{commit}:{path}"), path)
        ]
        if not 2 <= len(changes) <= MOST_CHANGES:
            return
        counts.commits += 1
        index = indexed(root)
        _replay(index, root, texts, changes, counts)


def indexed(root: Path) -> Index:
    index = Index(IndexConfig(workers=0), (str(root),))
    for file in sorted(root.rglob("*")):
        language = language_of(str(file)) if file.is_file() else None
        if language is not None and not language.is_data and file.stat().st_size < 200_000:
            index.apply(FileFound(str(file), extract(str(file), language, file.read_bytes())))
    return index


def _replay(
    index: Index, root: Path, texts: dict[str, str], changes: list[Change], counts: Counts
) -> None:
    history, moved = EditHistory(), dict.fromkeys(texts, 0)
    for path, text in texts.items():
        index.apply(Open(str(root / path), None, 1, text))
        index.symbols(str(root / path))
    for number, change in enumerate(changes[:-1]):
        path = str(root / change.path)
        document = index.document(path)
        assert document is not None
        before = document.text
        text = before.decode("utf-8", "replace")
        shift = moved[change.path]
        start = len(text[: change.start + shift].encode())
        end = start + len(change.old.encode())
        edits = (ByteEdit(start, end, change.new.encode()),)
        index.apply(Edit(path, number, edits))
        history.note(path, before, edits)
        moved[change.path] += len(change.new) - len(change.old)
        began = time.perf_counter()
        found = next_edits(index, history, path, start + len(change.new.encode()))[:AT]
        counts.milliseconds.append((time.perf_counter() - began) * 1e3)
        rest = changes[number + 1 :]
        is_again = any((one.old, one.new) == (change.old, change.new) for one in rest)
        is_hit = any(
            is_near(index, str(root), edit.path, edit.start, one, moved)
            for edit in found
            for one in rest
        )
        counts.steps += 1
        counts.again += is_again
        counts.proposed += bool(found)
        counts.hits += is_hit
        counts.hits_again += is_hit and is_again


def is_near(
    index: Index, root: str, path: str, start: int, rest: Change, moved: dict[str, int]
) -> bool:
    if path != f"{root}/{rest.path}":
        return False
    document = index.document(path)
    assert document is not None
    text = document.text.decode("utf-8", "replace")
    first = text.count("\n", 0, rest.start + moved[rest.path])
    last = first + rest.old.count("\n")
    return first - NEAR <= document.line_index.line_of(start) <= last + NEAR


def table(name: str, counts: Counts) -> str:
    times = sorted(counts.milliseconds) or [0.0]
    p50, p95 = times[len(times) // 2], times[int(0.95 * (len(times) - 1))]
    return (
        f"# Where to edit next, in {counts.commits} commits of {name}\n\n"
        f"`python benchmarks/next_edit.py`: a hit is within {NEAR} lines, among the first {AT}.\n\n"
        "| after | changes | hits |\n| --- | --- | --- |\n"
        f"| a change with proposals | {counts.proposed} "
        f"| {counts.hits / max(1, counts.proposed):.1%} |\n"
        f"| a change that is made again later | {counts.again} "
        f"| {counts.hits_again / max(1, counts.again):.1%} |\n"
        f"| any change | {counts.steps} | {counts.hits / max(1, counts.steps):.1%} |\n\n"
        f"An answer takes p50 {p50:.1f} ms, p95 {p95:.1f} ms.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Replays commits: where is edited next?")
    parser.add_argument("--repository", type=Path, default=ROOT)
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    counts = Counts()
    for commit, paths in commits(options.repository, options.commits):
        replay(options.repository, commit, paths, counts)
    text = table(options.repository.resolve().name, counts)
    print(text)
    if options.save:
        options.save.write_text(text)


if __name__ == "__main__":
    main()
