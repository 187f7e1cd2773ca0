"""Text to token ids and back: byte-level BPE, read from Hugging Face's `tokenizer.json`.

Text never becomes a control token: a file that spells `<|fim_prefix|>` is encoded as those
characters. Control tokens are asked for by name with `token_id`, by the prompt format alone.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tokenizers

from runtime.errors import BundleError

# Ids index a table; no model has as many tokens.
_MAX_TOKENS = 1 << 22


class Tokenizer:
    """A byte-level BPE tokenizer. Immutable; may be used from several threads."""

    def __init__(self, definition: dict[str, Any], source: str = "tokenizer.json") -> None:
        """Build it from a parsed `tokenizer.json`; `source` names it in errors.

        Raises BundleError where the definition is malformed or is not byte-level BPE.
        """
        try:
            added = [token for token in definition.get("added_tokens") or [] if token is not None]
            self._special_ids = {token["content"]: int(token["id"]) for token in added}
            hidden = {int(token["id"]) for token in added if token["special"]}
            # Only tokens marked special can be kept out of `encode`, so all of them are marked.
            marked = [{**token, "special": True} for token in added]
            text = json.dumps({**definition, "added_tokens": marked})
            self._backend = tokenizers.Tokenizer.from_str(text)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # The library raises bare Exception for a malformed definition, and where it panics, as
            # it does for some, what is not even that.
            reason = " ".join(str(error).split())[:300]
            raise BundleError(f"{source} is not a tokenizer: {reason}") from error
        self._backend.encode_special_tokens = True
        self._backend.no_truncation()
        self._backend.no_padding()
        self._bytes = self._bytes_of_all(hidden, source)
        for name, token in self._special_ids.items():
            if self._backend.token_to_id(name) != token:  # The library gives ids of its own.
                raise BundleError(f"{source}: {name[:60]!r} cannot have the id {token}")

    @classmethod
    def from_file(cls, path: Path) -> Tokenizer:
        """Read a `tokenizer.json`. Raises BundleError where it is missing or malformed."""
        try:
            definition = json.loads(path.read_bytes())
        except OSError as error:
            raise BundleError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{path} is not JSON: {error}") from error
        if not isinstance(definition, dict):
            raise BundleError(f"{path} is not a tokenizer: it must hold a JSON object")
        return cls(definition, str(path))

    @property
    def vocab_size(self) -> int:
        """Number of token ids, control tokens included; the model may have more rows than this."""
        return len(self._bytes)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`, none of them a control token."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def token_id(self, name: str) -> int | None:
        """Return the id of the control token that is spelt `name`, or None if there is none."""
        return self._special_ids.get(name)

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that a token stands for.

        A control token stands for none, and so does an id past the vocabulary, which a model
        with padded rows can produce. Raises ValueError for a negative id.
        """
        if token_id < 0:
            raise ValueError(f"a token id must not be negative, not {token_id}")
        return self._bytes[token_id] if token_id < len(self._bytes) else b""

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")

    def _bytes_of_all(self, hidden: set[int], source: str) -> tuple[bytes, ...]:
        byte_of = {character: byte for byte, character in enumerate(byte_alphabet())}
        added = set(self._special_ids.values())
        largest = max(self._backend.get_vocab(with_added_tokens=True).values(), default=-1)
        if largest >= _MAX_TOKENS:
            raise BundleError(f"{source} has a token with the id {largest}, beyond {_MAX_TOKENS}")
        table = [b""] * (largest + 1)
        for spelling, token in self._backend.get_vocab(with_added_tokens=True).items():
            if token in hidden:
                continue
            if token in added:
                table[token] = spelling.encode()
                continue
            try:
                table[token] = bytes(byte_of[character] for character in spelling)
            except KeyError as error:
                raise BundleError(
                    f"{source}: token {token} {spelling!r} is not spelt in byte-level characters; "
                    "only byte-level BPE tokenizers are supported"
                ) from error
        return tuple(table)


class IncrementalDecoder:
    """Turns tokens into text one by one, giving out whole characters only."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token_id: int) -> str:
        """Add a token; return the text that it completed, which may be empty."""
        return self._decoder.decode(self._tokenizer.token_bytes(token_id))

    def flush(self) -> str:
        """Return what is left of an unfinished character, as U+FFFD, and start afresh."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest


def byte_alphabet() -> list[str]:
    """Return the character for each byte 0..255, as GPT-2's byte-level BPE spells them.

    Printable bytes of Latin-1 stand for themselves; the others are numbered from U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    alphabet, next_free = [], 0x100
    for byte in range(256):
        if byte in printable:
            alphabet.append(chr(byte))
        else:
            alphabet.append(chr(next_free))
            next_free += 1
    return alphabet
