"""How likely this user keeps a suggestion: the model's own estimate, corrected by what was kept.

A logistic regression of two numbers on the log-odds of the estimate, learned one suggestion at a
time and drawn back to the estimate itself, so that a few surprises change little.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

_RATE = 0.05
_PULL = 0.002
_LEAST_SLOPE, _MOST_SLOPE, _MOST_BIAS = 0.25, 4.0, 3.0
_EDGE = 1e-4


@dataclass(slots=True)
class Keeping:
    """`slope` 1 and `bias` 0 take the estimate as it is."""

    slope: float = 1.0
    bias: float = 0.0
    seen: int = 0
    kept: int = 0

    def probability(self, confidence: float) -> float:
        """The chance that a suggestion of this confidence is kept, 0 to 1."""
        if not self.seen or not 0 < confidence < 1:
            return confidence
        return 1 / (1 + math.exp(-self._logit(confidence)))

    def learn(self, confidence: float, was_kept: bool) -> None:
        """A suggestion was shown, and was kept or not."""
        x = _log_odds(confidence)
        error = was_kept - 1 / (1 + math.exp(-(self.slope * x + self.bias)))
        self.seen += 1
        self.kept += was_kept
        self.bias += _RATE * error - _PULL * self.bias
        self.slope += _RATE * error * x / (1 + x * x) - _PULL * (self.slope - 1)
        self.bias = min(_MOST_BIAS, max(-_MOST_BIAS, self.bias))
        self.slope = min(_MOST_SLOPE, max(_LEAST_SLOPE, self.slope))

    def _logit(self, confidence: float) -> float:
        return self.slope * _log_odds(confidence) + self.bias

    def to_json(self) -> str:
        return json.dumps(
            {"slope": self.slope, "bias": self.bias, "seen": self.seen, "kept": self.kept}
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Keeping:
        """What `to_json` wrote; anything else is as if nothing had been learned."""
        try:
            found: Any = json.loads(text)
            slope, bias = float(found["slope"]), float(found["bias"])
            seen, kept = int(found["seen"]), int(found["kept"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return cls()
        is_sane = _LEAST_SLOPE <= slope <= _MOST_SLOPE and abs(bias) <= _MOST_BIAS
        return cls(slope, bias, seen, kept) if is_sane and 0 <= kept <= seen else cls()


def _log_odds(confidence: float) -> float:
    inside = min(1 - _EDGE, max(_EDGE, confidence))
    return math.log(inside / (1 - inside))
