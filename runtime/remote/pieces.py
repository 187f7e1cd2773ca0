"""Tokens for a model whose tokenizer is elsewhere: three bytes of text each, and back.

The pipeline counts, cuts and orders a prompt in tokens; a server wants its text. So a token is a
number that holds the characters it stands for: the budget can be counted as everywhere else, and
the parts of the prompt can be read back out of the numbers. Three bytes are less than a token of
the usual tokenizers holds, so a prompt has fewer tokens there than are counted here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# How many bytes, above the bytes themselves; a character of four bytes is its code point.
_SHIFT = 24
_FOUR = 4 << _SHIFT
_CONTROL = 5 << _SHIFT
ROLES = ("repo_name", "file_sep", "fim_prefix", "fim_suffix", "fim_middle")
# A piece never goes on behind a line end, so the pieces of a line do not depend on its neighbours.
_PIECE = re.compile(
    r"[\x00-\x09\x0b-\x7f]{0,2}\n|[\x00-\x09\x0b-\x7f]{1,3}"
    r"|[\x80-\u07ff][\x00-\x09\x0b-\x7f]?|[\u0800-\uffff]|[\U00010000-\U0010ffff]"
)


@dataclass(frozen=True, slots=True)
class PromptParts:
    """A prompt as text: other files, then the file at hand around the unfinished `line`."""

    repository: str = ""
    files: tuple[tuple[str, str], ...] = ()
    path: str = ""
    prefix: str = ""
    suffix: str = ""
    line: str = ""


class PieceTokenizer:
    """Whole characters of up to three bytes as one number. Has the shape of a `Tokenizer`."""

    vocab_size = _CONTROL + len(ROLES)

    def encode(self, text: str) -> list[int]:
        """Lone surrogates, which are no text, become U+FFFD."""
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return [_number(match[0]) for match in _PIECE.finditer(text)]

    def token_id(self, name: str) -> int | None:
        """The control token of a role, which stands for no text."""
        return _CONTROL + ROLES.index(name) if name in ROLES else None

    def token_bytes(self, token_id: int) -> bytes:
        if _FOUR <= token_id < _CONTROL:
            return chr(token_id - _FOUR).encode()
        size = token_id >> _SHIFT
        return (token_id & 0xFFFFFF).to_bytes(3, "big")[3 - size :] if 0 < size < 4 else b""

    def decode(self, ids: Iterable[int]) -> str:
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")


def parts_of(prompt: Sequence[int]) -> PromptParts:
    """The parts of what `PromptFormat.render` made with this tokenizer's control tokens.

    A prompt without any is the text before the cursor.
    """
    sections: list[tuple[str, str]] = []
    role, start = "", 0
    for place, token in enumerate(prompt):
        if token >= _CONTROL:
            sections.append((role, _text(prompt[start:place])))
            role, start = ROLES[token - _CONTROL], place + 1
    sections.append((role, _text(prompt[start:])))
    texts = dict(sections)
    files = [_named(text) for role, text in sections if role == "file_sep"]
    path, above = files.pop() if files else ("", texts[""])
    return PromptParts(
        repository=_named(texts.get("repo_name", ""))[0],
        files=tuple(files),
        path=path,
        prefix=texts.get("fim_prefix", above),
        suffix=texts.get("fim_suffix", ""),
        line=texts.get("fim_middle", ""),
    )


def _named(text: str) -> tuple[str, str]:
    """A name and what stands below it."""
    name, _, rest = text.partition("\n")
    return name, rest


def _number(piece: str) -> int:
    content = piece.encode()
    if len(content) == 4:
        return _FOUR + ord(piece)
    return len(content) << _SHIFT | int.from_bytes(content, "big")


def _text(ids: Sequence[int]) -> str:
    return PieceTokenizer().decode(ids)
