"""Leaves a server alone for a while that did not answer, so that not every request waits for it to time out."""

from __future__ import annotations

import time

PAUSE_S = 5.0


class CircuitBreaker:
    """Open after `trip`, for some seconds. Safe to share between threads: the worst is one try more."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the server should be left alone now."""
        return time.monotonic() < self._until

    def trip(self) -> None:
        """Note that the server did not answer."""
        self._until = time.monotonic() + PAUSE_S
