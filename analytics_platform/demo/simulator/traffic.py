"""All traffic, day by day: people, crawlers and staged clients together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from random import Random
from typing import Generic, TypeVar

from analytics_platform.demo.simulator.catalogue import (
    COLLECTIONS,
    CRAWLERS,
    GOOGLEBOT,
    PRODUCTS,
    SHOP,
    draw_time_of_day,
)
from analytics_platform.demo.simulator.events import DAY, MINUTE, SECOND, Event, Timed
from analytics_platform.demo.simulator.visits import Visitor, draw_visitor, make_visit

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

    def take_day(self, midnight: int) -> list[TimedT]:
        """Take the events of the day that begins at `midnight`, by time."""
        return sorted(self._planned.pop(midnight // DAY, []), key=_by_time)

    def make_days(self, visits: int, make_visit: Callable[[int], list[TimedT]]) -> Iterator[list[TimedT]]:
        """Make the events of each day by time, of about so many visits; `make_visit` gets the time a visit begins."""
        for midnight in range(self._start, self._start + self._days * DAY, DAY):
            for _ in range(max(1, round(visits * self._rng.uniform(0.85, 1.15)))):
                self.plan(make_visit(midnight + draw_time_of_day(self._rng)))
            yield self.take_day(midnight)


def drop_duplicates(events: Iterable[TimedT]) -> list[TimedT]:
    """Keep the last event of a client in each millisecond, in the order of the events."""
    return list({_by_time(event): event for event in events}.values())


_PAGES = (f"{SHOP}/", *(f"{SHOP}/collections/{slug}" for slug in COLLECTIONS), *(each.page_url for each in PRODUCTS))


def crawl_without_pause(rng: Random, starts_at: int, ends_at: int) -> Iterator[Event]:
    """Make one client that never rests: an event every 5 to 25 minutes (times in milliseconds since 1970).

    Only the midnight cut of the session rule ends its sessions.
    """
    at = starts_at + rng.randrange(5 * MINUTE)
    while at < ends_at:
        yield _view_page(rng, "googlebot-66-249-66-1", at, GOOGLEBOT)
        at += rng.randrange(5 * MINUTE, 25 * MINUTE)


def crawl_day(rng: Random, midnight: int, visitors: int) -> Iterator[Event]:
    """Make short bursts of other crawlers in the day that begins at `midnight`, about one to 150 visitors."""
    for _ in range(2 + visitors // 150):
        number = rng.randrange(len(CRAWLERS))
        client_id = f"crawler-{number}-{rng.randrange(4)}"
        at = midnight + rng.randrange(DAY)
        for _ in range(rng.randint(3, 40)):
            yield _view_page(rng, client_id, at, CRAWLERS[number])
            at += rng.randrange(SECOND, 3 * MINUTE)


def _view_page(rng: Random, client_id: str, at: int, user_agent: str) -> Event:
    """A page fetched without a referrer."""
    return Event(client_id, at, "page_viewed", rng.choice(_PAGES), "", "", user_agent, is_bot=True)


_WEEKDAY_FACTORS = (1.0, 0.95, 0.95, 1.0, 0.9, 1.05, 1.2)
"""Visitors of a day, Monday first, as a share of the average."""

_KNOWN_VISITORS = 20_000
"""How many earlier visitors may come back; the older ones give way by chance."""

_RETURNING_SHARE = 0.3
_SECOND_VISIT_SHARE = 0.25


class Traffic:
    """A source of events that is asked for one day after the other."""

    def __init__(self, rng: Random, start: int, days: int, visitors: int) -> None:
        """About `visitors` visitors a day from `start` (milliseconds since 1970, a midnight) on."""
        self._rng = rng
        self._start = start
        self._ends_at = start + days * DAY
        self._visitors = visitors
        self._known: list[Visitor] = []
        self._agenda: Agenda[Event] = Agenda(rng, start, days)

    def generate_days(self, staged: Iterable[Event]) -> Iterator[list[Event]]:
        """Make the events of each day by time, no two of a client at once; none after the last day."""
        self._agenda.plan(staged)
        self._agenda.plan(crawl_without_pause(self._rng, self._start, self._ends_at))
        for midnight in range(self._start, self._ends_at, DAY):
            self._agenda.plan(crawl_day(self._rng, midnight, self._visitors))
            self._visit_day(midnight)
            # of events at once the first stays: backwards it is the last
            yield drop_duplicates(self._agenda.take_day(midnight)[::-1])[::-1]

    def _visit_day(self, midnight: int) -> None:
        """The visits that begin in the day that begins at `midnight`."""
        rng = self._rng
        factor = _WEEKDAY_FACTORS[(midnight // DAY + 3) % 7] * rng.uniform(0.95, 1.05)
        for _ in range(max(1, round(self._visitors * factor))):
            visitor = self._draw_visitor()
            self._agenda.plan(make_visit(rng, visitor, midnight + draw_time_of_day(rng)))
            while rng.random() < _SECOND_VISIT_SHARE:
                self._agenda.plan(make_visit(rng, visitor, midnight + draw_time_of_day(rng)))

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
