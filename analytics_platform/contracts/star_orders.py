"""Contracts of the star schema about orders, their lines and refunds."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Flag, Instant, Money, Text, Whole, column, without_amount
from analytics_platform.contracts.sessionized import REFUND_BASES
from analytics_platform.contracts.star import dimensions
from analytics_platform.contracts.table import Days, Everything, TouchedKeys


class FactOrders(
    Contract,
    table="star.fact_orders",
    key="order_id",
    partition="order_date",
    reads={
        **dict.fromkeys(
            ("cleaned.events", "cleaned.event_items", "sessionized.session_events"),
            Days(joined=("event_id", "sessionized.purchases")),
        ),
        "sessionized.refunds": TouchedKeys("client_id", also=(("sessionized.purchases", "event_date"),)),
        "sessionized.customer_days": TouchedKeys("person_id"),
    },
    foreign_keys=dimensions("date", "person", "customer", "channel", "device"),
):
    """One row per order: what was it worth, who placed it, in which visit?

    It is the earliest purchase event of the order.
    """

    order_id: Text = column("Stable hash of the client, the transaction id (or the event, without one) and the time.")
    event_id: Text = column("The purchase event that counts (fact_events).")
    transaction_id: Text = column("The shop's order number.", nullable=True)
    order_date: Day = column("Day of the order (UTC).")
    date_key: Whole = column("dim_date.")
    ordered_at: Instant = column("When the order was placed.")
    shop_date: Day = column("Day in SHOP_TIMEZONE.")
    shop_hour: Whole = column("Hour of that day.", in_range=(0, 23), sums="not additive")
    session_id: Text = column("The session it was placed in (fact_sessions).")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The shop's customer or the signed-in user who ordered.", nullable=True)
    person_key: Whole = column("dim_person, who placed the order.")
    customer_key: Whole = column("dim_customer, the version valid at the time.")
    channel_key: Whole = column("dim_channel, of the session.")
    device_key: Whole = column("dim_device, of the session.")
    items: Whole = column("Lines of the order.", ge=0, sums="additive")
    quantity: Whole = column("Pieces in all lines.", ge=0, sums="additive")
    revenue: Money = column(
        "Value of the order (shop currency) before refunds, if known.", nullable=True, sums="additive"
    )
    currency: Text = column("Currency in which its event tells amounts; missing: the shop's.", nullable=True)
    has_other_amounts: Flag = column("True if it came again with another amount, as of an exchange: the first counts.")
    not_itemized: Money = column(
        "revenue - the amounts of its lines: shipping, tax, discount, items that could not be read …",
        nullable=True,
        sums="additive",
    )
    tax: Money = column("Tax that its event names (shop currency).", nullable=True, sums="additive")
    shipping: Money = column("Shipping that its event names (shop currency).", nullable=True, sums="additive")
    discount: Money = column(
        "Discount on the order that its event names (shop currency), else the sum of its lines'.",
        nullable=True,
        sums="additive",
    )
    coupon: Text = column("Coupon on the order, else the only one of its lines.", nullable=True)
    refunded: Money = column(
        "What was given back for it since (shop currency), also where revenue is unknown.", sums="additive"
    )
    net_revenue: Money = column(
        "revenue - refunded; 0 for an order that the shop cancelled; missing where revenue is unknown.",
        nullable=True,
        sums="additive",
    )
    unknown_refunds: Whole = without_amount("refunds of it", "additive")
    shop_order_id: Whole = column("The order in the shop's database (cleaned.orders).", nullable=True)
    status: Text = column("placed or cancelled there; missing for one that it does not have.", nullable=True)
    order_number: Whole = column(
        "The person's first order is 1, the next one 2 …, over all days built.", ge=1, sums="not additive"
    )


class FactOrderItems(
    Contract,
    table="star.fact_order_items",
    key=("event_id", "item_index"),
    partition="order_date",
    reads=dict.fromkeys(
        ("cleaned.event_items", "sessionized.credited_items"), Days(joined=("event_id", "sessionized.purchases"))
    ),
    foreign_keys=dimensions("date", "person", "customer", "product", "channel", "device")
    | {"credited_list_key": "star.dim_list", "variant_key": "star.dim_product"},
):
    """One row per line of an order: what was bought, how much of it, and for how much?"""

    order_id: Text = column("The order (fact_orders).")
    event_id: Text = column("The purchase event that counts.")
    item_index: Whole = column("Line of the order, from 0.", ge=0)
    order_date: Day = column("Day of the order (UTC).")
    date_key: Whole = column("dim_date.")
    ordered_at: Instant = column("When the order was placed.")
    session_id: Text = column("The session it was placed in (fact_sessions).")
    client_id: Text = column("The browser or device.")
    person_key: Whole = column("dim_person, who placed the order.")
    customer_key: Whole = column("dim_customer, the version valid at the time.")
    product_key: Whole = column("dim_product, the version valid at the time; -1 for a line without product.")
    variant_key: Whole = column("dim_product, the line's variant; product_key of a line without one.")
    credited_list_key: Whole = column("dim_list, the list that led to the product in the session; -1 without one.")
    channel_key: Whole = column("dim_channel, of the session.")
    device_key: Whole = column("dim_device, of the session.")
    list_index: Whole = column("Place of the item in its list.", nullable=True, sums="not additive")
    product_id: Text = column("The shop's product id, of an item without one that of its unique name.", nullable=True)
    product_name: Text = column("Name as the event gave it.", nullable=True)
    variant: Text = column("Size, colour or other variant.", nullable=True)
    brand: Text = column("Brand as the event gave it.", nullable=True)
    category: Text = column("Category as the event gave it.", nullable=True)
    coupon: Text = column("Coupon on the item.", nullable=True)
    price: Money = column("Price of one piece.", nullable=True, sums="not additive")
    quantity: Whole = column("Pieces.", nullable=True, sums="additive")
    discount: Money = column("Discount on the line that it names (shop currency).", nullable=True, sums="additive")
    amount: Money = column("Value of the line (shop currency); missing where unknown.", nullable=True, sums="additive")
    revenue_basis: Text = column("unit price (× quantity), line total (the price is) or shared.", nullable=True)


class FactRefunds(
    Contract,
    table="star.fact_refunds",
    key="event_id",
    partition="refund_date",
    reads={
        "sessionized.buyers": TouchedKeys("order_id", also=(("sessionized.refunds", "event_date"),)),
        "cleaned.person_members": Everything(),
    },
    foreign_keys=dimensions("date", "person", "customer", "channel", "device"),
):
    """One row per refund: how much was given back, when, and for which order?

    It is a refund event, a purchase with a negative value or quantities, or an order that the shop's database has as
    cancelled. No refund is an order.
    """

    event_id: Text = column("The event (fact_events), or a hash for a cancelled order.")
    order_id: Text = column("The order that is refunded (fact_orders), if events tell of it.", nullable=True)
    transaction_id: Text = column("The shop's order number.", nullable=True)
    refund_date: Day = column("Day of the refund (UTC), of an order cancelled in the shop that of the order.")
    date_key: Whole = column("dim_date.")
    refunded_at: Instant = column("When it happened.")
    client_id: Text = column("The client of the order, else of the event.")
    person_key: Whole = column("dim_person, who placed the order, else of the client.")
    customer_key: Whole = column("dim_customer, the version valid at the time.")
    channel_key: Whole = column("dim_channel, of the order; -1 without one.")
    device_key: Whole = column("dim_device, of the order; -1 without one.")
    basis: Text = column("What says how much: the event's value, its items, or the whole order.", isin=REFUND_BASES)
    amount: Money = column(
        "What counts of it (shop currency); missing where it is unknown, or what the order is worth.",
        nullable=True,
        sums="additive",
    )
    excess: Money = column(
        "What it asks for above what is left of the order, all if its amount is unknown: in no sum.",
        nullable=True,
        sums="additive",
    )
