"""Contracts of the sessionized layer: visits, deduplicated purchases, and day-grain rollups of keys."""

from __future__ import annotations

from analytics_platform.contracts.base import (
    Contract,
    Day,
    Flag,
    Instant,
    Money,
    Ratio,
    Text,
    Whole,
    column,
    without_amount,
)
from analytics_platform.contracts.cleaned import DEVICE_TYPES
from analytics_platform.contracts.rules import Rule
from analytics_platform.contracts.table import Days, Everything, TouchedKeys

ORDER_REPEAT_DAYS = 30
"""A purchase seen again within this many days under the same client and transaction id is the same order."""

REFUND_BASES = ["value", "items", "whole order"]

SPLIT_REASONS = ["pause", "midnight"]


class SessionEvents(
    Contract,
    table="sessionized.session_events",
    key="event_id",
    partition="event_date",
    narrow="people",
    reads={"cleaned.events": Days(before=2)},
    rules=Rule("starts_before_event", "started_at <= event_at", "No event precedes its session."),
):
    """One row per event: which session does it belong to?

    A visit ends after a pause of more than 30 minutes of elapsed time. A visit that never pauses is cut at UTC
    midnight once it began before the previous day, so a session lasts at most to the end of the next day, and which
    session an event belongs to depends on the events of its day and of the two days before, and on no later ones.
    """

    event_id: Text = column("The event (cleaned.events).")
    event_date: Day = column("Day of the event (UTC).")
    session_id: Text = column("Stable hash of the client and of the start of the session.")
    session_date: Day = column("Day (UTC) the session starts.")
    client_id: Text = column("The browser or device.")
    event_at: Instant = column("When the event happened.")
    started_at: Instant = column("When its session started.")
    event_index: Whole = column("Place of the event in its session, from 1.", ge=1)
    split_reason: Text = column("Why the session began: after a pause, or cut at midnight.", isin=SPLIT_REASONS)


class Purchases(
    Contract,
    table="sessionized.purchases",
    key="order_id",
    partition="event_date",
    narrow="people",
    # A day more than an order repeats: orders of two clients are one within a day.
    reads={"cleaned.events": Days(before=ORDER_REPEAT_DAYS + 1, ahead=ORDER_REPEAT_DAYS + 1)},
):
    """One row per order: what did its earliest purchase event say?

    An order is a client and a transaction id (ids collide across clients). A repeat within 30 days of the
    previous one is the same order, and so is one of another client with the same user within a day. A purchase
    without transaction id is one order. It has the first known revenue of its events within 30 days.
    """

    order_id: Text = column("Stable hash of the client, the transaction id (or the event, without one) and the time.")
    event_id: Text = column("The purchase event that counts (cleaned.events).")
    event_date: Day = column("Day of the order (UTC).")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The first user that its events name, on its day or the next.", nullable=True)
    transaction_id: Text = column("The shop's order number.", nullable=True)
    ordered_at: Instant = column("When the order was placed.")
    revenue: Money = column("Value of the order (shop currency); missing where unknown.", nullable=True)
    has_other_amounts: Flag = column("True if its events name several amounts: the first counts.")
    clients: Text = column("MD5 of each client whose events are this order.")


class OrderLines(
    Contract,
    table="sessionized.order_lines",
    key=("order_id", "item_index"),
    partition="event_date",
    reads={"cleaned.event_items": Days(joined=("event_id", "sessionized.purchases"))},
):
    """One row per line of an order: how much does a refund that names no price give back?"""

    order_id: Text = column("The order (purchases).")
    item_index: Whole = column("Line of the order, from 0.", ge=0)
    event_date: Day = column("Day of the order (UTC).")
    transaction_id: Text = column("The shop's order number.", nullable=True)
    product_id: Text = column("The shop's product id.", nullable=True)
    variant: Text = column("Size, colour or other variant.", nullable=True)
    quantity: Whole = column("Pieces; a missing quantity is one.", ge=0)
    paid: Money = column("Its amount, less its part of a discount on the order; missing where unknown.", nullable=True)


class RefundLines(
    Contract,
    table="sessionized.refund_lines",
    key=("event_id", "item_index"),
    partition="event_date",
    reads={
        name: TouchedKeys("transaction_id", also=(("cleaned.events", "event_date"),))
        for name in ("sessionized.purchases", "sessionized.order_lines")
    }
    | {
        "cleaned.events": Days(only="is_refund"),
        "cleaned.event_items": Days(joined=("event_id", "cleaned.events")),
        "cleaned.orders": Days(before=1, ahead=1),
    },
):
    """One row per refund (item_index -1), and one per item that it gives back: what do they ask for?

    The order is the last one with the transaction id before it, of one of its clients or its user. Items without a
    price cost what they cost in the order. A refund that names neither value nor items gives back the whole order,
    product by product; so does an order that is cancelled in the shop's database.
    """

    event_id: Text = column("The event (cleaned.events), or a hash for a cancelled order.")
    item_index: Whole = column("The item, from 0; -1 for the refund as a whole.", ge=-1)
    event_date: Day = column("Day of the refund (UTC), of an order cancelled in the shop that of the order.")
    client_id: Text = column("The browser or device of the event.")
    user_id: Text = column("The signed-in user of the event.", nullable=True)
    transaction_id: Text = column("The shop's order number.", nullable=True)
    refunded_at: Instant = column("When it happened.")
    order_id: Text = column("The order that is refunded (purchases), if events tell of it.", nullable=True)
    refunded_id: Text = column("The order, else the event.")
    basis: Text = column("What says how much: the event's value, its items, or the whole order.", isin=REFUND_BASES)
    product_id: Text = column("The product of the item.", nullable=True)
    amount: Money = column("What the refund or the item asks for (shop currency), where it says so.", nullable=True)


