"""What is read out of a clickstream row: names, traffic, orders, items, and everything trackers get wrong."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from analytics_platform_tests.kit import built_house, click

CLEANED = {"cleaned.urls", "cleaned.user_agents", "cleaned.source_categories", "cleaned.events", "cleaned.event_items"}
AT = "2024-03-01T10:00:00Z"


def event_of(root: Path, **columns: Any) -> Mapping[str, Any]:
    """The one row of cleaned.events that a clickstream row becomes."""
    with built_house(root, [click("ada", AT, **columns)], CLEANED) as session:
        return session.frame("SELECT * FROM cleaned.events").row(0, named=True)


def items_of(root: Path, data: object, name: str = "view_item") -> list[dict[str, Any]]:
    """The rows of cleaned.event_items that an event carrying `data` becomes."""
    with built_house(root, [click("ada", AT, name, data=data)], CLEANED) as session:
        return session.frame("SELECT * FROM cleaned.event_items ORDER BY item_index").rows(named=True)


@pytest.mark.parametrize(
    ("raw", "name", "known"),
    [
        ("page_viewed", "page_view", True),
        ("product_added_to_cart", "add_to_cart", True),
        ("checkout_started", "begin_checkout", True),
        ("checkout_completed", "purchase", True),
        ("email_filled_on_popup", "generate_lead", True),
        ("view_item", "view_item", True),
        ("wiggled_mouse", "wiggled_mouse", False),
    ],
)
def test_names_are_ga4s_and_unknown_ones_are_kept_and_flagged(tmp_path: Path, raw: str, name: str, known: bool) -> None:
    event = event_of(tmp_path, name=raw)
    assert (event["event_name"], event["raw_event_name"], event["is_known_event"]) == (name, raw, known)


@pytest.mark.parametrize(
    ("page", "referrer", "traffic"),
    [
        ("https://shop.example/", "", (None, None, None)),
        ("https://shop.example/", "https://www.google.de/", ("google", "organic", None)),
        ("https://shop.example/", "https://blog.other.example/a", ("blog.other.example", "referral", None)),
        ("https://shop.example/", "https://www.shop.example/cart", (None, None, None)),
        ("https://shop.example/", "https://m.shop.example/", (None, None, None)),
        ("https://m.shop.example/", "https://shop.example/", (None, None, None)),
        ("https://shop.example/", "https://workshop.example/", ("workshop.example", "referral", None)),
        ("https://shop.example/?gclid=1", "https://www.google.de/", ("google", "cpc", None)),
        ("https://shop.example/?utm_source=news&utm_medium=email&utm_campaign=may", "", ("news", "email", "may")),
        ("https://shop.example/?utm_campaign=may", "", ("(not set)", "(not set)", "may")),
        ("/relative/path", "https://www.google.de/", ("google", "organic", None)),
    ],
)
def test_traffic_is_the_tag_else_the_ad_click_else_a_foreign_referrer(
    tmp_path: Path, page: str, referrer: str, traffic: tuple[str | None, ...]
) -> None:
    event = event_of(tmp_path, page_url=page, referrer=referrer)
    assert (event["traffic_source"], event["traffic_medium"], event["traffic_campaign"]) == traffic


@pytest.mark.parametrize(
    ("data", "transaction", "revenue"),
    [
        ({"transaction_id": "T1", "revenue": 12.5}, "T1", "12.5"),
        ({"transaction_id": 1001, "revenue": "12.5"}, "1001", "12.5"),
        ({"transaction_id": " T1 ", "value": 7}, "T1", "7"),
        ({"transaction_id": "T1", "revenue": 0}, "T1", "0"),
        ({"transaction_id": "T1", "revenue": -3}, "T1", "-3"),
        ({"transaction_id": "", "revenue": "free"}, None, None),
        ({"transaction_id": None, "revenue": None}, None, None),
        ({"revenue": "free", "value": 5}, None, "5"),
        ({"transaction_id": "T1", "revenue": 99_999_999_999_999}, "T1", None),
        ('{"transaction_id": "T1", "revenue": NaN}', "T1", None),
        ({}, None, None),
        ("[1, 2]", None, None),
        ('"text"', None, None),
        ("", None, None),
    ],
)
def test_order_number_and_revenue_are_read_or_left_empty(
    tmp_path: Path, data: object, transaction: str | None, revenue: str | None
) -> None:
    event = event_of(tmp_path, name="checkout_completed", data=data)
    assert event["transaction_id"] == transaction
    assert event["revenue"] == (Decimal(revenue) if revenue else None)


def test_order_number_and_revenue_are_read_from_purchases_only(tmp_path: Path) -> None:
    event = event_of(tmp_path, name="add_to_cart", data={"transaction_id": "T1", "revenue": 5})
    assert (event["transaction_id"], event["revenue"]) == (None, None)


def test_items_of_both_dialects_are_read_in_their_order(tmp_path: Path) -> None:
    tracker = {"item_id": "1", "item_name": '8" pan', "item_price": "2.50", "item_variant": "red", "quantity": "2"}
    ga4 = {"item_id": 2, "price": 3, "item_brand": "B", "item_category": "C", "coupon": "X", "index": 4}
    first, second = items_of(tmp_path, {"items": [tracker, ga4], "item_list_id": "L", "item_list_name": "List"})
    assert (first["item_index"], second["item_index"]) == (0, 1)
    assert (first["product_id"], first["product_name"], first["variant"]) == ("1", '8" pan', "red")
    assert (first["price"], first["quantity"]) == (Decimal("2.5"), 2)
    assert (second["product_id"], second["price"], second["quantity"]) == ("2", Decimal(3), None)
    assert (second["brand"], second["category"], second["coupon"], second["list_index"]) == ("B", "C", "X", 4)
    assert (first["list_id"], first["list_name"]) == ("L", "List")


def test_items_may_come_as_a_json_string(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path, {"items": '[{"item_id": "1", "price": 2}]'})
    assert (item["product_id"], item["price"]) == ("1", Decimal(2))


@pytest.mark.parametrize("items", [None, [], {}, "", "[", "no json", '"[]"', 7, {"item_id": "1"}])
def test_what_is_not_a_list_of_items_has_none(tmp_path: Path, items: object) -> None:
    assert items_of(tmp_path, {"items": items}) == []


@pytest.mark.parametrize("item", [{}, None, 1, "x", [1], {"item_id": None}, {"item_id": " "}, {"item_id": ""}])
def test_an_item_without_fields_is_kept(tmp_path: Path, item: object) -> None:
    (row,) = items_of(tmp_path, {"items": [item]})
    assert (row["item_index"], row["product_id"], row["price"], row["quantity"]) == (0, None, None, None)


@pytest.mark.parametrize("quantity", [1.5, -1, "two", None, True, 10**12, "NaN"])
def test_what_is_not_a_count_is_no_quantity(tmp_path: Path, quantity: object) -> None:
    (row,) = items_of(tmp_path, {"items": [{"item_id": "1", "quantity": quantity}]})
    assert row["quantity"] is None


def test_the_same_product_twice_is_two_items(tmp_path: Path) -> None:
    rows = items_of(tmp_path, {"items": [{"item_id": "1"}, {"item_id": "1"}]})
    assert [(row["item_index"], row["product_id"]) for row in rows] == [(0, "1"), (1, "1")]


def test_an_event_with_tens_of_thousands_of_items_is_taken_apart(tmp_path: Path) -> None:
    rows = items_of(tmp_path, {"items": [{"item_id": str(n)} for n in range(30_000)]})
    assert [row["product_id"] for row in rows] == [str(n) for n in range(30_000)]


def test_an_event_was_received_when_the_export_says_or_else_when_it_arrived(tmp_path: Path) -> None:
    received = event_of(tmp_path / "said", received_at="2024-03-01T10:00:02Z")["received_at"]
    assert received.isoformat() == "2024-03-01T10:00:02+00:00"
    with built_house(tmp_path / "unsaid", [click("ada", AT)], CLEANED) as session:
        same = session.rows(
            "SELECT events.received_at = rows.arrived_at"
            " FROM cleaned.events AS events JOIN cleaned.clickstream AS rows USING (event_id)"
        )
    assert same == [(True,)]
