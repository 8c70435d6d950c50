"""What happens in the shop as the simulator knows it, before it becomes text; and the scope of a simulation."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import NamedTuple, Protocol

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Durations in milliseconds, the unit of every time in this package."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Timed(Protocol):
    """Something a client did at a time, in milliseconds since 1970."""

    @property
    def at(self) -> int:
        """When."""

    @property
    def client_id(self) -> str:
        """Who."""


class Bought(NamedTuple):
    """The pieces of a product in an order; an empty variant is none."""

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


def day_of(at: int) -> date:
    """Return the UTC day that holds this instant (milliseconds since 1970)."""
    return EPOCH.date() + timedelta(days=at // DAY)


def instant_of(at: int) -> datetime:
    """Return the aware UTC datetime of this instant (milliseconds since 1970)."""
    return EPOCH + timedelta(milliseconds=at)


def format_money(cents: int) -> str:
    """Format an amount as text with four decimals, the scale of `DECIMAL(18,4)`."""
    return f"{Decimal(cents) / 100:.4f}"


def format_time(at: int) -> str:
    """Format an instant (milliseconds since 1970) as ISO 8601 in UTC."""
    return instant_of(at).isoformat(timespec="milliseconds")


class Item(NamedTuple):
    """A product in an event; empty texts and None are missing values, money is in cents.

    `list_name` is the list the product was shown on or reached from. `total` is what its basket costs, told
    in the item's parameters of a checkout.
    """

    item_id: str
    name: str
    brand: str
    category: str
    variant: str
    cents: int
    quantity: int | None = None
    list_name: str = ""
    list_index: int | None = None
    coupon: str = ""
    total: int | None = None


class AppEvent(NamedTuple):
    """One thing one user did in the app; `at` is in milliseconds since 1970 UTC.

    No two events of a user share a millisecond, so no two have equal content.
    """

    user_id: int
    at: int
    name: str
    items: tuple[Item, ...] = ()
    purchase: Purchase | None = None

    @property
    def client_id(self) -> str:
        """The client in the shape of all sources."""
        return client_of(self.user_id)

    @property
    def platform(self) -> str:
        """The user's kind of phone, ever the same."""
        return "IOS" if self.user_id % 3 else "ANDROID"


class LogEvent(NamedTuple):
    """One thing one signed-in user did in the web shop; `at` is in milliseconds since 1970 UTC."""

    user_id: int
    at: int
    action: str
    item_name: str | None
    device: str
    session_id: int

    @property
    def client_id(self) -> str:
        """The client in the shape of all sources."""
        return client_of(self.user_id)


STAGED = 12
"""The first customers are made by hand: chance leaves them alone."""

_FEWEST = 40
_STRANGERS_PER_CUSTOMER = 0.04


class Population(NamedTuple):
    """User ids. The users of the app and of the web shop's logs overlap; every stranger uses the web shop."""

    customers: range
    app_users: range
    web_users: range
    strangers: range

    @property
    def newcomers(self) -> range:
        """The strangers that the users answer names later."""
        return self.strangers[: len(self.strangers) // 2]


def plan_population(visitors: int) -> Population:
    """Plan the users of a shop with about that many visitors a day."""
    last = max(_FEWEST, visitors)
    chosen = last - STAGED
    return Population(
        customers=range(1, last + 1),
        app_users=range(STAGED + 1 + chosen // 3, last + 1),
        web_users=range(STAGED + 1, STAGED + 1 + chosen * 3 // 4),
        strangers=range(last + 1, last + 1 + max(4, round(last * _STRANGERS_PER_CUSTOMER))),
    )


def client_of(user_id: int | str) -> str:
    """Return the client id of a user in a source that only knows users."""
    return f"user:{user_id}"


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
        return (self.first_day - EPOCH.date()).days * DAY

    @property
    def end(self) -> int:
        """The midnight at which the last day ends, in milliseconds since 1970."""
        return self.start + self.days * DAY

    @property
    def feed_error_share(self) -> Fraction:
        """The highest share of broken records in a file of messages or logs: two thirds of that in the clickstream."""
        return Fraction(str(self.error_share)) * Fraction(2, 3)

    def random(self, matter: str) -> Random:
        """Return a stream of chance for one matter, which no other matter disturbs."""
        return Random(f"{self.seed}: {matter}")
