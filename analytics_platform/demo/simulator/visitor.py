"""A visitor, and the bookkeeping of one visit."""

from itertools import accumulate
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator.agents import PEOPLE, PEOPLE_WEIGHTS
from analytics_platform.demo.simulator.arrivals import draw_arrival
from analytics_platform.demo.simulator.catalogue import SHOP
from analytics_platform.demo.simulator.event import MINUTE, SECOND, Event, Purchase
from analytics_platform.demo.simulator.payloads import hash_email

_AGENT_WEIGHTS = tuple(accumulate(PEOPLE_WEIGHTS))
_MEAN_PAUSE = 45 * SECOND
_EDGES = (30 * MINUTE - 1, 30 * MINUTE, 30 * MINUTE + 1, 30 * MINUTE + SECOND)
"""Pauses in milliseconds at the edge of the session rule."""


class Visitor(NamedTuple):
    """A client and what stays the same from visit to visit."""

    client_id: str
    user_agent: str
    email: str
    uses_app: bool


def draw_visitor(rng: Random) -> Visitor:
    """A client never seen before."""
    return Visitor(
        client_id=f"{rng.getrandbits(96):024x}",
        user_agent=rng.choices(PEOPLE, cum_weights=_AGENT_WEIGHTS)[0],
        email=hash_email(rng.getrandbits(48)),
        uses_app=rng.random() < 0.1,
    )


def draw_pause(rng: Random) -> int:
    """Milliseconds until the next event: mostly under a minute or two, sometimes near the 30-minute edge."""
    fate = rng.random()
    if fate < 0.002:
        return rng.choice(_EDGES)
    if fate < 0.012:
        return rng.randrange(20 * MINUTE, 45 * MINUTE)
    return SECOND + int(rng.expovariate(1.0) * _MEAN_PAUSE)


class Visit:
    """One visit being made: it knows the clock, the open page, and the events so far."""

    def __init__(self, rng: Random, visitor: Visitor, starts_at: int) -> None:
        """Begin at `starts_at` (milliseconds since 1970) with no page open."""
        self.events: list[Event] = []
        self._rng = rng
        self._visitor = visitor
        self._at = starts_at
        self._page = ""
        self._referrer = ""

    def land(self, path: str) -> None:
        """Open the first page, with the campaign and the referrer that led here."""
        arrival = draw_arrival(self._rng)
        mark = "&" if "?" in path else "?"
        self._page = SHOP + path + (mark + arrival.query if arrival.query else "")
        self._referrer = arrival.referrer

    def open(self, url: str) -> None:
        """Follow a link after a pause, without an event."""
        self._at += draw_pause(self._rng)
        self._page, self._referrer = url, self._page

    def record(self, name: str, data: str = "", purchase: Purchase | None = None) -> None:
        """Something happens on the open page."""
        visitor = self._visitor
        self.events.append(
            Event(
                visitor.client_id,
                self._at,
                name,
                self._page,
                self._referrer,
                data,
                visitor.user_agent,
                False,
                purchase,
            )
        )

    def wait(self) -> None:
        """Stay on the page for a while."""
        self._at += draw_pause(self._rng)

    def repeat_last(self, delay: int) -> None:
        """Send the last event again `delay` milliseconds later, as reloaded confirmation pages do."""
        last = self.events[-1]
        self.events.append(last._replace(at=last.at + delay))