class Refunds(
    Contract,
    table="sessionized.refunds",
    key=("event_id", "item_index"),
    partition="event_date",
    reads={
        "sessionized.refund_lines": TouchedKeys("refunded_id"),
        **{
            name: TouchedKeys("order_id", also=(("sessionized.refund_lines", "event_date"),))
            for name in ("sessionized.purchases", "sessionized.order_lines")
        },
    },
):
    """One row per refund (item_index -1), and one per item that it gives back: how much of it counts?

    A refund is a refund event, a purchase with a negative value or quantities, or a cancelled order.

    Refunds of an order count in the order of time, together at most what the order is worth. A refund of a whole order
    gives back what earlier refunds left of each product. Items count together at most as much as their refund.
    """

    event_id: Text = column("The event (cleaned.events), or a hash for a cancelled order.")
    item_index: Whole = column("The item, from 0; -1 for the refund as a whole.", ge=-1)
    event_date: Day = column("Day of the refund (UTC), of an order cancelled in the shop that of the order.")
    client_id: Text = column("The client of the order, else of the event.")
    transaction_id: Text = column("The shop's order number.", nullable=True)
    refunded_at: Instant = column("When it happened.")
    order_id: Text = column("The order that is refunded (purchases), if events tell of it.", nullable=True)
    basis: Text = column("What says how much: the event's value, its items, or the whole order.", isin=REFUND_BASES)
    product_id: Text = column("The product of the item.", nullable=True)
    claimed: Money = column("What it asks for (shop currency); missing where unknown.", nullable=True)
    amount: Money = column(
        "What counts of it (shop currency); missing where it is unknown, or what the order is worth.", nullable=True
    )
    excess: Money = column(
        "Of a refund: the rest, above what the order is known to be worth, in no sum.", nullable=True
    )


class SessionFigures(Contract):
    """Base of the tables with a row per session: when it was, where it came from, and what was done in it."""

    started_at: Instant = column("First event.")
    ended_at: Instant = column("Last event.")
    duration_s: Ratio = column("Seconds from first to last event.", ge=0.0, sums="additive")
    events: Whole = column("Events in the session.", ge=1, sums="additive")
    page_views: Whole = column("page_view and screen_view events.", ge=0, sums="additive")
    is_bounce: Flag = column("True for a session of one event.")
    source: Text = column("Traffic source of the first event that has one, else (direct).")
    medium: Text = column("Its medium, else (none).")
    campaign: Text = column("Its campaign, else (not set).")
    channel: Text = column("Default channel group of source, medium and campaign, by the rules of GA4.")
    country: Text = column("Country of the first event that knows country or city.", nullable=True)
    city: Text = column("City of that event.", nullable=True)
    source_session_id: Text = column("The first session that its events have at the source.", nullable=True)
    is_bot: Flag = column("True for a bot's: all events with a user agent have a bot's, and nothing was bought.")
    viewed: Flag = column("Saw a page, a screen, a product or a list.")
    added_to_cart: Flag = column("Has an add_to_cart event.")
    began_checkout: Flag = column("Has a begin_checkout event.")
    purchased: Flag = column("Has a purchase event that is no refund.")
    orders: Whole = column("Orders placed in the session (repeats of an order do not count).", ge=0, sums="additive")
    revenue: Money = column("Their revenue.", sums="additive")
    unknown_amounts: Whole = without_amount(sums="additive")


