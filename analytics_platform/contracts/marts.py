"""Contracts of the marts: answers to business questions. Bots are left out unless a table says otherwise."""

from __future__ import annotations

from types import MappingProxyType

from analytics_platform.contracts.base import (
    Contract,
    Day,
    Days,
    Everything,
    Instant,
    Money,
    Ratio,
    Text,
    TouchedKeys,
    Whole,
    column,
)
from analytics_platform.contracts.rules import RowRule
from analytics_platform.contracts.shop import ORDER_STATES
from analytics_platform.contracts.star import CHANNELS

FUNNEL_STEPS = ["view", "cart", "checkout", "purchase"]
RECONCILED = [
    *("equal", "amounts differ", "only in events", "only in shop"),
    *("not tracked", "nothing bought", "no shop orders that day"),
]
ATTRIBUTION_MODELS = ["first_touch", "last_touch", "last_non_direct"]


def _share(description: str) -> Ratio:
    share: Ratio = column(description, nullable=True, ge=0.0, le=1.0)
    return share


class DailyTrends(
    Contract,
    table="marts.daily_trends",
    key=("date",),
    write="days",
    partition="date",
):
    """One row per day: traffic, orders and revenue, bots left out."""

    date: Day = column("Day (UTC).")
    sessions: Whole = column("Sessions that start on the day.", ge=0)
    visitors: Whole = column("Distinct clients among them.", ge=0)
    events: Whole = column("Events in these sessions.", ge=0)
    page_views: Whole = column("Page views in these sessions.", ge=0)
    bounces: Whole = column("Sessions of one event.", ge=0)
    bounce_rate: Ratio = _share("bounces / sessions.")
    orders: Whole = column("Orders placed on the day.", ge=0)
    revenue: Money = column("Their revenue (shop currency).")
    average_order_value: Ratio = column("revenue / orders.", nullable=True)
    conversion_rate: Ratio = _share("Sessions with an order / sessions.")


class FunnelDaily(
    Contract,
    table="marts.funnel_daily",
    key=("date", "step_index"),
    write="days",
    partition="date",
):
    """One row per day and step of the funnel view → cart → checkout → purchase, counted in sessions.

    A session that reached a later step counts for the earlier ones too, so no rate is above 1.
    """

    date: Day = column("Day (UTC) the sessions start.")
    step_index: Whole = column("1 to 4.", ge=1, le=4)
    step: Text = column("Name of the step.", isin=FUNNEL_STEPS)
    sessions: Whole = column("Sessions that reached the step or a later one.", ge=0)
    rate_from_previous: Ratio = _share("sessions / sessions of the previous step; 1 for the first.")
    rate_from_start: Ratio = _share("sessions / sessions of the first step.")


class Attribution(
    Contract,
    table="marts.attribution",
    key=("date", "model", "channel", "source", "medium", "campaign"),
    write="days",
    partition="date",
    reads=MappingProxyType({"star.fact_sessions": Days(before="attribution_lookback_days")}),
):
    """One row per day of order, attribution model and traffic source: the credit it gets.

    Touches of an order are the client's sessions that start no later than the order and at most
    ATTRIBUTION_LOOKBACK_DAYS days before its day. first_touch credits the earliest, last_touch the latest,
    last_non_direct the latest that is not Direct (or the latest, when all are). For each model the credit of a day
    sums to the revenue of its orders exactly.
    """

    date: Day = column("Day of the orders (UTC).")
    model: Text = column("The rule that picks the touch.", isin=ATTRIBUTION_MODELS)
    channel: Text = column("Channel of the credited session.", isin=CHANNELS)
    source: Text = column("Source of the credited session.")
    medium: Text = column("Medium of the credited session.")
    campaign: Text = column("Campaign of the credited session.")
    orders: Whole = column("Orders credited.", ge=0)
    revenue: Money = column("Their revenue.")


