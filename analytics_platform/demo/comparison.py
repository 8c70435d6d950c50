"""What the tables say, compared with the simulator's truth: per source, and over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

from analytics_platform.demo.simulator.truth import Sources
from analytics_platform.warehouse import Session

SOURCES = ("clickstream", "ecommerce_events", "web_logs")

READ_AGAIN = ("web_logs",)
"""Sources of which the newest records are read again, so that how many were read depends on the hour."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure: `scope` is a source or `all`."""

    scope: str
    name: str
    truth: object
    found: object

    @property
    def equal(self) -> bool:
        """Whether the tables say what the truth says."""
        return self.truth == self.found


_PER_SOURCE = """
SELECT
    (SELECT sum(rows_read)::BIGINT FROM ops.pipeline_logs WHERE source = $source) AS rows_read,
    (SELECT count(*) FROM star.fact_events WHERE source = $source) AS rows_accepted,
    (SELECT sum(rows_duplicate)::BIGINT FROM ops.pipeline_logs WHERE source = $source) AS rows_duplicate,
    (SELECT count(*) FROM ops.quarantine WHERE source = $source) AS rows_quarantined
"""

_GROUPS_PER_SOURCE: Mapping[str, str] = MappingProxyType(
    {
        "quarantined_by_reason": """
            SELECT regexp_replace(error_reason, ' \\([^;]*\\)', '', 'g'), count(*) FROM ops.quarantine
            WHERE source = $source GROUP BY 1
        """,
        "events_by_day": "SELECT event_date, count(*) FROM star.fact_events WHERE source = $source GROUP BY 1",
    }
)

_TOGETHER = """
SELECT
    (SELECT count(DISTINCT client_id) FROM star.fact_events JOIN star.dim_customer USING (customer_key)) AS clients,
    (SELECT count(*) FROM star.fact_sessions) AS sessions,
    (SELECT count(*) FILTER (WHERE is_bounce) FROM star.fact_sessions) AS bounces,
    (SELECT count(*) FROM star.fact_orders) AS orders,
    (SELECT CAST(sum(revenue) AS VARCHAR) FROM star.fact_orders) AS revenue
"""

_GROUPS_TOGETHER: Mapping[str, str] = MappingProxyType(
    {
        "sessions_by_day": "SELECT session_date, count(*) FROM star.fact_sessions GROUP BY 1",
        "orders_by_day": "SELECT order_date, count(*) FROM star.fact_orders GROUP BY 1",
        "revenue_by_day": "SELECT order_date, CAST(sum(revenue) AS VARCHAR) FROM star.fact_orders GROUP BY 1",
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
WHERE list_name IS NOT NULL AND event_id IN (SELECT event_id FROM star.fact_events WHERE source = 'ecommerce_events')
GROUP BY list_name
"""


_ORPHANS = "SELECT user_id, log_interactions FROM ops.orphans"

_PEOPLE = "SELECT user_id, first_name, last_name, email, company_name AS company, city FROM cleaned.users"

_CUSTOMERS = """
SELECT
    user_id,
    interactions,
    favourite_product,
    strftime(first_seen_at, '%Y-%m-%dT%H:%M:%S.%g+00:00') AS first_seen_at,
    strftime(last_active_at, '%Y-%m-%dT%H:%M:%S.%g+00:00') AS last_active_at,
    sessions,
    orders,
    CAST(revenue AS VARCHAR) AS revenue
FROM marts.user_metrics
WHERE interactions > 0
"""


def compare(session: Session, truth: Sources) -> Iterator[Compared]:
    """Compare every figure that both know."""
    for source in SOURCES:
        expected = asdict(getattr(truth, source))
        found = _one_row(session, _PER_SOURCE, source) | _groups(session, _GROUPS_PER_SOURCE, source)
        if source in READ_AGAIN:
            repeated = ("rows_read", "rows_duplicate")
            found = {name: value for name, value in found.items() if name not in repeated}
        yield from (Compared(source, name, expected[name], value) for name, value in found.items())
    lists = {name: asdict(totals) for name, totals in truth.ecommerce_events.lists.items()}
    for name, figures in _by_key(session, _LISTS, "list_name").items():
        expected_figures = {figure: lists.get(name, {}).get(figure) for figure in figures}
        yield Compared("ecommerce_events", f"list {name}", expected_figures, figures)
    orphans = {str(user): logs for user, logs in session.rows(_ORPHANS)}
    yield Compared("web_logs", "orphans", dict(truth.web_logs.orphans_by_user), orphans)
    people = {user: asdict(person) for user, person in truth.users.people.items()}
    yield Compared("users", "people", people, _by_key(session, _PEOPLE))
    customers = {user: asdict(totals) for user, totals in truth.all_sources.customers.items()}
    yield Compared("all", "customers", customers, _by_key(session, _CUSTOMERS))
    everything = asdict(truth.all_sources)
    together = _one_row(session, _TOGETHER) | _groups(session, _GROUPS_TOGETHER)
    yield from (Compared("all", name, everything[name], value) for name, value in together.items())


def _one_row(session: Session, sql: str, source: str | None = None) -> dict[str, object]:
    return session.frame(sql, {"source": source} if source else None).row(0, named=True)


def _groups(session: Session, queries: Mapping[str, str], source: str | None = None) -> dict[str, dict[str, object]]:
    parameters = {"source": source} if source else None
    return {name: {str(key): value for key, value in session.rows(sql, parameters)} for name, sql in queries.items()}


def _by_key(session: Session, sql: str, key: str = "user_id") -> dict[str, dict[str, object]]:
    """The value of the key → the other columns, in order."""
    return {str(row.pop(key)): row for row in session.frame(sql).sort(key).iter_rows(named=True)}
