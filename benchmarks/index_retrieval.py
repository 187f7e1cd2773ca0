"""Does the context hold the definitions that a hidden line needs? Markdown on stdout.

    python -m benchmarks.index_retrieval TREE --language python|go|java [-n 500] [--seed 0]
    python -m benchmarks.index_retrieval TREE --cases FILE.jsonl    # of holes/typescript.mjs

Recall of gold definitions (see holes/): among the first 5 and 10 snippets of a context of 8,192
tokens, and within its first 1,024 and 4,096 tokens, four bytes a token. A snippet counts if it
shows the first line of the definition. BM25 is the search for similar chunks alone. Then whole
hidden lines are typed: how much of a context is the same, from its start, with the next key.
Packs are contexts of 256 K tokens: whether the gold's file is in them as a whole. Controls are
lines that no name of another file is near: how much a context offers where nothing is needed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.holes.case import Case, read_cases
from benchmarks.holes.python import python_cases, python_controls
from benchmarks.holes.static_rules import go_cases, java_cases
from indexer import ByteEdit, Close, Crawler, Edit, Index, IndexConfig, Open, Snippet

RANKS, BUDGETS, BUDGET = (5, 10), (1_024, 4_096), 8_192
PACK = 256 * 1_024
METHODS = ("context", "BM25 of chunks")
GROUPS = ("all", "fresh", "seen", "symbol", "modattr", "classattr", "inherited", "instance")
GENERATORS = {"python": python_cases, "go": go_cases, "java": java_cases}


def opened(index: Index, root: Path, case: Case) -> tuple[str, int]:
    """Opens the file of a case without its hidden line; its path, and the cursor."""
    path = f"{root}/{case.path}"
    index.apply(Open(path, None, 1, case.before + case.after))
    index.symbols(path)
    document = index.document(path)
    assert document is not None and document.tree is not None
    return path, len(case.before.encode())


def first_hit(snippets: list[Snippet], path: str, line: int) -> tuple[int, float] | None:
    """Rank, from 0, of the snippet that shows a line (from 0), and tokens up to its end."""
    spent = 0.0
    for rank, snippet in enumerate(snippets):
        spent += len(snippet.text.encode()) / 4
        if snippet.path == path and line in snippet.lines:
            return rank, spent
    return None


def recall(index: Index, root: Path, cases: list[Case]) -> Iterator[str]:
    hits: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    times: list[float] = []
    offered: list[tuple[float, int, int]] = []
    for case in cases:
        path, offset = opened(index, root, case)
        start = time.process_time()
        context = index.context(path, offset, BUDGET)
        times.append(1e3 * (time.process_time() - start))
        found = dict(zip(METHODS, (context, index.similar_chunks(path, offset, 50)), strict=True))
        index.apply(Close(path))
        wanted = {(f"{root}/{gold.path}", gold.line - 1) for gold in case.gold}
        right = sum(
            any(one.path == at and line in one.lines for at, line in wanted) for one in context
        )
        offered.append((sum(len(one.text.encode()) for one in context) / 4, len(context), right))
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
    yield f"\nA context of {BUDGET:,} tokens: {spread(times)} of CPU. It has {offers(offered)};"
    snippets, right = sum(one[1] for one in offered), sum(one[2] for one in offered)
    yield f"{100 * right / max(1, snippets):.1f} % of the snippets show what the line needs."


def typing(index: Index, root: Path, cases: list[Case]) -> Iterator[str]:
    """Types hidden lines character by character."""
    kept = whole = keys = changed = 0
    times: list[float] = []
    for case in cases:
        path, offset = opened(index, root, case)
        before = index.context(path, offset, BUDGET)
        for version, character in enumerate(case.hidden, 2):
            index.apply(Edit(path, version, (ByteEdit(offset, offset, character),)))
            offset += len(character.encode())
            index.symbols(path)
            start = time.process_time()
            now = index.context(path, offset, BUDGET)
            times.append(1e3 * (time.process_time() - start))
            same = next(
                (number for number, (one, two) in enumerate(zip(before, now)) if one != two),  # noqa: B905
                min(len(before), len(now)),
            )
            kept += sum(len(one.text) for one in now[:same])
            whole += sum(len(one.text) for one in now)
            keys += 1
            changed += same < len(before)
            before = now
        index.apply(Close(path))
    share = 100 * kept / max(1, whole)
    yield (
        f"{keys:,} keys of {len(cases)} lines: {share:.1f} % of a context are as they were before"
        f" the key; lists that were not the old one or that and more: {changed}; {spread(times)}."
    )


def offers(offered: list[tuple[float, int, int]]) -> str:
    """How much: of (tokens, snippets, snippets that show a gold definition), one a context."""
    if not offered:
        return "no cases"
    tokens = sorted(one[0] for one in offered)
    snippets = sum(one[1] for one in offered)
    middle, tail = tokens[len(tokens) // 2], tokens[int(0.9 * len(tokens))]
    nothing = 100 * sum(one[1] == 0 for one in offered) / len(offered)
    return (
        f"{snippets / len(offered):.1f} snippets, tokens p50 {middle:,.0f}, p90 {tail:,.0f};"
        f" nothing in {nothing:.0f} %"
    )


def controls(index: Index, root: Path, cases: list[Case]) -> Iterator[str]:
    """What contexts offer where nothing of another file is needed."""
    for budget in (1_024, BUDGET):
        offered: list[tuple[float, int, int]] = []
        for case in cases:
            path, offset = opened(index, root, case)
            found = index.context(path, offset, budget)
            index.apply(Close(path))
            offered.append((sum(len(one.text.encode()) for one in found) / 4, len(found), 0))
        yield f"A context of {budget:,} tokens at {len(cases)} controls: {offers(offered)}."


def packs(index: Index, root: Path, cases: list[Case]) -> Iterator[str]:
    inside = total = 0
    times: list[float] = []
    for case in cases:
        path, offset = opened(index, root, case)
        start = time.process_time()
        found = index.context(path, offset, PACK)
        times.append(1e3 * (time.process_time() - start))
        index.apply(Close(path))
        whole = {one.path for one in found if one.start_line == 0 and one.name is None}
        inside += sum(f"{root}/{gold.path}" in whole for gold in case.gold)
        total += len(case.gold)
    share = 100 * inside / max(1, total)
    yield f"Packs of 256 K tokens: {share:.1f} % of {total} gold files; {spread(times)}."


def spread(times: list[float]) -> str:
    values = sorted(times) or [0.0]
    return f"p50 {values[len(values) // 2]:.1f} ms, p95 {values[int(0.95 * len(values))]:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("tree", type=Path, metavar="TREE")
    parser.add_argument("--language", choices=sorted(GENERATORS), default="python")
    parser.add_argument("--cases", type=Path, help="a file of JSON lines instead of a language")
    parser.add_argument("-n", type=int, default=500, help="cases at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    root = arguments.tree.resolve()
    sys.setrecursionlimit(5_000)
    if arguments.cases:
        cases = read_cases(arguments.cases)[: arguments.n]
    else:
        cases = GENERATORS[arguments.language](root, arguments.n, arguments.seed)
    index = Index(IndexConfig(workers=2), (str(root),))
    for batch in Crawler(index.rules).crawl():
        for change in batch.changes:
            index.apply(change)
    gold = sum(len(case.gold) for case in cases)
    print(
        f"## {root.name}\n\n{index.status().files} files, {len(cases)} cases, {gold} gold"
        f" definitions, seed {arguments.seed}; Python {platform.python_version()},"
        f" load {os.getloadavg()[0]:.1f}.\n"
    )
    for line in recall(index, root, cases):
        print(line, flush=True)
    parts = [typing(index, root, cases[:40]), packs(index, root, cases[:100])]
    if arguments.language == "python" and not arguments.cases:
        lines = python_controls(root, 100, arguments.seed)
        parts.append(controls(index, root, lines))
    for part in parts:
        print("\n" + "\n".join(part), flush=True)
    print()


if __name__ == "__main__":
    main()