class DeviceDaily(
    Contract,
    table="marts.device_daily",
    key=("date", "device_type"),
    write="days",
    partition="date",
    reads=MappingProxyType({"star.dim_device": Everything()}),
):
    """One row per day and kind of device, bots left out."""

    date: Day = column("Day (UTC) the sessions start.")
    device_type: Text = column("Kind of device.")
    sessions: Whole = column("Sessions.", ge=0)
    bounces: Whole = column("Sessions of one event.", ge=0)
    orders: Whole = column("Orders placed in these sessions.", ge=0)
    revenue: Money = column("Their revenue.")
    conversion_rate: Ratio = _share("Sessions with an order / sessions.")


class ProductDaily(
    Contract,
    table="marts.product_daily",
    key=("date", "product_id"),
    write="days",
    partition="date",
):
    """One row per day and product: interest and sales, bots left out."""

    date: Day = column("Day (UTC).")
    product_id: Text = column("The shop's product id.")
    views: Whole = column("view_item events.", ge=0)
    add_to_carts: Whole = column("add_to_cart events.", ge=0)
    orders: Whole = column("Orders with the product.", ge=0)
    quantity: Whole = column("Pieces ordered.", ge=0)
    revenue: Money = column("Sum of the order lines' amounts.")


class TopSellers(
    Contract,
    table="marts.top_sellers",
    key=("product_id",),
    write="upsert",
    reads=MappingProxyType({"marts.product_daily": TouchedKeys("product_id")}),
):
    """One row per product ever seen, with all its sales."""

    product_id: Text = column("The shop's product id.")
    orders: Whole = column("Orders with the product.", ge=0)
    quantity: Whole = column("Pieces ordered.", ge=0)
    revenue: Money = column("Sum of the order lines' amounts.")


class ListPerformance(
    Contract,
    table="marts.list_performance",
    key=("list_id",),
    write="upsert",
    reads=MappingProxyType({"sessionized.product_interactions": TouchedKeys("list_id")}),
):
    """One row per product list that was met: how often its products were shown, clicked and bought. No bots.

    An interaction without a list of its own is credited to the list whose click led to it in the same session.
    """

    list_id: Text = column("The list's id, else its name.")
    list_name: Text = column("Latest name.", nullable=True)
    impressions: Whole = column("Products shown in it (items of view_item_list events).", ge=0)
    unique_users: Whole = column("Distinct clients that met it.", ge=1)
    sessions: Whole = column("Sessions that met it.", ge=1)
    clicks: Whole = column("Products clicked in it (items of select_item events).", ge=0)
    add_to_carts: Whole = column("add_to_cart events credited to it, counted per product.", ge=0)
    purchases: Whole = column("Orders credited to it, counted per product; repeats of an order do not count.", ge=0)
    unique_products: Whole = column("Distinct products met through it.", ge=0)
    revenue: Money = column("Sum of price × quantity of the purchases.")
    average_revenue_per_user: Ratio = column("revenue / unique_users.")
    click_through_rate: Ratio = column("clicks / impressions; missing if it was never shown.", nullable=True, ge=0.0)
    engagement_rate: Ratio = _share("Sessions with a click, an add_to_cart or a purchase / sessions.")
    conversion_rate: Ratio = _share("Sessions with a purchase / sessions.")
    bounce_rate: Ratio = _share("Sessions in which the list was the only event / sessions.")


class ProductPerformance(
    Contract,
    table="marts.product_performance",
    key=("product_id",),
    write="upsert",
    reads=MappingProxyType(
        dict.fromkeys(("sessionized.product_interactions", "sessionized.product_days"), TouchedKeys("product_id"))
    ),
):
    """One row per product that was met: how often it was shown, viewed and bought. No bots."""

    product_id: Text = column("The shop's product id.")
    product_name: Text = column("Latest name.", nullable=True)
    impressions: Whole = column("Times it was shown in a list (items of view_item_list events).", ge=0)
    unique_users: Whole = column("Distinct clients that met it in any way.", ge=1)
    unique_viewers: Whole = column("Distinct clients with a view_item event of it.", ge=0)
    views: Whole = column("view_item events.", ge=0)
    clicks: Whole = column("Times it was clicked in a list (items of select_item events).", ge=0)
    add_to_carts: Whole = column("add_to_cart events.", ge=0)
    purchases: Whole = column("Orders with it; repeats of an order do not count.", ge=0)
    quantity: Whole = column("Pieces ordered; a missing quantity is one.", ge=0)
    revenue: Money = column("Sum of price × quantity of the purchases.")
    click_through_rate: Ratio = column("clicks / impressions; missing if it was never shown.", nullable=True, ge=0.0)
    view_to_purchase_rate: Ratio = column(
        "purchases / views; missing if it was never viewed. Above 1 where it is bought without a look at its page.",
        nullable=True,
        ge=0.0,
    )
    conversion_rate: Ratio = _share("Clients who bought it / unique_users.")
    average_price: Ratio = column("Mean of the prices its interactions carry.", nullable=True)
    first_seen_at: Instant = column("First interaction with it.")


