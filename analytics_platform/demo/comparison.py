"""Compare the tables with the simulator's truth, per source and over all of them, and sales also with the shop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from analytics_platform.demo.simulator import BoughtOrder
from analytics_platform.demo.simulator.catalogue import RENAMED, VERSIONS
from analytics_platform.demo.simulator.tally import Figures
from analytics_platform.shop.errors import OrderRejectedError
from analytics_platform.warehouse import Session

SOURCES = ("clickstream", "ecommerce_events", "web_logs")

READ_AGAIN = (("web_logs", "rows_read"), ("web_logs", "rows_duplicate"))
"""Figures that differ from run to run, as the newest documents are read again."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure: its labels, and its value in each place where it is known."""

    labels: tuple[str, ...]
    values: tuple[object, ...]

    @property
    def equal(self) -> bool:
        """Whether all values are equal."""
        return all(value == self.values[0] for value in self.values)

    @property
    def texts(self) -> list[str]:
        """The values as text: of mappings how many values they have, or the first one that differs."""
        if isinstance(self.values[0], Mapping) and not self.equal:
            maps = [value if isinstance(value, Mapping) else {} for value in self.values]
            keys = dict.fromkeys(key for each in maps for key in each)
            key = next((key for key in keys if any(each.get(key) != maps[0].get(key) for each in maps)), "")
            return [f"{key}: {each.get(key, 'missing')}" for each in maps]
        shown = [f"{len(value)} values" if isinstance(value, Mapping) else value for value in self.values]
        return [f"{value:,}" if isinstance(value, int) else str(value) for value in shown]


_PER_SOURCE = """
SELECT
    (SELECT sum(rows_read)::BIGINT FROM ops.pipeline_logs WHERE source = $source) AS rows_read,
    (SELECT count(*) FROM star.fact_events WHERE feed = $source) AS rows_accepted,
    (SELECT sum(rows_duplicate)::BIGINT FROM ops.pipeline_logs WHERE source = $source) AS rows_duplicate,
    (SELECT count(*) FROM ops.quarantine WHERE source = $source) AS rows_quarantined
"""

_GROUPS_PER_SOURCE: Mapping[str, str] = MappingProxyType(
    {
        "quarantined_by_reason": """
            SELECT regexp_replace(error_reason, ' \\([^;]*\\)', '', 'g'), count(*) FROM ops.quarantine
            WHERE source = $source GROUP BY 1
        """,
        "events_by_day": "SELECT event_date, count(*) FROM star.fact_events WHERE feed = $source GROUP BY 1",
    }
)

_TOGETHER = """
SELECT
    (SELECT count(DISTINCT client_id) FROM star.fact_events) AS clients,
    (SELECT count(*) FROM star.dim_person WHERE sessions > 0) AS persons,
    (SELECT count(*) FROM star.fact_sessions) AS sessions,
    (SELECT count(*) FILTER (WHERE is_bounce) FROM star.fact_sessions) AS bounces,
    (SELECT count(*) FILTER (WHERE is_bot) FROM star.fact_sessions) AS bot_sessions,
    (SELECT count(*) FROM star.fact_orders) AS orders,
    (SELECT count(*) FROM star.fact_orders WHERE revenue IS NULL) AS orders_of_unknown_revenue,
    (SELECT CAST(sum(revenue) AS VARCHAR) FROM marts.product_daily) AS product_revenue,
    (SELECT CAST(sum(not_itemized) AS VARCHAR) FROM star.fact_orders) AS not_itemized,
    (SELECT CAST(sum(revenue) AS VARCHAR) FROM star.fact_orders) AS revenue,
    (SELECT CAST(coalesce(sum(tax), 0) AS VARCHAR) FROM star.fact_orders) AS tax,
    (SELECT CAST(coalesce(sum(shipping), 0) AS VARCHAR) FROM star.fact_orders) AS shipping,
    (SELECT CAST(coalesce(sum(discount), 0) AS VARCHAR) FROM star.fact_orders) AS discount,
    (SELECT CAST(coalesce(sum(amount), 0) AS VARCHAR) FROM star.fact_refunds) AS refunds,
    (SELECT CAST(sum(net_revenue) AS VARCHAR) FROM marts.daily_trends) AS net_revenue,
    (SELECT count(*) FROM (
        SELECT left_value, right_value, reason FROM ops.reconciliations
        UNION ALL SELECT left_value, right_value, reason FROM ops.customer_reconciliations
    ) AS compared WHERE left_value <> right_value AND reason IS NULL) AS unexplained_differences
"""

