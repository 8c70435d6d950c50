"""What the documents of the shop's logs say of orders, amounts and products, in whatever field they say it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from analytics_platform.transform import DayRange
from analytics_platform.warehouse.watchdog import unread_fields
from analytics_platform_tests.kit import (
    Platform,
    both_warehouses,
    build,
    click,
    load_rows,
    open_with_tables,
    platform_on,
)
from analytics_platform_tests.names import WEB_LOGS
from analytics_platform_tests.shop_logs import load, log, put_logs
from analytics_platform_tests.shop_messages import load_messages, shop_message

NOON = dt.datetime(2024, 3, 1, 12)
TABLES = {"cleaned.urls", "cleaned.user_agents", "cleaned.source_categories", "cleaned.events", "cleaned.event_items"}
LAMP = {"item_id": "P1", "item_name": "Lamp", "price": 20, "quantity": 1}
ORDERS: list[dict[str, Any]] = [
    {"total": 20, "currency": "EUR", "order_id": "T", "item_id": "P1"},
    {"amount": "20 EUR", "orderId": "T", "productId": "P1"},
    {
        "metadata": {
            "value": 20.0,
            "currency": "EUR",
            "transaction_id": "T",
            "item_id": "P1",
            "price": 10,
            "quantity": 2,
        }
    },
    {"price": Decimal128("20.00"), "quantity": Int64(1), "product_id": "P1", "order_id": "T", "currency": "EUR"},
    {"metadata": {"items": [LAMP], "order": {"id": "T", "total": 20, "currency": "EUR"}}},
    {"product": {"id": "P1", "name": "Lamp", "price": 20, "currency": "EUR"}, "order_number": "T", "currency": "EUR"},
    {"Total": 20, "Currency": "eur", "Order Id": "T", "products": [{"product_id": "P1", "name": "Lamp", "price": 20}]},
    {"event_data": {"revenue": 20, "currency": "EUR", "transaction_id": "T", "items": [LAMP]}},
]


def _build(platform: Platform, documents: list[Mapping[str, Any]]) -> None:
    put_logs(platform, documents)
    assert load(platform, WEB_LOGS) == {WEB_LOGS: (len(documents), 0, 0)}
    with platform.session() as session:
        build(session, DayRange(NOON.date(), NOON.date()), platform.settings, TABLES)


@both_warehouses
def test_a_purchase_in_a_log_has_its_amount_its_order_and_its_product_wherever_they_stand(
    tmp_path: Path, kind: str
) -> None:
    with platform_on(kind, tmp_path) as platform:
        _build(platform, [log(n, NOON, "buy", "Lamp", **order) for n, order in enumerate(ORDERS, 1)])
        with platform.session(read_only=True) as session:
            found = session.rows(
                "SELECT event_name, transaction_id, events.amount, events.currency, product_id, product_name "
                "FROM cleaned.events AS events JOIN cleaned.event_items AS items USING (event_id)"
            )
    assert found == [("purchase", "T", Decimal(20), "EUR", "P1", "Lamp")] * len(ORDERS)


def test_the_words_of_logs_mean_the_same_in_every_source(tmp_path: Path) -> None:
    words = {
        "view": ("view_item", "page_view"), "Viewed": ("view_item", "page_view"), "click": ("select_item", "click"),
        "tapped": ("select_item", "click"), "cart": ("add_to_cart", "view_cart"), "add": ("add_to_cart",) * 2,
        "Removed": ("remove_from_cart",) * 2, "wishlist": ("add_to_wishlist",) * 2, "checkout": ("begin_checkout",) * 2,
        "pay": ("add_payment_info",) * 2, "buy": ("purchase",) * 2, "ORDER": ("purchase",) * 2,
    }  # fmt: skip
    # Forms without a product, after the one with: `view` of them became a view of an item that no table has.
    without = ([], [{}], [{"item_id": None}], [{"item_id": "(not set)", "price": 3}])
    forms: tuple[dict[str, Any], ...] = ({"items": [LAMP]}, {}, *({"items": items} for items in without))
    cases = [(word, place, form) for word in words for place, form in enumerate(forms)]
    platform = open_with_tables(tmp_path)
    at = NOON.replace(tzinfo=dt.UTC)
    with platform.session() as session:
        load_rows(platform, session, [click(f"c{n}", at, word, data=data) for word, n, data in cases])
        load_messages(platform, session, [shop_message(f"u{n}", at, word, **data) for word, n, data in cases])
    _build(platform, [log(n + 1, NOON, word, **data) for word, n, data in cases])
    with platform.session(read_only=True) as session:
        found = session.rows("SELECT source, raw_event_name, event_name, count(*) FROM cleaned.events GROUP BY ALL")
    expected = Counter(
        (source, word, names[form != forms[0]])
        for source in ("clickstream", "ecommerce_events", WEB_LOGS)
        for word, names in words.items()
        for form in forms
    )
    assert {tuple(name): events for *name, events in found} == expected


def test_an_order_in_plain_words_has_its_number_and_amount_in_every_source(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    at, order = NOON.replace(tzinfo=dt.UTC), {"order_id": "T", "total": 20, "items": [LAMP]}
    with platform.session() as session:
        load_rows(platform, session, [click("c", at, "buy", data=order)])
        load_messages(platform, session, [shop_message("u", at, "Order", **order)])
    _build(platform, [log(1, NOON, "bought", **order)])
    with platform.session(read_only=True) as session:
        found = session.rows("SELECT event_name, transaction_id, revenue FROM cleaned.events")
    assert found == [("purchase", "T", Decimal(20))] * 3


def test_price_name_and_number_of_a_product_are_read_wherever_a_log_has_them(tmp_path: Path) -> None:
    forms: list[dict[str, Any]] = [
        {"product": {}, "item_name": "Lamp", "price": 3, "quantity": 2},
        {"product": {}, "metadata": {"item": {"name": "Lamp", "price": 3, "qty": 2}}},
        {"product": {"note": "x"}, "item_name": "Lamp", "price": 3, "pieces": 2},
        {"product": {"price": 3}, "item_name": "Lamp", "quantity": 2},
        {"product": '{"price": 3.0}', "item_name": "Lamp", "quantity": 2},
        {"product": {"name": "Lamp", "unit_price": 3, "qty": 2}, "price": 20, "quantity": 5},
        {"product": "Lamp", "price": 3, "pieces": 2},
        {"metadata": '{"product": {"name": "Lamp", "price": 3.0, "quantity": 2}}'},
        {"metadata": '{"items": [{"name": "Lamp", "price": 3.00, "qty": 2}]}'},
        {"items": [], "price": None, "metadata": {"item_name": "Lamp", "price": 3, "quantity": 2}},
    ]
    platform = open_with_tables(tmp_path)
    _build(platform, [log(n, NOON, "buy", order_id=f"T{n}", **form) for n, form in enumerate(forms, 1)])
    with platform.session(read_only=True) as session:
        found = session.rows(
            "SELECT user_id, product_name, price, quantity, events.amount FROM cleaned.events AS events "
            "JOIN cleaned.event_items AS items USING (event_id) ORDER BY CAST(user_id AS BIGINT)"
        )
    assert found == [(str(n), "Lamp", 3, 2, 6) for n in range(1, len(forms) + 1)]


def test_a_product_with_an_id_keeps_the_name_beside_it(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    _build(platform, [log(1, NOON, "buy", product={"id": 7}, item_name="Lamp", price=3)])
    with platform.session(read_only=True) as session:
        found = session.rows("SELECT product_id, product_name, price FROM cleaned.event_items")
    assert found == [("7", "Lamp", 3)]


def test_an_empty_field_of_a_log_hides_none_in_its_metadata(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    metadata = {"total": 5.5, "currency": "USD", "url": "https://s.example/x", "order_id": "T"}
    _build(platform, [log(1, NOON, "buy", total=None, url="", currency="", metadata=metadata)])
    with platform.session(read_only=True) as session:
        found = session.rows("SELECT amount, currency, page_url, transaction_id FROM cleaned.events")
    assert found == [(Decimal("5.5"), "USD", "https://s.example/x", "T")]


@pytest.mark.parametrize("action", ["refund", "return", "Returned"])
def test_the_amount_of_a_refund_in_a_log_is_what_it_gives_back_or_the_log_is_rejected(
    tmp_path: Path, action: str
) -> None:
    platform = open_with_tables(tmp_path)
    given = [{"refund_amount": 5, "total": 20}, {"total": 5}, {"amount": "5 EUR"}, {"refund_value": "abc", "total": 20}]
    put_logs(platform, [log(n, NOON, action, order_id="T", **amounts) for n, amounts in enumerate(given, 1)])
    assert load(platform, WEB_LOGS) == {WEB_LOGS: (3, 0, 1)}
    with platform.session() as session:
        build(session, DayRange(NOON.date(), NOON.date()), platform.settings, TABLES)
        assert session.rows("SELECT amount FROM cleaned.events") == [(Decimal(5),)] * 3
        assert session.one("SELECT error_reason FROM ops.quarantine") == ("event_data: refund_value is no amount",)


def test_a_log_that_names_its_product_by_id_alone_is_about_that_product(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    _build(platform, [log(1, NOON, "view", item_id="P1"), log(1, NOON, "click", sku="P1"), log(1, NOON, "view")])
    with platform.session(read_only=True) as session:
        found = session.rows(
            "SELECT event_name, product_id FROM cleaned.events LEFT JOIN cleaned.event_items USING (event_id) "
            "ORDER BY event_name"
        )
    assert found == [("page_view", None), ("select_item", "P1"), ("view_item", "P1")]


def test_a_log_that_names_its_page_and_browser_has_both_and_a_bot_is_known_by_its_own(tmp_path: Path) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Safari/604.1"
    platform = open_with_tables(tmp_path)
    documents = [
        log(1, NOON, "view", "Lamp", url="https://shop.example/lamp", referer="https://www.google.com/", ua=phone),
        log(2, NOON, "view", "Lamp", metadata={"page": "/lamp", "userAgent": "Googlebot/2.1", "url": "n/a"}),
        log(3, NOON, "view", "Lamp", page={"title": "Lamp"}),
    ]
    _build(platform, documents)
    with platform.session(read_only=True) as session:
        sql = "SELECT page_url, referrer, device_type, is_bot FROM cleaned.events ORDER BY user_id"
        assert session.rows(sql) == [
            ("https://shop.example/lamp", "https://www.google.com/", "mobile", False),
            ("/lamp", None, "bot", True),
            (None, None, "mobile", None),
        ]
        assert unread_fields(session) == []


def test_what_a_log_says_inside_other_fields_is_read_or_named(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    product = {"name": "Hawaiian", "price": 5}
    documents = [
        log(1, NOON, "buy", product=product | {"pieces": 3}, order_id="T1"),
        log(2, NOON, "buy", product=product | {"weight": 3}, quantity=3, order_id="T2"),
        log(
            3,
            NOON,
            "buy",
            metadata={"order": {"id": "T3", "total": 15, "note": "x"}, "product": '{"name": "Lamp", "price": 7.5}'},
        ),
        log(4, NOON, "buy", items=["Hawaiian"], total=15, data={"gift": True}, cart=[product], order="T4"),
    ]
    _build(platform, documents)
    with platform.session(read_only=True) as session:
        found = session.rows("SELECT transaction_id, amount FROM cleaned.events ORDER BY user_id")
        assert found == [("T1", Decimal(15)), ("T2", Decimal(15)), ("T3", Decimal(15)), (None, Decimal(15))]
        assert unread_fields(session) == [
            "cart, gift, items that are no object, note, order in event_data of web_logs",
            "weight in items of web_logs",
        ]


def test_fields_of_a_log_that_nothing_reads_are_named_and_those_that_are_read_are_not(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    _build(platform, [log(1, NOON, "buy", "Lamp", amount=20, orderId="T", warehouse="N", metadata={"gift": True})])
    with platform.session(read_only=True) as session:
        assert unread_fields(session) == ["warehouse in extra of web_logs", "gift in metadata of web_logs"]
