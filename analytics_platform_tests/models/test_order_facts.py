"""What an order's row says beside its revenue: tax, shipping, discount, coupon, currency, and the shop's order."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import find_batch, known_batches
from analytics_platform.warehouse.touched import days_after
from analytics_platform.warehouse.withdraw import withdraw_batch
from analytics_platform_tests.kit import (
    Platform,
    both_warehouses,
    build,
    click,
    contents,
    load_rows,
    loaded_days,
    needed,
    opened,
)
from analytics_platform_tests.models.sales import buy, give_back, load_rates, orders, sold
from analytics_platform_tests.shop_messages import load_messages, shop_message
from analytics_platform_tests.shop_rows import load_shop, order

TABLES = needed("star.fact_orders", "star.fact_order_items", "star.fact_refunds")


def build_after(platform: Platform, session: Session, batches: set[str], tables: frozenset[str]) -> None:
    """Build the days that the batches touch, as a run does."""
    days = days_after(session, sorted(batches), platform.settings)
    if days:
        build(session, DayRange(min(days), max(days)), platform.settings, tables)


def test_tax_shipping_discount_and_coupon_are_the_orders_own_in_the_shops_currency(tmp_path: Path) -> None:
    item = {"item_id": "x", "price": 10, "quantity": 2, "discount": 1.5, "coupon": "TWO"}
    other = {"item_id": "y", "price": 5, "discount": "0.5"}
    rows = [
        buy("a", "all", value=28, tax="4,50", shipping=3, discount=2, coupon="SUMMER", items=[item]),
        buy("b", "dollars", value=125, currency="USD", tax=25, Shipping="5.00", items=[item, other]),
        buy("c", "two coupons", value=25, items=[item, {**other, "coupon": "ONE"}]),
        buy("d", "nothing", value=25, tax="n/a", coupon="(not set)", shipping=[1]),
        buy("e", "no rate", value=25, currency="CHF", tax=2),
        buy("f", "seen", name="view_item", tax=2),
    ]
    columns = ("currency", "tax", "shipping", "discount", "coupon")
    with sold(tmp_path, rows) as (_, session):
        assert orders(session, *columns) == {
            "all": (None, Decimal("4.5"), 3, 2, "SUMMER"),
            "dollars": ("USD", 20, 4, Decimal("2.8"), "TWO"),
            "two coupons": (None, None, None, Decimal("3.5"), None),
            "nothing": (None, None, None, None, None),
            "no rate": ("CHF", None, None, None, None),
        }
        lines = "SELECT sum(items.discount) FROM star.fact_order_items AS items JOIN star.fact_orders USING (order_id) "
        assert session.rows(f"{lines} WHERE transaction_id = 'dollars'") == [(Decimal("2.8"),)]


def test_the_pieces_of_a_line_are_those_its_amount_is_made_of(tmp_path: Path) -> None:
    pieces = {"1,000": 1000, "2 Stk": 2, "2 pcs.": 2, "3,0": 3, "x2": 2, "２": 2, "3 USD": 3}
    bought = {text: {"item_id": "x", "price": 5, "quantity": text} for text in pieces}
    given = {"item_id": "x", "quantity": "-2 Stk"}
    rows = [
        *(buy(f"c{place}", text, items=[item]) for place, (text, item) in enumerate(bought.items())),
        buy("r", "part", value=50, items=[{"item_id": "x", "price": 5, "quantity": "10 Stk"}]),
        give_back("r", "part", items=[given]),
        buy("e", "exchange", value=5, items=[{"item_id": "x", "price": 5, "quantity": 3}, {"price": 5, **given}]),
    ]
    with sold(tmp_path, rows) as (_, session):
        found = orders(session, "quantity", "revenue", "refunded")
        assert found.pop("part") == (10, 50, 10)
        assert found.pop("exchange") == (3, 5, 0)
        assert found == {text: (number, 5 * number, 0) for text, number in pieces.items()}
        lines = "star.fact_order_items AS lines INNER JOIN star.fact_orders AS orders USING (order_id)"
        counted = dict(session.rows(f"SELECT transaction_id, lines.quantity FROM {lines} WHERE lines.amount > 0"))
        assert counted == {**pieces, "part": 10, "exchange": 3}


@both_warehouses
def test_a_line_has_time_and_session_of_its_order_and_the_place_in_its_list(tmp_path: Path, kind: str) -> None:
    items = [{"item_id": "x", "price": 10, "index": 3, "item_list_id": "L"}, {"item_id": "y", "price": 5}]
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, [buy("a", "both", value=15, items=items)])
        build(session, loaded_days(session), platform.settings, TABLES)
        lines = "star.fact_order_items INNER JOIN star.fact_orders USING (order_id, session_id, ordered_at)"
        assert sorted(session.rows(f"SELECT product_id, list_index FROM {lines}")) == [("x", 3), ("y", None)]


@both_warehouses
def test_messages_tell_tax_shipping_and_coupon_wherever_they_have_them(tmp_path: Path, kind: str) -> None:
    at, told = "2024-03-01T10:00:00Z", {"tax": "$2.50", "shipping": 1, "coupon": "A", "currency": "USD", "value": 25}
    bodies = [
        shop_message("u1", at, "purchase", transaction_id="outer", **told),
        shop_message("u2", at, "purchase", params={"transaction_id": "inner", **told}),
        shop_message("u3", at, "purchase", properties={"orderId": "tracker", "Coupon": "A", **told}),
    ]
    with opened(kind, tmp_path, shop_currency="EUR") as (platform, session):
        load_rates(platform, session)
        load_messages(platform, session, bodies)
        day = dt.date(2024, 3, 1)
        build(session, DayRange(day, day), platform.settings, TABLES)
        assert set(orders(session, "tax", "shipping", "coupon").values()) == {(2, Decimal("0.8"), "A")}


@both_warehouses
def test_an_order_names_the_shops_order_and_its_status_also_when_that_comes_late(tmp_path: Path, kind: str) -> None:
    noon = dt.datetime(2024, 3, 2, 12, tzinfo=dt.UTC)
    later = noon + dt.timedelta(days=3)
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, [buy("ada", x, noon.isoformat(), value=9) for x in ("1", "2", "3")])
        build(session, loaded_days(session), platform.settings, TABLES)
        before = contents(session, ["star.fact_orders"])
        known = known_batches(session)
        load_shop(platform, session, "orders", [order(7, "ada/1", 1, noon), order(8, "ada/2", 1, noon)])
        load_shop(platform, session, "orders", [order(8, "ada/2", 1, noon, status="cancelled", updated_at=later)])
        brought = set(known_batches(session)) - set(known)
        build_after(platform, session, brought, TABLES)
        columns = ("shop_order_id", "status", "net_revenue")
        assert orders(session, *columns) == {"1": (7, "placed", 9), "2": (8, "cancelled", 0), "3": (None, None, 9)}
        for batch in brought:
            withdraw_batch(session, platform.settings, platform.lake, find_batch(session, batch), "test", "me")
        build_after(platform, session, brought, TABLES)
        assert contents(session, ["star.fact_orders"]) == before


@both_warehouses
def test_lines_and_later_refunds_have_channel_and_device_of_their_order_also_when_a_late_event_changes_them(
    tmp_path: Path, kind: str
) -> None:
    email = "https://shop.example/?utm_source=news&utm_medium=email"
    rows = [buy("a", "1", value=9, items=[{"item_id": "x", "price": 9}])]
    rows += [give_back("a", "1", "2024-03-04T10:00:00", value=2), give_back("b", "no order", value=2)]
    sql = """
        SELECT facts.fact, channel, count(DISTINCT channel_key) FROM (
            SELECT 'order' AS fact, channel_key, device_key FROM star.fact_orders
            UNION ALL SELECT 'line', channel_key, device_key FROM star.fact_order_items
            UNION ALL SELECT 'refund', channel_key, device_key FROM star.fact_refunds WHERE order_id IS NOT NULL
        ) AS facts
        INNER JOIN star.dim_channel USING (channel_key)
        INNER JOIN star.dim_device USING (device_key)
        GROUP BY facts.fact, channel ORDER BY facts.fact
    """
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, rows)
        build(session, loaded_days(session), platform.settings, TABLES)
        assert session.rows(sql) == [(fact, "Direct", 1) for fact in ("line", "order", "refund")]
        keys = session.rows("SELECT channel_key, device_key FROM star.fact_refunds WHERE order_id IS NULL")
        assert keys == [(-1, -1)]
        known = set(known_batches(session))
        load_rows(platform, session, [click("a", "2024-03-01T09:50:00", page_url=email)], "late.csv")
        build_after(platform, session, set(known_batches(session)) - known, TABLES)
        assert session.rows(sql) == [(fact, "Email", 1) for fact in ("line", "order", "refund")]
