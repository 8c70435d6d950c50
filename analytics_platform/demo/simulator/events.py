"""Events in the shop before they become text, and the scope of a simulation."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import NamedTuple

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Durations in milliseconds, the unit of every time in this package. Instants are milliseconds since 1970 in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of(at: int) -> datetime:
    """Return the aware UTC datetime of this instant (milliseconds since 1970)."""
    return EPOCH + timedelta(milliseconds=at)


class Item(NamedTuple):
    """A product in an event; empty texts and None are missing values, money is in cents.

    `list_name` is the list the product was shown on or reached from. `total` is what its basket costs, a
    parameter of the item in a checkout.
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


class Bought(NamedTuple):
    """The pieces of a product in an order; an empty variant is none."""

    item_id: str
    variant: str
    quantity: int


class Purchase(NamedTuple):
    """The content of an order event: the number of the order, its money, and what was bought."""

    transaction_id: str
    cents: int
    lines: tuple[Bought, ...]


class Event(NamedTuple):
    """One thing one client did, in any source; `at` is in milliseconds since 1970 UTC.

    The clickstream has the fields of a page, with `data` as JSON text or empty; messages and logs have items, and logs
    a device and a session. No two events of a client in one source share a millisecond, except staged logs.
    """

    client_id: str
    at: int
    name: str
    items: tuple[Item, ...] = ()
    purchase: Purchase | None = None
    page_url: str = ""
    referrer: str = ""
    data: str = ""
    user_agent: str = ""
    device: str = ""
    session_id: int = 0

    @property
    def user_id(self) -> int:
        """The user, in a source that has users."""
        return int(self.client_id.removeprefix(USER))

    @property
    def viewed(self) -> list[str]:
        """The names of the products that this event is a view of."""
        return [item.name for item in self.items] if self.name == "view_item" else []


USER = "user:"
"""Begins the client id of a user."""

STAGED = 12
"""So many of the first customers are made by hand: no visit is drawn for them."""

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
        """The strangers that the later answer of the users API contains."""
        return self.strangers[: len(self.strangers) // 2]


class Scope(NamedTuple):
    """The arguments of a simulation, which fix every byte it writes."""

    seed: int
    first_day: date
    days: int
    visitors: int

    @property
    def start(self) -> int:
        """The midnight at which the first day begins, in milliseconds since 1970."""
        return (self.first_day - EPOCH.date()).days * DAY

    @property
    def end(self) -> int:
        """The midnight at which the last day ends, in milliseconds since 1970."""
        return self.start + self.days * DAY

    @property
    def population(self) -> Population:
        """The users of a shop with about that many visitors a day."""
        last = max(_FEWEST, self.visitors)
        chosen = last - STAGED
        return Population(
            customers=range(1, last + 1),
            app_users=range(STAGED + 1 + chosen // 3, last + 1),
            web_users=range(STAGED + 1, STAGED + 1 + chosen * 3 // 4),
            strangers=range(last + 1, last + 1 + max(4, round(last * _STRANGERS_PER_CUSTOMER))),
        )

    def random(self, matter: str) -> Random:
        """Return a random generator for one matter, independent of all other matters."""
        return Random(f"{self.seed}: {matter}")
