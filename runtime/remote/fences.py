"""Finds the code in a chat model's answer, while the answer is still being written."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})([^`\n]*)\n", re.MULTILINE)
# A line that is not ended yet, but may become the closing fence.
_MAY_CLOSE = re.compile(r"\n[ ]{0,3}(?:`*|~*)[ \t]*\Z")
_THOUGHTS = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)
# An answer that has said this much without beginning a block does not begin one.
MAX_PREAMBLE = 32 * 1024


class FencedCode:
    """The inside of the first fenced block; without any, the whole answer, once it has ended.

    What a model thinks aloud at the beginning, in <think>, is no part of the answer.
    """

    def __init__(self) -> None:
        self._text = ""
        self._close: str | None = None
        # Inside of the block the text begins with the line end of the opening fence, until then.
        self._is_begun = False
        self.is_done = False

    def push(self, text: str) -> str:
        """Add what was written; return the code that it brings to light."""
        if self.is_done:
            return ""
        self._text += text
        if self._close is None:
            self._open()
        if self._close is None:
            self.is_done = len(self._text) > MAX_PREAMBLE
            return ""
        end = re.search(rf"{self._close}\n", self._text)
        if end is not None:
            self.is_done = True
            return self._take(end.start())
        held = _MAY_CLOSE.search(self._text)
        return self._take(len(self._text) if held is None else held.start())

    def flush(self) -> str:
        """What is left when the answer has ended."""
        if self.is_done:
            return ""
        self.is_done = True
        if self._close is None:
            return _THOUGHTS.sub("", self._text).strip("\n")
        end = re.search(rf"(?:{self._close}|\n[ ]{{0,3}}[`~]{{1,2}})\Z", self._text)
        return self._take(len(self._text) if end is None else end.start())

    def _open(self) -> None:
        """Look for the opening fence, and forget everything before its line end."""
        answer = _THOUGHTS.sub("", self._text)
        match = _FENCE.search(answer)
        if match is not None:
            mark = match[1]
            self._close = rf"\n[ ]{{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*"
            self._text = answer[match.end() - 1 :]

    def _take(self, size: int) -> str:
        code, self._text = self._text[:size], self._text[size:]
        if code and not self._is_begun:
            self._is_begun = True
            return code[1:]
        return code
