"""Visits of signed-in users, day by day."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from random import Random
from typing import Generic, Protocol, TypeVar

from analytics_platform.demo.simulator.arrivals import draw_time_of_day
from analytics_platform.demo.simulator.event import DAY


class Timed(Protocol):
    """Something a client did at a time, in milliseconds since 1970."""

    @property
    def at(self) -> int:
        """When."""

    @property
    def client_id(self) -> str:
        """Who."""


TimedT = TypeVar("TimedT", bound=Timed)
_by_time = attrgetter("at", "client_id")


class Agenda(Generic[TimedT]):
    """The events of a span of days, made visit by visit; those after the last day fall away."""

    def __init__(self, rng: Random, start: int, days: int) -> None:
        """An agenda of so many days from `start` (milliseconds since 1970, a midnight) on."""
        self._rng = rng
        self._start = start
        self._days = days
        self._planned: defaultdict[int, list[TimedT]] = defaultdict(list)

    def plan(self, events: Iterable[TimedT]) -> None:
        """Put events to the days they belong to."""
        for event in events:
            self._planned[event.at // DAY].append(event)

    def make_days(self, visits: int, make_visit: Callable[[int], list[TimedT]]) -> Iterator[list[TimedT]]:
        """The events of each day by time, of about so many visits; `make_visit` gets the time a visit begins."""
        for midnight in range(self._start, self._start + self._days * DAY, DAY):
            for _ in range(max(1, round(visits * self._rng.uniform(0.85, 1.15)))):
                self.plan(make_visit(midnight + draw_time_of_day(self._rng)))
            yield sorted(self._planned.pop(midnight // DAY, []), key=_by_time)


def drop_twins(events: Iterable[TimedT]) -> list[TimedT]:
    """Events in their order, without a second one of the same client in the same millisecond."""
    return list({_by_time(event): event for event in events}.values())