_GROUPS_TOGETHER: Mapping[str, str] = MappingProxyType(
    {
        "sessions_by_channel": "SELECT channel, count(*) FROM star.fact_sessions GROUP BY 1",
        "visitors_by_day": "SELECT date, visitors FROM marts.daily_trends WHERE visitors > 0",
        "new_customers_by_month": "SELECT month, new_customers FROM marts.monthly_growth WHERE new_customers > 0",
        "events_by_name": "SELECT event_name, count(*) FROM star.fact_events GROUP BY 1",
        "sessions_by_shop_day": "SELECT shop_date, count(*) FROM star.fact_sessions GROUP BY 1",
        "orders_by_shop_day": "SELECT shop_date, count(*) FROM star.fact_orders GROUP BY 1",
        "views_without_stock": "SELECT date, views FROM marts.product_daily WHERE lowest_stock = 0 AND views > 0",
        "sessions_by_day": "SELECT session_date, count(*) FROM star.fact_sessions GROUP BY 1",
        "orders_by_day": "SELECT order_date, count(*) FROM star.fact_orders GROUP BY 1",
        **{
            f"{name}_by_day": f"""
                SELECT date, CAST({name} AS VARCHAR) FROM marts.daily_trends
                WHERE orders > 0 OR date IN (SELECT refund_date FROM star.fact_refunds)
            """
            for name in ("revenue", "refunds", "net_revenue")
        },
    }
)

_LISTS = """
SELECT
    list_name,
    count(*) FILTER (WHERE event_name = 'view_item_list') AS impressions,
    count(*) FILTER (WHERE event_name = 'select_item') AS clicks,
    count(*) FILTER (WHERE event_name = 'add_to_cart') AS add_to_carts,
    count(DISTINCT client_id) AS unique_users,
    count(DISTINCT product_id) AS unique_products
FROM star.fact_event_items
WHERE list_name IS NOT NULL AND event_id IN (SELECT event_id FROM star.fact_events WHERE feed = 'ecommerce_events')
GROUP BY list_name
"""


_ORPHANS = "SELECT user_id, log_interactions FROM ops.orphans"

_PEOPLE = """
SELECT user_id, first_name, last_name, email, company_name AS company, city FROM cleaned.users
WHERE user_id IN (SELECT user_id FROM cleaned.user_versions)
"""

_CUSTOMERS = """
SELECT
    user_id,
    interactions,
    favourite_product,
    strftime(first_seen_at, '%Y-%m-%dT%H:%M:%S.%g+00:00') AS first_seen_at,
    strftime(last_active_at, '%Y-%m-%dT%H:%M:%S.%g+00:00') AS last_active_at,
    sessions,
    orders,
    CAST(coalesce(revenue, 0) AS VARCHAR) AS revenue
FROM marts.user_metrics
WHERE interactions > 0 AND user_id IN (SELECT user_id FROM cleaned.user_versions)  -- guests of the shop are no users
"""

_PERSONS = """
SELECT
    users.user_id,
    persons.clients,
    persons.sessions,
    persons.orders,
    CAST(coalesce(bought.revenue, 0) AS VARCHAR) AS revenue
FROM cleaned.users AS users
LEFT JOIN cleaned.person_members AS members ON users.user_id = members.user_id
INNER JOIN star.dim_person AS persons ON coalesce(members.person_id, 'user:' || users.user_id) = persons.person_id
LEFT JOIN marts.customer_revenue AS bought ON persons.person_id = bought.person_id
WHERE users.user_id IN (SELECT user_id FROM cleaned.user_versions)
"""


