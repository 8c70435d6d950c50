"""What findings and dashboard read of the marts: small frames of a range of days, in a fixed order.

The warehouse answers, whichever it is, so the SQL keeps to what DuckDB and PostgreSQL both have. Values are bound,
never written into the SQL. Tables that are read must exist; they may be empty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from analytics_platform.errors import some
from analytics_platform.sources.registry import EVENTS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.error_rate import superseded_batches

RATES = ("cleaned.daily_rates",)
SHOP_ORDERS = ("marts.order_reconciliation",)
UNKNOWN = ("marts.unknown_amounts", "ops.quarantine", "ops.batch_days")
OVERVIEW = (
    *("marts.daily_trends", "marts.funnel_daily", "marts.device_daily", "marts.data_quality_daily"),
    *("ops.pipeline_logs", *RATES, *UNKNOWN, *SHOP_ORDERS),
)
CHANNELS = ("marts.attribution",)
PRODUCTS = ("marts.product_daily", "marts.list_performance", "star.dim_product")
CUSTOMERS = ("marts.daily_trends", "marts.user_metrics", "cleaned.users", "ops.orphans", "marts.customer_revenue")
QUALITY = ("ops.quarantine", "ops.batch_days", "ops.acceptances")
PIPELINE = ("ops.pipeline_logs", "ops.set_aside")
DASHBOARD = tuple(sorted({*OVERVIEW, *CHANNELS, *PRODUCTS, *CUSTOMERS, *QUALITY, *PIPELINE}))
"""The tables that pages of the dashboard are made from. None has a row per event."""

FINDINGS = (
    *(table for table in DASHBOARD if table not in ("ops.orphans", "marts.customer_revenue")),
    *(
        "marts.product_performance",
        "cleaned.events",
        "star.fact_sessions",
        "star.fact_order_items",
        "star.fact_refunds",
    ),
)
"""The tables that the findings are made from."""

ALL_DAYS = DayRange(dt.date.min, dt.date.max)
TOP, TOP_BOUGHT = 10, 20
"""Rows of a ranking in the findings: of most, and of products by view-to-purchase rate."""

_MONEY = pl.Decimal(38, 4)
_TEXTS = """
step device_type channel person_id product_id product_name list_id list_name user_id user_name city favourite_product
source input error_reason raw batch_id event_name kind reason variant empty_columns unknown_events
"""
_AMOUNTS = """
revenue refunds net_revenue total_revenue orders_revenue total_refunds orders_refunds excess
first_revenue last_revenue indirect_revenue
"""
_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(_TEXTS.split(), pl.String),
    **dict.fromkeys(_AMOUNTS.split(), _MONEY),
    **dict.fromkeys(["engagement_rate", "view_to_purchase_rate", "average_views", "latitude", "longitude"], pl.Float64),
    **dict.fromkeys(("finished_at", "last_active_at"), pl.Datetime("us", "UTC")),
    **dict.fromkeys(("date", "last_order_date"), pl.Date),
}
"""The types of columns, by name; all other columns are counts."""

OF_SOURCES = "($all_sources OR list_contains($sources, source))"


def frame(session: Session, columns: str, sql: str, days: DayRange | None = None, **values: Any) -> pl.DataFrame:
    """Return the rows of a query as a frame of these columns, with the days and the values as its parameters."""
    bound = values if days is None else {"first": days.first, "last": days.last, **values}
    schema = {name: _TYPES.get(name, pl.Int64) for name in columns.split()}
    # DuckDB 2.0 drops the LIMIT of `read_products` while star.dim_product is empty, so the rows are cut here too.
    rows = session.rows(sql, bound)[: values.get("top")]
    return pl.DataFrame(rows, schema=schema, orient="row")


def chosen(sources: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a filter by source. No source chosen means all of them."""
    return {"all_sources": not sources, "sources": list(sources) or [""]}


def missing_tables(session: Session, wanted: Sequence[str]) -> list[str]:
    """Return those of the tables that were never made."""
    return sorted(set(wanted) - session.tables())


def days_with_data(session: Session, now: dt.datetime) -> tuple[DayRange, dt.date] | None:
    """Return the days from the first to the last with traffic, and the first day that may not be complete.

    A day is complete once every source of events has brought some of a later day, and it is before the day of `now`.
    Sources that have brought none for a week do not count. None without any traffic.
    """
    first, last = session.one("SELECT min(date), max(date) FROM marts.daily_trends")
    if first is None:
        return None
    # When data arrived says nothing: an export may end at noon and be loaded a week later, and one source may be days
    # behind another. Such days once made rising traffic fall.
    (slowest,) = session.one(
        """
        WITH latest AS (
            SELECT max(max_event_date) AS date FROM ops.pipeline_logs
            WHERE list_contains($events, source) GROUP BY source
        )
        SELECT min(date) FROM latest WHERE date >= (SELECT max(date) FROM latest) - 7
        """,
        {"events": list(EVENTS)},
    )
    return DayRange(first, last), min(slowest or last, now.astimezone(dt.UTC).date())


