"""The integration data of dbt-snowplow-ecommerce: its events through our gate and models, against its own tables.

The vendor drops the events of one `app_id`; that event has no client, so our gate rejects it by itself. Sessions are
compared by their members, since the vendor dates them by the time of receipt and we by the time of the event.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse import DuckDBSession
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import build, load_landed, loaded_days, open_platform

ACTIONS = {
    "view_item": "product_view",
    "add_to_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "view_item_list": "list_view",
    "select_item": "list_click",
    "purchase": "transaction",
    "refund": "refund",
}
"""GA4 event name → what the vendor calls the action."""

SESSION_PAIRS = """
    SELECT DISTINCT json_extract_string(rows.extra, '$.oracle_session_id') AS theirs, entries.session_id AS ours
    FROM sessionized.session_events AS entries
    JOIN cleaned.clickstream AS rows USING (event_id)
"""


@pytest.fixture(scope="module")
def vendor(conformance_data: Path) -> Path:
    return conformance_data / "snowplow_ecommerce"


@pytest.fixture(scope="module")
def totals(vendor: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((vendor / "expected_totals.json").read_text())
    return found


@pytest.fixture(scope="module")
def shop(vendor: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBSession]:
    """The warehouse with the vendor's events loaded and every table built.

    The vendor adds euros, pounds and dollars as if they were one currency: with rates of 1 so do we.
    """
    platform = open_platform(tmp_path_factory.mktemp("snowplow"), shop_currency="EUR")
    (platform.landing / "clickstream.csv").write_bytes((vendor / "clickstream.csv").read_bytes())
    with platform.session() as session:
        load_landed(platform, session)
        days = loaded_days(session)
        every = [days.first + dt.timedelta(days=day) for day in range((days.last - days.first).days + 1)]
        rates = [f"{day},{currency},1" for day in every for currency in ("GBP", "USD")]
        folder = platform.settings.landing_dir / "exchange_rates"
        folder.mkdir()
        (folder / "rates.csv").write_text("\n".join(["date,currency,rate", *rates]))
        source = SOURCES["exchange_rates"]
        land_files(source, platform.settings, platform.lake)
        ((_, loaded),) = load_new_batches(source, session, platform.settings, platform.lake, run_id="test")
        assert loaded.rows_accepted == len(rates)
        build(session, days, platform.settings)
        yield session


def expected(vendor: Path, table: str) -> pl.DataFrame:
    path = vendor / "expected" / f"snowplow_ecommerce_{table}_expected.csv"
    return pl.read_csv(path, infer_schema=False, null_values=["", "NULL"])


def only(session: DuckDBSession, sql: str) -> object:
    """The one value that the query answers."""
    ((value,),) = session.rows(sql)
    return value


def test_every_event_is_kept_but_the_one_the_vendor_drops_too(shop: DuckDBSession, totals: dict[str, Any]) -> None:
    assert only(shop, "SELECT count(*) FROM star.fact_events") == totals["events_kept_app_filter"]
    ((raw, reason),) = shop.rows("SELECT raw, error_reason FROM ops.quarantine")
    assert "skip-me" in str(raw)
    assert reason == "client_id: missing"


def test_sessions_have_the_members_the_vendor_gives_them(shop: DuckDBSession, totals: dict[str, Any]) -> None:
    pairs = shop.rows(SESSION_PAIRS)
    theirs, ours = zip(*pairs, strict=True)
    assert len(pairs) == len(set(theirs)) == len(set(ours)) == totals["sessions"]
    assert only(shop, "SELECT count(*) FROM star.fact_sessions") == totals["sessions"]


def test_clients_are_the_vendors(shop: DuckDBSession, totals: dict[str, Any]) -> None:
    assert only(shop, "SELECT count(*) FROM star.dim_customer WHERE customer_key <> -1") == totals["clients"]


def test_orders_have_the_revenue_items_and_session_the_vendor_gives_them(
    shop: DuckDBSession, vendor: Path, totals: dict[str, Any]
) -> None:
    columns = ["event_id", "transaction_id", "transaction_revenue", "number_products", "domain_sessionid"]
    rows = expected(vendor, "transaction_interactions").select(columns).rows()
    ours = shop.rows(
        f"""
        SELECT rows.source_event_id, orders.transaction_id, orders.revenue, orders.items, pairs.theirs
        FROM star.fact_orders AS orders JOIN cleaned.clickstream AS rows USING (event_id)
        JOIN ({SESSION_PAIRS}) AS pairs ON orders.session_id = pairs.ours
        """
    )
    assert set(ours) == {(event, order, Decimal(revenue), int(items), by) for event, order, revenue, items, by in rows}
    assert len(ours) == totals["transactions"] == totals["distinct_transaction_ids"]


def test_revenue_is_the_vendors_in_every_table_that_has_it(shop: DuckDBSession, totals: dict[str, Any]) -> None:
    revenue = Decimal(str(totals["revenue"]))
    for table in ("star.fact_orders", "star.fact_sessions", "marts.daily_trends", "marts.device_daily"):
        assert only(shop, f"SELECT sum(revenue) FROM {table}") == revenue, table
    by_model = shop.rows("SELECT model, sum(revenue) FROM marts.attribution GROUP BY model")
    assert {credit for _, credit in by_model} == {revenue}


def test_item_rows_are_as_many_per_action(shop: DuckDBSession, totals: dict[str, Any]) -> None:
    rows = shop.rows("SELECT event_name, count(*) FROM star.fact_event_items GROUP BY event_name")
    counts: Counter[str] = Counter()
    for name, count in rows:
        counts[ACTIONS.get(str(name), "None")] += int(str(count))
    assert counts == totals["item_rows_by_action"]
    assert counts.total() == totals["item_rows"]


def test_every_item_is_the_vendors_product_at_its_price(shop: DuckDBSession, vendor: Path) -> None:
    columns = ["event_id", "product_id", "product_price", "product_brand", "product_subcategory_1"]
    rows = expected(vendor, "product_interactions").select(columns).rows()
    theirs = Counter((*row[:2], Decimal(row[2]) if row[2] else None, *row[3:]) for row in rows)
    joined = "cleaned.event_items AS items JOIN cleaned.clickstream AS rows USING (event_id)"
    ours = Counter(shop.rows(f"SELECT rows.source_event_id, product_id, price, brand, category FROM {joined}"))
    assert ours == theirs


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("number_product_views", ["view_item", "view_item_list"]),
        ("number_add_to_carts", ["add_to_cart"]),
        ("number_remove_from_carts", ["remove_from_cart"]),
        ("number_product_transactions", ["purchase"]),
    ],
)
def test_each_session_has_as_many_events_with_products_of_each_kind(
    shop: DuckDBSession, vendor: Path, column: str, names: list[str]
) -> None:
    rows = expected(vendor, "sessions").select("domain_sessionid", column).rows()
    theirs = {session: int(count) for session, count in rows if count not in (None, "0")}
    ours = shop.rows(
        f"""
        SELECT pairs.theirs, count(DISTINCT items.event_id)
        FROM star.fact_event_items AS items
        JOIN sessionized.session_events AS entries USING (event_id)
        JOIN ({SESSION_PAIRS}) AS pairs ON entries.session_id = pairs.ours
        WHERE list_contains($names, items.event_name)
        GROUP BY pairs.theirs
        """,
        {"names": names},
    )
    assert dict(ours) == theirs


def test_sessions_reach_the_funnel_steps_the_vendor_counts(shop: DuckDBSession, totals: dict[str, Any]) -> None:
    reached = shop.rows(
        """
        SELECT
            count(*) FILTER (WHERE viewed_product), count(*) FILTER (WHERE added_to_cart),
            count(*) FILTER (WHERE purchased), sum(orders)
        FROM sessionized.sessions
        """
    )
    assert reached == [
        (
            totals["sessions_with_product_view"],
            totals["sessions_with_add_to_cart"],
            totals["sessions_checkout_succeeded"],
            totals["transactions"],
        )
    ]


def test_columns_the_contract_does_not_know_are_kept(shop: DuckDBSession) -> None:
    keys = shop.rows("SELECT DISTINCT json_keys(extra) FROM cleaned.clickstream")
    assert keys == [(["app_id", "oracle_session_id"],)]
