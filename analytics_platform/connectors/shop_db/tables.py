"""The tables of the shop that are read, and the order in which their rows are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ShopTable:
    """A table in the schema `shop`. `query` gives its rows whole, `keys` tell rows of the same moment apart.

    A query with `%(earliest)s` leaves out what was ordered before that time. The shop has an index on
    (updated_at, keys) of each table, so a reading costs what it brings.
    """

    name: str
    keys: tuple[str, ...]
    query: str

    @property
    def order(self) -> str:
        """The columns to sort by."""
        return ", ".join(("updated_at", *self.keys))


_ALL = (
    ShopTable("customers", ("customer_id",), "SELECT * FROM shop.customers"),
    ShopTable("products", ("product_id",), "SELECT * FROM shop.products"),
    ShopTable("orders", ("order_id",), "SELECT * FROM shop.orders WHERE ordered_at >= %(earliest)s"),
    # With the time of its order, a line is of the same day as the order.
    ShopTable(
        "order_items",
        ("order_id", "line"),
        "SELECT items.*, orders.ordered_at FROM shop.order_items AS items JOIN shop.orders AS orders USING (order_id) "
        "WHERE orders.ordered_at >= %(earliest)s",
    ),
)

TABLES: Mapping[str, ShopTable] = MappingProxyType({table.name: table for table in _ALL})
"""Every table that is read, by its name."""
