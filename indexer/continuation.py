"""What followed elsewhere after the words before the cursor: text for a model to check, not trust.

The words before the cursor are looked up in the chunks that share the rarest of them. Where the
same tokens stand in the same order, what follows there is a guess of what follows here. The more
tokens agree, and the more places, the better the guess. As in prompt lookup decoding (Saxena, 2023)
and REST (He and others, arXiv 2311.08252), with the repository as the store.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from indexer.chunks import terms_of
from indexer.repository import Repository

TOKEN = re.compile(rb"[\w$\x80-\xff]+|\n\s*|[^\s\w]")
WORD = re.compile(rb"[\w$\x80-\xff]+")
TAIL_BYTES = 400
MAX_TOKENS, MIN_TOKENS = 24, 3
MAX_CHUNKS = 16
MAX_LINES, MAX_BYTES = 3, 240


@dataclass(frozen=True, slots=True)
class _Tail:
    """The tokens before a cursor, the last one first; a word that is being typed apart."""

    tokens: tuple[bytes, ...]
    partial: bytes
    ends_blank: bool  # whether blanks stand before the cursor already
    indent: bytes  # of the cursor's line


@dataclass(slots=True)
class _Guess:
    text: str
    length: int  # tokens that agree, at most
    places: int
    rank: int  # of the chunk where it was found first


def continuations(
    repository: Repository, path: str, text: bytes, offset: int, limit: int, deadline: float | None
) -> list[str]:
    """Texts that may follow at an offset, the likeliest first; none if too few tokens agree."""
    tail = _tail_of(text[max(0, offset - TAIL_BYTES) : offset])
    if len(tail.tokens) + bool(tail.partial) < MIN_TOKENS or limit <= 0:
        return []
    guesses: dict[str, _Guess] = {}
    for rank, source in enumerate(_sources(repository, path, text, offset)):
        if deadline is not None and time.monotonic() > deadline:
            break
        for length, end in _agreements(source, tail):
            following = _following(source, end, tail)
            first = following.split("\n", 1)[0]
            if not following.strip():
                continue
            known = guesses.get(first)
            if known is None:
                guesses[first] = _Guess(following, length, 1, rank)
            else:
                known.places += 1
                if length > known.length:
                    known.text, known.length = following, length
    ordered = sorted(
        guesses.values(), key=lambda guess: (-guess.length, -guess.places, guess.rank, guess.text)
    )
    return [guess.text for guess in ordered[:limit]]


def _tail_of(before: bytes) -> _Tail:
    tokens = [_normal(token) for token in TOKEN.findall(before)][-MAX_TOKENS:]
    partial = b""
    if tokens and WORD.fullmatch(tokens[-1]) and before.endswith(tokens[-1]):
        partial = tokens.pop()
    line = before[before.rfind(b"\n") + 1 :]
    return _Tail(tuple(reversed(tokens)), partial, line[-1:].isspace(), _blanks(line))


def _normal(token: bytes) -> bytes:
    return b"\n" if token.startswith(b"\n") else token


def _sources(repository: Repository, path: str, text: bytes, offset: int) -> Iterator[bytes]:
    """The text before the cursor, then chunks that share the rarest words, the best first.

    A chunk comes with the bytes after it: what follows its last line may be the answer.
    """
    own = repository.current_text(path) or text
    line_start = own.rfind(b"\n", 0, offset) + 1
    yield own[max(0, line_start - 8_000) : line_start]
    query = terms_of(text[max(0, offset - TAIL_BYTES) : offset])
    skip = [(path, max(0, offset - 2_000), offset + 1)]
    for hit in repository.chunks.search(query, MAX_CHUNKS, skip):
        source = own if hit.path == path else repository.current_text(hit.path)
        if source is not None:
            low, high = max(0, hit.chunk.start - TAIL_BYTES), hit.chunk.end + MAX_BYTES
            if hit.path == path and low < offset < high:
                continue
            yield source[low:high]


def _agreements(source: bytes, tail: _Tail) -> Iterator[tuple[int, int]]:
    """Places that agree with the tail: how many tokens, and the offset where the next one starts.

    Where a word is being typed the offset is that of the word.
    """
    found = list(TOKEN.finditer(source))
    tokens = [_normal(match.group()) for match in found]
    for index in range(1, len(tokens)):
        if tokens[index - 1] != tail.tokens[0]:
            continue
        if tail.partial and not tokens[index].startswith(tail.partial):
            continue
        length = 1
        while length < min(len(tail.tokens), index) and (
            tokens[index - 1 - length] == tail.tokens[length]
        ):
            length += 1
        words = sum(WORD.fullmatch(token) is not None for token in tail.tokens[:length])
        length += bool(tail.partial)
        if length >= MIN_TOKENS and words:
            start = found[index].start() if tail.partial else found[index - 1].end()
            yield length, start


def _following(source: bytes, start: int, tail: _Tail) -> str:
    """The rest of the line and lines below that belong to it, indented as the cursor's line."""
    line_start = source.rfind(b"\n", 0, start) + 1
    indent = _blanks(source[line_start:])
    lines = source[start + len(tail.partial) : start + MAX_BYTES].split(b"\n")
    if len(lines) > 1 and start + MAX_BYTES < len(source):
        lines.pop()  # cut in its middle
    kept = [lines[0].lstrip(b" \t") if tail.ends_blank else lines[0]]
    for line in lines[1:MAX_LINES]:
        if not line.strip() or len(_blanks(line)) < len(indent):
            break
        kept.append(tail.indent + line[len(indent) :])
    return b"\n".join(kept).decode("utf-8", "ignore").rstrip()


def _blanks(line: bytes) -> bytes:
    return line[: len(line) - len(line.lstrip(b" \t"))]
