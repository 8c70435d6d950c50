"""What findings and dashboard read of customers: who they are, where they live, and users who are none."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl

from analytics_platform.reports.queries import TOP, frame
from analytics_platform.warehouse import Session


def read_customers(
    session: Session, by: Literal["interactions", "revenue"] = "interactions", top: int = TOP
) -> pl.DataFrame:
    """Return the customers with most interactions or revenue; `customers` and `all_interactions` are of all of them."""
    sql = f"""
        SELECT
            metrics.user_id, coalesce(metrics.name, ''), coalesce(users.city, ''), interactions,
            coalesce(favourite_product, ''), favourite_views, last_active_at, orders, revenue,
            coalesce(unknown_amounts, 0), count(*) OVER (),
            (sum(interactions) OVER ())::BIGINT
        FROM marts.user_metrics AS metrics
        LEFT JOIN cleaned.users AS users ON metrics.user_id = users.user_id
        WHERE interactions > 0 OR orders > 0
        ORDER BY {by} DESC NULLS LAST, last_active_at DESC, metrics.user_id
        LIMIT $top
        """
    columns = (
        "user_id user_name city interactions favourite_product favourite_views last_active_at orders revenue unknown "
        "customers all_interactions"
    )
    return frame(session, columns, sql, top=top)


def read_customer_totals(session: Session) -> dict[str, Any]:
    """Return how many customers there are and what they did, over all days.

    `all_orders` and `orders_revenue` are of everyone.
    """
    sql = """
        SELECT
            count(*), count(CASE WHEN sessions > 0 THEN 1 END), count(CASE WHEN orders > 0 THEN 1 END),
            count(CASE WHEN orders > 1 THEN 1 END), coalesce(sum(revenue), 0), (SELECT count(*) FROM ops.orphans),
            (SELECT coalesce(sum(revenue), 0) FROM marts.daily_trends),
            coalesce(sum(orders), 0)::BIGINT, (SELECT coalesce(sum(orders), 0)::BIGINT FROM marts.daily_trends),
            coalesce(sum(unknown_amounts), 0)::BIGINT
        FROM marts.user_metrics
        """
    columns = "customers active buyers repeat_buyers revenue orphans orders_revenue orders all_orders unknown"
    return frame(session, columns, sql).row(0, named=True)


def read_persons(session: Session, top: int) -> pl.DataFrame:
    """Return the persons who brought most revenue, over all days."""
    sql = """
        SELECT person_id, last_order_date, orders, revenue, refunds, net_revenue, coalesce(unknown_amounts, 0),
            coalesce(unknown_refunds, 0)
        FROM marts.customer_revenue ORDER BY rank LIMIT $top
        """
    columns = "person_id last_order_date orders revenue refunds net_revenue unknown unknown_refunds"
    return frame(session, columns, sql, top=top)


def read_cities(session: Session, top: int) -> pl.DataFrame:
    """Return where customers live, by revenue. The city is empty where it is not known."""
    sql = """
        SELECT
            coalesce(users.city, '') AS city, count(*) AS customers, count(CASE WHEN metrics.orders > 0 THEN 1 END),
            sum(metrics.orders)::BIGINT, sum(metrics.revenue) AS revenue,
            coalesce(sum(metrics.unknown_amounts), 0)::BIGINT
        FROM marts.user_metrics AS metrics
        LEFT JOIN cleaned.users AS users ON metrics.user_id = users.user_id
        GROUP BY coalesce(users.city, '')
        ORDER BY revenue DESC NULLS LAST, customers DESC, city
        LIMIT $top
        """
    return frame(session, "city customers buyers orders revenue unknown", sql, top=top)


def read_places(session: Session, top: int) -> pl.DataFrame:
    """Return where on the map customers live, how many, and their revenue; those whose place is known."""
    sql = """
        SELECT
            users.latitude, users.longitude, coalesce(min(users.city), '') AS city, count(*) AS customers,
            sum(metrics.revenue) AS revenue
        FROM marts.user_metrics AS metrics
        INNER JOIN cleaned.users AS users ON metrics.user_id = users.user_id
        WHERE users.latitude IS NOT NULL AND users.longitude IS NOT NULL
        GROUP BY users.latitude, users.longitude
        ORDER BY customers DESC, users.latitude, users.longitude
        LIMIT $top
        """
    return frame(session, "latitude longitude city customers revenue", sql, top=top)


def read_orphans(session: Session) -> pl.DataFrame:
    """Return users and events of each source that names users, and how many of them are no known customers."""
    sql = """
        SELECT
            source, count(DISTINCT events.user_id),
            count(DISTINCT CASE WHEN users.user_id IS NULL THEN events.user_id END), count(*),
            count(CASE WHEN users.user_id IS NULL THEN 1 END)
        FROM cleaned.events AS events
        LEFT JOIN cleaned.users AS users ON events.user_id = users.user_id
        WHERE events.user_id IS NOT NULL AND events.is_bot IS DISTINCT FROM TRUE
        GROUP BY source
        """
    return frame(session, "source users orphans interactions orphan_interactions", sql).sort("source")
