"""Contracts of what the shop's own database says: rows as they were read, and what is made of them."""

from __future__ import annotations

from types import MappingProxyType

from analytics_platform.contracts.base import (
    Contract,
    Day,
    Everything,
    Flag,
    Instant,
    Json,
    Money,
    Text,
    TouchedKeys,
    Whole,
    column,
)
from analytics_platform.contracts.rules import RowRule

ORDER_STATES = ["placed", "cancelled"]
VALID_FROM = (
    "From when on (included) this was so; 1900-01-01 for the first version, which reaches back to the beginning."
)
VALID_TO = "Until when (excluded) this was so; 9999-12-31 for the current version."
IN_ORDER = RowRule("valid_in_order", "valid_from <= valid_to", "A version does not end before it begins.")


class CustomerVersions(
    Contract,
    table="cleaned.customer_versions",
    source="customers",
    key=("version_id",),
    write="batches",
    partition="event_date",
    identity=("customer_id", "email", "name", "city", "created_at", "updated_at", "extra"),
    redelivers=True,
    least_judged_rows=100,
):
    """One row per day and content in which the shop's database was read to have a customer."""

    version_id: Text = column("MD5 of the content.", random=True)
    customer_id: Whole = column("The shop's customer.", source=("customer_id",))
    email: Text = column("E-mail address.", source=("email",))
    name: Text = column("The customer's name.", source=("name",))
    city: Text = column("City.", nullable=True, source=("city",))
    created_at: Instant = column("When the customer registered.", source=("created_at",))
    updated_at: Instant = column("When the row was last changed.", source=("updated_at",))
    extra: Json = column("Columns that the contract does not know, as one JSON object.", nullable=True)
    event_date: Day = column("Day (UTC) the row was read.")
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the row came in (ops.pipeline_logs).")
    position: Whole = column("Place of the row in its batch, from 1.", ge=1)


class ProductVersions(
    Contract,
    table="cleaned.product_versions",
    source="products",
    key=("version_id",),
    write="batches",
    partition="event_date",
    identity=(
        "product_id",
        "name",
        "category",
        "price",
        "stock",
        "metadata",
        "created_at",
        "updated_at",
        "extra",
    ),
    redelivers=True,
    least_judged_rows=100,
):
    """One row per day and content in which the shop's database was read to have a product."""

    version_id: Text = column("MD5 of the content.", random=True)
    product_id: Text = column("The shop's product.", source=("product_id",))
    name: Text = column("The product's name.", source=("name",))
    category: Text = column("Category.", source=("category",))
    price: Money = column("Price of one piece (shop currency).", source=("price",), ge=0)
    stock: Whole = column("Pieces in stock.", source=("stock",), ge=0)
    metadata: Json = column("What only some products have, as JSON.", nullable=True, source=("metadata",), json=True)
    created_at: Instant = column("When the product was first offered.", source=("created_at",))
    updated_at: Instant = column("When the row was last changed, be it only its stock.", source=("updated_at",))
    extra: Json = column("Columns that the contract does not know, as one JSON object.", nullable=True)
    event_date: Day = column("Day (UTC) the row was read.")
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the row came in (ops.pipeline_logs).")
    position: Whole = column("Place of the row in its batch, from 1.", ge=1)


class OrderVersions(
    Contract,
    table="cleaned.order_versions",
    source="orders",
    key=("version_id",),
    write="batches",
    partition="event_date",
    identity=("order_id", "order_key", "customer_id", "status", "total", "event_at", "updated_at", "extra"),
    redelivers=True,
    least_judged_rows=100,
):
    """One row per content in which the shop's database was read to have an order."""

    version_id: Text = column("MD5 of the content.", random=True)
    order_id: Whole = column("The shop's order.", source=("order_id",))
    order_key: Text = column("The name the buyer gave the order: <client_id>/<transaction_id>.", source=("order_key",))
    customer_id: Whole = column("Who ordered.", source=("customer_id",))
    status: Text = column("placed or cancelled.", source=("status",), isin=ORDER_STATES)
    total: Money = column("Value of the order (shop currency).", source=("total",), ge=0)
    event_at: Instant = column(
        "When it was ordered. Not before PARTITION_START, not later than arrival + 1 day.", source=("ordered_at",)
    )
    updated_at: Instant = column("When the row was last changed.", source=("updated_at",))
    extra: Json = column("Columns that the contract does not know, as one JSON object.", nullable=True)
    event_date: Day = column("Day (UTC) it was ordered.")
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the row came in (ops.pipeline_logs).")
    position: Whole = column("Place of the row in its batch, from 1.", ge=1)


