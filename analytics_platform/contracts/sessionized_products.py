"""Contracts of the sessionized layer about products and product lists: what was seen, clicked and bought of them."""

from __future__ import annotations

from types import MappingProxyType

from analytics_platform.contracts.base import Contract, Day, Flag, Instant, Money, Text, Whole, column, without_amount
from analytics_platform.contracts.table import Days

_OF_ITEMS = MappingProxyType(
    {
        **dict.fromkeys(
            ("cleaned.events", "cleaned.event_items"), Days(joined=("event_id", "sessionized.credited_items"))
        ),
        "sessionized.sessions": Days(before=1, joined=("session_id", "sessionized.credited_items")),
    }
)
"""What a table reads that is made from items and of when and in which session each was."""


class ProductDays(
    Contract,
    table="sessionized.product_days",
    key=("product_id", "event_date"),
    partition="event_date",
    narrow="products",
    reads=_OF_ITEMS,
):
    """One row per product and day: which attributes did it have last that day?

    What bots saw names nothing.
    """

    product_id: Text = column("The shop's product id.")
    event_date: Day = column("Day (UTC).")
    product_name: Text = column("Last name seen.", nullable=True)
    brand: Text = column("Last brand seen.", nullable=True)
    category: Text = column("Last category seen.", nullable=True)
    price: Money = column("Last price seen.", nullable=True)
    first_at: Instant = column("First event about the product that day.")
    last_at: Instant = column("Last event about the product that day.")
    variants: Text = column("Its variants, as a JSON array of name and last price, by name.", nullable=True)


class ListDays(
    Contract,
    table="sessionized.list_days",
    key=("list_id", "event_date"),
    partition="event_date",
    narrow="lists",
    reads=_OF_ITEMS,
):
    """One row per product list and day: which name did it have last that day?

    What bots saw names nothing.
    """

    list_id: Text = column("The list's id, else its name.")
    event_date: Day = column("Day (UTC).")
    list_name: Text = column("Last name seen.", nullable=True)
    first_at: Instant = column("First event about the list that day.")
    last_at: Instant = column("Last event about the list that day.")


class CreditedItems(
    Contract,
    table="sessionized.credited_items",
    key=("event_id", "item_index"),
    partition="event_date",
    narrow="people",
    reads=dict.fromkeys(("cleaned.events", "cleaned.event_items", "sessionized.session_events"), Days(before=1)),
):
    """One row per item of an event: which product list is credited for it?

    It is the item's own list, else the event's, else the list of the last click on the product up to it in the same
    session: a click on a list credits that list. Without a click it is the list of the last view_item of the product.
    A click or a view that names no list is of the list that had shown the product last before it.
    """

    event_id: Text = column("The event (cleaned.events).")
    item_index: Whole = column("Place of the item in the event, from 0.", ge=0)
    event_date: Day = column("Day of the event (UTC).")
    session_id: Text = column("The session.")
    client_id: Text = column("The browser or device.")
    product_id: Text = column("The shop's product id, of an item without one that of its unique name.", nullable=True)
    list_id: Text = column("The credited list's id, else its name.", nullable=True)


class ProductInteractions(
    Contract,
    table="sessionized.product_interactions",
    key="interaction_id",
    partition="event_date",
    narrow="people",
    reads={"sessionized.sessions": Days(before=1)},
):
    """One row per day, session, product and credited list (either may be missing): what was done there?

    What bots did is not here.
    """

    interaction_id: Text = column("Hash of the day, the session, the product and the list.")
    event_date: Day = column("Day (UTC).")
    session_id: Text = column("The session.")
    client_id: Text = column("The browser or device.")
    person_id: Text = column("The person, of the session (dim_person).")
    product_id: Text = column("The shop's product id.", nullable=True)
    list_id: Text = column("The credited list's id, else its name.", nullable=True)
    is_bounce: Flag = column("True if the session has one event only.")
    impressions: Whole = column("Times the product was shown in the list (view_item_list).", ge=0)
    clicks: Whole = column("Times it was clicked there (select_item).", ge=0)
    views: Whole = column("view_item events.", ge=0)
    add_to_carts: Whole = column("add_to_cart events.", ge=0)
    purchases: Whole = column("Orders with the product; repeats of an order do not count.", ge=0)
    quantity: Whole = column("Pieces ordered; a missing quantity is one.", ge=0)
    revenue: Money = column("Sum of the amounts of the lines that were ordered (shop currency).")
    unknown_amounts: Whole = without_amount("purchases")
    prices: Money = column("Sum of the prices seen.")
    priced: Whole = column("Interactions that carry a price.", ge=0)
    first_at: Instant = column("First of these interactions.")


class ProductPairDays(
    Contract,
    table="sessionized.product_pair_days",
    key=("event_date", "product_id", "other_product_id"),
    partition="event_date",
    reads={
        "cleaned.events": Days(only="event_name = 'purchase'"),
        "cleaned.event_items": Days(joined=("event_id", "cleaned.events")),
    },
):
    """One row per day, product and other product of one purchase: how many orders have both?

    Both directions of a pair are here, and the row of a product with itself has all its orders. A pair of which no
    order counts (repeats) is here with zero. Purchases of more than 100 products are left out.
    """

    event_date: Day = column("Day of the orders (UTC).")
    product_id: Text = column("The shop's product id.")
    other_product_id: Text = column("Product in the same order; product_id itself in the row for all its orders.")
    orders: Whole = column("Orders with both.", ge=0)
