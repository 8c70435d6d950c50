"""Skips a server that did not answer for a while, so that not every request waits for a timeout."""

from __future__ import annotations

import time

PAUSE_S = 5.0


class CircuitBreaker:
    """Open after `trip`, for some seconds. Safe to share between threads: at worst there is one more attempt."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the server is skipped now."""
        return time.monotonic() < self._until

    def trip(self) -> None:
        """Note that the server did not answer."""
        self._until = time.monotonic() + PAUSE_S
