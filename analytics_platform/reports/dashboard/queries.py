"""What the pages read: small frames of a range of days, in a fixed order, with the columns the report's tables know.

Only day-grain tables, books and dimensions are read, never facts. The warehouse itself answers, whichever it is, so the
SQL keeps to what PostgreSQL has too. Days, names and texts are bound, never written into the SQL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.spreadsheet import harmless

Schema: TypeAlias = Mapping[str, Any]

OVERVIEW = ("marts.daily_trends", "marts.funnel_daily", "marts.device_daily", "ops.pipeline_logs")
CHANNELS = ("marts.attribution",)
PRODUCTS = ("marts.product_daily", "marts.list_performance", "star.dim_product")
CUSTOMERS = ("marts.user_metrics", "cleaned.users", "ops.orphans")
QUALITY = ("marts.data_quality_daily", "ops.quarantine")
PIPELINE = ("ops.pipeline_logs",)
READS = tuple(sorted({*OVERVIEW, *CHANNELS, *PRODUCTS, *CUSTOMERS, *QUALITY, *PIPELINE}))
"""The tables that pages are made from."""

_MONEY = pl.Decimal(38, 4)
_DAY_SCHEMA: Schema = {
    "date": pl.Date, "sessions": pl.Int64, "visitors": pl.Int64, "converted": pl.Int64, "bounces": pl.Int64,
    "orders": pl.Int64, "revenue": _MONEY,
}  # fmt: skip
_DAYS = """
SELECT
    date, sessions, visitors, CAST(round(coalesce(conversion_rate * sessions, 0)) AS BIGINT), bounces, orders, revenue
FROM marts.daily_trends
WHERE date BETWEEN $first AND $last
ORDER BY date
"""

_FUNNEL_SCHEMA: Schema = {"step_index": pl.Int64, "step": pl.String, "sessions": pl.Int64}
_FUNNEL = """
SELECT step_index, step, CAST(sum(sessions) AS BIGINT)
FROM marts.funnel_daily
WHERE date BETWEEN $first AND $last
GROUP BY step_index, step
ORDER BY step_index
"""

_DEVICE_SCHEMA: Schema = {
    "device_type": pl.String, "sessions": pl.Int64, "bounces": pl.Int64, "converted": pl.Int64, "orders": pl.Int64,
    "revenue": _MONEY,
}  # fmt: skip
_DEVICES = """
SELECT
    device_type,
    CAST(sum(sessions) AS BIGINT) AS visits,
    CAST(sum(bounces) AS BIGINT),
    CAST(sum(round(coalesce(conversion_rate, 0) * sessions)) AS BIGINT),
    CAST(sum(orders) AS BIGINT),
    sum(revenue)
FROM marts.device_daily
WHERE date BETWEEN $first AND $last
GROUP BY device_type
ORDER BY visits DESC, device_type
"""

_CREDIT_SCHEMA: Schema = {
    "channel": pl.String, "first_orders": pl.Int64, "last_orders": pl.Int64, "indirect_orders": pl.Int64,
    "first_revenue": _MONEY, "last_revenue": _MONEY, "indirect_revenue": _MONEY,
}  # fmt: skip
_CREDITS = """
SELECT
    channel,
    CAST(coalesce(sum(orders) FILTER (WHERE model = 'first_touch'), 0) AS BIGINT),
    CAST(coalesce(sum(orders) FILTER (WHERE model = 'last_touch'), 0) AS BIGINT) AS last_orders,
    CAST(coalesce(sum(orders) FILTER (WHERE model = 'last_non_direct'), 0) AS BIGINT),
    coalesce(sum(revenue) FILTER (WHERE model = 'first_touch'), 0),
    coalesce(sum(revenue) FILTER (WHERE model = 'last_touch'), 0) AS last_revenue,
    coalesce(sum(revenue) FILTER (WHERE model = 'last_non_direct'), 0)