def read_unknown(session: Session, allowed: float, days: DayRange = ALL_DAYS) -> pl.DataFrame:
    """Return how many orders and refunds have an amount that is in no sum, and how many records an unreadable one.

    `excess` is what of refunds does not count. Records that are superseded (`allowed` is MAX_ERROR_RATE) are left out.
    """
    sql = """
        SELECT kind, reason, sum(events)::BIGINT, sum(excess)
        FROM marts.unknown_amounts
        WHERE date BETWEEN $first AND $last
        GROUP BY kind, reason
        UNION ALL
        SELECT 'record', 'unreadable', count(*), 0
        FROM ops.quarantine
        WHERE
            (error_reason LIKE '%is no amount%' OR error_reason LIKE '%not an amount%')
            AND NOT list_contains($superseded, batch_id)
        ORDER BY kind, reason
        """
    superseded = superseded_batches(session, allowed)
    found = frame(session, "kind reason events excess", sql, days, superseded=superseded)
    return found.filter(pl.col("events") > 0)


def unconverted(session: Session, days: DayRange = ALL_DAYS) -> list[str]:
    """Return the currencies of events that cannot be converted into the shop's on some of the days."""
    sql = """
        SELECT DISTINCT currency FROM cleaned.daily_rates
        WHERE rate IS NULL AND currency <> '' AND event_date BETWEEN $first AND $last
        ORDER BY currency
        """
    return some([str(currency) for (currency,) in session.rows(sql, {"first": days.first, "last": days.last})])


def read_untold(session: Session, days: DayRange = ALL_DAYS) -> tuple[int, int]:
    """Return how many orders the shop's database has that no event tells of, and how many of them are cancelled."""
    orders, cancelled = session.one(
        """
        SELECT count(*), count(CASE WHEN status = 'cancelled' THEN 1 END) FROM marts.order_reconciliation
        WHERE outcome IN ('only in shop', 'not tracked') AND order_date BETWEEN $first AND $last
        """,
        {"first": days.first, "last": days.last},
    )
    return int(orders), int(cancelled)


def read_days(session: Session, days: DayRange, complete_until: dt.date) -> pl.DataFrame:
    """Return one row for every day of the range, those without traffic included.

    `unknown` are the orders without a known revenue, `unknown_refunds` the refunds without a known amount.
    """
    sql = """
        SELECT
            date, sessions, visitors, round(coalesce(conversion_rate * sessions, 0))::BIGINT, orders,
            coalesce(unknown_amounts, 0), coalesce(unknown_refunds, 0), revenue, refunds, net_revenue
        FROM marts.daily_trends
        WHERE date BETWEEN $first AND $last
        """
    columns = "date sessions visitors converted orders unknown unknown_refunds revenue refunds net_revenue"
    found = frame(session, columns, sql, days)
    calendar = pl.DataFrame({"date": pl.date_range(days.first, days.last, eager=True)})
    joined = calendar.join(found, on="date", how="left", maintain_order="left")
    return joined.with_columns(pl.exclude("date").fill_null(0), is_complete=pl.col("date") < complete_until)


def read_days_of_bots(session: Session) -> list[dt.date]:
    """Return the days on which visits began, all of them of bots, and nothing was bought or given back."""
    sql = """
        SELECT DISTINCT session_date FROM star.fact_sessions
        WHERE session_date NOT IN (SELECT date FROM marts.daily_trends)
        ORDER BY session_date
        """
    return [date for (date,) in session.rows(sql)]


def read_lone_refunds(session: Session, days: DayRange = ALL_DAYS) -> pl.DataFrame:
    """Return how many refunds of orders that no event tells of each day has, and what they are worth."""
    sql = """
        SELECT refund_date AS date, count(*), sum(amount)
        FROM star.fact_refunds
        WHERE order_id IS NULL AND amount IS NOT NULL AND refund_date BETWEEN $first AND $last
        GROUP BY refund_date
        ORDER BY date
        """
    return frame(session, "date lone_refunds refunds", sql, days)


