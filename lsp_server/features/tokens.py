"""Token ids of texts, chunk by chunk, so that a keystroke encodes a few lines and not a file.

A text is cut at line starts that a checksum of the line chooses: the cuts move with their lines,
and an edit changes the chunk around it alone. The ids of the chunks, one after the other, must be
the ids of the whole text. For a line that begins with something visible that holds for every
byte-level BPE tokenizer, since they all split there. For an indented line it depends on how the
tokenizer treats white space, so it is tried out once.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

TokenIds = NDArray[np.int32]
Encode = Callable[[str], list[int]]

# One line in this many begins a chunk.
_CUT = 8
# Line ends before indented lines, in the ways in which tokenizers differ.
_PROBES = tuple(
    (above, f"{indent}{word}")
    for above in ("a\n", "f():\n", "x\n\n", "x  \n", "{\r\n", "x\n    \n", "x\n\t\n\n\n", "é\n")
    for indent in (" ", "    ", "\t", "\t\t ", "        ")
    for word in ("b = 1\n", "# c", "1", ")", "é")
)


class TokenCache:
    """Encodes text with a memory of the chunks that were encoded lately. One thread at a time."""

    def __init__(self, encode: Encode, max_chunks: int = 50_000) -> None:
        self._encode = encode
        self._max_chunks = max_chunks
        self._known: OrderedDict[str, TokenIds] = OrderedDict()
        self._cuts_indented = all(
            encode(above + line) == encode(above) + encode(line) for above, line in _PROBES
        )

    def chunks(self, text: str) -> list[tuple[str, TokenIds]]:
        """The text in pieces, each with its token ids."""
        return [(piece, self._ids(piece)) for piece in pieces(text, self._cuts_indented)]

    def encode(self, text: str) -> TokenIds:
        """The token ids of the whole text."""
        parts = [self._ids(piece) for piece in pieces(text, self._cuts_indented)]
        return np.concatenate(parts) if parts else np.empty(0, np.int32)

    def _ids(self, piece: str) -> TokenIds:
        ids = self._known.get(piece)
        if ids is None:
            ids = np.array(self._encode(piece), np.int32)
            ids.setflags(write=False)
            self._known[piece] = ids
            if len(self._known) > self._max_chunks:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(piece)
        return ids


def pieces(text: str, cuts_indented: bool = False) -> Iterator[str]:
    """The text cut at line starts; the pieces joined are the text."""
    start = position = 0
    for line in text.split("\n"):
        if position > start and _begins_chunk(line, cuts_indented):
            yield text[start:position]
            start = position
        position += len(line) + 1
    if start < len(text):
        yield text[start:]


def _begins_chunk(line: str, cuts_indented: bool) -> bool:
    # A blank line shares a token with the line end before it.
    if not line or (line.isspace() if cuts_indented else line[0].isspace()):
        return False
    return zlib.crc32(line.encode("utf-8", "surrogatepass")) % _CUT == 0
