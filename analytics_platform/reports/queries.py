"""What the report reads: small frames from the marts, summed by the warehouse, in a fixed order.

The tables in `READS` must exist; they may be empty. Values are bound, never written into the SQL.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from analytics_platform.warehouse import Session

READS = (
    "marts.daily_trends",
    "marts.funnel_daily",
    "marts.attribution",
    "marts.device_daily",
    "marts.product_daily",
    "marts.data_quality_daily",
    "marts.list_performance",
    "marts.product_performance",
    "marts.user_metrics",
    "cleaned.events",
    "cleaned.users",
    "star.dim_product",
    "star.fact_sessions",
    "ops.quarantine",
    "ops.pipeline_logs",
)
"""The tables a report is made from."""

TOP_PRODUCTS = 10
TOP_LISTS = 10
TOP_BOUGHT = 20
TOP_CUSTOMERS = 10
TOP_REASONS = 8

_DAYS = """
WITH bounds AS (SELECT min(date) AS first, max(date) AS last FROM marts.daily_trends),
calendar AS (
    SELECT CAST(unnest(generate_series(first, last, INTERVAL 1 DAY)) AS DATE) AS date
    FROM bounds
    WHERE first IS NOT NULL
)
SELECT
    calendar.date,
    calendar.date < CAST($complete_until AS DATE) AS is_complete,
    coalesce(trends.sessions, 0) AS sessions,
    coalesce(trends.visitors, 0) AS visitors,
    CAST(round(coalesce(trends.conversion_rate * trends.sessions, 0)) AS BIGINT) AS converted,
    coalesce(trends.orders, 0) AS orders,
    CAST(coalesce(trends.revenue, 0) AS DECIMAL(38, 4)) AS revenue
FROM calendar
LEFT JOIN marts.daily_trends AS trends ON calendar.date = trends.date
ORDER BY calendar.date
"""

_FUNNEL = """
SELECT step_index, step, CAST(sum(sessions) AS BIGINT) AS sessions
FROM marts.funnel_daily
GROUP BY step_index, step
ORDER BY step_index
"""

_CREDITS = """
SELECT
    channel,
    CAST(coalesce(sum(orders) FILTER (WHERE model = $first), 0) AS BIGINT) AS first_orders,
    CAST(coalesce(sum(orders) FILTER (WHERE model = $last), 0) AS BIGINT) AS last_orders,
    CAST(coalesce(sum(orders) FILTER (WHERE model = $indirect), 0) AS BIGINT) AS indirect_orders,
    coalesce(sum(revenue) FILTER (WHERE model = $first), 0)::DECIMAL(38, 4) AS first_revenue,
    coalesce(sum(revenue) FILTER (WHERE model = $last), 0)::DECIMAL(38, 4) AS last_revenue,
    coalesce(sum(revenue) FILTER (WHERE model = $indirect), 0)::DECIMAL(38, 4) AS indirect_revenue
FROM marts.attribution
GROUP BY channel
ORDER BY last_revenue DESC, last_orders DESC, channel
"""

_DEVICES = """
SELECT
    device_type,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(bounces) AS BIGINT) AS bounces,
    CAST(sum(round(coalesce(conversion_rate, 0) * sessions)) AS BIGINT) AS converted,
    CAST(sum(orders) AS BIGINT) AS orders,
    sum(revenue)::DECIMAL(38, 4) AS revenue
FROM marts.device_daily
GROUP BY device_type
ORDER BY sessions DESC, device_type
"""

_PRODUCTS = """
WITH sold AS (
    SELECT
        product_id,
        CAST(sum(views) AS BIGINT) AS views,
        CAST(sum(add_to_carts) AS BIGINT) AS add_to_carts,
        CAST(sum(orders) AS BIGINT) AS orders,
        CAST(sum(quantity) AS BIGINT) AS quantity,
        sum(revenue)::DECIMAL(38, 4) AS revenue
    FROM marts.product_daily
    GROUP BY product_id
)
SELECT
    sold.product_id,
    coalesce(products.product_name, '') AS product_name,
    sold.* EXCLUDE (product_id),
    (SELECT count(*) FROM sold WHERE orders > 0) AS products_sold,
    (SELECT sum(revenue) FROM sold)::DECIMAL(38, 4) AS total_revenue
FROM sold
LEFT JOIN star.dim_product AS products ON sold.product_id = products.product_id AND products.is_current
ORDER BY sold.revenue DESC, sold.quantity DESC, sold.views DESC, sold.product_id
LIMIT $top
"""

_LISTS = """
SELECT
    list_id,
    coalesce(list_name, '') AS list_name,
    sessions,
    impressions,
    clicks,
    purchases,
    engagement_rate,
    revenue::DECIMAL(38, 4) AS revenue,
    count(*) OVER () AS lists
