"""Does retrieval bring the definition that the hidden line needs? Markdown on stdout.

    python -m benchmarks.retrieval TREE [-n 1000] [--seed 0] [--out FILE.md]

Recall of gold definitions (see crossfile.py): among the first 5 and 10 snippets, and within 1,024
and 4,096 tokens of snippets in their order, four bytes a token. A snippet counts if it shows the
first line of the definition. BM25 is the index's own search for similar chunks, alone.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from benchmarks.crossfile import Case, Repository, cases
from indexer import Close, Crawler, Index, IndexConfig, Open, Snippet

RANKS, BUDGETS = (5, 10), (1_024, 4_096)
METHODS = ("BM25 of chunks", "definitions_needed", "both, interleaved")
GROUPS = (
    "all", "fresh", "seen", "symbol", "module attribute", "class attribute", "inherited", "instance"
)  # fmt: skip


def retrieve(index: Index, root: Path, case: Case) -> tuple[dict[str, list[Snippet]], list[float]]:
    """Snippets by method, and milliseconds of CPU of the two searches."""
    path = f"{root}/{case.path}"
    index.apply(Open(path, None, 1, case.before + case.after))
    index.symbols(path)
    offset = len(case.before.encode())
    start = time.process_time()
    needed = index.definitions_needed(path, offset, 50)
    middle = time.process_time()
    similar = index.similar_chunks(path, offset, 50)
    end = time.process_time()
    index.apply(Close(path))
    mixed = [one for pair in zip_longest(needed, similar[:10]) for one in pair if one is not None]
    found = dict(zip(METHODS, (similar, needed, mixed), strict=True))
    return found, [1e3 * (middle - start), 1e3 * (end - middle)]


def first_hit(snippets: list[Snippet], path: str, line: int) -> tuple[int, float] | None:
    """Rank, from 0, of the snippet that shows a line (from 0), and tokens up to its end."""
    spent = 0.0
    for rank, snippet in enumerate(snippets):
        spent += len(snippet.text.encode()) / 4
        if snippet.path == path and line in snippet.lines:
            return rank, spent
    return None


def score(index: Index, root: Path, chosen: list[Case]) -> Iterator[str]:
    hits: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    times: tuple[list[float], list[float]] = ([], [])
    for case in chosen:
        found, took = retrieve(index, root, case)
        for values, value in zip(times, took, strict=True):
            values.append(value)
        hidden = [
            snippet
            for snippets in found.values()
            for snippet in snippets
            if snippet.path == f"{root}/{case.path}" and case.line - 1 in snippet.lines
            if snippet.why.startswith("similar")
        ]
        if hidden:
            sys.exit(f"{case.path}:{case.line}: a chunk around the cursor was retrieved")
        for gold in case.gold:
            groups = ("all", "fresh" if gold.fresh else "seen", gold.kind)
            totals.update(groups)
            for method, snippets in found.items():
                hit = first_hit(snippets, f"{root}/{gold.path}", gold.line - 1)
                if hit is None:
                    continue
                marks = [f"@{rank}" for rank in RANKS if hit[0] < rank]
                marks += [f"{budget}" for budget in BUDGETS if hit[1] <= budget]
                for group in groups:
                    hits[method, group].update(marks)
    shown = [group for group in GROUPS if totals[group]]
    yield "Recall in %: @5 / @10 / within 1,024 / within 4,096 tokens.\n"
    yield "| | " + " | ".join(f"{group} ({totals[group]})" for group in shown) + " |"
    yield "|---" * (len(shown) + 1) + "|"
    for method in METHODS:
        cells = [
            " / ".join(
                f"{100 * hits[method, group][mark] / totals[group]:.0f}"
                for mark in (*(f"@{rank}" for rank in RANKS), *map(str, BUDGETS))
            )
            for group in shown
        ]
        yield f"| {method} | " + " | ".join(cells) + " |"
    yield ""
    for name, values in zip(("definitions_needed", "similar_chunks"), times, strict=True):
        values.sort()
        middle, high = values[len(values) // 2], values[int(0.95 * len(values))]
        yield f"{name}, 50 snippets: p50 {middle:.1f} ms, p95 {high:.1f} ms of CPU.  "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("tree", type=Path, metavar="TREE")
    parser.add_argument("-n", type=int, default=1_000, help="cases at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the Markdown here too")
    arguments = parser.parse_args()
    root = arguments.tree.resolve()
    sys.setrecursionlimit(5_000)
    repository = Repository(root)
    chosen = cases(repository, arguments.n, arguments.seed)
    index = Index(IndexConfig(workers=2), (str(root),))
    for batch in Crawler(index.rules).crawl():
        for change in batch.changes:
            index.apply(change)
    gold = sum(len(case.gold) for case in chosen)
    lines = [
        "# Retrieval\n",
        f"`python -m benchmarks.retrieval {root.name} -n {arguments.n} --seed {arguments.seed}`\n",
        f"{root.name}: {index.status().files} files, {len(chosen)} cases, {gold} gold definitions;"
        f" Python {platform.python_version()}, {platform.machine()}.\n",
    ]
    lines += score(index, root, chosen)
    text = "\n".join(lines).rstrip() + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