def read_funnel(session: Session, days: DayRange = ALL_DAYS) -> pl.DataFrame:
    """Return the sessions with each step of the funnel, and those that only have a later one (`inferred`)."""
    sql = """
        SELECT
            step_index, step, sum(sessions)::BIGINT, coalesce(sum(inferred), 0)::BIGINT,
            sum(coalesce(after_previous, sessions))::BIGINT, sum(coalesce(after_view, sessions))::BIGINT
        FROM marts.funnel_daily
        WHERE date BETWEEN $first AND $last
        GROUP BY step_index, step
        ORDER BY step_index
        """
    return frame(session, "step_index step sessions inferred after_previous after_view", sql, days)


def read_devices(session: Session, days: DayRange = ALL_DAYS) -> pl.DataFrame:
    """Return sessions and sales by kind of device."""
    sql = """
        SELECT
            device_type, sum(sessions)::BIGINT AS visits, sum(bounces)::BIGINT,
            sum(round(coalesce(conversion_rate, 0) * sessions))::BIGINT, sum(orders)::BIGINT, sum(revenue),
            sum(coalesce(unknown_amounts, 0))::BIGINT
        FROM marts.device_daily
        WHERE date BETWEEN $first AND $last
        GROUP BY device_type
        ORDER BY visits DESC, device_type
        """
    return frame(session, "device_type sessions bounces converted orders revenue unknown", sql, days)


def read_credits(session: Session, days: DayRange = ALL_DAYS, sources: Sequence[str] = ()) -> pl.DataFrame:
    """Return what each channel is credited with by the three rules; of these traffic sources only, if any are given."""
    sql = f"""
        SELECT
            channel,
            coalesce(sum(orders) FILTER (WHERE model = 'first_touch'), 0)::BIGINT,
            coalesce(sum(orders) FILTER (WHERE model = 'last_touch'), 0)::BIGINT AS last_orders,
            coalesce(sum(orders) FILTER (WHERE model = 'last_non_direct'), 0)::BIGINT,
            coalesce(sum(revenue) FILTER (WHERE model = 'first_touch'), 0),
            coalesce(sum(revenue) FILTER (WHERE model = 'last_touch'), 0) AS last_revenue,
            coalesce(sum(revenue) FILTER (WHERE model = 'last_non_direct'), 0),
            coalesce(sum(unknown_amounts) FILTER (WHERE model = 'first_touch'), 0)::BIGINT,
            coalesce(sum(unknown_amounts) FILTER (WHERE model = 'last_touch'), 0)::BIGINT,
            coalesce(sum(unknown_amounts) FILTER (WHERE model = 'last_non_direct'), 0)::BIGINT
        FROM marts.attribution
        WHERE date BETWEEN $first AND $last AND {OF_SOURCES}
        GROUP BY channel
        ORDER BY last_revenue DESC, last_orders DESC, channel
        """
    columns = (
        "channel first_orders last_orders indirect_orders first_revenue last_revenue indirect_revenue first_unknown "
        "last_unknown indirect_unknown"
    )
    return frame(session, columns, sql, days, **chosen(sources))


def traffic_sources(session: Session, days: DayRange, top: int) -> list[str]:
    """Return the traffic sources that were credited with orders, those with most orders first."""
    sql = """
        SELECT source, sum(orders)::BIGINT AS orders
        FROM marts.attribution
        WHERE date BETWEEN $first AND $last
        GROUP BY source
        ORDER BY orders DESC, source
        LIMIT $top
        """
    return frame(session, "source orders", sql, days, top=top)["source"].to_list()