def compare(session: Session, truth: Figures) -> Iterator[Compared]:
    """Compare the figures of the truth with those of the tables."""
    found = find_figures(session)
    for key in {**truth, **found}:
        if key not in READ_AGAIN:
            yield Compared(key, (truth.get(key), found.get(key)))


def find_figures(session: Session) -> Figures:
    """Compute from the tables every figure that the truth has."""
    found: Figures = {}
    for source in SOURCES:
        figures = _one_row(session, _PER_SOURCE, source) | _groups(session, _GROUPS_PER_SOURCE, source)
        found |= {(source, name): value for name, value in figures.items()}
    lists = _by_key(session, _LISTS, "list_name")
    found |= {("ecommerce_events", f"list {name}"): figures for name, figures in lists.items()}
    found["web_logs", "orphans"] = {str(user): logs for user, logs in session.rows(_ORPHANS)}
    found["users", "people"] = _by_key(session, _PEOPLE)
    found["all", "customers"] = _by_key(session, _CUSTOMERS)
    found["all", "persons_by_user"] = _by_key(session, _PERSONS)
    together = _one_row(session, _TOGETHER) | _groups(session, _GROUPS_TOGETHER)
    return found | {("all", name): value for name, value in together.items()}


def _one_row(session: Session, sql: str, source: str | None = None) -> dict[str, object]:
    return session.frame(sql, {"source": source} if source else None).row(0, named=True)


def _groups(session: Session, queries: Mapping[str, str], source: str | None = None) -> dict[str, dict[str, object]]:
    parameters = {"source": source} if source else None
    return {name: {str(key): value for key, value in session.rows(sql, parameters)} for name, sql in queries.items()}


def _by_key(session: Session, sql: str, key: str = "user_id") -> dict[str, dict[str, object]]:
    """Return the other columns by the value of the key, in order."""
    return {str(row.pop(key)): row for row in session.frame(sql).sort(key).iter_rows(named=True)}


@dataclass(frozen=True, slots=True)
class Sales:
    """What the shop has sold, by order key, how many it cancelled or rejected without items, and other rejections."""

    totals: Mapping[str, Decimal]
    cancelled: int
    empty: int
    rejected: Sequence[OrderRejectedError]


def reconcile(session: Session, sales: Sales, orders: Iterable[BoughtOrder]) -> Iterator[Compared]:
    """Compare sales according to the shop, the warehouse and the truth; the shop knows no shipping and no discount."""
    truth = {f"{order.client_id}/{order.transaction_id}": order for order in orders}
    found = dict(session.rows("SELECT client_id || '/' || transaction_id, revenue FROM star.fact_orders"))
    read = session.rows("SELECT order_key, total, status FROM cleaned.orders")
    empty = [sum(revenue == 0 for revenue in found.values()), sum(not order.lines for order in truth.values())]
    yield Compared(("orders",), (len(sales.totals), len(found) - empty[0], len(truth) - empty[1]))
    goods = {key: order.goods for key, order in truth.items() if order.lines}
    yield Compared(("worth of the goods, by order",), (sales.totals, {key: total for key, total, _ in read}, goods))
    cancelled = [sum(status == "cancelled" for *_, status in read), sum(each.is_cancelled for each in truth.values())]
    yield Compared(("cancelled",), (sales.cancelled, *cancelled))
    sql = "SELECT version, product_name, price FROM star.dim_product WHERE product_id = $renamed AND variant IS NULL"
    versions = {number: tuple(told) for number, *told in session.rows(sql, {"renamed": RENAMED})}
    yield Compared(("versions of a renamed product",), (VERSIONS, versions, VERSIONS))
    stock = session.rows("SELECT product_id, max_by(stock, updated_at) FROM cleaned.product_versions GROUP BY 1")
    yield Compared(("out of stock",), ([RENAMED], [number for number, pieces in stock if not pieces], [RENAMED]))
    yield Compared(("orders without items",), (sales.empty, *empty))
    yield Compared(("orders rejected for another reason",), (len(sales.rejected), 0, 0))
