"""A tokenizer whose tokens are bytes, so that tests can read tokens as text."""

from __future__ import annotations

from collections.abc import Iterable

END = 256
END_NAME = "<|endoftext|>"


class ByteTokenizer:
    """Token n is byte n; 256 ends a text."""

    vocab_size = 257

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def token_id(self, name: str) -> int | None:
        return END if name == END_NAME else None

    def token_bytes(self, token_id: int) -> bytes:
        return bytes([token_id]) if token_id < END else b""

    def decode(self, ids: Iterable[int]) -> str:
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")