FROM marts.list_performance
ORDER BY engagement_rate DESC, sessions DESC, list_id
LIMIT $top
"""

_BOUGHT = """
WITH average AS (SELECT avg(views) AS average_views FROM marts.product_performance)
SELECT
    products.product_id,
    coalesce(products.product_name, '') AS product_name,
    products.views,
    products.purchases,
    products.view_to_purchase_rate,
    products.revenue::DECIMAL(38, 4) AS revenue,
    average.average_views,
    count(*) OVER () AS products
FROM marts.product_performance AS products
INNER JOIN average ON products.views >= average.average_views
WHERE products.views > 0
ORDER BY products.view_to_purchase_rate DESC, products.purchases DESC, products.product_id
LIMIT $top
"""

_CUSTOMERS = """
SELECT
    user_id,
    coalesce(name, '') AS name,
    interactions,
    coalesce(favourite_product, '') AS favourite_product,
    favourite_views,
    last_active_at,
    orders,
    revenue::DECIMAL(38, 4) AS revenue,
    count(*) OVER () AS customers,
    CAST(sum(interactions) OVER () AS BIGINT) AS all_interactions
FROM marts.user_metrics
WHERE interactions > 0
ORDER BY interactions DESC, last_active_at DESC, user_id
LIMIT $top
"""

_ORPHANS = """
SELECT
    events.source,
    count(DISTINCT events.user_id) AS users,
    count(DISTINCT CASE WHEN users.user_id IS NULL THEN events.user_id END) AS orphans,
    count(*) AS interactions,
    sum(CASE WHEN users.user_id IS NULL THEN 1 ELSE 0 END) AS orphan_interactions
FROM cleaned.events AS events
LEFT JOIN cleaned.users AS users ON events.user_id = users.user_id
WHERE events.user_id IS NOT NULL AND NOT events.is_bot
GROUP BY events.source
"""

_QUALITY = """
SELECT date, source, rows_accepted, rows_duplicate, rows_quarantined
FROM marts.data_quality_daily
ORDER BY date, source
"""

_REASONS = """
SELECT reason, count(*) AS rows
FROM (SELECT unnest(list_distinct(string_split(error_reason, '; '))) AS reason FROM ops.quarantine)
GROUP BY reason
ORDER BY rows DESC, reason
LIMIT $top
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a report is made from.

    `days` has a row for every day from the first to the last with traffic, those without any included. A day
    is complete once data arrived after it had ended.
    """

    days: pl.DataFrame
    visitors: int
    funnel: pl.DataFrame
    credits: pl.DataFrame
    devices: pl.DataFrame
    products: pl.DataFrame
    lists: pl.DataFrame
    bought: pl.DataFrame
    customers: pl.DataFrame
    orphans: pl.DataFrame
    quality: pl.DataFrame
    reasons: pl.DataFrame
    loaded_at: dt.datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all to report."""
        return self.days.is_empty() and self.quality.is_empty() and self.reasons.is_empty()


def read_facts(session: Session, as_of: dt.datetime) -> Facts:
    """Read the tables of `READS`, all their days. A day later than `as_of` never counts as complete."""
    ((visitors,),) = session.rows("SELECT count(DISTINCT client_id) FROM star.fact_sessions WHERE NOT is_bot")
    ((loaded_at, arrived_at),) = session.rows("SELECT max(finished_at), max(arrived_at) FROM ops.pipeline_logs")
    arrival = arrived_at if isinstance(arrived_at, dt.datetime) else as_of
    complete_until = min(arrival, as_of).astimezone(dt.UTC).date()
    models = {"first": "first_touch", "last": "last_touch", "indirect": "last_non_direct"}
    return Facts(
        days=session.frame(_DAYS, {"complete_until": complete_until}),
        visitors=int(str(visitors)),
        funnel=session.frame(_FUNNEL),
        credits=session.frame(_CREDITS, models),
        devices=session.frame(_DEVICES),
        products=session.frame(_PRODUCTS, {"top": TOP_PRODUCTS}),
        lists=session.frame(_LISTS, {"top": TOP_LISTS}),
        bought=session.frame(_BOUGHT, {"top": TOP_BOUGHT}),
        customers=session.frame(_CUSTOMERS, {"top": TOP_CUSTOMERS}),
        orphans=_read_orphans(session),
        quality=session.frame(_QUALITY),
        reasons=session.frame(_REASONS, {"top": TOP_REASONS}),
        loaded_at=loaded_at if isinstance(loaded_at, dt.datetime) else None,
    )


def _read_orphans(session: Session) -> pl.DataFrame:
    """Users and events of each source that names users, counted by the warehouse: events are too many to fetch."""
    counts = ("users", "orphans", "interactions", "orphan_interactions")
    schema: dict[str, type[pl.DataType]] = {"source": pl.String} | dict.fromkeys(counts, pl.Int64)
    rows = [[source, *(int(str(number)) for number in numbers)] for source, *numbers in session.rows(_ORPHANS)]
    return pl.DataFrame(rows, schema=schema, orient="row").sort("source")
