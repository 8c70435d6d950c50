"""All traffic, day by day: people, crawlers and the hand-made clients together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter
from random import Random

from analytics_platform.demo.simulator.arrivals import draw_time_of_day
from analytics_platform.demo.simulator.crawlers import crawl_day, crawl_without_pause
from analytics_platform.demo.simulator.event import DAY, Event
from analytics_platform.demo.simulator.visitor import Visitor, draw_visitor
from analytics_platform.demo.simulator.visits import make_visit

_WEEKDAY_FACTORS = (1.0, 0.95, 0.95, 1.0, 0.9, 1.05, 1.2)
"""Visitors of a day, Monday first, as a share of the average."""

_KNOWN_VISITORS = 20_000
"""How many earlier visitors may come back; the older ones give way by chance."""

_RETURNING_SHARE = 0.3
_SECOND_VISIT_SHARE = 0.25
_by_time = attrgetter("at", "client_id")


class Traffic:
    """A source of events that is asked for one day after the other."""

    def __init__(self, rng: Random, start: int, days: int, visitors: int) -> None:
        """About `visitors` visitors a day from `start` (milliseconds since 1970, a midnight) on."""
        self._rng = rng
        self._start = start
        self._days = days
        self._visitors = visitors
        self._known: list[Visitor] = []
        self._planned: defaultdict[int, list[Event]] = defaultdict(list)

    def generate_days(self, staged: Iterable[Event]) -> Iterator[list[Event]]:
        """The events of each day by time, no two of a client at once; none after the last day."""
        ends_at = self._start + self._days * DAY
        self._plan(staged)
        self._plan(crawl_without_pause(self._rng, self._start, ends_at))
        for midnight in range(self._start, ends_at, DAY):
            self._plan(crawl_day(self._rng, midnight, self._visitors))
            self._visit_day(midnight)
            yield drop_twins(self._planned.pop(midnight // DAY, []))

    def _plan(self, events: Iterable[Event]) -> None:
        """Put events to the days they belong to."""
        for event in events:
            self._planned[event.at // DAY].append(event)

    def _visit_day(self, midnight: int) -> None:
        """The visits that begin in the day that begins at `midnight`."""
        rng = self._rng
        factor = _WEEKDAY_FACTORS[(midnight // DAY + 3) % 7] * rng.uniform(0.95, 1.05)
        for _ in range(max(1, round(self._visitors * factor))):
            visitor = self._draw_visitor()
            self._plan(make_visit(rng, visitor, midnight + draw_time_of_day(rng)))
            while rng.random() < _SECOND_VISIT_SHARE:
                self._plan(make_visit(rng, visitor, midnight + draw_time_of_day(rng)))

    def _draw_visitor(self) -> Visitor:
        """Somebody who was here before, or somebody new."""
        rng, known = self._rng, self._known
        if known and rng.random() < _RETURNING_SHARE:
            return rng.choice(known)
        visitor = draw_visitor(rng)
        if len(known) < _KNOWN_VISITORS:
            known.append(visitor)
        else:
            known[rng.randrange(_KNOWN_VISITORS)] = visitor
        return visitor


def drop_twins(events: list[Event]) -> list[Event]:
    """Events by time, without a second one of the same client in the same millisecond."""
    events.sort(key=_by_time)
    kept: list[Event] = []
    last = None
    for event in events:
        key = (event.at, event.client_id)
        if key != last:
            kept.append(event)
        last = key
    return kept