class Sessions(
    SessionFigures,
    table="sessionized.sessions",
    key="session_id",
    partition="session_date",
    narrow="people",
    reads={
        "cleaned.events": Days(after=1),
        "sessionized.session_events": Days(after=1),
        "sessionized.purchases": Days(after=1),
        "cleaned.person_members": Everything(),
    },
    rules=(
        Rule("ends_after_start", "ended_at >= started_at", "A session ends at or after its start."),
        Rule("bounce_is_one_event", "is_bounce = (events = 1)", "A bounce is a session of one event."),
        Rule("bot_is_a_device", "is_bot = (device_type = 'bot')", "A session is a bot's if its device is a bot."),
        Rule("order_needs_purchase", "orders = 0 OR purchased", "Only sessions with a purchase have orders."),
    ),
):
    """One row per session (visit), on the day it starts: where from, and what was done in it?"""

    session_id: Text = column("Stable hash of the client and of the start of the session.")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The last signed-in user of the session.", nullable=True)
    person_id: Text = column("The person (dim_person): of the user, else of the client.")
    session_date: Day = column("Day (UTC) the session starts.")
    entry_page: Text = column("Path of the first page.", nullable=True)
    entry_host: Text = column("Its host; missing for a relative address.", nullable=True)
    exit_page: Text = column("Path of the last page.", nullable=True)
    exit_host: Text = column("Its host; missing for a relative address.", nullable=True)
    device_type: Text = column(
        "bot of a bot's session, else the first device of a person that its events name.", isin=list(DEVICE_TYPES)
    )
    os: Text = column("Operating system of that device.", nullable=True)
    browser: Text = column("Browser on that device.", nullable=True)
    split_reason: Text = column("Why the session began: after a pause, or cut at midnight.", isin=SPLIT_REASONS)
    viewed_product: Flag = column("Has a view_item event.")


class ClientDays(
    Contract,
    table="sessionized.client_days",
    key=("client_id", "event_date"),
    partition="event_date",
    narrow="people",
    reads={"sessionized.sessions": Days(before=1)},
):
    """One row per client and day: what was done and bought?"""

    client_id: Text = column("The browser or device.")
    event_date: Day = column("Day (UTC).")
    user_id: Text = column("The last signed-in user of the day.", nullable=True)
    first_at: Instant = column("First event of the day.")
    last_at: Instant = column("Last event of the day.")
    events: Whole = column("Events of the day.", ge=1)
    country: Text = column("Country of the last session of the day that knows country or city.", nullable=True)
    city: Text = column("City of that session.", nullable=True)
    is_bot: Flag = column("True if all sessions of the day are a bot's.")


class PageDays(
    Contract, table="sessionized.page_days", key=("page_key", "event_date"), partition="event_date", narrow="pages"
):
    """One row per page and day on which events name it: which title did it have last that day?"""

    page_key: Whole = column("Hash of host and path (dim_page).")
    event_date: Day = column("Day (UTC).")
    host: Text = column("Host, lower case; missing for a relative address.", nullable=True)
    path: Text = column("Path without query and fragment.")
    title: Text = column("Last title that events name.", nullable=True)
    first_at: Instant = column("First event on the page that day.")
    last_at: Instant = column("Last event on the page that day.")


class UserActivity(
    Contract,
    table="sessionized.user_activity",
    key=("user_id", "event_date", "product"),
    partition="event_date",
    narrow="people",
    reads={"sessionized.sessions": Days(before=1)},
):
    """One row per user, day and product, and one for all of it (product ''): what did the user do?

    Users are those that events name, customers or not, and customers of the shop who ordered (sessionized.buyers).
    Bots' sessions count nothing.
    """

    user_id: Text = column("The user.")
    event_date: Day = column("Day (UTC).")
    product: Text = column("Id of the product, else its name; empty in the row for the whole day.")
    product_name: Text = column("Its name as the last event of the day gave it.", nullable=True)
    interactions: Whole = column("Events.", ge=0)
    log_interactions: Whole = column("Those of the web shop's logs; in the row for the whole day only.", ge=0)
    sessions: Whole = column("Sessions that start on the day; in the row for the whole day only.", ge=0)
    clicks: Whole = column("select_item and click events.", ge=0)
    views: Whole = column("view_item events.", ge=0)
    add_to_carts: Whole = column("add_to_cart events.", ge=0)
    orders: Whole = column("Orders; repeats of an order do not count.", ge=0)
    revenue: Money = column("Their revenue; in the row for the whole day only.")
    first_at: Instant = column("First of the events.", nullable=True)
    last_at: Instant = column("Last of the events.", nullable=True)
    last_viewed_at: Instant = column("Last view_item event.", nullable=True)
    unknown_amounts: Whole = without_amount()


class UserTotals(Contract, table="sessionized.user_totals", key="user_id", write="upsert", narrow="people"):
    """One row per user that any event or order names, customer or not: what did they do over all days?"""

    user_id: Text = column("The user.")
    interactions: Whole = column("Events; what bots did counts nothing.", ge=0)
    log_interactions: Whole = column("Those of the web shop's logs.", ge=0)
    clicks: Whole = column("select_item and click events.", nullable=True, ge=0)
    sessions: Whole = column("Sessions.", ge=0)
    orders: Whole = column("Orders; repeats of an order do not count.", ge=0)
    revenue: Money = column("Their revenue.")
    favourite_product: Text = column("The product viewed most often; of equals the one viewed last.", nullable=True)
    favourite_views: Whole = column("Its view_item events.", nullable=True, ge=1)
    first_seen_at: Instant = column("First event.", nullable=True)
    last_active_at: Instant = column("Last event.", nullable=True)
    unknown_amounts: Whole = without_amount()
