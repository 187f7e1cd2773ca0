"""Completion tasks over whole repositories, as the repository memory's fit and evaluation see them.

What the memory may know of the repository comes in settings:
    A  the open file before the cursor
    B  and the open file after the cursor
    H  and a random half of the other files
    C  and all other files
H and C know code that a developer may not have written yet, so they stand for work on a repository
that exists; A is the pessimistic bound for new code. Files that are nearly a copy of the open one,
such as the CommonJS and the ES module build of one source, are never in the memory.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.config import EngineConfig
from runtime.matcher import Matcher
from runtime.memory import MemoryLimits, RepositoryMemory
from runtime.model_runner import Chunk, ModelRunner, OrtModelRunner
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer

SETTINGS = ("A", "B", "H", "C")
TWIN_SHARE = 0.5  # Of the distinct lines of the smaller of two files.
MIN_LINE = 8  # Shorter lines say nothing about whether two files are copies.
MAX_NEW_TOKENS = 48
ROOM = 96  # Tokens of the context that a prompt leaves free: an answer or the longest target.

Tokens = NDArray[np.int32]


@dataclass(frozen=True)
class Hole:
    """A cursor in a file: prefix + target + suffix is the file, the target ends with its line."""

    repo: str
    path: str
    lang: str
    kind: str
    prefix: str
    target: str
    suffix: str


@dataclass(frozen=True)
class Task:
    """A hole in tokens; `gold` is what followed the cursor, `after` what the memory may see."""

    hole: Hole
    prompt: list[int]
    before: Tokens
    gold: Tokens
    after: Tokens


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def read_holes(path: Path, count: int, seed: int) -> list[Hole]:
    """Return about `count` holes, the same number of each repository and kind, files in order.

    The same seed gives the same holes, and a larger count the same ones and more.
    """
    groups: dict[tuple[str, str], list[Hole]] = defaultdict(list)
    for row in read_rows(path):
        hole = Hole(**{name: row[name] for name in Hole.__dataclass_fields__})
        groups[hole.repo, hole.kind].append(hole)
    each = -(-count // len(groups))
    chosen = []
    for key, holes in sorted(groups.items()):
        random.Random(f"{seed} {key}").shuffle(holes)
        chosen += holes[:each]
    return sorted(chosen, key=lambda hole: (hole.repo, hole.path, hole.kind, len(hole.prefix)))


class Repository:
    """The files of one repository, and memories of all and of half of them."""

    def __init__(self, name: str, texts: dict[str, str], tokenizer: Tokenizer, vocab: int) -> None:
        self.name = name
        self._texts = texts
        self._tokens = {path: np.array(tokenizer.encode(text)) for path, text in texts.items()}
        half = {path for path in texts if random.Random(f"{name} {path}").random() < 0.5}
        self._memories = {
            "A": self._memory(vocab, []),
            "B": self._memory(vocab, []),
            "H": self._memory(vocab, half),
            "C": self._memory(vocab, texts),
        }
        self._half = half
        self._hidden: set[str] = set()

    @cached_property
    def _lines(self) -> dict[str, set[str]]:
        return {
            path: {line.strip() for line in text.splitlines() if len(line.strip()) >= MIN_LINE}
            for path, text in self._texts.items()
        }

    def twins(self, path: str) -> set[str]:
        """Other files that share most of their lines with this one."""
        own = self._lines[path]
        return {
            other
            for other, lines in self._lines.items()
            if other != path and len(own & lines) > TWIN_SHARE * min(len(own), len(lines))
        }

    def memory(self, setting: str, path: str) -> RepositoryMemory:
        """Return what may be known while `path` is open; the next call changes it."""
        self._hide(self.twins(path))
        return self._memories[setting]

    def matcher(self, task: Task, setting: str, room: int) -> Matcher:
        """Return the matches at the cursor of a task."""
        after = () if setting == "A" else task.after
        memory = self.memory(setting, task.hole.path)
        return memory.matcher(task.hole.path, task.before, after, room)

    def _memory(self, vocab: int, paths: Iterable[str]) -> RepositoryMemory:
        memory = RepositoryMemory(vocab, MemoryLimits(max_tokens=1_000_000_000))
        for path in paths:
            memory.put(path, self._tokens[path])
        memory.settle()
        return memory

    def _hide(self, paths: set[str]) -> None:
        if paths == self._hidden:
            return
        for setting, known in (("H", self._half), ("C", set(self._texts))):
            for path in (self._hidden - paths) & known:
                self._memories[setting].put(path, self._tokens[path])
            for path in (paths - self._hidden) & known:
                self._memories[setting].drop(path)
        self._hidden = paths


def load_repositories(
    rows: Path, names: set[str], tokenizer: Tokenizer, vocab: int
) -> dict[str, Repository]:
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for row in read_rows(rows):
        if row["repo"] in names:
            texts[row["repo"]][row["path"]] = row["text"]
    return {name: Repository(name, files, tokenizer, vocab) for name, files in texts.items()}


def task_of(
    hole: Hole, form: PromptFormat, tokenizer: Tokenizer, budget: int, span: int | None = None
) -> Task:
    """Turn a hole into tokens, with a prompt of at most `budget` tokens.

    The gold is the target and its line break, or the first `span` tokens of what follows.
    """
    before, gold, after = (
        np.array(tokenizer.encode(text), np.int32)
        for text in (hole.prefix, hole.target + "\n", hole.suffix.removeprefix("\n"))
    )
    if span is not None:
        following = np.concatenate([gold, after])
        gold, after = following[:span], following[span:]
    line_start = hole.prefix.rfind("\n") + 1
    above, line = (
        tokenizer.encode(part) for part in (hole.prefix[:line_start], hole.prefix[line_start:])
    )
    below = list(after[:0]) if form.layout == "prefix" else after.tolist()

    def render(above: list[int], below: list[int]) -> list[int]:
        names = tokenizer.encode(hole.repo), tokenizer.encode(hole.path)
        return form.render(names[0], [], names[1], above, below, line)

    room = budget - len(render([], []))
    below = below[: min(len(below), room // 4)]
    kept = max(0, room - len(below))
    prompt = render(above[len(above) - min(len(above), kept) :], below)
    return Task(hole, prompt[-budget:], before, gold, after)


class Model:
    """A bundle's model, tokenizer and prompt format; its KV cache is kept from call to call."""

    def __init__(self, runner: ModelRunner, tokenizer: Tokenizer, form: PromptFormat) -> None:
        self.runner = runner
        self.tokenizer = tokenizer
        self.form = form
        self._held: list[int] = []
        self._blocks = np.arange(-(-runner.max_context // runner.block_size), dtype=np.int32)

    @classmethod
    def open(cls, path: Path, threads: int) -> Model:
        bundle = Bundle.open(path)
        tokenizer = Tokenizer.from_file(bundle.tokenizer_path)
        form = PromptFormat.from_manifest(bundle.prompt_format, tokenizer)
        config = EngineConfig(threads=threads)
        return cls(OrtModelRunner.load(bundle, config), tokenizer, form)

    def run(self, tokens: list[int], num_logits: int) -> NDArray[np.float32]:
        """Return the logits after each of the last `num_logits` tokens [num_logits, V]."""
        past = 0
        while past < min(len(self._held), len(tokens) - num_logits):
            if self._held[past] != tokens[past]:
                break
            past += 1
        new = np.array(tokens[past:], np.int64)
        (rows,) = self.runner.run([Chunk(self._blocks, new, past, num_logits)])
        self._held = tokens
        return rows

    def task(self, hole: Hole, room: int, span: int | None = None) -> Task:
        return task_of(hole, self.form, self.tokenizer, self.runner.max_context - room, span)


class ModelRows:
    """The model's logits after a task's prompt and whatever is written; the gold's are known."""

    def __init__(self, model: Model, task: Task) -> None:
        self._model = model
        self._prompt = task.prompt
        self._gold = task.gold.tolist()
        self._rows = model.run(task.prompt + self._gold[:-1], len(self._gold))

    def logits(self, written: list[int]) -> NDArray[np.float32]:
        """The next token's logits [V]."""
        if len(written) < len(self._gold) and self._gold[: len(written)] == written:
            return self._rows[len(written)]
        return self._model.run(self._prompt + written, 1)[0]


class ConstantRows:
    """Stands in for a model that knows nothing but how frequent each token is."""

    def __init__(self, logits: NDArray[np.float32]) -> None:
        self._logits = logits

    def logits(self, written: list[int]) -> NDArray[np.float32]:
        return self._logits
