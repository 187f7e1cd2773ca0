"""Guesses the next tokens, so that several can be checked in one step (speculative decoding).

A draft costs nothing to make: it is copied from the text that the client thinks will come, from the
repository memory, or from the sequence itself (prompt lookup, Saxena 2023). Whether one is made and
how long it is depends on how often such drafts have held and on what checking them costs: tokens of
a mixture of experts go to different experts, so each further one reads weights of its own.

What is written never depends on drafts: each position's token is chosen from its own logits as it
would be without, and a draft only says for which positions logits are computed ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig
from runtime.sequence import Sequence

Tokens = NDArray[np.int64]
LOOKUP = 3
"""Tokens at the end of a sequence that must occur before, for what followed there to be a draft."""
CLASSES = (2, 4, 8, 16)
"""Matches of the memory are told apart by their length, each class from its number on."""
PRIORS: dict[str | int, float] = {"expected": 0.8, "lookup": 0.4, 2: 0.3, 4: 0.5, 8: 0.7, 16: 0.85}
LEARNING_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens that may come next, and of which kind the guess is."""

    tokens: Tokens
    kind: str | int


class StepCosts:
    """What a step costs by the number of its tokens, relative to a step of one.

    `prior` says it from the model's shape; what was measured takes its place.
    """

    def __init__(self, prior: tuple[float, ...]) -> None:
        self._prior = prior
        self._seconds: dict[int, float] = {}

    def observe(self, tokens: int, seconds: float) -> None:
        if seconds > 0:
            known = self._seconds.get(tokens, seconds)
            self._seconds[tokens] = known + LEARNING_RATE * (seconds - known)

    def of(self, tokens: int) -> float:
        one, many = self._seconds.get(1), self._seconds.get(tokens)
        if one is not None and many is not None:
            return max(1.0, many / one)
        return self._prior[min(tokens, len(self._prior)) - 1]


def prior_costs(config: ModelConfig, max_tokens: int) -> tuple[float, ...]:
    """Weights that a step of 1, 2, ... tokens reads, relative to one token.

    With independent routing T tokens reach E (1 - (1 - k / E)^T) of E experts.
    """
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    attention = config.hidden_size * config.head_dim * 2 * (heads + kv_heads)
    sparse = sum(map(config.is_sparse, range(config.num_hidden_layers)))
    width = 3 * config.hidden_size
    dense = (
        config.num_hidden_layers * attention
        + config.vocab_size * config.hidden_size
        + (config.num_hidden_layers - sparse) * width * config.intermediate_size
        + sparse * width * config.shared_expert_intermediate_size
    )
    experts = sparse * width * config.moe_intermediate_size * config.num_experts
    share = config.num_experts_per_tok / config.num_experts if sparse else 0.0

    def read(tokens: int) -> float:
        return dense + experts * (1 - (1 - share) ** tokens)

    return tuple(read(tokens) / read(1) for tokens in range(1, max_tokens + 1))


class Drafter:
    """Makes drafts and learns which of them hold. Used by the engine's thread."""

    def __init__(self, max_draft: int, costs: StepCosts) -> None:
        self._max_draft = max_draft
        self.costs = costs
        self._held: dict[str | int, float] = dict(PRIORS)

    def draft(self, sequence: Sequence) -> Draft | None:
        """The draft that promises most for a sequence that decodes, if any is worth its cost."""
        # The token after the draft needs a place too.
        room = min(self._max_draft, sequence.max_length - sequence.length - 1)
        if room < 1 or sequence.forced:
            return None
        for draft in (self._expected(sequence), self._remembered(sequence, room), _seen(sequence)):
            if draft is not None:
                count = self._worthwhile(self._held[draft.kind], min(room, len(draft.tokens)))
                if count:
                    return Draft(draft.tokens[:count], draft.kind)
        return None

    def learn(self, draft: Draft, accepted: int) -> None:
        """Take in how many tokens of a draft were right, up to the first that was not."""
        for index in range(min(accepted + 1, len(draft.tokens))):
            known = self._held[draft.kind]
            right = float(index < accepted)
            self._held[draft.kind] = known + LEARNING_RATE * (right - known)

    def _worthwhile(self, chance: float, longest: int) -> int:
        """The length with the most tokens for the cost of a step; 0 if drafting does not pay."""
        best, best_rate, expected, power = 0, 1.0, 1.0, 1.0
        for count in range(1, longest + 1):
            power *= chance
            expected += power
            rate = expected / self.costs.of(count + 1)
            if rate > best_rate:
                best, best_rate = count, rate
        return best

    def _expected(self, sequence: Sequence) -> Draft | None:
        """What the client expects, as long as the sequence has followed it."""
        expected, written = sequence.expected, sequence.generated
        if len(written) >= len(expected) or not np.array_equal(expected[: len(written)], written):
            return None
        return Draft(expected[len(written) :], "expected")

    def _remembered(self, sequence: Sequence, room: int) -> Draft | None:
        if sequence.matcher is None:
            return None
        length, tokens = sequence.matcher.continuation(room)
        kind = max((least for least in CLASSES if least <= length), default=None)
        if kind is None or not len(tokens):
            return None
        return Draft(tokens.astype(np.int64), kind)


def _seen(sequence: Sequence) -> Draft | None:
    """What followed the latest earlier occurrence of the last tokens."""
    tokens = sequence.tokens[: sequence.length]
    if len(tokens) <= LOOKUP:
        return None
    here = np.ones(len(tokens) - LOOKUP, bool)
    for back in range(LOOKUP):
        here &= tokens[back : back + len(here)] == tokens[len(tokens) - LOOKUP + back]
    places = np.flatnonzero(here)
    if not len(places):
        return None
    return Draft(tokens[int(places[-1]) + LOOKUP :], "lookup")
