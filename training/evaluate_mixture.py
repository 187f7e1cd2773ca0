"""Measures what the repository memory adds to a model, on repositories that neither has seen.

    $ python -m training.evaluate_mixture BUNDLE --rows heldout.jsonl --holes holes.jsonl \
        --out result.json --count 840

For each hole the rest of the line is completed greedily by the model alone, by the memory alone
(over the frequencies of single tokens) and by the mixture, in each of the settings that
`training.memory_holes` describes. Printed and written (JSON and Markdown) are: exact match (spacing
at the ends aside) and edit similarity of the line, whether the first token is right, bits per byte
of what was really there, which holes the mixture gained and lost, and how far its confidence can
be trusted.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.matcher import Matcher
from runtime.mixture import Mixed, MixtureTable, Signals
from runtime.tokenizer import Tokenizer
from training.memory_holes import (
    MAX_NEW_TOKENS,
    ROOM,
    SETTINGS,
    ConstantRows,
    Model,
    ModelRows,
    Repository,
    Task,
    load_repositories,
    read_holes,
)

SHARES = (0.1, 0.2, 0.3, 0.5, 1.0)


class Rows(Protocol):
    def logits(self, written: list[int]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Completion:
    """A greedy continuation up to the line's end, and what its confidence is computed from."""

    text: str
    first: int
    signals: Signals


@dataclass(frozen=True)
class Outcome:
    """How one hole went for one system; `nats` is the cost of the gold, `size` its bytes."""

    repo: str
    kind: str
    lang: str
    system: str
    exact: bool
    similarity: float
    first: bool
    nats: float
    size: int
    confidence: float


def complete(
    rows: Rows, matcher: Matcher | None, table: MixtureTable, tokenizer: Tokenizer
) -> Completion:
    """Write greedily until a line break, as the engine does with it as the stop string."""
    written: list[int] = []
    logprobs: list[float] = []
    lengths: list[int] = []
    text = b""
    while len(written) < MAX_NEW_TOKENS:
        mixed = Mixed.of(rows.logits(written), matcher, table)
        token = int(mixed.logits.argmax())
        logprobs.append(mixed.logprob(token))
        lengths.append(mixed.match_length)
        written.append(token)
        piece = tokenizer.token_bytes(token)
        text += piece
        # A control token, which has no bytes, ends a file.
        if b"\n" in piece or not piece:
            break
        if matcher is not None:
            matcher.extend(token)
    line = text.split(b"\n")[0].decode("utf-8", "replace")
    return Completion(line, written[0], Signals.of(logprobs, lengths))


def is_exact(completion: str, target: str) -> bool:
    return completion.strip() == target.strip()


def cost(rows: Rows, matcher: Matcher | None, table: MixtureTable, gold: list[int]) -> float:
    """The nats that the gold tokens cost."""
    nats = 0.0
    for index, token in enumerate(gold):
        nats -= Mixed.of(rows.logits(gold[:index]), matcher, table).logprob(token)
        if matcher is not None:
            matcher.extend(token)
    return nats


def outcome_of(
    task: Task,
    system: str,
    rows: Rows,
    new_matcher: Callable[[], Matcher | None],
    table: MixtureTable,
    tokenizer: Tokenizer,
) -> Outcome:
    hole = task.hole
    done = complete(rows, new_matcher(), table, tokenizer)
    similarity = SequenceMatcher(None, done.text.strip(), hole.target.strip(), autojunk=False)
    return Outcome(
        repo=hole.repo,
        kind=hole.kind,
        lang=hole.lang,
        system=system,
        exact=is_exact(done.text, hole.target),
        similarity=similarity.ratio(),
        first=done.first == int(task.gold[0]),
        nats=cost(rows, new_matcher(), table, task.gold.tolist()),
        size=len(hole.target.encode()) + 1,
        confidence=table.confidence(done.signals),
    )


def outcomes_of(
    task: Task, model: Model, unigram: Rows, repository: Repository, table: MixtureTable
) -> list[Outcome]:
    """Try one hole with every system."""
    rows, tokenizer = ModelRows(model, task), model.tokenizer
    outcomes = [outcome_of(task, "model", rows, lambda: None, table, tokenizer)]
    for setting in SETTINGS:

        def new_matcher(setting: str = setting) -> Matcher:
            return repository.matcher(task, setting, max(MAX_NEW_TOKENS, len(task.gold)))

        for name, base in (("memory", unigram), ("mixture", rows)):
            system = f"{name} {setting}"
            outcomes.append(outcome_of(task, system, base, new_matcher, table, tokenizer))
    return outcomes


def evaluate(model: Model, table: MixtureTable, options: argparse.Namespace) -> dict[str, Any]:
    """Try all holes; return the report."""
    holes = read_holes(options.holes, options.count, options.seed)
    names = {hole.repo for hole in holes}
    vocab = model.runner.vocab_size
    repositories = load_repositories(options.rows, names, model.tokenizer, vocab)
    unigram = ConstantRows(unigram_logits(options.unigram_rows, model.tokenizer, vocab))
    outcomes: list[Outcome] = []
    begin = time.monotonic()
    for done, hole in enumerate(holes, 1):
        task = model.task(hole, ROOM)
        outcomes += outcomes_of(task, model, unigram, repositories[hole.repo], table)
        if done % 50 == 0:
            print(f"{done} of {len(holes)} holes, {time.monotonic() - begin:.0f} s", flush=True)
    return report_of(outcomes)


def unigram_logits(rows: Path | None, tokenizer: Tokenizer, vocab: int) -> NDArray[np.float32]:
    """Logarithms of how often tokens occur in some text, plus one; all alike without text."""
    counts = np.ones(vocab)
    if rows is not None:
        with rows.open(encoding="utf-8") as file:
            for line in file:
                np.add.at(counts, tokenizer.encode(json.loads(line)["text"]), 1)
    return np.log(counts).astype(np.float32)


