"""Contracts of what the shop's own database says: rows as they were read, and what is made of them."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Flag, Instant, Money, Text, Whole, column
from analytics_platform.contracts.rules import Rule
from analytics_platform.contracts.table import Everything

ORDER_STATES = ["placed", "cancelled"]
_IN_ORDER = Rule("valid_in_order", "valid_from <= valid_to", "A version does not end before it begins.")


class Versions(Contract, write="upsert", rules=_IN_ORDER):
    """Base of tables with a row per version: when it was valid."""

    version: Whole = column("1 for the first version, 2 for the next …", ge=1)
    valid_from: Instant = column("From when on (included) this was so; 1900-01-01 for the first version.")
    valid_to: Instant = column("Until when (excluded) this was so; 9999-12-31 for the current version.")
    is_current: Flag = column("True for the last version; each product and client has exactly one.")


class Orders(Contract, table="cleaned.orders", key="order_id", partition="order_date"):
    """One row per order of the shop's database: what does its latest version that kept every rule say?"""

    order_id: Whole = column("The shop's order.")
    order_date: Day = column("Day (UTC) it was ordered.")
    order_key: Text = column("The name the buyer gave the order.")
    client_id: Text = column("The browser or device: order_key up to its first slash, if it has one.", nullable=True)
    transaction_id: Text = column("The order's number in events: order_key after its first slash.", nullable=True)
    customer_id: Text = column("Who ordered (cleaned.customer_versions).")
    status: Text = column("placed or cancelled.", isin=ORDER_STATES)
    total: Money = column("Value of the order (shop currency).", ge=0)
    ordered_at: Instant = column("When it was ordered.")
    updated_at: Instant = column("When the row was last changed.")


class OrderItems(Contract, table="cleaned.order_items", key=("order_id", "line"), partition="order_date"):
    """One row per line of an order of the shop's database: what does its latest version that kept every rule say?"""

    order_id: Whole = column("The shop's order (cleaned.orders).")
    line: Whole = column("Line of the order, from 1.", ge=1)
    order_date: Day = column("Day (UTC) it was ordered.")
    product_id: Text = column("The shop's product.")
    variant: Text = column("Size, colour or other variant.", nullable=True)
    quantity: Whole = column("Pieces.", ge=1)
    unit_price: Money = column("Price of one piece when it was ordered.", ge=0)
    amount: Money = column("unit_price × quantity.", ge=0)


class ShopClients(Contract, table="cleaned.shop_clients", key=("client_id", "customer_id"), write="upsert"):
    """One row per client (browser or device) and customer of the shop: who ordered from it?"""

    client_id: Text = column("The browser or device (cleaned.orders).")
    customer_id: Text = column("The shop's customer.")
    linked_date: Day = column("Day (UTC) of the first such order.")


class ProductHistory(Versions, table="cleaned.product_history", key=("product_id", "version")):
    """One row per product of the shop and period without a change: what were its name, category and price?

    Versions are numbered in the order of their updated_at. The periods of a product have no gaps. Of two versions of
    the same moment the one that was read first was valid for no time. A version that is read late gets its place, and
    those after it the next number: a number once given to a product never goes away.
    """

    product_id: Text = column("The shop's product.")
    product_key: Whole = column("The version's key: hash of product_id, from the second version on with its number.")
    product_name: Text = column("Name in that period.")
    category: Text = column("Category in that period.")
    price: Money = column("Price of one piece in that period (shop currency).")
    read_date: Day = column("Day (UTC) the version was first read.")


class CustomerHistory(
    Versions,
    table="cleaned.customer_history",
    key=("client_id", "version"),
    reads={"cleaned.customer_versions": Everything()},
):
    """One row per client that customers ordered from and period without a change: what did the shop know of them?

    Name, e-mail and city are those of the client's customer; where several customers ordered from one client, of the
    one whose data were changed last until then. Otherwise as cleaned.product_history.
    """

    client_id: Text = column("The browser or device (cleaned.shop_clients).")
    customer_key: Whole = column("The version's key: hash of client_id, from the second version on with its number.")
    customer_id: Text = column("The shop's customer.")
    name: Text = column("Name in that period.")
    email: Text = column("E-mail address in that period.")
    city: Text = column("City in that period.", nullable=True)
    read_date: Day = column("Day (UTC) the version was first read.")
    linked_date: Day = column("Day (UTC) of the customer's first order from the client.")
