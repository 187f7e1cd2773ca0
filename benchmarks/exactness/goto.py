"""Go to definition of sampled names: the index beside jedi, basedpyright or TypeScript's service.

Names are sampled from the uses that the index knows, file by file, so that locals, attributes,
imports and types come as often as they are written. A name is judged by an oracle that answers it
with a place in the tree: the index agrees if its first answer is one of the oracle's places, same
file and line. Names that lead out of the tree, into libraries that the index was not given, are
counted on their own: a certain answer there is a wrong one.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.exactness.compare import read_tree
from benchmarks.exactness.other_servers import Answer, Asked, Server, servers_for
from indexer import FileFacts, FileFound, Index, IndexConfig, LineIndex, Open

MAX_EXAMPLES = 12


@dataclass
class Score:
    """What one oracle thinks of the index."""

    name: str
    milliseconds: list[float] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)  # in the tree, by role
    agreed: Counter[str] = field(default_factory=Counter)
    outside: int = 0
    certain_outside: int = 0
    examples: list[str] = field(default_factory=list)
    told: list[Answer] = field(default_factory=list)

    def judge(self, asked: Asked, told: Answer, ours: Answer, certain: bool) -> None:
        self.told.append(told)
        self.milliseconds.append(told.milliseconds)
        if told.outside and not told.places:
            self.outside += 1
            self.certain_outside += certain
        if not told.places:
            return
        self.answered[asked.role] += 1
        if ours.places and ours.places[0] in told.places:
            self.agreed[asked.role] += 1
        elif len(self.examples) < MAX_EXAMPLES:
            given = _place(ours.places[0]) if ours.places else "nothing"
            self.examples.append(
                f"`{asked.path}:{asked.line + 1} {asked.name}`: {given}"
                f" instead of {_place(told.places[0])}"
            )


def section(options: argparse.Namespace) -> str:
    """Markdown about one tree."""
    tree: Path = options.tree.resolve()
    files = list(read_tree(tree, options.language, options.files, Counter()))
    index = Index(IndexConfig(), (str(tree),))
    for path, _, facts in files:
        index.apply(FileFound(f"{tree}/{path}", facts))
    cases = list(_cases(options.cases)) if options.cases else []
    asked = _sample(files, options.names, options.seed, cases)
    ours = [_answer(index, tree, one) for one in asked]
    scores = [_score(server, asked, ours) for server in servers_for(options, tree)]
    if len(scores) > 1:
        scores.append(_either(scores, asked, ours))
    return _report(options.language, tree, asked, ours, scores)


def _sample(
    files: list[tuple[str, bytes, FileFacts]],
    count: int,
    seed: int,
    cases: list[tuple[str, int, int]],
) -> list[Asked]:
    """Names at random, a few of each file so that few files need to be opened; then the cases."""
    chance = random.Random(seed)
    by_path = {path: (text, facts) for path, text, facts in files}
    chosen: list[Asked] = []
    order = sorted(by_path)
    chance.shuffle(order)
    for path in order:
        if len(chosen) >= count:
            break
        text, facts = by_path[path]
        uses = facts.references
        lines = LineIndex(text)
        for use in chance.sample(uses, min(len(uses), 10)):
            chosen.append(_asked(path, text, lines, use.start, use.end, str(use.role)))
    for path, line, column in chance.sample(cases, min(len(cases), count)):
        if path in by_path:
            text, facts = by_path[path]
            lines = LineIndex(text)
            start = lines.offset_of(line, column, "utf-16")
            end = start
            while end < len(text) and (text[end : end + 1].isalnum() or text[end] in b"_"):
                end += 1
            chosen.append(_asked(path, text, lines, start, end, "cross-file case"))
    return chosen


def _asked(path: str, text: bytes, lines: LineIndex, start: int, end: int, role: str) -> Asked:
    line, character = lines.position_of(start, "utf-16")
    return Asked(path, text, text[start:end].decode(), role, start, line, character)


def _cases(file: Path) -> Iterator[tuple[str, int, int]]:
    """The places of the definitions needed in a file of crossfile_cases.py."""
    for row in file.read_text("utf-8").splitlines():
        case = json.loads(row)
        for gold in case["gold"]:
            yield case["file"], case["line"] - 1, gold["col"]


@dataclass
class Ours:
    answer: Answer
    certain: bool


def _answer(index: Index, tree: Path, asked: Asked) -> Ours:
    path = f"{tree}/{asked.path}"
    if index.document(path) is None:
        index.apply(Open(path, "", 0, asked.text.decode()))
        document = index.document(path)
        assert document is not None
        assert index.facts(path) is not None  # an editor opened it long ago
        assert document.tree is not None
    begin = time.process_time()
    targets = index.definitions_at(path, asked.offset)
    spent = 1000 * (time.process_time() - begin)
    places = []
    for target in targets:
        text = index.text_of(target.path)
        line = 0 if text is None else text.count(b"\n", 0, target.name_start)
        places.append((target.path.removeprefix(f"{tree}/"), line))
    return Ours(Answer(places, False, spent), bool(targets) and targets[0].certain)


def _score(server: Server, asked: list[Asked], ours: list[Ours]) -> Score:
    score = Score(server.name)
    try:
        for one, mine in zip(asked, ours, strict=True):
            score.judge(one, server.ask(one), mine.answer, mine.certain)
    finally:
        server.close()
    return score


def _either(scores: list[Score], asked: list[Asked], ours: list[Ours]) -> Score:
    """The servers taken together: a place that one of them gives is right."""
    together = Score("either of them")
    for number, (one, mine) in enumerate(zip(asked, ours, strict=True)):
        places = [place for score in scores for place in score.told[number].places]
        outside = any(score.told[number].outside for score in scores)
        together.judge(one, Answer(places, outside, 0.0), mine.answer, mine.certain)
    return together


def _report(
    language: str, tree: Path, asked: list[Asked], ours: list[Ours], scores: list[Score]
) -> str:
    roles = Counter(one.role for one in asked)
    files = len({one.path for one in asked})
    rows = [f"## {language}: go to definition on {tree.name}", ""]
    rows += [f"{len(asked)} names in {files} files.", ""]
    columns = sorted(roles)
    rows.append(
        f"| agrees with | all % | {' | '.join(f'{role} %' for role in columns)} | answered |"
    )
    rows.append("|---" * (len(columns) + 3) + "|")
    for score in scores:
        cells = [_share(score.agreed[role], score.answered[role]) for role in columns]
        total, agreed = score.answered.total(), score.agreed.total()
        rows.append(f"| {score.name} | {_share(agreed, total)} | {' | '.join(cells)} | {total} |")
    rows += ["", "| time of one query, ms | p50 | p95 |", "|---|---|---|"]
    rows.append(_times("the index", [one.answer.milliseconds for one in ours]))
    rows += [_times(score.name, score.milliseconds) for score in scores if any(score.milliseconds)]
    rows.append("")
    for score in scores:
        rows.append(
            f"- {score.outside} names lead {score.name} out of the tree; the index gives a certain"
            f" place in the tree for {score.certain_outside} of them."
        )
    for score in scores:
        rows += ["", f"Differences from {score.name}, the first {MAX_EXAMPLES}:", ""]
        rows += [f"- {example}" for example in score.examples]
    return "\n".join(rows) + "\n"


def _times(name: str, values: list[float]) -> str:
    ordered = sorted(values) or [0.0]
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"| {name} | {middle:.2f} | {late:.2f} |"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} ({whole})" if whole else "-"


def _place(place: tuple[str, int]) -> str:
    return f"{place[0]}:{place[1] + 1}"
