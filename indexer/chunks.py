"""Terms: what a text is searched by. The index reads those of chunks natively, in the same way."""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import lru_cache

MAX_TERMS_BYTES = 20_000
"""Of a chunk only so many bytes are read for terms."""
WORD = re.compile(rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\x00-\x7f]+")
LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}


def terms_of(text: bytes) -> Counter[str]:
    """How often each identifier occurs, and each part of those that have several."""
    counts: Counter[str] = Counter()
    for word, count in Counter(WORD.findall(text)).items():
        name = word.decode("utf-8", "replace")
        counts[name] += count
        for part in name_parts(name):
            counts[part] += count
    return counts


@lru_cache(maxsize=100_000)
def name_parts(name: str) -> tuple[str, ...]:
    """The words that a snake_case or camelCase name is made of; none for one word.

    Letters of ASCII are made lower case.
    """
    parts = PART.findall(name)
    if len(parts) < 2:
        return ()
    return tuple(part.translate(LOWER) for part in parts if len(part) > 1)
