"""The texts of a calibration: read from where the user keeps them, cut into windows of tokens.

A folder stands for one repository; a `.jsonl` file has in each line an object with `text`, and
perhaps `repo` and `path`; any other file is one text. The same texts give the same windows.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig
from runtime.export.errors import ExportError
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer

TOKENS = 32768
WINDOW = 512
MIN_WINDOW = 64
MIN_TOKENS = 1024
MAX_FILE = 1_000_000
MAX_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and the names that a prompt would put before it."""

    repo: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """What an export calibrates with: about so many tokens of a file or folder of texts.

    `report` takes lines about the progress.
    """

    texts: Path
    tokens: int = TOKENS
    report: Callable[[str], None] = lambda _: None

    def windows(
        self, definition: bytes, prompt: dict[str, Any], config: ModelConfig
    ) -> list[NDArray[np.int64]]:
        """Return windows of token ids, given `tokenizer.json` and a manifest's `prompt_format`."""
        tokenizer = Tokenizer(json.loads(definition))
        form = PromptFormat.from_manifest(prompt, tokenizer)
        return read_windows(self.texts, tokenizer, form, self.tokens, config.max_context)


def read_windows(
    source: Path, tokenizer: Tokenizer, form: PromptFormat, tokens: int, context: int
) -> list[NDArray[np.int64]]:
    """Return windows of about `tokens` tokens in all, from somewhere in each text in turn.

    Each begins with the names of its repository and path, as prompts do. Raises ExportError where
    there is too little text.
    """
    rng = random.Random(0)
    length = min(WINDOW, context)
    windows: list[NDArray[np.int64]] = []
    found = 0
    for text in _in_turn(read_texts(source), rng):
        names = tokenizer.encode(text.repo), tokenizer.encode(text.path)
        head = form.render(names[0], [], names[1], [], [], [])[: length // 2]
        body = tokenizer.encode(text.text)
        room = length - len(head)
        start = rng.randint(0, max(0, len(body) - room))
        window = head + body[start : start + room]
        if len(window) < min(MIN_WINDOW, length):
            continue
        windows.append(np.array(window, np.int64))
        found += len(window)
        if found >= tokens:
            break
    if found < min(MIN_TOKENS, tokens):
        raise ExportError(
            f"{source} has only {found} tokens in texts of at least {MIN_WINDOW}; a calibration "
            f"needs {MIN_TOKENS}, and more are better: give it more text"
        )
    return windows


def _in_turn(texts: list[Text], rng: random.Random) -> Iterator[Text]:
    """The texts in an order by chance; again, from elsewhere in each, as long as more is wanted."""
    rng.shuffle(texts)
    for _ in range(MAX_ROUNDS):
        yield from texts


def read_texts(source: Path) -> list[Text]:
    """Return all texts of a file or folder. Raises ExportError where there are none."""
    if not source.exists():
        raise ExportError(f"the texts for a calibration, {source}, do not exist")
    if source.is_dir():
        texts = list(_of_folder(source))
    elif source.suffix == ".jsonl":
        texts = list(_of_rows(source))
    else:
        text = _read(source)
        if text is None:
            raise ExportError(f"{source} is no text in UTF-8")
        texts = [Text(source.stem, source.name, text)]
    if not texts:
        raise ExportError(f"{source} holds no texts in UTF-8 of at most {MAX_FILE} bytes")
    return texts


def _of_folder(folder: Path) -> Iterator[Text]:
    """Files in the order of their names; hidden ones, links and what is no text are passed over."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent) / name
            if name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            text = _read(path) if path.stat().st_size <= MAX_FILE else None
            if text:
                relative = path.relative_to(folder).as_posix()
                yield Text(folder.resolve().name, relative, text)


def _of_rows(source: Path) -> Iterator[Text]:
    with source.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ExportError(f"{source}, line {number}, is not JSON: {error}") from error
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise ExportError(f'{source}, line {number}: give an object with a string "text"')
            if row["text"]:
                yield Text(str(row.get("repo", "")), str(row.get("path", "")), row["text"])


def _read(path: Path) -> str | None:
    """The text of a file; None where it is none."""
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
