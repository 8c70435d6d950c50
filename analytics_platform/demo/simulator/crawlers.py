"""Visits of machines."""

from collections.abc import Iterator
from random import Random

from analytics_platform.demo.simulator.agents import CRAWLERS, GOOGLEBOT
from analytics_platform.demo.simulator.catalogue import COLLECTIONS, PRODUCTS, SHOP
from analytics_platform.demo.simulator.event import DAY, MINUTE, SECOND, Event

_PAGES = (
    f"{SHOP}/",
    *(f"{SHOP}/collections/{slug}" for slug in COLLECTIONS),
    *(each.page_url for each in PRODUCTS),
)


def crawl_without_pause(rng: Random, starts_at: int, ends_at: int) -> Iterator[Event]:
    """One client that never rests: an event every 5 to 25 minutes (times in milliseconds since 1970).

    Only the midnight cut of the session rule ends its sessions.
    """
    at = starts_at + rng.randrange(5 * MINUTE)
    while at < ends_at:
        yield _view_page(rng, "googlebot-66-249-66-1", at, GOOGLEBOT)
        at += rng.randrange(5 * MINUTE, 25 * MINUTE)


def crawl_day(rng: Random, midnight: int, visitors: int) -> Iterator[Event]:
    """Short bursts of other crawlers in the day that begins at `midnight`, about one to 150 visitors."""
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
