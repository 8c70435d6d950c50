"""An event of the mobile shop as the generator knows it, before it becomes a message."""

from typing import NamedTuple

from analytics_platform.demo.simulator.event import Purchase
from analytics_platform.demo.simulator.population import client_of


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
