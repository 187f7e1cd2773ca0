"""Token healing: the prompt ends before the unfinished word, and the model writes the word anew.

A tokenizer would cut `len` of `length` in a way that the model has never seen in the middle of a
word, and a space at the end of a prompt likewise. So that text is held back, and what the model
writes must begin with it; where it does not, the prompt with the whole line is taken after all.
The idea is known from Microsoft's guidance library ("token healing").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# What a byte-level BPE with Qwen's rules keeps together at the end of a line: a word's letters with
# the one sign or space before them, a run of signs with a space before it, or white space.
_HELD = re.compile(r"(?P<sign>[^\w\r\n\t ]|[ _])?[^\W\d_]{1,24}$| ?(?:[^\w\s]|_){1,8}$|[ \t]+$")
_WORD = re.compile(r"[^\W\d]\w*$")


@dataclass(frozen=True, slots=True)
class Way:
    """The unfinished line as the prompt has it, and what was held back of it.

    Only text that begins with the `forced` beginning of the held text can be written. For the rest
    of it the model is free, and the answer is of no use where it writes something else.
    """

    line: str
    held: str = ""
    forced: str = ""


def ways_to_heal(line: str, elsewhere: str) -> tuple[Way, ...]:
    """What to try, in order.

    Signs stand as they are typed. A word that stands nowhere else is most likely not finished: the
    model is made to finish it. A word that does may be: there the model decides, and if it writes
    something else, it is asked to go on behind the word as it stands.
    """
    match = _HELD.search(line)
    if match is None:
        return (Way(line),)
    kept, held = line[: match.start()], match[0]
    word = _WORD.search(line)
    if word is None:
        return (Way(kept, held), Way(line)) if held.isspace() else (Way(kept, held, held),)
    if not re.search(rf"\b{re.escape(word[0])}\b", elsewhere):
        return (Way(kept, held, held),)
    return Way(kept, held, (match["sign"] or "").strip()), Way(line)


def way_without_healing(line: str) -> Way:
    """For a model that cannot be made to begin with a text: white space at the end is left out.

    What it writes is taken for what follows the line, apart from what it repeats of that.
    """
    kept = line.rstrip(" \t")
    return Way(kept, line[len(kept) :])


def without_overlap(text: str, line: str) -> str:
    """What was written behind `line` without what it repeats of the line's end.

    That may be the whole line, as chat models like to begin, the white space that was left out, or
    the unfinished word. One letter is no word: it may well be doubled.
    """
    kept = line.rstrip(" \t")
    whole, word = kept.lstrip(" \t"), _WORD.search(kept)
    rest = text
    if len(whole) > 1 and rest.lstrip(" \t").startswith(whole):
        rest = rest.lstrip(" \t")[len(whole) :]
    elif kept == line and word is not None and len(word[0]) > 1 and rest.startswith(word[0]):
        rest = rest[len(word[0]) :]
    return rest.lstrip(" \t") if kept != line else rest


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
