"""Logits to token: penalty, temperature, min-p, top-k, top-p, then one draw.

The order and the meaning of each are those of vLLM and of Hugging Face's logits processors, which
agree wherever one is used alone; min-p is applied before top-k and top-p, as in vLLM.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.config import SamplingParams


def sample(
    logits: NDArray[np.float32],
    sampling: SamplingParams,
    history: NDArray[np.int64],
    index: int,
) -> int:
    """Choose a token from `logits` [V].

    `history` holds the prompt and what was generated, for the repetition penalty. `index` counts
    the generated tokens: the draw depends on the seed and on it alone, so it comes out the same
    whatever else runs and however often the sequence was interrupted.
    """
    scores = penalized(logits, history, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return int(scores.argmax())
    tokens, probabilities = candidates(scores, sampling)
    drawn = np.searchsorted(np.cumsum(probabilities), uniform(sampling.seed, index), "right")
    return int(tokens[min(int(drawn), len(tokens) - 1)])


def penalized(
    logits: NDArray[np.float32], history: NDArray[np.int64], penalty: float
) -> NDArray[np.float32]:
    """Make tokens that occurred less likely (Keskar et al. 2019, CTRL): divide positive logits by
    `penalty`, multiply negative ones.
    """
    if penalty == 1.0:
        return logits
    seen = np.unique(history)
    values = logits[seen]
    scores = logits.copy()
    scores[seen] = np.where(values > 0, values / penalty, values * penalty)
    return scores


def candidates(
    scores: NDArray[np.float32], sampling: SamplingParams
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the tokens that may be drawn, the likeliest first, and their probabilities (sum 1)."""
    scaled = scores.astype(np.float64)
    scaled = (scaled - scaled.max()) / sampling.temperature
    # Relative to the likeliest token a probability is the exponential of the scaled difference.
    keep = np.exp(scaled) >= sampling.min_p
    if 0 < sampling.top_k < len(scaled):
        keep &= scaled >= np.partition(scaled, -sampling.top_k)[-sampling.top_k]
    tokens = np.flatnonzero(keep)
    tokens = tokens[np.argsort(-scaled[tokens], kind="stable")]
    probabilities = np.exp(scaled[tokens])
    probabilities /= probabilities.sum()
    if sampling.top_p == 1.0:
        return tokens, probabilities
    # A token stays while those before it hold less than top_p, so the first always stays.
    before = np.cumsum(probabilities) - probabilities
    count = int(np.count_nonzero(before < sampling.top_p))
    return tokens[:count], probabilities[:count] / probabilities[:count].sum()


def uniform(seed: int, index: int) -> float:
    """The `index`-th number in [0, 1) of the stream `seed`, found without drawing those before."""
    return float(np.random.Generator(np.random.Philox(key=seed % 2**64, counter=index)).random())


def log_normalizer(logits: NDArray[np.float32]) -> float:
    """The logarithm of the sum of the exponentials: subtracting it turns logits into log-probs."""
    highest = float(logits.max())
    return highest + float(np.log(np.exp(logits - highest).sum(dtype=np.float64)))