class UserMetrics(
    Contract,
    table="marts.user_metrics",
    key=("user_id",),
    write="upsert",
):
    """One row per customer: how many interactions, which favourite, when last seen.

    Customers are the users that the users API told of. Other users that events name are no customers (ops.orphans), and
    are here as soon as the API tells of them.
    """

    user_id: Text = column("The customer.")
    name: Text = column("The name as the API gave it.", nullable=True)
    interactions: Whole = column("Events of all sources that name the customer.", ge=0)
    favourite_product: Text = column(
        "Product with most view_item events; of equals the one viewed latest, then the smallest name.", nullable=True
    )
    favourite_views: Whole = column("Its view_item events.", ge=0)
    first_seen_at: Instant = column("First event.", nullable=True)
    last_active_at: Instant = column("Last event.", nullable=True)
    sessions: Whole = column("Sessions.", ge=0)
    orders: Whole = column("Orders; repeats of an order do not count.", ge=0)
    revenue: Money = column("Their revenue.")


class UserProductAffinity(
    Contract,
    table="marts.user_product_affinity",
    key=("user_id", "product"),
    write="upsert",
    reads=MappingProxyType({"sessionized.user_activity": TouchedKeys("user_id")}),
):
    """One row per user and product: how much the user likes it. Users who are no customers are here too."""

    user_id: Text = column("The user.")
    product: Text = column("Name of the product, else its id.")
    rank: Whole = column(
        "1 is the favourite: viewed most often; of equals the one viewed latest, then the smallest name.", ge=1
    )
    interactions: Whole = column("Events of the user about it.", ge=1)
    views: Whole = column("view_item events.", ge=0)
    add_to_carts: Whole = column("add_to_cart events.", ge=0)
    orders: Whole = column("Orders with it; repeats of an order do not count.", ge=0)
    share_of_views: Ratio = _share("views / view_item events of the user about any product.")
    first_seen_at: Instant = column("First event.")
    last_seen_at: Instant = column("Last event.")


class CategorySellers(
    Contract,
    table="marts.category_sellers",
    key=("product_id",),
    write="whole",
):
    """One row per product ever seen, ranked by revenue within its category."""

    product_id: Text = column("The shop's product id.")
    product_name: Text = column("Latest name.", nullable=True)
    category: Text = column("Latest category; 'unknown' without any.")
    rank: Whole = column(
        "Place within the category, 1 the highest revenue; of equals more pieces, then the smaller product id.", ge=1
    )
    orders: Whole = column("Orders with the product.", ge=0)
    quantity: Whole = column("Pieces ordered.", ge=0)
    revenue: Money = column("Sum of the order lines' amounts.")
    share_of_category: Ratio = column("revenue / revenue of the category; missing if that is 0.", nullable=True)


class BoughtTogether(
    Contract,
    table="marts.bought_together",
    key=("product_id", "other_product_id"),
    write="upsert",
    reads=MappingProxyType({"sessionized.product_pair_days": TouchedKeys("product_id")}),
):
    """One row per product and other product that was bought with it, in both directions. Bots are left out.

    Purchases of more than 100 products are left out.
    """

    product_id: Text = column("The shop's product id.")
    other_product_id: Text = column("A product of the same order.")
    rank: Whole = column(
        "Place among the products bought with it, 1 the most orders; of equals the smaller product id.", ge=1
    )
    orders: Whole = column("Orders with both; 0 where what had both is a repeat or a bot's after all.", ge=0)
    product_orders: Whole = column("Orders with product_id.", ge=0)
    confidence: Ratio = column(
        "orders / product_orders: how often an order with product_id has the other one too, the confidence of an "
        "association rule (Agrawal, Imieliński and Swami 1993).",
        nullable=True,
        ge=0.0,
        le=1.0,
    )


