"""Contracts of the star schema: dimensions with stable hashed keys and a -1 member, facts without null keys."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Flag, Instant, Money, Ratio, Text, Whole, column
from analytics_platform.contracts.sessionized import SessionFigures
from analytics_platform.contracts.shop import Versions
from analytics_platform.contracts.table import Days, TouchedKeys

CHANNELS = [
    *("Direct", "Cross-network", "Paid Shopping", "Paid Search", "Paid Social", "Paid Video", "Display", "Paid Other"),
    *("Organic Shopping", "Organic Social", "Organic Video", "Organic Search", "Referral", "Email", "Affiliates"),
    *("Audio", "SMS", "Mobile Push Notifications", "Unassigned"),
]
UNKNOWN = "-1 is the unknown member, whose id is (not set): no source can name it so."


def dimensions(*names: str) -> dict[str, str]:
    """Return the foreign keys to dimensions: `date_key` of `star.dim_date` for `date`."""
    return {f"{name}_key": f"star.dim_{name}" for name in names}


class DimDate(Contract, table="star.dim_date", key="date_key", write="upsert"):
    """One row per calendar day: which week, month and weekday is it?

    It plays a role for each date: `date` is joined by shop_date or first_order_date as well as date_key by date_key. It
    has a day more at both ends, for the shop's days.
    """

    date_key: Whole = column("The day as a number, YYYYMMDD. " + UNKNOWN)
    date: Day = column("The day.", nullable=True)
    year: Whole = column("Year.", nullable=True)
    quarter: Whole = column("Quarter of the year.", nullable=True, in_range=(1, 4))
    month: Whole = column("Month of the year.", nullable=True, in_range=(1, 12))
    day: Whole = column("Day of the month.", nullable=True, in_range=(1, 31))
    month_name: Text = column("January to December.", nullable=True)
    iso_year: Whole = column("Year of the ISO week: 2024-12-30 is in week 1 of 2025.", nullable=True)
    iso_week: Whole = column("ISO week of iso_year; group by both.", nullable=True, in_range=(1, 53))
    iso_weekday: Whole = column("1 Monday to 7 Sunday.", nullable=True, in_range=(1, 7))
    weekday_name: Text = column("Monday to Sunday.", nullable=True)
    is_weekend: Flag = column("Saturday or Sunday.", nullable=True)


class DimPerson(
    Contract,
    table="star.dim_person",
    key="person_key",
    write="whole",
    narrow="people",
    reads={
        **dict.fromkeys(
            ("sessionized.person_days", "sessionized.customer_months", "cleaned.person_members"),
            TouchedKeys("person_id"),
        ),
        "cleaned.users": TouchedKeys("user_id"),
    },
):
    """One row per person: how many people are there, who is known, who bought, and since when?

    A person is all clients and users that events, orders and e-mail addresses link (cleaned.person_members). Someone
    who never signed in is a person for each browser. Counts of visitors and customers are counts of persons.
    """

    person_key: Whole = column("Hash of person_id. " + UNKNOWN)
    person_id: Text = column("user: and the smallest id of the person's users, else the client.")
    user_id: Text = column("That user: of the users API, the shop's database, or events only.", nullable=True)
    clients: Whole = column("Browsers and devices of the person.", ge=0)
    users: Whole = column("User and customer ids of the person.", ge=0)
    is_known: Flag = column("True if the users API or the shop's database tells of the person.")
    is_customer: Flag = column("True for a person with an order.")
    name: Text = column("Name, as the users API, else the shop's database, has it.", nullable=True)
    email: Text = column("E-mail address from there.", nullable=True)
    country: Text = column("Country the person was last seen in.", nullable=True)
    city: Text = column("City: of the known customer, else where the person was last seen.", nullable=True)
    first_seen_at: Instant = column("First event in a session of the person.", nullable=True)
    last_seen_at: Instant = column("Last event in a session of the person.", nullable=True)
    sessions: Whole = column("Sessions.", ge=0)
    orders: Whole = column(
        "Orders; repeats of an order do not count. 0 for the unknown member, who has those of erased persons.", ge=0
    )
    first_order_date: Day = column("Day of the first order (UTC).", nullable=True)
    is_bot: Flag = column("True if all sessions are a bot's.")


class DimCustomer(
    Versions,
    table="star.dim_customer",
    narrow="people",
    key="customer_key",
    reads={
        "sessionized.client_days": TouchedKeys(
            "client_id", also=(("cleaned.customer_history", "read_date"), ("cleaned.customer_history", "linked_date"))
        )
    },
):
    """One row per client and version of its customer: what did the shop know of who used it, and when?

    A version is a period in which the shop knew the same of the customer. A client is a browser or device.

    It describes the browser; who someone is over all browsers tells dim_person.

    A slowly changing dimension of type 2: facts point to the version that was valid at their time. Name, e-mail and
    city of a client whose customer the shop knows are those of the version; all else is the same on all versions. Other
    clients have one version for all time. `is_current` has every client once.
    """

    customer_key: Whole = column("Hash of client_id, from the second version on with its number. " + UNKNOWN)
    client_id: Text = column("The browser or device.")
    customer_id: Text = column("The customer in the shop's database who ordered from the client.", nullable=True)
    user_id: Text = column("The last signed-in user.", nullable=True)
    is_customer: Flag = column("True if the users API or the shop's database tells of that user.")
    name: Text = column("The name in the shop's database at the time, else as the users API gives it.", nullable=True)
    first_name: Text = column("First name, from the users API.", nullable=True)
    last_name: Text = column("Last name, from the users API.", nullable=True)
    email: Text = column("E-mail address: the shop's at the time, else the users API's.", nullable=True)
    country: Text = column("Country the client was last seen in.", nullable=True)
    city: Text = column(
        "City: the shop's at the time, else the users API's, else where it was last seen.", nullable=True
    )
    company_name: Text = column("Company.", nullable=True)
    latitude: Ratio = column("Degrees north.", nullable=True)
    longitude: Ratio = column("Degrees east.", nullable=True)
    first_seen_at: Instant = column("First event.", nullable=True)
    last_seen_at: Instant = column("Last event.", nullable=True)
    active_days: Whole = column("Days with an event.", ge=0)
    events: Whole = column("Events.", ge=0)
    is_bot: Flag = column("True if all sessions are a bot's.")


class DimProduct(
    Versions,
    table="star.dim_product",
    key="product_key",
    narrow="products",
    reads={"sessionized.product_days": TouchedKeys("product_id", also=(("cleaned.product_history", "read_date"),))},
):
    """One row per product and version, and per variant: what was it called, where did it belong, what did it cost?

    A version is a period in which the shop had the same name, category and price; products are those seen in events.

    A slowly changing dimension of type 2: facts point to the version that was valid at their time. Brand and the times
    it was seen are the same on all versions. A product that the shop's database does not know has one version for all
    time, with what events last said of it. `is_current` has every product once.

    A variant (size, colour …) has one row for all time below its product, with the id of that. It is never current.
    """

    product_key: Whole = column("Hash of product_id, from the second version on with its number. " + UNKNOWN)
    product_id: Text = column("The shop's product id; of a variant that of its product.")
    product_name: Text = column("Name: the shop's at the time, else the latest of events.", nullable=True)
    brand: Text = column("Latest brand of events.", nullable=True)
    category: Text = column("Category: the shop's at the time, else the latest of events.", nullable=True)
    price: Money = column("Price: the shop's at the time, else the latest of events (shop currency).", nullable=True)
    first_seen_at: Instant = column("First event about it; missing for a variant.", nullable=True)
    last_seen_at: Instant = column("Last event about it; missing for a variant.", nullable=True)
    variant: Text = column("The variant, of a row that is one.", nullable=True)
    parent_product_key: Whole = column("Of a variant: product_key of its product's first version.", nullable=True)


class DimList(
    Contract,
    table="star.dim_list",
    key="list_key",
    write="upsert",
    narrow="lists",
    reads={"sessionized.list_days": TouchedKeys("list_id")},
):
    """One row per product list ever seen: what is it called?

    The name is the latest.
    """

    list_key: Whole = column("Hash of list_id. " + UNKNOWN)
    list_id: Text = column("The list's id, else its name.")
    list_name: Text = column("Latest name.", nullable=True)
    first_seen_at: Instant = column("First event about it.", nullable=True)
    last_seen_at: Instant = column("Last event about it.", nullable=True)


class DimChannel(Contract, table="star.dim_channel", key="channel_key", write="whole"):
    """One row per default channel group of GA4: is it paid for?"""

    channel_key: Whole = column("Hash of channel. " + UNKNOWN)
    channel: Text = column("Name of the channel group.", isin=[*CHANNELS, "(not set)"])
    is_paid: Flag = column("True for channels that are paid for.")


class DimDevice(Contract, table="star.dim_device", key="device_key", write="upsert", narrow="batch"):
    """One row per device type, operating system and browser ever seen: what do visitors use?"""

    device_key: Whole = column("Hash of the three. " + UNKNOWN)
    device_type: Text = column("Kind of device, unknown where no user agent tells it.")
    os: Text = column("Family of the operating system, else (not set).")
    browser: Text = column("Family of the browser, else (not set).")


class FactEvents(
    Contract,
    table="star.fact_events",
    key="event_id",
    partition="event_date",
    narrow="people",
    reads={"sessionized.sessions": Days(before=1)},
    foreign_keys=dimensions("date", "person", "customer", "channel", "device", "page"),
):
    """One row per event: what happened, when, where and to whom?"""

    event_id: Text = column("The event (cleaned.events).")
    event_date: Day = column("Day of the event (UTC).")
    date_key: Whole = column("dim_date.")
    event_at: Instant = column("When the event happened.")
    shop_date: Day = column("Day in SHOP_TIMEZONE.")
    shop_hour: Whole = column("Hour of that day.", in_range=(0, 23), sums="not additive")
    session_id: Text = column("The session (fact_sessions).")
    person_key: Whole = column("dim_person, of the session.")
    customer_key: Whole = column("dim_customer, the version valid at the time.")
    channel_key: Whole = column("dim_channel, of the session.")
    device_key: Whole = column("dim_device.")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The signed-in user, if the event names one.", nullable=True)
    event_name: Text = column("GA4 name of the event.")
    feed: Text = column("Where the event came from: clickstream, ecommerce_events, web_logs …")
    platform: Text = column("WEB, IOS or ANDROID.", nullable=True)
    page_key: Whole = column("dim_page.")
    page_path: Text = column("Path of the page.", nullable=True)
    search_term: Text = column(
        "What was searched for, of a search or the view of a page of the shop with results.", nullable=True
    )
    transaction_id: Text = column("The shop's order number, on purchases.", nullable=True)
    revenue: Money = column(
        "Value of the order, on purchases; repeats included, see fact_orders.", nullable=True, sums="not additive"
    )
    is_bot: Flag = column("True if the session is a bot's.")


class FactEventItems(
    Contract,
    table="star.fact_event_items",
    key=("event_id", "item_index"),
    partition="event_date",
    narrow="people",
    reads={"sessionized.sessions": Days(before=1)},
    foreign_keys=dimensions("date", "person", "customer", "product", "list", "channel", "device")
    | {"credited_list_key": "star.dim_list", "variant_key": "star.dim_product"},
):
    """One row per item of an event: which products were seen, clicked, put into carts and bought?"""

    event_id: Text = column("The event (fact_events).")
    item_index: Whole = column("Place of the item in the event, from 0.", ge=0)
    event_date: Day = column("Day of the event (UTC).")
    date_key: Whole = column("dim_date.")
    event_at: Instant = column("When the event happened.")
    session_id: Text = column("The session (fact_sessions).")
    person_key: Whole = column("dim_person, of the session.")
    customer_key: Whole = column("dim_customer, the version valid at the time.")
    product_key: Whole = column("dim_product, the version valid at the time.")
    variant_key: Whole = column("dim_product, the item's variant; product_key of an item without one.")
    list_key: Whole = column("dim_list, the list that the item or its event names.")
    credited_list_key: Whole = column("dim_list, that list or else the one that led to the product in the session.")
    channel_key: Whole = column("dim_channel, of the session.")
    device_key: Whole = column("dim_device.")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The signed-in user, if known.", nullable=True)
    event_name: Text = column("GA4 name of the event.")
    platform: Text = column("WEB, IOS or ANDROID.", nullable=True)
    list_name: Text = column("Name of the list as the event gave it.", nullable=True)
    list_index: Whole = column("Place of the item in the list.", nullable=True, sums="not additive")
    product_id: Text = column("The shop's product id, of an item without one that of its unique name.", nullable=True)
    product_name: Text = column("Name as the event gave it.", nullable=True)
    variant: Text = column("Size, colour or other variant.", nullable=True)
    brand: Text = column("Brand as the event gave it.", nullable=True)
    category: Text = column("Category as the event gave it.", nullable=True)
    coupon: Text = column("Coupon on the item.", nullable=True)
    price: Money = column("Price of one piece.", nullable=True, sums="not additive")
    quantity: Whole = column("Pieces.", nullable=True, sums="semi-additive")
    amount: Money = column(
        "Value of the line of a purchase or refund (shop currency).", nullable=True, sums="semi-additive"
    )
    is_bot: Flag = column("True if the session is a bot's.")


class FactSessions(
    SessionFigures,
    table="star.fact_sessions",
    key="session_id",
    partition="session_date",
    narrow="people",
    reads={"sessionized.person_days": TouchedKeys("person_id")},
    foreign_keys=dimensions("date", "person", "customer", "channel", "device")
    | dict.fromkeys(("entry_page_key", "exit_page_key"), "star.dim_page"),
):
    """One row per session (visit), on the day it starts: where from, how long, and what came of it?"""

    session_id: Text = column("The session (sessionized.sessions).")
    session_date: Day = column("Day (UTC) the session starts.")
    date_key: Whole = column("dim_date.")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The last signed-in user of the session.", nullable=True)
    person_key: Whole = column("dim_person, of the user, else of the client.")
    customer_key: Whole = column("dim_customer, the version valid at the time.")
    channel_key: Whole = column("dim_channel.")
    device_key: Whole = column("dim_device, of the first event.")
    channel: Text = column("Default channel group.", isin=CHANNELS)
    entry_page: Text = column("Path of the first page.", nullable=True)
    entry_page_key: Whole = column("dim_page, of the first page.")
    shop_date: Day = column("Day in SHOP_TIMEZONE.")
    shop_hour: Whole = column("Hour of that day.", in_range=(0, 23), sums="not additive")
    exit_page: Text = column("Path of the last page.", nullable=True)
    exit_page_key: Whole = column("dim_page, of the last page.")
    session_number: Whole = column(
        "The person's first session is 1, the next one 2 …, over all days built.", ge=1, sums="not additive"
    )
    is_new: Flag = column("True for the person's first session.")
