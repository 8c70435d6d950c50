"""Customers, products and orders, from tables of the shop's own database: one source per table."""

from __future__ import annotations

from analytics_platform.contracts.base import DeliveredRows, Instant, Money, Text, Whole, column
from analytics_platform.contracts.shop import ORDER_STATES
from analytics_platform.gate.layout import usual_names
from analytics_platform.sources.arrivals.tables import DatabaseTable
from analytics_platform.sources.formats import JsonLines
from analytics_platform.sources.source import OrderRecords, Source


class TableRows(JsonLines):
    """Rows as JSON lines that PostgreSQL wrote; no file is taken from the landing folder."""

    suffixes = ()


class CustomerVersions(DeliveredRows, table="cleaned.customer_versions", source="customers", key="version_id"):
    """One row per day and content in which the shop's database had a customer: what did it say of them then?"""

    version_id: Text = column("MD5 of the content.", random=True)
    customer_id: Text = column("The shop's customer.", source="customer_id")
    email: Text = column("E-mail address.", source="email")
    name: Text = column("The customer's name.", source="name")
    city: Text = column("City.", nullable=True, source="city")
    created_at: Instant = column("When the customer registered.", source="created_at")
    updated_at: Instant = column("When the row was last changed.", source="updated_at")


class ProductVersions(DeliveredRows, table="cleaned.product_versions", source="products", key="version_id"):
    """One row per day and content in which the shop's database had a product: what did it say of it then?"""

    version_id: Text = column("MD5 of the content.", random=True)
    product_id: Text = column("The shop's product.", source="product_id")
    name: Text = column("The product's name.", source="name")
    category: Text = column("Category.", source="category")
    price: Money = column("Price of one piece (shop currency).", source="price", ge=0)
    stock: Whole = column("Pieces in stock.", source="stock", ge=0)
    metadata: Text = column("What only some products have, as JSON.", nullable=True, source="metadata", json=True)
    created_at: Instant = column("When the product was first offered.", source="created_at")
    updated_at: Instant = column("When the row was last changed, be it only its stock.", source="updated_at")


class OrderVersions(DeliveredRows, table="cleaned.order_versions", source="orders", key="version_id"):
    """One row per content in which the shop's database had an order: what did it say of it then?"""

    version_id: Text = column("MD5 of the content.", random=True)
    order_id: Whole = column("The shop's order.", source="order_id")
    order_key: Text = column("<client_id>/<transaction_id>; / of a client is %2F, % is %25.", source="order_key")
    customer_id: Text = column("Who ordered.", source="customer_id")
    status: Text = column("placed or cancelled.", source="status", isin=ORDER_STATES)
    total: Money = column("Value of the order (shop currency).", source="total", ge=0)
    event_at: Instant = column("When it was ordered.", source="ordered_at")
    updated_at: Instant = column("When the row was last changed.", source="updated_at")


class OrderItemVersions(DeliveredRows, table="cleaned.order_item_versions", source="order_items", key="version_id"):
    """One row per content in which the shop's database had a line of an order: what did it say of it then?"""

    version_id: Text = column("MD5 of the content.", random=True)
    order_id: Whole = column("The shop's order.", source="order_id")
    line: Whole = column("Line of the order, from 1.", source="line", ge=1)
    product_id: Text = column("The shop's product.", source="product_id")
    variant: Text = column("Size, colour or other variant.", nullable=True, source="variant")
    quantity: Whole = column("Pieces.", source="quantity", ge=1)
    unit_price: Money = column("Price of one piece when it was ordered.", source="unit_price", ge=0)
    event_at: Instant = column("When it was ordered.", source=("time_of_its_order", "ordered_at"))
    updated_at: Instant = column("When the row was last changed.", source="updated_at")


CUSTOMERS, PRODUCTS, ORDERS, ORDER_ITEMS = (
    Source(contract, DatabaseTable(), TableRows(), OrderRecords(tuple(usual_names(contract))) if kept else None)
    for contract, kept in (
        (CustomerVersions, False),
        (ProductVersions, False),
        (OrderVersions, True),
        (OrderItemVersions, False),
    )
)
