"""Makes a text begin with given bytes, whatever tokens they are cut into ("token healing").

A prompt that ends in the middle of a word is cut into tokens that a model never saw there. So the
prompt ends before the word, and the first tokens are chosen among those that agree with it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from runtime.tokenizer import Tokenizer


class TokenTable:
    """All tokens sorted by their bytes, so that those with a common start lie side by side."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        ids = range(tokenizer.vocab_size)
        # Control tokens have no bytes and can begin no text.
        spelt = sorted((text, token) for token in ids if (text := tokenizer.token_bytes(token)))
        self._texts = [text for text, _ in spelt]
        self._tokens = np.array([token for _, token in spelt], np.int64)

    def agreeing(self, start: bytes) -> NDArray[np.int64]:
        """The tokens with which a text can begin that must begin with `start`.

        Those that begin with it, and those that it begins with.
        """
        low, high = self._range(start)
        shorter = [
            place
            for size in range(1, len(start))
            for place in range(*self._range(start[:size], exactly=True))
        ]
        return np.concatenate((self._tokens[low:high], self._tokens[np.array(shorter, np.int64)]))

    def _range(self, start: bytes, exactly: bool = False) -> tuple[int, int]:
        """Where the tokens lie whose bytes begin with these, or are just these."""
        # What follows all texts with this start is the start with its last byte raised by one.
        whole = start.rstrip(b"\xff")
        raised = whole[:-1] + bytes([whole[-1] + 1]) if whole else b""
        after = start + b"\0" if exactly else raised
        high = bisect_left(self._texts, after) if after else len(self._texts)
        return bisect_left(self._texts, start), high