FROM marts.attribution
WHERE date BETWEEN $first AND $last AND ($all_sources OR list_contains($sources, source))
GROUP BY channel
ORDER BY last_revenue DESC, last_orders DESC, channel
"""
_TRAFFIC_SOURCES = """
SELECT source, sum(orders) AS orders FROM marts.attribution
WHERE date BETWEEN $first AND $last
GROUP BY source
ORDER BY orders DESC, source
LIMIT $top
"""

_PRODUCT_SCHEMA: Schema = {
    "product_id": pl.String, "product_name": pl.String, "views": pl.Int64, "add_to_carts": pl.Int64,
    "orders": pl.Int64, "quantity": pl.Int64, "revenue": _MONEY, "products_sold": pl.Int64, "total_revenue": _MONEY,
}  # fmt: skip
_PRODUCTS = """
WITH sold AS (
    SELECT
        product_id,
        CAST(sum(views) AS BIGINT) AS views,
        CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
        CAST(sum(orders) AS BIGINT) AS orders,
        CAST(sum(quantity) AS BIGINT) AS quantity,
        sum(revenue) AS revenue
    FROM marts.product_daily
    WHERE date BETWEEN $first AND $last
    GROUP BY product_id
),
named AS (
    SELECT
        sold.product_id, coalesce(products.product_name, '') AS product_name, views, add_to_carts, orders, quantity,
        revenue
    FROM sold
    LEFT JOIN star.dim_product AS products ON sold.product_id = products.product_id AND products.is_current
),
totals AS (
    SELECT count(CASE WHEN orders > 0 THEN 1 END) AS products_sold, sum(revenue) AS total_revenue FROM named
)
SELECT named.product_id, product_name, views, add_to_carts, orders, quantity, revenue, products_sold, total_revenue
FROM named
CROSS JOIN totals
WHERE strpos(lower(product_name), lower($text)) > 0 OR strpos(lower(named.product_id), lower($text)) > 0
ORDER BY revenue DESC, quantity DESC, views DESC, named.product_id
LIMIT $top
"""

_LIST_SCHEMA: Schema = {
    "list_id": pl.String, "list_name": pl.String, "sessions": pl.Int64, "impressions": pl.Int64, "clicks": pl.Int64,
    "purchases": pl.Int64, "engagement_rate": pl.Float64, "revenue": _MONEY, "lists": pl.Int64,
}  # fmt: skip
_LISTS = """
SELECT
    list_id, coalesce(list_name, ''), sessions, impressions, clicks, purchases, engagement_rate, revenue,
    count(*) OVER ()
FROM marts.list_performance
ORDER BY engagement_rate DESC, sessions DESC, list_id
LIMIT $top
"""

_CUSTOMER_SCHEMA: Schema = {
    "customers": pl.Int64, "active": pl.Int64, "buyers": pl.Int64, "repeat_buyers": pl.Int64, "revenue": _MONEY,
    "orphans": pl.Int64,
}  # fmt: skip
_CUSTOMERS = """
SELECT
    count(*),
    count(CASE WHEN sessions > 0 THEN 1 END),
    count(CASE WHEN orders > 0 THEN 1 END),
    count(CASE WHEN orders > 1 THEN 1 END),
    coalesce(sum(revenue), 0),
    (SELECT count(*) FROM ops.orphans)
FROM marts.user_metrics
"""

_CITY_SCHEMA: Schema = {
    "city": pl.String, "customers": pl.Int64, "buyers": pl.Int64, "orders": pl.Int64, "revenue": _MONEY,
}  # fmt: skip
_CITIES = """
SELECT
    coalesce(users.city, '') AS city,
    count(*) AS customers,
    count(CASE WHEN metrics.orders > 0 THEN 1 END),
    CAST(sum(metrics.orders) AS BIGINT),
    sum(metrics.revenue) AS revenue
FROM marts.user_metrics AS metrics
LEFT JOIN cleaned.users AS users ON metrics.user_id = users.user_id
GROUP BY coalesce(users.city, '')
ORDER BY revenue DESC, customers DESC, city
LIMIT $top
"""

_BEST_SCHEMA: Schema = {
    "name": pl.String, "city": pl.String, "sessions": pl.Int64, "orders": pl.Int64, "revenue": _MONEY,
    "favourite": pl.String, "last_active_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
_BEST = """
SELECT
    coalesce(metrics.name, metrics.user_id) AS name, coalesce(users.city, ''), metrics.sessions, metrics.orders,
    metrics.revenue, coalesce(metrics.favourite_product, ''), metrics.last_active_at
