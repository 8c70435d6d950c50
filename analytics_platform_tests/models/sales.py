"""A shop that sold and gave back these: what the tests of money share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import Platform, Row, build, click, load_rows, needed, open_with_tables

DAY = dt.date(2024, 3, 1)
DAYS = DayRange(DAY, DAY + dt.timedelta(days=3))
RATES = "date,currency,rate\n2024-03-01,JPY,160\n2024-03-01,USD,1.25\n2024-03-03,USD,1.6\n"
TABLES = needed(
    *("star.fact_orders", "star.fact_order_items", "star.fact_refunds", "marts.daily_trends", "marts.customer_revenue"),
    *(
        "marts.unknown_amounts",
        "marts.product_daily",
        "marts.customer_rfm",
        "marts.cohort_retention",
        "marts.monthly_growth",
        *("ops.reconciliations", "ops.customer_reconciliations"),
    ),
)


def buy(client: str, order: object, at: str = "2024-03-01T10:00:00", name: str = "purchase", **data: object) -> Row:
    return click(client, at, name, data={"transaction_id": order, **data})


def give_back(client: str, order: object, at: str = "2024-03-02T10:00:00", **data: object) -> Row:
    return buy(client, order, at, "refund", **data)


def load_rates(platform: Platform, session: Session, text: str = RATES, name: str = "rates.csv") -> list[str]:
    folder = platform.settings.landing_dir / "exchange_rates"
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(name).write_text(text)
    source = SOURCES["exchange_rates"]
    land_files(source, platform.settings, platform.lake)
    return [batch.batch_id for batch, _ in load_new_batches(source, session, platform.settings, platform.lake, "test")]


@contextmanager
def sold(
    root: Path, rows: Sequence[Row], rates: str = RATES, shop_currency: str = "EUR"
) -> Iterator[tuple[Platform, Session]]:
    platform = open_with_tables(root, shop_currency=shop_currency)
    with platform.session() as session:
        load_rates(platform, session, rates)
        load_rows(platform, session, rows)
        build(session, DAYS, platform.settings, TABLES)
        yield platform, session


def orders(session: Session, *columns: str) -> dict[object, tuple[object, ...]]:
    rows = session.rows(f"SELECT transaction_id, {', '.join(columns)} FROM star.fact_orders")
    return {order: tuple(values) for order, *values in rows}
