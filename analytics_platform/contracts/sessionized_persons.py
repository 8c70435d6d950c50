"""Contracts of the sessionized layer about persons: whose an order is, and rollups of what persons did and bought."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Flag, Instant, Money, Text, Whole, column, without_amount
from analytics_platform.contracts.shop import ORDER_STATES
from analytics_platform.contracts.table import Days, Everything, TouchedKeys


class Buyers(
    Contract,
    table="sessionized.buyers",
    key="order_id",
    partition="event_date",
    narrow="people",
    reads={
        "sessionized.session_events": Days(joined=("event_id", "sessionized.purchases")),
        "sessionized.sessions": Days(before=1, joined=("session_id", "sessionized.session_events")),
        "cleaned.orders": Days(before=1, after=1),
        "cleaned.person_members": Everything(),
    },
):
    """One row per order: which customer and person placed it, and which order of the shop's database is it?

    An order's customer is its own, not who uses the browser now: the shop's database tells, else the order's events,
    else the user of its session. Only an order without any of them is the client's.
    """

    order_id: Text = column("The order (purchases).")
    event_date: Day = column("Day of the order (UTC).")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The shop's customer or the signed-in user who ordered.", nullable=True)
    person_id: Text = column("The person (dim_person).")
    shop_order_id: Whole = column("The order in the shop's database (cleaned.orders).", nullable=True)
    status: Text = column("placed or cancelled, as that says.", nullable=True, isin=ORDER_STATES)
    channel_key: Whole = column("dim_channel, of the session.")
    device_key: Whole = column("dim_device, of the session.")


class PersonDays(
    Contract, table="sessionized.person_days", key=("person_id", "event_date"), partition="event_date", narrow="people"
):
    """One row per person and day on which a session of theirs starts: how often did they come, and when?"""

    person_id: Text = column("The person (dim_person).")
    event_date: Day = column("Day (UTC) the sessions start.")
    first_at: Instant = column("First event of these sessions.")
    last_at: Instant = column("Last event of these sessions.")
    sessions: Whole = column("Sessions.", ge=1)
    events: Whole = column("Events in them.", ge=1)
    country: Text = column("Country of the last of them that knows country or city.", nullable=True)
    city: Text = column("City of that session.", nullable=True)
    is_bot: Flag = column("True if all of them are a bot's.")


class CustomerDays(
    Contract,
    table="sessionized.customer_days",
    key=("person_id", "event_date"),
    partition="event_date",
    reads={
        "sessionized.buyers": TouchedKeys("order_id", also=(("sessionized.refunds", "event_date"),)),
        "cleaned.person_members": Everything(),
    },
):
    """One row per person and day with an order or refund: what was bought and given back?"""

    person_id: Text = column("The person (dim_person).")
    event_date: Day = column("Day (UTC).")
    orders: Whole = column("Orders; repeats of an order do not count.", ge=0)
    revenue: Money = column("Their revenue (shop currency), without refunds.")
    refunds: Money = column("What was given back then, also for earlier orders (shop currency).")
    unknown_amounts: Whole = without_amount()
    unknown_refunds: Whole = without_amount("refunds")


class CustomerMonths(
    Contract,
    table="sessionized.customer_months",
    key=("person_id", "month"),
    write="whole",
    narrow="people",
    reads={"sessionized.customer_days": TouchedKeys("person_id")},
):
    """One row per person and month with an order or refund: what was bought and given back?

    It grows with customers and months, not with events.
    """

    person_id: Text = column("The person (dim_person).")
    month: Day = column("First day of the month (UTC).")
    orders: Whole = column("Orders; repeats of an order do not count.", ge=0)
    revenue: Money = column("Their revenue (shop currency), without refunds.")
    refunds: Money = column("What was given back then, also for earlier orders (shop currency).")
    first_order_date: Day = column("Day of the first order in the month.", nullable=True)
    last_order_date: Day = column("Day of the last order in the month.", nullable=True)
    unknown_amounts: Whole = without_amount()
    unknown_refunds: Whole = without_amount("refunds")
