"""Packs corpus rows into token streams and cuts the streams into training windows.

Which window comes next is a pure function of a counter, so a resumed run sees the same ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.tokenizer import END_OF_TEXT, FILE_SEP, file_header, read_rows

Ids = NDArray[np.uint16]
BATCH_ROWS = 2000
GROUP_TOKENS = 4096


@dataclass(frozen=True)
class TokenSet:
    """Tokenised files: `ids` of all, `starts` (one longer than the files), `repos` of each file.

    A file's ids begin with its repository and path header; no end token is stored.
    """

    ids: Ids
    starts: NDArray[np.int64]
    repos: NDArray[np.int64]

    def file(self, index: int) -> Ids:
        """Return the ids of one file."""
        return self.ids[self.starts[index] : self.starts[index + 1]]


def encode_rows(tokenizer: Tokenizer, rows: list[dict[str, Any]]) -> TokenSet:
    """Tokenise rows, each with its header before it."""
    pieces: list[Ids] = []
    for begin in range(0, len(rows), BATCH_ROWS):
        batch = rows[begin : begin + BATCH_ROWS]
        texts = [file_header(row["repo"], row["path"]) + row["text"] for row in batch]
        pieces += [np.array(each.ids, dtype=np.uint16) for each in tokenizer.encode_batch(texts)]
    names = {name: index for index, name in enumerate(dict.fromkeys(row["repo"] for row in rows))}
    starts = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    repos = np.array([names[row["repo"]] for row in rows], dtype=np.int64)
    return TokenSet(np.concatenate(pieces), starts, repos)


def load_tokens(rows_path: Path, tokenizer_path: Path, cache: Path) -> TokenSet:
    """Return the tokens of a JSONL file, from `cache` where it was made from the same inputs."""
    digest = hashlib.sha256(rows_path.read_bytes() + tokenizer_path.read_bytes()).hexdigest()
    kept = cache / f"{rows_path.stem}-{digest[:16]}.npz"
    if not kept.exists():
        tokens = encode_rows(Tokenizer.from_file(str(tokenizer_path)), list(read_rows(rows_path)))
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, ids=tokens.ids, starts=tokens.starts, repos=tokens.repos)
    with np.load(kept) as stored:
        return TokenSet(stored["ids"], stored["starts"], stored["repos"])


def file_stream(tokens: TokenSet, seed: int) -> Ids:
    """Return all files in random order, an end token after each, as one array."""
    order = np.random.default_rng(seed).permutation(len(tokens.repos))
    end = np.array([END_OF_TEXT], dtype=np.uint16)
    return np.concatenate([part for index in order for part in (tokens.file(index), end)])


def repository_stream(tokens: TokenSet, seed: int, group_tokens: int = GROUP_TOKENS) -> Ids:
    """Return all files with those of a repository following one another, as a prompt lays them out.

    Within a group of about `group_tokens` the repository is named once and each file begins with
    its separator and path; an end token closes the group.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(tokens.repos))
    ranks = rng.permutation(int(tokens.repos.max()) + 1)
    order = order[np.argsort(ranks[tokens.repos[order]], kind="stable")]
    end = np.array([END_OF_TEXT], dtype=np.uint16)
    parts: list[Ids] = []
    repository, size = -1, 0
    for index in order:
        ids = tokens.file(index)
        if tokens.repos[index] == repository and size < group_tokens:
            ids = ids[int(np.argmax(ids == FILE_SEP)) :]
        else:
            parts.append(end)
            repository, size = int(tokens.repos[index]), 0
        parts.append(ids)
        size += len(ids)
    return np.concatenate([*parts[1:], end])


@dataclass(frozen=True)
class Windows:
    """Windows of `length` + 1 tokens over a stream; every epoch visits each place once.

    Each epoch has its own order and its own offset of the first window.
    """

    stream: Ids
    length: int
    seed: int

    def per_epoch(self) -> int:
        """Return the number of windows in one epoch."""
        return (len(self.stream) - self.length - 1) // self.length

    def batch(self, first: int, count: int) -> NDArray[np.int64]:
        """Return windows number `first` to `first + count` as int64 [count, length + 1]."""
        return np.stack([self._window(first + index) for index in range(count)]).astype(np.int64)

    def _window(self, number: int) -> Ids:
        epoch, place = divmod(number, self.per_epoch())
        # Drawn anew for each window: 20 000 numbers take less than a millisecond.
        rng = np.random.default_rng((self.seed, epoch))
        phase = int(rng.integers(self.length))
        begin = phase + int(rng.permutation(self.per_epoch())[place]) * self.length
        return self.stream[begin : begin + self.length + 1]