class CustomerRevenue(
    Contract,
    table="marts.customer_revenue",
    key=("client_id",),
    write="whole",
):
    """One row per customer (client) with an order: what each brought, from the best down. Bots are left out."""

    client_id: Text = column("The browser or device.")
    rank: Whole = column("1 brought most; of equals the smaller client id comes first.", ge=1)
    orders: Whole = column("Orders; repeats of an order do not count.", ge=1)
    revenue: Money = column("Their revenue.")
    running_total: Money = column("Revenue of this customer and of all with a smaller rank.")
    share: Ratio = column("revenue / revenue of all customers; missing if that is 0.", nullable=True)
    running_share: Ratio = column("running_total / revenue of all customers; missing if that is 0.", nullable=True)
    first_order_date: Day = column("Day of the first order (UTC).")
    last_order_date: Day = column("Day of the last order (UTC).")


class MonthlyGrowth(
    Contract,
    table="marts.monthly_growth",
    key=("month",),
    write="whole",
):
    """One row per month from the first with an order to the last, those without any included. Bots are left out.

    Growth is (this month - the calendar month before) / the month before. The last month may not be over.
    """

    month: Day = column("First day of the month (UTC).")
    customers: Whole = column("Distinct clients with an order in the month.", ge=0)
    new_customers: Whole = column("Those of them whose first order is in the month.", ge=0)
    orders: Whole = column("Orders; repeats of an order do not count.", ge=0)
    revenue: Money = column("Their revenue.")
    customers_growth: Ratio = column("Growth of customers; missing if the month before had none.", nullable=True)
    orders_growth: Ratio = column("Growth of orders; missing if the month before had none.", nullable=True)
    revenue_growth: Ratio = column("Growth of revenue; missing if the month before had none.", nullable=True)


_QUINTILE = (
    "1 to 5 by quintile (Hughes, Strategic Database Marketing, 1994): 1 + the whole fifths of all customers who are "
    "strictly worse. Equal customers have equal scores. "
)


class CustomerRfm(
    Contract,
    table="marts.customer_rfm",
    key=("client_id",),
    write="whole",
):
    """One row per customer (client) with an order: recency, frequency and monetary value, scored. Bots are left out."""

    client_id: Text = column("The browser or device.")
    as_of_date: Day = column("Day that recency counts from: the last one with an event of any client (UTC).")
    last_order_date: Day = column("Day of the last order (UTC).")
    recency_days: Whole = column("Days from the last order to as_of_date.", ge=0)
    orders: Whole = column("Frequency: orders; repeats of an order do not count.", ge=1)
    revenue: Money = column("Monetary value: their revenue.")
    recency_score: Whole = column(_QUINTILE + "5 ordered most lately.", ge=1, le=5)
    frequency_score: Whole = column(_QUINTILE + "5 ordered most often.", ge=1, le=5)
    monetary_score: Whole = column(_QUINTILE + "5 brought most.", ge=1, le=5)
    rfm: Text = column("The three scores as digits, 555 the best.")


class CohortRetention(
    Contract,
    table="marts.cohort_retention",
    key=("cohort_month", "month"),
    write="whole",
):
    """One row per cohort of customers (clients) and month in which someone of it ordered. Bots are left out.

    A cohort is the customers whose first order is in the same month (acquisition cohort: Croll and Yoskovitz, Lean
    Analytics, 2013). A month in which nobody of the cohort ordered has no row.
    """

    cohort_month: Day = column("First day of the month of the first order (UTC).")
    month: Day = column("First day of the month looked at (UTC).")
    months_since_first: Whole = column("Calendar months from cohort_month to month; 0 is the cohort's own.", ge=0)
    cohort_size: Whole = column("Customers in the cohort.", ge=1)
    customers: Whole = column("Those of them with an order in the month.", ge=1)
    retention_rate: Ratio = _share("customers / cohort_size; 1 in the cohort's own month.")
    orders: Whole = column("Their orders in the month.", ge=1)
    revenue: Money = column("The revenue of these.")


