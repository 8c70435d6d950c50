"""The event as the generator knows it, before it becomes text."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Durations in milliseconds, the unit of every time in this package."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Bought(NamedTuple):
    """So many pieces of a product in an order; an empty variant is none."""

    item_id: str
    variant: str
    quantity: int


class Purchase(NamedTuple):
    """What an order event says: the number of the order, its money, and what was bought."""

    transaction_id: str
    cents: int
    lines: tuple[Bought, ...]


class Event(NamedTuple):
    """One thing one client did; `at` is in milliseconds since 1970 UTC, `data` is JSON text or empty.

    No two events of a client share a millisecond, so client and time identify an event.
    """

    client_id: str
    at: int
    name: str
    page_url: str
    referrer: str
    data: str
    user_agent: str
    is_bot: bool = False
    purchase: Purchase | None = None


def midnight_of(day: date) -> int:
    """Milliseconds since 1970 at which this UTC day begins."""
    return (day - EPOCH.date()).days * DAY


def day_of(at: int) -> date:
    """The UTC day that holds this instant (milliseconds since 1970)."""
    return EPOCH.date() + timedelta(days=at // DAY)


def instant_of(at: int) -> datetime:
    """The aware UTC datetime of this instant (milliseconds since 1970)."""
    return EPOCH + timedelta(milliseconds=at)