FROM marts.user_metrics AS metrics
LEFT JOIN cleaned.users AS users ON metrics.user_id = users.user_id
ORDER BY metrics.revenue DESC, metrics.orders DESC, metrics.user_id
LIMIT $top
"""

_QUALITY_SCHEMA: Schema = {
    "date": pl.Date, "source": pl.String, "rows_accepted": pl.Int64, "rows_duplicate": pl.Int64,
    "rows_quarantined": pl.Int64,
}  # fmt: skip
_QUALITY = """
SELECT date, source, rows_accepted, rows_duplicate, rows_quarantined
FROM marts.data_quality_daily
WHERE date BETWEEN $first AND $last AND ($all_sources OR list_contains($sources, source))
ORDER BY date, source
"""

_REFUSED_ON = "coalesce(event_date, neighbour_date, CAST(quarantined_at AS DATE))"
"""The day a refused record counts on, as in ops.batch_days; without any time of its own, the day it was refused."""

_REASON_SCHEMA: Schema = {"error_reason": pl.String, "rows": pl.Int64}
_REASONS = f"""
SELECT error_reason, count(*)
FROM ops.quarantine
WHERE {_REFUSED_ON} BETWEEN $first AND $last AND ($all_sources OR list_contains($sources, source))
GROUP BY error_reason
"""

_REFUSED_SCHEMA: Schema = {
    "date": pl.Date, "source": pl.String, "input": pl.String, "position": pl.Int64, "error_reason": pl.String,
    "raw": pl.String,
}  # fmt: skip
_REFUSED = f"""
SELECT {_REFUSED_ON} AS day, source, input, position, error_reason, raw
FROM ops.quarantine
WHERE
    {_REFUSED_ON} BETWEEN $first AND $last
    AND ($all_sources OR list_contains($sources, source))
    AND (
        $reason = ''
        OR strpos('; ' || error_reason || ';', '; ' || $reason || ';') > 0
        OR strpos('; ' || error_reason, '; ' || $reason || ' (') > 0
    )