def read_products(
    session: Session, days: DayRange = ALL_DAYS, top: int = TOP, text: str = "", only: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the products that sold best, of those with `text` in their name or id, and of `only` these ids if given.

    `products_sold`, `total_revenue` and `total_refunds` are those of all products, `orders_…` those of all orders.
    """
    sql = """
        WITH sold AS (
            SELECT
                product_id, sum(views)::BIGINT AS views, sum(add_to_carts)::BIGINT AS add_to_carts,
                sum(orders)::BIGINT AS orders, sum(quantity)::BIGINT AS quantity, sum(revenue) AS revenue,
                sum(refunds) AS refunds, sum(net_revenue) AS net_revenue,
                sum(coalesce(unknown_amounts, 0))::BIGINT AS unknown,
                sum(coalesce(unknown_refunds, 0))::BIGINT AS unknown_refunds
            FROM marts.product_daily
            WHERE date BETWEEN $first AND $last
            GROUP BY product_id
        ),
        named AS (
            SELECT
                sold.product_id, coalesce(products.product_name, '') AS product_name, views, add_to_carts, orders,
                quantity, revenue, refunds, net_revenue, unknown, unknown_refunds
            FROM sold
            LEFT JOIN star.dim_product AS products ON sold.product_id = products.product_id AND products.is_current
        ),
        totals AS (
            SELECT
                count(CASE WHEN orders > 0 THEN 1 END), sum(revenue), sum(refunds),
                (SELECT coalesce(sum(revenue), 0) FROM marts.daily_trends WHERE date BETWEEN $first AND $last),
                (SELECT coalesce(sum(refunds), 0) FROM marts.daily_trends WHERE date BETWEEN $first AND $last)
            FROM sold
        )
        SELECT * FROM named CROSS JOIN totals
        WHERE
            (strpos(lower(product_name), lower($text)) > 0 OR strpos(lower(product_id), lower($text)) > 0)
            AND ($all_products OR list_contains($products, product_id))
            -- What only bots met, or only the stock, has zeros.
            AND (views > 0 OR add_to_carts > 0 OR orders > 0 OR refunds <> 0 OR unknown_refunds > 0)
        ORDER BY revenue DESC, quantity DESC, views DESC, product_id
        LIMIT $top
        """
    columns = (
        "product_id product_name views add_to_carts orders quantity revenue refunds net_revenue unknown "
        "unknown_refunds products_sold total_revenue total_refunds orders_revenue orders_refunds"
    )
    ids = {"all_products": not only, "products": list(only) or [""]}
    return frame(session, columns, sql, days, text=text, top=top, **ids)


def read_variants(session: Session, products: Sequence[str]) -> pl.DataFrame:
    """Return the sales of the variants of these products, over all days; none of a product that has only one."""
    sql = """
        WITH sold AS (
            SELECT
                product_id, coalesce(max(product_name), '') AS product_name, coalesce(variant, '') AS variant,
                count(DISTINCT event_id) AS orders,
                sum(coalesce(quantity, 1))::BIGINT AS quantity, sum(coalesce(amount, 0)) AS revenue,
                count(DISTINCT CASE WHEN amount IS NULL THEN event_id END) AS unknown
            FROM star.fact_order_items
            WHERE list_contains($products, product_id)
            GROUP BY product_id, coalesce(variant, '')
        )
        SELECT product_id, product_name, variant, orders, quantity, revenue, unknown
        FROM (SELECT *, count(*) OVER (PARTITION BY product_id) AS variants FROM sold) AS counted
        WHERE variants > 1
        ORDER BY product_id, revenue DESC, variant
        """
    columns = "product_id product_name variant orders quantity revenue unknown"
    return frame(session, columns, sql, products=list(products) or [""])


def read_lists(session: Session, top: int = TOP) -> pl.DataFrame:
    """Return the product lists with the highest engagement rate, over all days: no table has lists by day.

    A list that only bots saw has no rate, and is left out. `namesakes` counts the lists that have an id and this list's
    name, which is all that is known of this one.
    """
    sql = """
        SELECT
            list_id, coalesce(list_name, ''), sessions, impressions, clicks, purchases, engagement_rate, revenue,
            count(*) OVER (), coalesce(unknown_amounts, 0),
            (
                SELECT count(*) FROM marts.list_performance AS others
                WHERE others.list_name = lists.list_id AND others.list_id <> lists.list_id AND others.sessions > 0
            )
        FROM marts.list_performance AS lists
        WHERE engagement_rate IS NOT NULL
        ORDER BY engagement_rate DESC, sessions DESC, list_id
        LIMIT $top
        """
    columns = "list_id list_name sessions impressions clicks purchases engagement_rate revenue lists unknown namesakes"
    return frame(session, columns, sql, top=top)


def read_bought(session: Session, top: int = TOP_BOUGHT) -> pl.DataFrame:
    """Return the products with the highest view-to-purchase rate, of those with at least the average of views.

    `unviewed` counts those that were bought more often than viewed, and are left out.
    """
    sql = """
        WITH viewed AS (SELECT *, avg(views) OVER () AS average_views FROM marts.product_performance)
        SELECT
            product_id, coalesce(product_name, ''), views, purchases, view_to_purchase_rate, revenue, refunds,
            net_revenue, average_views::DOUBLE, count(*) OVER (),
            coalesce(unknown_amounts, 0), coalesce(unknown_refunds, 0),
            (SELECT count(*) FROM viewed WHERE views > 0 AND views >= average_views AND coalesce(purchases, 0) > views)
        FROM viewed
        WHERE views > 0 AND views >= average_views AND coalesce(purchases, 0) <= views
        ORDER BY view_to_purchase_rate DESC, purchases DESC, product_id
        LIMIT $top
        """
    columns = (
        "product_id product_name views purchases view_to_purchase_rate revenue refunds net_revenue average_views "
        "products unknown unknown_refunds unviewed"
    )
    return frame(session, columns, sql, top=top)