class OrderItemVersions(
    Contract,
    table="cleaned.order_item_versions",
    source="order_items",
    key=("version_id",),
    write="batches",
    partition="event_date",
    identity=(
        "order_id",
        "line",
        "product_id",
        "variant",
        "quantity",
        "unit_price",
        "event_at",
        "updated_at",
        "extra",
    ),
    redelivers=True,
    least_judged_rows=100,
):
    """One row per content in which the shop's database was read to have a line of an order."""

    version_id: Text = column("MD5 of the content.", random=True)
    order_id: Whole = column("The shop's order.", source=("order_id",))
    line: Whole = column("Line of the order, from 1.", source=("line",), ge=1)
    product_id: Text = column("The shop's product.", source=("product_id",))
    variant: Text = column("Size, colour or other variant.", nullable=True, source=("variant",))
    quantity: Whole = column("Pieces.", source=("quantity",), ge=1)
    unit_price: Money = column("Price of one piece when it was ordered.", source=("unit_price",), ge=0)
    event_at: Instant = column(
        "When it was ordered. Not before PARTITION_START, not later than arrival + 1 day.", source=("ordered_at",)
    )
    updated_at: Instant = column("When the row was last changed.", source=("updated_at",))
    extra: Json = column("Columns that the contract does not know, as one JSON object.", nullable=True)
    event_date: Day = column("Day (UTC) it was ordered.")
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the row came in (ops.pipeline_logs).")
    position: Whole = column("Place of the row in its batch, from 1.", ge=1)


class Orders(
    Contract,
    table="cleaned.orders",
    key=("order_id",),
    write="days",
    partition="order_date",
):
    """One row per order of the shop's database, as its latest version that kept every rule says."""

    order_id: Whole = column("The shop's order.")
    order_date: Day = column("Day (UTC) it was ordered.")
    order_key: Text = column("The name the buyer gave the order.")
    client_id: Text = column(
        "The browser or device it was ordered from: order_key up to its last slash, if it has one.", nullable=True
    )
    customer_id: Whole = column("Who ordered (cleaned.customer_versions).")
    status: Text = column("placed or cancelled.", isin=ORDER_STATES)
    total: Money = column("Value of the order (shop currency).", ge=0)
    ordered_at: Instant = column("When it was ordered.")
    updated_at: Instant = column("When the row was last changed.")


class OrderItems(
    Contract,
    table="cleaned.order_items",
    key=("order_id", "line"),
    write="days",
    partition="order_date",
):
    """One row per line of an order of the shop's database, as its latest version that kept every rule says."""

    order_id: Whole = column("The shop's order (cleaned.orders).")
    line: Whole = column("Line of the order, from 1.", ge=1)
    order_date: Day = column("Day (UTC) it was ordered.")
    product_id: Text = column("The shop's product.")
    variant: Text = column("Size, colour or other variant.", nullable=True)
    quantity: Whole = column("Pieces.", ge=1)
    unit_price: Money = column("Price of one piece when it was ordered.", ge=0)
    amount: Money = column("unit_price × quantity.", ge=0)


class ShopClients(
    Contract,
    table="cleaned.shop_clients",
    key=("client_id", "customer_id"),
    write="upsert",
    reads=MappingProxyType({"cleaned.orders": TouchedKeys("client_id")}),
):
    """One row per client (browser or device) and customer of the shop who ordered from it."""

    client_id: Text = column("The browser or device (cleaned.orders).")
    customer_id: Whole = column("The shop's customer.")
    linked_date: Day = column("Day (UTC) of the first such order.")


class ProductHistory(
    Contract,
    table="cleaned.product_history",
    key=("product_id", "version"),
    write="upsert",
    reads=MappingProxyType({"cleaned.product_versions": TouchedKeys("product_id")}),
    rules=(IN_ORDER,),
):
    """One row per product of the shop and period in which its name, category and price were the same.

    Versions are numbered in the order of their updated_at. The periods of a product have no gaps. Of two versions of
    the same moment the one that was read first was valid for no time. A version that is read late gets its place, and
    those after it the next number: a number once given to a product never goes away.
    """

    product_id: Text = column("The shop's product.")
    version: Whole = column("1 for the first version of the product, 2 for the next …", ge=1)
    product_key: Whole = column("The version's key: hash of product_id, from the second version on with its number.")
    product_name: Text = column("Name in that period.")
    category: Text = column("Category in that period.")
    price: Money = column("Price of one piece in that period (shop currency).")
    valid_from: Instant = column(VALID_FROM)
    valid_to: Instant = column(VALID_TO)
    is_current: Flag = column("True for the last version of the product.")
    read_date: Day = column("Day (UTC) the version was first read.")


class CustomerHistory(
    Contract,
    table="cleaned.customer_history",
    key=("client_id", "version"),
    write="upsert",
    reads=MappingProxyType({"cleaned.customer_versions": Everything()}),
    rules=(IN_ORDER,),
):
    """One row per client that customers of the shop ordered from and period in which the shop knew the same of them.

    Name, e-mail and city are those of the client's customer; where several customers ordered from one client, of the
    one whose data were changed last until then. Otherwise as cleaned.product_history.
    """

    client_id: Text = column("The browser or device (cleaned.shop_clients).")
    version: Whole = column("1 for the first version of the client, 2 for the next …", ge=1)
    customer_key: Whole = column("The version's key: hash of client_id, from the second version on with its number.")
    customer_id: Whole = column("The shop's customer.")
    name: Text = column("Name in that period.")
    email: Text = column("E-mail address in that period.")
    city: Text = column("City in that period.", nullable=True)
    valid_from: Instant = column(VALID_FROM)
    valid_to: Instant = column(VALID_TO)
    is_current: Flag = column("True for the last version of the client.")
    read_date: Day = column("Day (UTC) the version was first read.")
    linked_date: Day = column("Day (UTC) of the customer's first order from the client.")