ORDER BY day DESC, source, input, position
LIMIT $top
"""

_BATCH_SCHEMA: Schema = {
    "finished_at": pl.Datetime("us", "UTC"), "source": pl.String, "input": pl.String, "rows_read": pl.Int64,
    "rows_accepted": pl.Int64, "rows_duplicate": pl.Int64, "rows_quarantined": pl.Int64,
}  # fmt: skip
_BATCHES = """
SELECT finished_at, source, input, rows_read, rows_accepted, rows_duplicate, rows_quarantined
FROM ops.pipeline_logs
WHERE ($all_sources OR list_contains($sources, source))
ORDER BY finished_at DESC, input
LIMIT $top
"""


def _frame(session: Session, sql: str, schema: Schema, **values: object) -> pl.DataFrame:
    return pl.DataFrame(session.rows(sql, values), schema=dict(schema), orient="row")


def _within(days: DayRange) -> dict[str, object]:
    return {"first": days.first, "last": days.last}


def _of(sources: Sequence[str]) -> dict[str, object]:
    """No source chosen means all of them."""
    return {"all_sources": not sources, "sources": list(sources) or [""]}


def missing_tables(session: Session, wanted: Sequence[str]) -> list[str]:
    """Which of the tables were never made."""
    return sorted(set(wanted) - session.tables())


def days_with_data(session: Session, now: dt.datetime) -> tuple[DayRange, dt.date] | None:
    """From the first to the last day with traffic, and the first day that was not over when the data arrived.

    None without any traffic. A day is complete once data arrived after it had ended, as in the report.
    """
    ((first, last),) = session.rows("SELECT min(date), max(date) FROM marts.daily_trends")
    ((arrived_at,),) = session.rows("SELECT max(arrived_at) FROM ops.pipeline_logs")
    if not isinstance(first, dt.date) or not isinstance(last, dt.date):
        return None
    arrival = arrived_at if isinstance(arrived_at, dt.datetime) else now
    return DayRange(first, last), min(arrival, now).astimezone(dt.UTC).date()


def loaded_at(session: Session) -> dt.datetime | None:
    """When the last batch was loaded."""
    ((finished_at,),) = session.rows("SELECT max(finished_at) FROM ops.pipeline_logs")
    return finished_at if isinstance(finished_at, dt.datetime) else None


def read_days(session: Session, days: DayRange, complete_until: dt.date) -> pl.DataFrame:
    """One row for every day of the range, those without traffic included."""
    found = _frame(session, _DAYS, _DAY_SCHEMA, **_within(days))
    calendar = pl.DataFrame({"date": pl.date_range(days.first, days.last, eager=True)})
    numbers = [name for name in _DAY_SCHEMA if name != "date"]
    return (
        calendar.join(found, on="date", how="left", maintain_order="left")
        .with_columns(pl.col(numbers).fill_null(0), (pl.col("date") < complete_until).alias("is_complete"))
        .cast({"revenue": _MONEY})
    )


def read_funnel(session: Session, days: DayRange) -> pl.DataFrame:
    """Sessions that reached each step of the funnel."""
    return _frame(session, _FUNNEL, _FUNNEL_SCHEMA, **_within(days))


def read_devices(session: Session, days: DayRange) -> pl.DataFrame:
    """Visits and sales by kind of device."""
    return _frame(session, _DEVICES, _DEVICE_SCHEMA, **_within(days))


def read_credits(session: Session, days: DayRange, sources: Sequence[str] = ()) -> pl.DataFrame:
    """What each channel is credited with by the three rules; of these traffic sources only, if any are given."""
    return _frame(session, _CREDITS, _CREDIT_SCHEMA, **_within(days), **_of(sources))


def traffic_sources(session: Session, days: DayRange, top: int) -> list[str]:
    """The traffic sources that were credited with orders, the strongest first."""
    return [str(source) for source, _ in session.rows(_TRAFFIC_SOURCES, {**_within(days), "top": top})]


def read_products(session: Session, days: DayRange, top: int, text: str = "") -> pl.DataFrame:
    """The products that sold best, of those with `text` in their name or id; the totals are those of all products."""
    return _frame(session, _PRODUCTS, _PRODUCT_SCHEMA, **_within(days), text=text, top=top)


def read_lists(session: Session, top: int) -> pl.DataFrame:
    """The product lists that engage best, over all days: there is no table of lists by day."""
    return _frame(session, _LISTS, _LIST_SCHEMA, top=top)


def read_customers(session: Session) -> dict[str, Any]:
    """How many customers there are and what they do, over all days."""
    return _frame(session, _CUSTOMERS, _CUSTOMER_SCHEMA).row(0, named=True)


def read_cities(session: Session, top: int) -> pl.DataFrame:
    """Where customers live, by revenue. The city is empty where it is not known."""
    return _frame(session, _CITIES, _CITY_SCHEMA, top=top)


def read_best_customers(session: Session, top: int) -> pl.DataFrame:
    """The customers who bought most."""
    return _frame(session, _BEST, _BEST_SCHEMA, top=top)


def data_sources(session: Session) -> list[str]:
    """The sources that data came from."""
    return [str(source) for (source,) in session.rows("SELECT DISTINCT source FROM ops.pipeline_logs ORDER BY source")]


def read_quality(session: Session, days: DayRange, sources: Sequence[str] = ()) -> pl.DataFrame:
    """What the gate did with the records of each day and source."""
    return _frame(session, _QUALITY, _QUALITY_SCHEMA, **_within(days), **_of(sources))


def read_reasons(session: Session, days: DayRange, sources: Sequence[str] = ()) -> pl.DataFrame:
    """How many records each reason refused. A record with two reasons counts for both; what a reason says of the
    place (`body: not JSON (position 7: …)`) is left out.
    """
    found = _frame(session, _REASONS, _REASON_SCHEMA, **_within(days), **_of(sources))
    kinds = pl.col("error_reason").str.split("; ").list.eval(pl.element().str.split(" (").list.first()).list.unique()
    single = found.with_columns(reason=kinds).explode("reason")
    return single.group_by("reason").agg(pl.col("rows").sum()).sort(["rows", "reason"], descending=[True, False])


def read_refused(
    session: Session, days: DayRange, top: int, sources: Sequence[str] = (), reason: str = ""
) -> pl.DataFrame:
    """Refused records, the latest days first; those that a reason refused, if one is given."""
    return _frame(session, _REFUSED, _REFUSED_SCHEMA, **_within(days), **_of(sources), reason=reason, top=top)


def read_batches(session: Session, top: int, sources: Sequence[str] = ()) -> pl.DataFrame:
    """The latest batches that passed the gate."""
    return _frame(session, _BATCHES, _BATCH_SCHEMA, **_of(sources), top=top)


def days_of_last_load(session: Session) -> tuple[dt.date, dt.date] | None:
    """From the first to the last day of the events that the run which loaded last brought, if any."""
    rows = session.rows(
        """
        SELECT min(min_event_date), max(max_event_date) FROM ops.pipeline_logs
        WHERE run_id = (SELECT run_id FROM ops.pipeline_logs ORDER BY finished_at DESC, batch_id LIMIT 1)
        """
    )
    first, last = rows[0]
    return (first, last) if isinstance(first, dt.date) and isinstance(last, dt.date) else None


def spreadsheet(refused: pl.DataFrame) -> Iterator[Sequence[str]]:
    """Header and rows of refused records for a CSV file; no cell is one that a spreadsheet runs."""
    yield refused.columns
    for row in refused.iter_rows():
        yield [harmless(str(cell)) for cell in row]
