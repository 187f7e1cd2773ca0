"""Where lines start, and the ways in which editors count columns.

Lines end as LSP says: at \\n, \\r\\n or \\r. Columns count bytes, UTF-16 units or code points.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["utf-8", "utf-16", "utf-32"]
NEWLINE, RETURN = 10, 13


class LineIndex:
    """Converts between byte offsets and (line, character) of one text; immutable."""

    __slots__ = ("_starts", "text")

    def __init__(self, text: bytes, starts: NDArray[np.int64] | None = None) -> None:
        self.text = text
        self._starts = line_starts(text) if starts is None else starts

    @property
    def line_count(self) -> int:
        """Lines in the text; one more than there are line ends."""
        return len(self._starts)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Byte offset of each line."""
        return self._starts

    def line_start(self, line: int) -> int:
        """Offset of the first byte of a line; the text's length for the line after the last."""
        if line == len(self._starts):
            return len(self.text)
        self._check(line)
        return int(self._starts[line])

    def line_end(self, line: int) -> int:
        """Offset just before the characters that end a line."""
        self._check(line)
        if line + 1 == len(self._starts):
            return len(self.text)
        end = int(self._starts[line + 1]) - 1
        if self.text[end] == NEWLINE and end > self._starts[line] and self.text[end - 1] == RETURN:
            end -= 1
        return end

    def line_of(self, offset: int) -> int:
        """The line that holds a byte offset; offsets past the text count as its end."""
        return int(self._starts.searchsorted(offset, side="right")) - 1

    def offset_of(self, line: int, character: int, encoding: Encoding) -> int:
        """Byte offset of a position. A character past the line's end means the line's end.

        A position inside a code point means its start. Raises ValueError for a line that the
        text does not have, and for an encoding other than utf-8, utf-16 and utf-32.
        """
        end = self.line_end(line)
        start = int(self._starts[line])
        if character <= 0:
            return start
        content = self.text[start:end]
        if encoding == "utf-8":
            return start + _character_start(content, min(character, len(content)))
        if content.isascii():
            return start + min(character, len(content))
        string = content.decode("utf-8", "surrogateescape")
        if encoding == "utf-32":
            return start + len(string[:character].encode("utf-8", "surrogateescape"))
        if encoding == "utf-16":
            units = string.encode("utf-16-le", "surrogatepass")[: 2 * character]
            whole = _whole_utf16(units)
            prefix = whole.decode("utf-16-le", "surrogatepass")
            return start + len(prefix.encode("utf-8", "surrogateescape"))
        raise ValueError(f"unknown position encoding {encoding!r}: use utf-8, utf-16 or utf-32")

    def position_of(self, offset: int, encoding: Encoding) -> tuple[int, int]:
        """(line, character) of a byte offset; offsets outside the text count as its ends.

        An offset inside \\r\\n means the end of that line.
        """
        offset = max(0, min(offset, len(self.text)))
        line = self.line_of(offset)
        start = int(self._starts[line])
        content = self.text[start : min(offset, self.line_end(line))]
        if encoding == "utf-8" or content.isascii():
            return line, len(content)
        string = content.decode("utf-8", "surrogateescape")
        if encoding == "utf-32":
            return line, len(string)
        if encoding == "utf-16":
            return line, len(string.encode("utf-16-le", "surrogatepass")) // 2
        raise ValueError(f"unknown position encoding {encoding!r}: use utf-8, utf-16 or utf-32")

    def edited(self, start: int, end: int, text: bytes, new_text: bytes) -> LineIndex:
        """The index of `new_text`, which is this text with [start, end) replaced by `text`.

        Only the replaced bytes and one on each side are looked at: a neighbour may have been
        half of \\r\\n before, or may be so now.
        """
        low = max(0, start - 1)
        high = min(len(new_text), start + len(text) + 1)
        shift = len(text) - (end - start)
        # A line start s depends on bytes s - 1 and s, so those in [low + 1, high] are found anew.
        before = self._starts[: np.searchsorted(self._starts, low, side="right")]
        after = self._starts[np.searchsorted(self._starts, high - shift, side="right") :]
        fresh = line_starts(new_text[low : min(len(new_text), high + 1)])[1:] + low
        fresh = fresh[fresh <= high]
        return LineIndex(new_text, np.concatenate((before, fresh, after + shift)))

    def _check(self, line: int) -> None:
        if not 0 <= line < len(self._starts):
            raise ValueError(
                f"line {line} is outside the text, which has lines 0 to {len(self._starts) - 1}"
            )


def line_starts(text: bytes) -> NDArray[np.int64]:
    """Byte offset of the first character of each line."""
    codes = np.frombuffer(text, np.uint8)
    ends = codes == NEWLINE
    if b"\r" in text:
        returns = codes == RETURN
        returns[:-1] &= ~ends[1:]  # the \n of \r\n ends the line, not its \r
        ends = ends | returns
    return np.concatenate((np.zeros(1, np.int64), np.flatnonzero(ends) + 1))


def _character_start(content: bytes, offset: int) -> int:
    """The start of the code point around a byte offset of one line."""
    start = offset
    while 0 < start < len(content) and content[start] & 0xC0 == 0x80 and offset - start < 3:
        start -= 1
    return start


def _whole_utf16(units: bytes) -> bytes:
    """UTF-16-LE without the high half of a pair whose low half was cut off."""
    if len(units) >= 2 and 0xD8 <= units[-1] <= 0xDB:
        return units[:-2]
    return units
