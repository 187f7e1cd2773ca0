"""Says now and then how far the calibration is, how fast it goes, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

SECONDS_BETWEEN = 10.0


class Progress:
    """Counts rounded weights. A layer that is begun again counts from its beginning."""

    def __init__(
        self,
        report: Callable[[str], None],
        layers: Sequence[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._layers = layers
        self._clock = clock
        self._began = self._told = clock()
        self._layer = -1
        self._of_layer = self._counted = 0

    def add(self, layer: int, weights: int) -> None:
        """Count the weights of a matrix that is rounded; tell, if it is time."""
        if layer != self._layer:
            self._layer, self._of_layer = layer, 0
        self._of_layer += weights
        self._counted += weights
        now = self._clock()
        done = sum(self._layers[:layer]) + self._of_layer
        left = sum(self._layers) - done
        if left > 0 and now - self._told < SECONDS_BETWEEN:
            return
        self._told = now
        rate = self._counted / max(now - self._began, 1e-9)
        end = f"{_span(left / rate)} left" if left > 0 else f"took {_span(now - self._began)}"
        self._report(
            f"calibrating: layer {layer + 1} of {len(self._layers)}, "
            f"{100 * done / sum(self._layers):.1f} %, {rate / 1e6:.2f} M weights/s, {end}"
        )


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