def report_of(outcomes: list[Outcome]) -> dict[str, Any]:
    kinds = sorted({outcome.kind for outcome in outcomes})
    return {
        "holes": dict(Counter(o.kind for o in outcomes if o.system == "model")),
        "results": {kind: by_system(o for o in outcomes if o.kind == kind) for kind in kinds},
        "by_language": {
            f"{kind} {lang}": by_system(o for o in outcomes if (o.kind, o.lang) == (kind, lang))
            for kind in kinds
            for lang in sorted({outcome.lang for outcome in outcomes})
        },
        "by_repository": {
            f"{kind} {repo}": by_system(o for o in outcomes if (o.kind, o.repo) == (kind, repo))
            for kind in kinds
            for repo in sorted({outcome.repo for outcome in outcomes})
        },
        "paired": {
            f"{kind} {setting}": {
                other: paired(outcomes, kind, f"{other}", f"mixture {setting}")
                for other in ("model", f"memory {setting}")
            }
            for kind in kinds
            for setting in SETTINGS
        },
        "confidence": {
            f"{kind} {system}": trust([o for o in outcomes if (o.kind, o.system) == (kind, system)])
            for kind in kinds
            for system in ("model", *(f"mixture {setting}" for setting in SETTINGS))
        },
    }


def by_system(outcomes: Iterable[Outcome]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.system, []).append(outcome)
    return {
        system: {
            "n": len(group),
            "exact": float(np.mean([each.exact for each in group])),
            "similarity": float(np.mean([each.similarity for each in group])),
            "first": float(np.mean([each.first for each in group])),
            "bits_per_byte": sum(each.nats for each in group)
            / math.log(2)
            / sum(each.size for each in group),
        }
        for system, group in groups.items()
    }


def paired(outcomes: list[Outcome], kind: str, old: str, new: str) -> dict[str, int]:
    """Count the holes that `new` got right and `old` did not, and the other way round."""
    before = [o.exact for o in outcomes if (o.kind, o.system) == (kind, old)]
    after = [o.exact for o in outcomes if (o.kind, o.system) == (kind, new)]
    pairs = list(zip(before, after, strict=True))
    return {
        "gained": sum(now and not then for then, now in pairs),
        "lost": sum(then and not now for then, now in pairs),
    }


def trust(outcomes: list[Outcome]) -> dict[str, Any]:
    """How exact the most confident shares are, and how far confidence and truth lie apart.

    `brier` is the mean squared difference; `gap` is the expected calibration error over ten bins.
    """
    ranked = sorted(outcomes, key=lambda each: -each.confidence)
    confidence = np.array([each.confidence for each in ranked])
    exact = np.array([each.exact for each in ranked], float)
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [
        abs(confidence[bins == each].mean() - exact[bins == each].mean()) * (bins == each).mean()
        for each in set(bins.tolist())
    ]
    return {
        "exact_of_most_confident": {
            str(share): float(exact[: max(1, round(share * len(exact)))].mean()) for share in SHARES
        },
        "brier": float(((confidence - exact) ** 2).mean()),
        "gap": float(sum(gaps)),
    }


def markdown(report: dict[str, Any]) -> str:
    """The report's main tables."""
    lines = [f"{key}: {value}" for key, value in report["run"].items()]
    lines = ["\n".join(f"- {line}" for line in lines), ""]
    for kind, systems in report["results"].items():
        lines += [
            f"## {kind}, n = {report['holes'][kind]}",
            "",
            "| system | exact | similarity | first token | bits/byte |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {system} | {row['exact']:.3f} | {row['similarity']:.3f} | {row['first']:.3f} "
            f"| {row['bits_per_byte']:.3f} |"
            for system, row in systems.items()
        ]
        lines += ["", "| mixture against | gained | lost |", "| --- | --- | --- |"]
        lines += [
            f"| {other} ({setting}) | {counts['gained']} | {counts['lost']} |"
            for setting in SETTINGS
            for other, counts in report["paired"][f"{kind} {setting}"].items()
        ]
        head = " | ".join(f"top {share:.0%}" for share in SHARES)
        lines += ["", f"| exact of the most confident | {head} | Brier | gap |"]
        lines += ["| --- " * (len(SHARES) + 3) + "|"]
        for system in ("model", *(f"mixture {setting}" for setting in SETTINGS)):
            row = report["confidence"][f"{kind} {system}"]
            shares = " | ".join(f"{value:.2f}" for value in row["exact_of_most_confident"].values())
            lines.append(f"| {system} | {shares} | {row['brier']:.3f} | {row['gap']:.3f} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Read the command line, evaluate, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rows", type=Path, required=True, help="the repositories' files")
    parser.add_argument("--holes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON; Markdown is put beside it")
    parser.add_argument("--count", type=int, default=840, help="holes of both kinds together")
    parser.add_argument("--table", type=Path, help="a memory entry in place of the bundle's own")
    parser.add_argument("--unigram-rows", type=Path, help="text for the frequencies of tokens")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    entry = Bundle.open(options.bundle).memory
    if options.table is not None:
        entry = json.loads(options.table.read_text(encoding="utf-8"))
    table = MixtureTable.from_manifest(entry)
    begin = time.monotonic()
    report = evaluate(Model.open(options.bundle, options.threads), table, options)
    report["run"] = {
        "bundle": options.bundle.name,
        "table": "default" if entry is None else "fitted",
        "seed": options.seed,
        "seconds": round(time.monotonic() - begin),
    }
    report["table"] = asdict(table)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    options.out.with_suffix(".md").write_text(markdown(report), encoding="utf-8")
    print(markdown(report))


if __name__ == "__main__":
    main()
