"""Contracts of the marts about visits by day: traffic, funnel, channels, devices and carts. Bots are left out."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Money, Ratio, Text, Whole, column, share, without_amount
from analytics_platform.contracts.star import CHANNELS
from analytics_platform.contracts.table import Days

FUNNEL_STEPS = ["view", "cart", "checkout", "purchase"]
ATTRIBUTION_MODELS = ["first_touch", "last_touch", "last_non_direct"]


class DailyTrends(Contract, table="marts.daily_trends", key="date", partition="date"):
    """One row per day: how many visited, how many bought, and what came in?

    Bots are left out.
    """

    date: Day = column("Day (UTC).")
    sessions: Whole = column("Sessions that start on the day.", ge=0, sums="additive")
    visitors: Whole = column("Persons they are of.", ge=0, sums="not additive")
    events: Whole = column("Events in these sessions.", ge=0, sums="additive")
    page_views: Whole = column("Page views in these sessions.", ge=0, sums="additive")
    bounces: Whole = column("Sessions of one event.", ge=0, sums="additive")
    bounce_rate: Ratio = share("bounces / sessions.")
    orders: Whole = column("Orders placed on the day.", ge=0, sums="additive")
    revenue: Money = column("Their revenue (shop currency), without refunds.", sums="additive")
    refunds: Money = column("What was given back on the day, also for earlier orders (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", sums="additive")
    average_order_value: Ratio = column("revenue / orders with a known revenue.", nullable=True, sums="not additive")
    conversion_rate: Ratio = share("Sessions with an order / sessions.")
    unknown_amounts: Whole = without_amount(sums="additive")
    unknown_refunds: Whole = without_amount("refunds", "additive")


class FunnelDaily(Contract, table="marts.funnel_daily", key=("date", "step_index"), partition="date"):
    """One row per day and step view → cart → checkout → purchase: how many sessions go on, and where do they stop?

    A session counts for the steps whose event it has. Rates are of sessions that have both steps, so none is above 1.
    """

    date: Day = column("Day (UTC) the sessions start.")
    step_index: Whole = column("1 to 4.", ge=1, le=4)
    step: Text = column("Name of the step.", isin=FUNNEL_STEPS)
    sessions: Whole = column(
        "Sessions with an event of the step; for purchase, with an order.", ge=0, sums="semi-additive"
    )
    inferred: Whole = column("Further sessions that have a later step only.", nullable=True, ge=0, sums="semi-additive")
    after_previous: Whole = column(
        "Those of `sessions` that have the previous step too.", nullable=True, ge=0, sums="semi-additive"
    )
    after_view: Whole = column("Those of `sessions` that have a view too.", nullable=True, ge=0, sums="semi-additive")
    rate_from_previous: Ratio = share("after_previous / sessions of the previous step; missing for the first.")
    rate_from_start: Ratio = share("after_view / sessions of the first step.")


class Attribution(
    Contract,
    table="marts.attribution",
    key=("date", "model", "channel", "source", "medium", "campaign"),
    partition="date",
    reads={"star.fact_sessions": Days(before="attribution_lookback_days")},
):
    """One row per day of order, attribution model and traffic source: which source brought the orders?

    Touches of an order are its person's sessions, on any device, that start no later than the order and at most
    ATTRIBUTION_LOOKBACK_DAYS days before its day, and the session it was placed in. first_touch credits the earliest,
    last_touch the latest, last_non_direct the latest that is not Direct (or the latest, when all are). For each model
    the credit of a day sums to the revenue of its orders exactly.
    """

    date: Day = column("Day of the orders (UTC).")
    model: Text = column("The rule that picks the touch.", isin=ATTRIBUTION_MODELS)
    channel: Text = column("Channel of the credited session.", isin=CHANNELS)
    source: Text = column("Source of the credited session.")
    medium: Text = column("Medium of the credited session.")
    campaign: Text = column("Campaign of the credited session.")
    orders: Whole = column("Orders credited.", ge=0, sums="semi-additive")
    revenue: Money = column("Their revenue.", sums="semi-additive")
    unknown_amounts: Whole = without_amount(sums="semi-additive")


class DeviceDaily(Contract, table="marts.device_daily", key=("date", "device_type"), partition="date"):
    """One row per day and kind of device: what do visitors buy with?

    Bots are left out.
    """

    date: Day = column("Day (UTC) the sessions start.")
    device_type: Text = column("Kind of device.")
    sessions: Whole = column("Sessions.", ge=0, sums="additive")
    bounces: Whole = column("Sessions of one event.", ge=0, sums="additive")
    orders: Whole = column("Orders placed in these sessions.", ge=0, sums="additive")
    revenue: Money = column("Their revenue.", sums="additive")
    unknown_amounts: Whole = without_amount(sums="additive")
    conversion_rate: Ratio = share("Sessions with an order / sessions.")


class CartAbandonment(Contract, table="marts.cart_abandonment", key="date", partition="date"):
    """One row per day with carts: how many are left behind, and where?

    The day is that on which a session with an add_to_cart event starts. Bots are left out.

    A cart is abandoned if its session has an add_to_cart event and no purchase event: items placed in the cart without
    a purchase during the same session (Kukar-Kinney and Close, Journal of the Academy of Marketing Science 38, 2010).
    A purchase in a later session does not make up for it.
    """

    date: Day = column("Day (UTC) the sessions start.")
    carts: Whole = column("Sessions with an add_to_cart event.", ge=1, sums="additive")
    abandoned: Whole = column("Those of them without a purchase event.", ge=0, sums="additive")
    abandoned_at_checkout: Whole = column("Those of the abandoned with a begin_checkout event.", ge=0, sums="additive")
    abandonment_rate: Ratio = share("abandoned / carts.")