class CartAbandonment(
    Contract,
    table="marts.cart_abandonment",
    key=("date",),
    write="days",
    partition="date",
):
    """One row per day on which a session with an add_to_cart event starts. Bots are left out.

    A cart is abandoned if its session has an add_to_cart event and no purchase event: items placed in the cart without
    a purchase during the same session (Kukar-Kinney and Close, Journal of the Academy of Marketing Science 38, 2010).
    A purchase in a later session does not make up for it.
    """

    date: Day = column("Day (UTC) the sessions start.")
    carts: Whole = column("Sessions with an add_to_cart event.", ge=1)
    abandoned: Whole = column("Those of them without a purchase event.", ge=0)
    abandoned_at_checkout: Whole = column("Those of the abandoned with a begin_checkout event.", ge=0)
    abandonment_rate: Ratio = _share("abandoned / carts.")


class DataQualityDaily(
    Contract,
    table="marts.data_quality_daily",
    key=("date", "source"),
    write="days",
    partition="date",
    rules=(
        RowRule(
            "has_rows",
            "rows_accepted + rows_duplicate + rows_quarantined > 0",
            "A day is listed because records arrived for it.",
        ),
    ),
):
    """One row per day of events and source: what was accepted, what was rejected."""

    date: Day = column("Day (UTC) of the events.")
    source: Text = column("The source.")
    batches: Whole = column("Batches that brought events of the day.", ge=1)
    rows_accepted: Whole = column("Records accepted.", ge=0)
    rows_duplicate: Whole = column("Records that were there already.", ge=0)
    rows_quarantined: Whole = column("Records rejected.", ge=0)
    error_rate: Ratio = _share("rows_quarantined / all records of the day.")


class OrderReconciliation(
    Contract,
    table="marts.order_reconciliation",
    key=("pair_id",),
    write="days",
    partition="order_date",
    reads=MappingProxyType({"cleaned.orders": Days(before=1, after=1), "star.fact_orders": Days(before=2, after=2)}),
    rules=(
        RowRule(
            "orders_reconcile",
            "outcome NOT IN ('amounts differ', 'only in events', 'only in shop')",
            "Orders that events tell of are the shop's, with the same value. Events may be lost or sent twice.",
            "warn",
        ),
        RowRule(
            "lines_make_the_total",
            "shop_lines = shop_total",
            "The lines of an order in the shop sum to its total.",
            "warn",
        ),
    ),
):
    """One row per order that events tell of, the shop's database has, or both. Bots are in.

    They are the same order if the shop's order_key is <client_id>/<transaction_id>, and their days are the same or
    neighbours. `outcome` is `not tracked` for an order of the shop whose key names no client, so that no event is
    expected; `nothing bought` for one of events that is worth nothing, which the shop rejects; `no shop orders that
    day` where the shop's database has none at all, as before it was there.
    """

    pair_id: Text = column("Hash of both orders' ids.")
    order_date: Day = column("Day (UTC) of the order: the shop's, if it has the order.")
    order_key: Text = column("<client_id>/<transaction_id>, or the shop's own key.")
    shop_order_id: Whole = column("The shop's order (cleaned.orders).", nullable=True)
    order_id: Text = column("The order as events tell of it (star.fact_orders).", nullable=True)
    status: Text = column("placed or cancelled, in the shop.", nullable=True, isin=ORDER_STATES)
    shop_total: Money = column("Value of the order in the shop, cancelled or not.", nullable=True)
    shop_lines: Money = column("Sum of its lines in the shop.", nullable=True)
    revenue: Money = column("Value of the order as events tell it.", nullable=True)
    outcome: Text = column("How they compare.", isin=RECONCILED)
