"""What is to be simulated."""

from datetime import date
from fractions import Fraction
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator.event import DAY, midnight_of

_FEED_ERRORS = Fraction(2, 3)
"""The share of broken records in messages and logs, against that in the clickstream."""


class Scope(NamedTuple):
    """The arguments of a simulation, which fix every byte it writes."""

    seed: int
    first_day: date
    days: int
    visitors: int
    error_share: float

    @property
    def start(self) -> int:
        """The midnight at which the first day begins, in milliseconds since 1970."""
        return midnight_of(self.first_day)

    @property
    def end(self) -> int:
        """The midnight at which the last day ends, in milliseconds since 1970."""
        return self.start + self.days * DAY

    @property
    def feed_error_share(self) -> Fraction:
        """The highest share of broken records in a file of messages or logs."""
        return Fraction(str(self.error_share)) * _FEED_ERRORS

    def random(self, matter: str) -> Random:
        """A stream of chance for one matter, which no other matter disturbs."""
        return Random(f"{self.seed}: {matter}")
