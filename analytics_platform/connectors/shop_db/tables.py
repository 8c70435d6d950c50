"""The tables of the shop that are read, in which order, and how far one has been read."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from analytics_platform.errors import UserError


class ShopDatabaseError(UserError):
    """The shop's database cannot be read; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class ShopTable:
    """A table in the schema `shop`. `query` gives its rows whole, `order` lists the columns to sort by.

    A query with `%(earliest)s` leaves out what was ordered before that time. The shop has an index on the columns of
    `order`, so a reading costs what it brings.
    """

    name: str
    order: str
    query: str


_ALL = (
    ShopTable("customers", "updated_at, customer_id", "SELECT * FROM shop.customers"),
    ShopTable("products", "updated_at, product_id", "SELECT * FROM shop.products"),
    ShopTable("orders", "updated_at, order_id", "SELECT * FROM shop.orders WHERE ordered_at >= %(earliest)s"),
    # With the time of its order, a line is of the same day as the order.
    ShopTable(
        "order_items",
        "updated_at, order_id, line",
        "SELECT items.*, orders.ordered_at FROM shop.order_items AS items JOIN shop.orders AS orders USING (order_id) "
        "WHERE orders.ordered_at >= %(earliest)s",
    ),
)

TABLES: Mapping[str, ShopTable] = MappingProxyType({table.name: table for table in _ALL})
"""Every table that is read, by its name."""


@dataclass(frozen=True, slots=True)
class ShopPosition:
    """How far a table has been read: every visible row changed before `changed_at` (aware, microseconds).

    It is small, to be committed as JSON with the rows it counts in.
    """

    changed_at: dt.datetime

    def to_json(self) -> str:
        """Write this position as JSON text."""
        return json.dumps({"changed_at": self.changed_at.astimezone(dt.UTC).isoformat()})

    @classmethod
    def from_json(cls, text: str) -> ShopPosition:
        """Read the position that `to_json` wrote. Raises `ShopDatabaseError` for any other text."""
        try:
            changed_at = dt.datetime.fromisoformat(json.loads(text)["changed_at"])
        except (ValueError, TypeError, KeyError):
            changed_at = None
        if changed_at is None or changed_at.tzinfo is None:
            raise ShopDatabaseError(
                "The stored position in the shop's database cannot be read; delete it to read the table again from the "
                "start."
            )
        return cls(changed_at)
