"""Frames as the warehouse gives them, and a tiny warehouse, for the tests of the report."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import INSTANT, column_types
from analytics_platform.reports.findings import Facts, read_facts
from analytics_platform.reports.queries import FINDINGS
from analytics_platform.warehouse import DuckDBSession, DuckDBWarehouse

NOV_1 = dt.date(2026, 11, 1)
AS_OF = dt.datetime(2026, 12, 1, 9, 30, tzinfo=dt.UTC)
LIMIT = 0.05
HOSTILE = "a|b <script>alert(1)</script>\n# $x^2$ [c](http://evil.example) *d* `e` \u202egnp & \"f\" 'g' 枕"

_MONEY = pl.Decimal(38, 4)
_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "days": {
        "date": pl.Date, "sessions": pl.Int64, "visitors": pl.Int64, "converted": pl.Int64, "orders": pl.Int64,
        "unknown": pl.Int64, "unknown_refunds": pl.Int64, "revenue": _MONEY, "refunds": _MONEY, "net_revenue": _MONEY,
        "is_complete": pl.Boolean,
    },
    "unknown": {"kind": pl.String, "reason": pl.String, "events": pl.Int64, "excess": _MONEY},
    "funnel": {
        "step_index": pl.Int64, "step": pl.String, "sessions": pl.Int64, "inferred": pl.Int64,
        "after_previous": pl.Int64, "after_view": pl.Int64,
    },
    "attribution": {
        "channel": pl.String, "first_orders": pl.Int64, "last_orders": pl.Int64, "indirect_orders": pl.Int64,
        "first_revenue": _MONEY, "last_revenue": _MONEY, "indirect_revenue": _MONEY,
        "first_unknown": pl.Int64, "last_unknown": pl.Int64, "indirect_unknown": pl.Int64,
    },
    "devices": {
        "device_type": pl.String, "sessions": pl.Int64, "bounces": pl.Int64, "converted": pl.Int64,
        "orders": pl.Int64, "revenue": _MONEY, "unknown": pl.Int64,
    },
    "products": {
        "product_id": pl.String, "product_name": pl.String, "views": pl.Int64, "add_to_carts": pl.Int64,
        "orders": pl.Int64, "quantity": pl.Int64, "revenue": _MONEY, "refunds": _MONEY, "net_revenue": _MONEY,
        "unknown": pl.Int64, "unknown_refunds": pl.Int64, "products_sold": pl.Int64, "total_revenue": _MONEY,
        "total_refunds": _MONEY, "orders_revenue": _MONEY, "orders_refunds": _MONEY,
    },
    "lists": {
        "list_id": pl.String, "list_name": pl.String, "sessions": pl.Int64, "impressions": pl.Int64,
        "clicks": pl.Int64, "purchases": pl.Int64, "engagement_rate": pl.Float64, "revenue": _MONEY, "lists": pl.Int64,
        "unknown": pl.Int64, "namesakes": pl.Int64,
    },
    "bought": {
        "product_id": pl.String, "product_name": pl.String, "views": pl.Int64, "purchases": pl.Int64,
        "view_to_purchase_rate": pl.Float64, "revenue": _MONEY, "refunds": _MONEY, "net_revenue": _MONEY,
        "average_views": pl.Float64, "products": pl.Int64, "unknown": pl.Int64,
        "unknown_refunds": pl.Int64, "unviewed": pl.Int64,
    },
    "customers": {
        "user_id": pl.String, "user_name": pl.String, "city": pl.String, "interactions": pl.Int64,
        "favourite_product": pl.String,
        "favourite_views": pl.Int64, "last_active_at": pl.Datetime("us", "UTC"), "orders": pl.Int64,
        "revenue": _MONEY, "unknown": pl.Int64, "customers": pl.Int64, "all_interactions": pl.Int64,
    },
    "orphans": {
        "source": pl.String, "users": pl.Int64, "orphans": pl.Int64, "interactions": pl.Int64,
        "orphan_interactions": pl.Int64,
    },
    "quality": {
        "date": pl.Date, "source": pl.String, "rows_accepted": pl.Int64, "rows_duplicate": pl.Int64,
        "rows_quarantined": pl.Int64, "empty_columns": pl.String, "unknown_events": pl.String,
        "rows_superseded": pl.Int64,
    },
    "variants": {
        "product_id": pl.String, "product_name": pl.String, "variant": pl.String, "orders": pl.Int64,
        "quantity": pl.Int64, "revenue": _MONEY, "unknown": pl.Int64,
    },
    "reasons": {"reason": pl.String, "rows": pl.Int64},
    "rejected_purchases": {"date": pl.Date, "purchases": pl.Int64},
    "lone_refunds": {"date": pl.Date, "lone_refunds": pl.Int64, "refunds": _MONEY},
}  # fmt: skip

FRAMES = tuple(_SCHEMAS)
"""The names of all frames of `Facts`."""


def frame(name: str, rows: Sequence[Sequence[object]] = ()) -> pl.DataFrame:
    """A frame of `Facts` from plain values; money may be given as int or text, the last values may be missing."""
    schema = _SCHEMAS[name]
    values = [
        [
            Decimal(str(value))
            if kind == _MONEY and value is not None
            else 0
            if value is None and kind == pl.Int64
            else value
            for value, kind in zip_longest(row, schema.values(), fillvalue=None)
        ]
        for row in rows
    ]
    return pl.DataFrame(values, schema=schema, orient="row")


def days(
    *numbers: tuple[int, int, object],
    first: dt.date = NOV_1,
    unfinished: int = 0,
    refunds: int = 0,
    unknown: int = 0,
    unknown_refunds: int = 0,
) -> pl.DataFrame:
    """Consecutive days of (sessions, orders, revenue), the last `unfinished` of them not complete.

    Each has `refunds`, and `unknown` orders and `unknown_refunds` without a known amount.
    """
    complete = len(numbers) - unfinished
    return frame(
        "days",
        [
            (
                first + dt.timedelta(place),
                sessions,
                sessions,
                min(orders, sessions),
                orders,
                unknown,
                unknown_refunds,
                revenue,
                refunds,
                Decimal(str(revenue)) - refunds,
                place < complete,
            )
            for place, (sessions, orders, revenue) in enumerate(numbers)
        ],
    )


def product(
    name: str,
    orders: int,
    revenue: object,
    views: int = 0,
    sold: int = 1,
    total: object = None,
    shipping: int | Decimal = 0,
    unknown: int = 0,
) -> list[object]:
    """A row of the products frame."""
    total = Decimal(str(revenue if total is None else total))
    return [
        f"id-{name}",
        name,
        views,
        0,
        orders,
        orders,
        revenue,
        0,
        revenue,
        unknown,
        0,
        sold,
        total,
        0,
        total + shipping,
        0,
    ]


def facts(**frames: pl.DataFrame) -> Facts:
    """Facts whose other frames are empty."""
    made = {name: frames.get(name, frame(name)) for name in _SCHEMAS}
    return Facts(
        made.pop("days"),
        0,
        quality=made.pop("quality"),
        reasons=made.pop("reasons"),
        unknown=made.pop("unknown"),
        frames=made,
        loaded_at=None,
    )


@contextmanager
def warehouse(path: Path) -> Iterator[DuckDBSession]:
    """A writable session on a warehouse that has the tables a report reads."""
    with DuckDBWarehouse(path).session() as session:
        session.ensure(*(CONTRACTS[table] for table in FINDINGS))
        yield session


def add(session: DuckDBSession, table: str, **columns: object) -> None:
    """Insert one row; columns that are not given get a plain value of their type."""
    described = column_types(CONTRACTS[table])
    plain = {"VARCHAR": "x", "BIGINT": 0, "DOUBLE": 0.0, "DATE": NOV_1, "BOOLEAN": False, INSTANT: AS_OF}
    values = [columns.get(name, plain.get(kind, 0)) for name, kind in described.items()]
    session.connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)


def fill(session: DuckDBSession, last_event: dt.date = dt.date(2026, 11, 17)) -> None:
    """Sixteen days of a small shop, whose best seller has a hostile name. The eighth had no traffic at all."""
    for place in range(16):
        if place != 7:
            _add_day(session, NOV_1 + dt.timedelta(place), 100 + place)
    add(session, "star.dim_product", product_key=1, product_id="p-1", product_name=HOSTILE, is_current=True)
    add(session, "star.dim_product", product_key=2, product_id="p-2", product_name=None, is_current=True)
    add(session, "marts.list_performance", list_id="l1", list_name=HOSTILE, sessions=9, engagement_rate=0.4)
    add(session, "marts.list_performance", list_id="l2", sessions=8, engagement_rate=0.25)
    sold = {"views": 40, "purchases": 10, "view_to_purchase_rate": 0.25, "revenue": Decimal(900)}
    add(session, "marts.product_performance", product_id="p-1", product_name=HOSTILE, **sold)
    noon = dt.datetime(2026, 11, 15, 12, tzinfo=dt.UTC)
    liked = {"name": HOSTILE, "favourite_product": HOSTILE, "last_active_at": noon}
    add(session, "marts.user_metrics", user_id="u1", interactions=12, **liked)
    add(
        session, "marts.user_metrics", user_id="u2", interactions=3, **liked | {"name": None, "favourite_product": None}
    )
    add(session, "cleaned.users", user_id="u1")
    for number, user in enumerate(("u1", "u1", "u9")):
        add(session, "cleaned.events", event_id=f"e{number}", source="web_logs", user_id=user)
    for person in (1, 1, 2):
        add(session, "star.fact_sessions", person_key=person, session_date=NOV_1)
    add(session, "star.fact_sessions", person_key=3, session_date=NOV_1, is_bot=True)
    for reason in ("client_id: missing; timestamp: not a time", "client_id: missing", "record: | <b>"):
        add(session, "ops.quarantine", error_reason=reason)
    add(session, "ops.pipeline_logs", source="clickstream", max_event_date=last_event)
    add(session, "ops.pipeline_logs", source="users", max_event_date=None)


def _add_day(session: DuckDBSession, date: dt.date, sessions: int) -> None:
    orders, revenue = 10, Decimal("1234.5")
    add(
        session,
        "marts.daily_trends",
        date=date,
        sessions=sessions,
        orders=orders,
        revenue=revenue,
        refunds=Decimal(100),
        net_revenue=revenue - 100,
        average_order_value=123.45,
        conversion_rate=9 / sessions,
    )
    for step, reached in enumerate((sessions, 40, 20, orders), 1):
        name = ("view", "cart", "checkout", "purchase")[step - 1]
        add(
            session,
            "marts.funnel_daily",
            date=date,
            step_index=step,
            step=name,
            sessions=reached,
            after_previous=reached,
            after_view=reached,
        )
    for model, channel in (("first_touch", "Email"), ("last_touch", "Direct"), ("last_non_direct", "Email")):
        add(
            session,
            "marts.attribution",
            date=date,
            model=model,
            channel=channel,
            orders=6,
            revenue=Decimal(1000),
        )
        add(
            session,
            "marts.attribution",
            date=date,
            model=model,
            channel="Paid Search",
            orders=4,
            revenue=Decimal("234.5"),
        )
    add(
        session,
        "marts.device_daily",
        date=date,
        device_type="mobile",
        sessions=sessions,
        orders=orders,
        revenue=revenue,
    )
    add(
        session,
        "marts.product_daily",
        date=date,
        product_id="p-1",
        views=9,
        orders=6,
        quantity=7,
        revenue=Decimal(1000),
    )
    add(
        session,
        "marts.product_daily",
        date=date,
        product_id="p-2",
        views=3,
        orders=4,
        quantity=4,
        revenue=Decimal("234.5"),
    )
    add(
        session,
        "marts.data_quality_daily",
        date=date,
        source="clickstream",
        rows_accepted=95,
        rows_duplicate=2,
        rows_quarantined=3,
    )


def read(path: Path, as_of: dt.datetime = AS_OF) -> Facts:
    """The facts of a warehouse."""
    with DuckDBWarehouse(path).session(read_only=True) as session:
        return read_facts(session, as_of, LIMIT)
