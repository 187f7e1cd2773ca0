"""Token healing: the prompt ends before the unfinished word, and the model writes the word anew.

A tokenizer would cut `len` of `length` in a way that the model has never seen in the middle of a
word, and a space at the end of a prompt likewise. So that text is held back, and what the model
writes must begin with it; where it does not, the prompt with the whole line is taken after all.
The idea is known from Microsoft's guidance library ("token healing").
"""

from __future__ import annotations

import re
from typing import Literal

# A word's letters with the space or underscore that byte-level BPE keeps with them, or white space.
_HELD = re.compile(r"(?:[ _]?[^\W\d_]{1,24}|[ \t]+)$")


def split_line(line: str) -> tuple[str, str]:
    """The unfinished line as (what the prompt has, what is held back)."""
    match = _HELD.search(line)
    if match is None:
        return line, ""
    return line[: match.start()], match[0]


def heals(text: str, held: str) -> Literal["yes", "no", "not yet"]:
    """Whether what the model has written so far begins with what was held back."""
    if len(text) <= len(held):
        return "not yet" if held.startswith(text) else "no"
    if not text.startswith(held):
        return "no"
    # Deeper indentation than the user has is another line than the one that is being written.
    return "no" if held.isspace() and text[len(held)] in " \t" else "yes"


def without_held(confidence: float, held: float) -> float:
    """The confidence of the rest, given that the held text, of probability `held`, is right.

    The odds grow by what the held text's own uncertainty had taken from them.
    """
    if not 0 < confidence < 1 or held <= 0:
        return confidence
    odds = confidence / (1 - confidence) / held
    return odds / (1 + odds)
