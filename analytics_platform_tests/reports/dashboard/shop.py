"""A small shop in any warehouse: sixteen days of marts, customers in two cities, rejected records with hostile text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.reports.queries import DASHBOARD
from analytics_platform.warehouse import Session

FIRST = dt.date(2026, 11, 1)
LAST = FIRST + dt.timedelta(days=15)
QUIET = FIRST + dt.timedelta(days=7)
"""A day without any traffic."""
LOADED = dt.datetime(2026, 11, 17, 9, 30, tzinfo=dt.UTC)
HOSTILE = "=cmd|' /C calc'!A0 <b>'; DROP TABLE ops.quarantine; --"
"""Runs in a spreadsheet, in a page, or in SQL, wherever it is not taken as text."""

_PLAIN: Mapping[str, object] = {"VARCHAR": "x", "BIGINT": 0, "DOUBLE": 0.0, "BOOLEAN": False, "DATE": FIRST}
_TYPES: Mapping[str, Any] = {
    "VARCHAR": pl.String, "BIGINT": pl.Int64, "DOUBLE": pl.Float64, "BOOLEAN": pl.Boolean, "DATE": pl.Date,
    "TIMESTAMP WITH TIME ZONE": pl.Datetime("us", "UTC"), "DECIMAL(18,4)": pl.Decimal(18, 4),
}  # fmt: skip


def insert(session: Session, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Append rows; columns that are not given get a plain value of their type."""
    kinds = column_types(CONTRACTS[table])
    schema = {name: _TYPES[kind] for name, kind in kinds.items()}
    filled = [[row.get(name, _plain(kind)) for name, kind in kinds.items()] for row in rows]
    session.insert(table, pl.DataFrame(filled, schema=schema, orient="row"))


def _plain(kind: str) -> object:
    if kind.startswith("TIMESTAMP"):
        return LOADED
    return Decimal(0) if kind.startswith("DECIMAL") else _PLAIN[kind]


def fill(session: Session) -> None:
    """Make the tables that the dashboard reads, with the shop in them. The last eight days sell twice as much."""
    session.ensure(*(CONTRACTS[table] for table in DASHBOARD))
    for place in range(16):
        date = FIRST + dt.timedelta(days=place)
        if date != QUIET:
            _add_day(session, date, 1 if place < 8 else 2)
    insert(
        session,
        "star.dim_product",
        [{"product_key": 1, "product_id": "p-1", "product_name": HOSTILE, "is_current": True}],
    )
    insert(session, "marts.list_performance", [{"list_id": "l", "list_name": "Top 20 [App]", "impressions": 1000}])
    _add_customers(session)
    _add_batches(session)


def _add_day(session: Session, date: dt.date, much: int) -> None:
    revenue = Decimal("1000.5") * much
    orders = 10 * much
    insert(
        session,
        "marts.daily_trends",
        [
            {
                "date": date,
                "sessions": 200,
                "visitors": 150,
                "orders": orders,
                "revenue": revenue,
                "refunds": Decimal(100),
                "net_revenue": revenue - 100,
                "average_order_value": float(revenue / orders),
                "conversion_rate": 0.05,
            }
        ],
    )
    reached = {"view": 200, "cart": 60, "checkout": 30, "purchase": 10}
    seen = ("sessions", "after_previous", "after_view")
    steps = [
        {"date": date, "step_index": n, "step": step, **dict.fromkeys(seen, reached[step])}
        for n, step in enumerate(reached, 1)
    ]
    insert(session, "marts.funnel_daily", steps)
    insert(
        session, "marts.device_daily", [{"date": date, "device_type": "mobile", "sessions": 200, "revenue": revenue}]
    )
    credited = (
        ("first_touch", "Email", "newsletter"),
        ("last_touch", "Direct", "(direct)"),
        ("last_touch", "Email", "newsletter"),
        ("last_non_direct", "Email", "newsletter"),
    )
    insert(
        session,
        "marts.attribution",
        [
            {"date": date, "model": model, "channel": channel, "source": source, "orders": orders, "revenue": revenue}
            for model, channel, source in credited
        ],
    )
    sold = [{"date": date, "product_id": id, "orders": orders, "revenue": revenue / 2} for id in ("p-1", "p-2")]
    insert(session, "marts.product_daily", sold)
    validated = [
        {"date": date, "source": source, "rows_accepted": 95, "rows_duplicate": 2, "rows_quarantined": 3}
        | {"unknown_events": names}
        for source, names in (("clickstream", "wave, wiggle"), ("web_logs", None))
    ]
    insert(session, "marts.data_quality_daily", validated)


def _add_customers(session: Session) -> None:
    people = [("1", "Ada", "Łódź", 3), ("2", HOSTILE, "Köln", 1), ("3", "Cy", None, 0)]
    insert(
        session,
        "cleaned.users",
        [
            {"user_id": user, "name": name, "city": city, "latitude": 50.0 + n, "longitude": 18.0}
            for n, (user, name, city, _) in enumerate(people)
        ],
    )
    insert(
        session,
        "marts.user_metrics",
        [
            {"user_id": user, "name": name, "sessions": 5, "orders": orders, "revenue": Decimal(100 * orders)}
            for user, name, _, orders in people
        ],
    )
    insert(session, "ops.orphans", [{"user_id": "9", "log_interactions": 1}])


def _add_batches(session: Session) -> None:
    batches = [
        {"batch_id": "a", "source": "clickstream", "rows_read": 100, "min_event_date": FIRST, "run_id": "old"},
        {
            "batch_id": "b",
            "source": "web_logs",
            "rows_read": 100,
            "min_event_date": LAST,
            "max_event_date": LAST + dt.timedelta(days=1),
        },
    ]
    for number, batch in enumerate(batches):
        batch["finished_at"] = LOADED - dt.timedelta(hours=1 - number)
    insert(session, "ops.pipeline_logs", batches)
    rejected: list[dict[str, object]] = [
        {"source": "clickstream", "error_reason": "client_id: missing; timestamp: not a time", "event_date": None},
        {"source": "clickstream", "error_reason": "client_id: missing", "event_date": LAST, "raw": HOSTILE},
        {"source": "web_logs", "error_reason": "body: not JSON (position 3: Expecting value)", "event_date": LAST},
        {"source": "web_logs", "error_reason": "body: not JSON (position 9: Expecting value)", "event_date": FIRST},
    ]
    for position, row in enumerate(rejected, 1):
        row |= {"position": position, "neighbour_date": LAST}
    insert(session, "ops.quarantine", rejected)
