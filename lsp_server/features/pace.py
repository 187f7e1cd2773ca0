"""How long to wait before a request starts: not at all, while answers come as fast as keys."""

from __future__ import annotations

from dataclasses import dataclass

# Answers within this time are worth being asked for at every key.
FAST_SECONDS = 0.15
MAX_SECONDS = 0.4
# Longer pauses are no typing.
_LONGEST_GAP = 1.0
_WEIGHT = 0.2


@dataclass(slots=True)
class Pace:
    """Running means of the time between keys and of the time that answers took, in seconds."""

    gap: float = 0.2
    answer: float = 0.0
    _last_key: float | None = None

    def key(self, now: float) -> None:
        """Something was typed."""
        if self._last_key is not None and 0 < now - self._last_key <= _LONGEST_GAP:
            self.gap += _WEIGHT * (now - self._last_key - self.gap)
        self._last_key = now

    def answered(self, seconds: float) -> None:
        """A request was answered by the model after so long."""
        self.answer += _WEIGHT * (seconds - self.answer)

    @property
    def delay(self) -> float:
        """Seconds to wait for another key. A slow model would be asked in vain between two keys."""
        return 0.0 if self.answer <= FAST_SECONDS else min(MAX_SECONDS, 1.3 * self.gap)
