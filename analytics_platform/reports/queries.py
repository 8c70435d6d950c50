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
    "star.dim_product",
    "star.fact_sessions",
    "ops.quarantine",
    "ops.pipeline_logs",
)
"""The tables a report is made from."""

TOP_PRODUCTS = 10
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
LEFT JOIN star.dim_product AS products ON sold.product_id = products.product_id
ORDER BY sold.revenue DESC, sold.quantity DESC, sold.views DESC, sold.product_id
LIMIT $top
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
    quality: pl.DataFrame
    reasons: pl.DataFrame
    loaded_at: dt.datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all to report."""
        return self.days.is_empty() and self.quality.is_empty() and self.reasons.is_empty()


def read_facts(session: Session, as_of: dt.datetime) -> Facts:
    """Read the tables of `READS`, all their days. A day later than `as_of` never counts as complete."""
    ((visitors,),) = session.rows("SELECT count(DISTINCT customer_key) FROM star.fact_sessions WHERE NOT is_bot")
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
        quality=session.frame(_QUALITY),
        reasons=session.frame(_REASONS, {"top": TOP_REASONS}),
        loaded_at=loaded_at if isinstance(loaded_at, dt.datetime) else None,
    )
