"""What lists and products bring, worked out by hand: each column, who is credited, and the report's two questions."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from analytics_platform.warehouse import Session
from analytics_platform_tests.models.listed import BOT, DAY, Item, act, buy, shop
from analytics_platform_tests.shop_messages import shop_message


def test_users_of_lists_and_products_are_persons_on_any_device(tmp_path: Path) -> None:
    """One person on two devices, and one client that nobody signed in on."""
    rows = [
        {**act(client, at, "view_item", "p1", in_list="home"), "user_id": user}
        for client, at, user in (("phone", "10:00", "ada"), ("laptop", "11:00", "ada"), ("other", "12:00", ""))
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "unique_users") == {"home": 2}
        assert products(session, "unique_users", "unique_viewers") == {"p1": [2, 2]}


def lists(session: Session, *columns: str) -> dict[str, Any]:
    """List → its figures; of one column the bare figure."""
    return _figures(session, f"SELECT list_id, {', '.join(columns)} FROM marts.list_performance")


def products(session: Session, *columns: str) -> dict[str, Any]:
    """Product → its figures; of one column the bare figure."""
    return _figures(session, f"SELECT product_id, {', '.join(columns)} FROM marts.product_performance")


def _figures(session: Session, sql: str) -> dict[str, Any]:
    return {str(key): figures[0] if len(figures) == 1 else figures for key, *figures in session.rows(sql)}


SHELF = [
    act("ada", "10:00:00", "view_item_list", "p1", "p2", "p3", in_list="top"),
    act("ada", "10:01:00", "select_item", "p1", in_list="top"),
    act("ada", "10:02:00", "view_item", {"item_id": "p1", "item_name": "Lamp", "price": 12}),
    act("ada", "10:03:00", "add_to_cart", "p1"),
    buy("ada", "10:04:00", "T1", {"item_id": "p1", "price": 10, "quantity": 2}),
    act("bob", "10:00:00", "view_item_list", "p1", "p2", in_list="top"),
    act("eve", "09:00:00", "view_item", {"item_id": "p2", "price": 4}),
    act("eve", "09:01:00", "add_to_cart", "p2"),
]
"""Ada comes through the list and buys, Bob looks at the list and leaves, Eve comes to a product from elsewhere."""


def test_every_column_of_a_list_is_as_worked_out_by_hand(tmp_path: Path) -> None:
    with shop(tmp_path, SHELF) as session:
        assert session.frame("SELECT * FROM marts.list_performance").to_dicts() == [
            {
                "list_id": "top",
                "list_name": None,
                "impressions": 5,
                "unique_users": 2,
                "sessions": 2,
                "clicks": 1,
                "views": 1,
                "add_to_carts": 1,
                "purchases": 1,
                "unique_products": 3,
                "revenue": Decimal(20),
                "unknown_amounts": 0,
                "average_revenue_per_user": 10.0,
                "click_through_rate": 1 / 5,
                "engagement_rate": 1 / 2,
                "conversion_rate": 1 / 2,
                "bounce_rate": 1 / 2,
            }
        ]


def test_every_column_of_a_product_is_as_worked_out_by_hand(tmp_path: Path) -> None:
    with shop(tmp_path, SHELF) as session:
        rows = session.frame("SELECT * FROM marts.product_performance ORDER BY product_id").to_dicts()
    assert rows[0] == {
        "product_id": "p1",
        "product_name": "Lamp",
        "impressions": 2,
        "unique_users": 2,
        "unique_viewers": 1,
        "views": 1,
        "clicks": 1,
        "add_to_carts": 1,
        "purchases": 1,
        "quantity": 2,
        "revenue": Decimal(20),
        "unknown_amounts": 0,
        "unknown_refunds": 0,
        "click_through_rate": 1 / 2,
        "view_to_purchase_rate": 1.0,
        "conversion_rate": 1 / 2,
        "average_price": 11.0,
        "refunds": Decimal(0),
        "net_revenue": Decimal(20),
        "first_seen_at": dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC),
    }
    assert rows[1] == {
        "product_id": "p2",
        "product_name": None,
        "impressions": 2,
        "unique_users": 3,
        "unique_viewers": 1,
        "views": 1,
        "clicks": 0,
        "add_to_carts": 1,
        "purchases": 0,
        "quantity": 0,
        "revenue": Decimal(0),
        "unknown_amounts": 0,
        "unknown_refunds": 0,
        "click_through_rate": 0.0,
        "view_to_purchase_rate": 0.0,
        "conversion_rate": 0.0,
        "average_price": 4.0,
        "refunds": Decimal(0),
        "net_revenue": Decimal(0),
        "first_seen_at": dt.datetime(2024, 3, 1, 9, tzinfo=dt.UTC),
    }
    assert (rows[2]["unique_users"], rows[2]["view_to_purchase_rate"], rows[2]["average_price"]) == (1, None, None)


def test_events_of_the_app_and_of_the_web_meet_in_the_same_lists(tmp_path: Path) -> None:
    at, own = f"{DAY}T10:00:00Z", {"item_id": "p1", "item_list_name": "top"}
    messages = [
        shop_message("u1", at, "view_item_list", items=[own, {**own, "item_id": "p2"}]),
        shop_message("u2", at, "view_item_list", items="[{item_id=p1, item_list_name=top, price=(not set)}]"),
        shop_message("u2", f"{DAY}T10:01:00Z", "select_item", items=[own]),
        shop_message("robot", at, "select_item", items=[own], user_agent=BOT),
    ]
    with shop(tmp_path, SHELF, messages) as session:
        assert lists(session, "impressions", "unique_users", "clicks", "unique_products") == {"top": [8, 4, 2, 3]}
        assert products(session, "impressions")["p1"] == 4


@pytest.mark.parametrize("order", [1, -1])
def test_a_click_credits_its_list_with_what_follows_in_the_session_and_with_nothing_before(
    tmp_path: Path, order: int
) -> None:
    rows = [
        act("ada", "10:00:00", "add_to_cart", "p1"),
        act("ada", "10:01:00", "select_item", "p1", in_list="top"),
        act("ada", "10:02:00", "add_to_cart", "p1"),
        act("ada", "10:03:00", "add_to_cart", "p2"),
        act("bob", "10:04:00", "add_to_cart", "p1"),
    ]
    with shop(tmp_path, rows[::order]) as session:
        assert lists(session, "clicks", "add_to_carts", "unique_users") == {"top": [1, 1, 1]}
        assert products(session, "add_to_carts") == {"p1": 3, "p2": 1}


def test_without_clicks_a_view_of_a_product_that_the_list_showed_or_that_names_it_counts(tmp_path: Path) -> None:
    p1, p2 = {"item_id": "p1", "price": 10}, {"item_id": "p2", "price": 5}
    rows = [
        act("ada", "23:50:00", "view_item_list", p1, p2, in_list="top"),
        act("ada", "23:50:00", "view_item", p1),  # of the same second
        act("ada", "23:51:00", "begin_checkout", p1),
        buy("ada", "2024-03-02T00:05:00Z", "T1", p1),
        act("bob", "10:00:00", "view_item_list", p1, in_list="old"),
        act("bob", "10:01:00", "view_item_list", p1, in_list="top"),
        act("bob", "10:02:00", "view_item", p2),  # which no list showed
        buy("bob", "10:03:00", "T2", p1),  # which was not viewed
        act("eve", "10:00:00", "view_item", p2, in_list="new"),
        act("eve", "10:01:00", "add_to_cart", p2),
    ]
    columns = ("impressions", "clicks", "views", "add_to_carts", "purchases", "click_through_rate", "engagement_rate")
    with shop(tmp_path, rows) as session:
        assert lists(session, *columns) == {
            "top": [3, 0, 1, 0, 1, 1 / 3, 1 / 2],
            "old": [1, 0, 0, 0, 0, 0.0, 0.0],
            "new": [0, 0, 1, 1, 0, None, 1.0],
        }
        assert products(session, "clicks", "click_through_rate") == {"p1": [0, 1 / 3], "p2": [0, 1.0]}


def test_a_click_that_names_no_list_is_of_the_list_that_showed_the_product_last(tmp_path: Path) -> None:
    p1, p2 = {"item_id": "p1", "price": 10}, {"item_id": "p2", "price": 5}
    rows = [
        act("ada", "23:50:00", "view_item_list", p1, p2, in_list="old"),
        act("ada", "23:51:00", "view_item_list", p1, in_list="top"),
        act("ada", "23:51:00", "select_item", p1),  # of the same second
        act("ada", "23:52:00", "view_item", p1),
        buy("ada", "2024-03-02T00:05:00Z", "T1", p1),
        act("ada", "2024-03-02T00:06:00Z", "select_item", p2),  # which a list showed the day before
        act("bob", "10:00:00", "select_item", p1),  # which no list had shown
        act("bob", "10:01:00", "view_item_list", p1, in_list="top"),
        act("eve", "10:00:00", "select_item", p1, in_list="new"),
        act("eve", "10:01:00", "view_item_list", p2, in_list="top"),
        act("eve", "10:02:00", "select_item", p1),
    ]
    columns = ("impressions", "clicks", "views", "purchases", "click_through_rate", "engagement_rate")
    for order in (1, -1):
        with shop(tmp_path / str(order), rows[::order]) as session:
            assert lists(session, *columns) == {
                "old": [2, 1, 0, 0, 1 / 2, 1.0],
                "top": [3, 1, 1, 1, 1 / 3, 1 / 3],
                "new": [0, 2, 0, 0, None, 1.0],
            }


def test_a_click_credits_nothing_in_the_next_session(tmp_path: Path) -> None:
    rows = [
        act("ada", "10:00:00", "select_item", "p1", in_list="top"),
        buy("ada", "10:30:01", "T1", {"item_id": "p1", "price": 10}),
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "clicks", "purchases", "revenue") == {"top": [1, 0, Decimal(0)]}
        assert products(session, "purchases", "revenue") == {"p1": [1, Decimal(10)]}


def test_the_last_click_before_is_the_one_that_counts(tmp_path: Path) -> None:
    rows = [
        act("ada", "10:00:00", "select_item", "p1", in_list="top"),
        act("ada", "10:01:00", "select_item", "p1", in_list="new"),
        act("ada", "10:02:00", "add_to_cart", "p1"),
        act("ada", "10:03:00", "select_item", "p1", in_list="top"),
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "clicks", "add_to_carts") == {"top": [2, 0], "new": [1, 1]}


def test_what_happens_in_the_same_second_as_the_click_follows_it(tmp_path: Path) -> None:
    """Whatever order the ids of the events have."""
    rows = [
        act(f"c{number}", "10:00:00", name, "p1", in_list="top" if name == "select_item" else None)
        for number in range(8)
        for name in ("add_to_cart", "select_item")
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "clicks", "add_to_carts") == {"top": [8, 8]}


def test_an_items_own_list_beats_the_click_and_the_events_list(tmp_path: Path) -> None:
    own = {"item_id": "p1", "item_list_id": "own"}
    rows = [
        act("ada", "10:00:00", "select_item", "p1", in_list="top"),
        act("ada", "10:01:00", "add_to_cart", own, in_list="event"),
        act("ada", "10:02:00", "add_to_cart", "p1", in_list="event"),
        act("ada", "10:03:00", "view_item_list", own, "p2", in_list="event"),
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "impressions", "clicks", "add_to_carts") == {
            "top": [0, 1, 0], "own": [1, 0, 1], "event": [1, 0, 1],
        }  # fmt: skip


def test_items_without_a_product_are_not_one_product_that_was_clicked(tmp_path: Path) -> None:
    rows = [
        act("ada", "10:00:00", "select_item", {"item_name": "?"}, in_list="top"),
        act("ada", "10:01:00", "add_to_cart", {"item_name": "!"}),
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "clicks", "add_to_carts", "unique_products") == {"top": [1, 0, 0]}
        assert products(session, "add_to_carts") == {}


def test_a_list_without_id_is_identified_by_its_name_and_its_latest_name_is_shown(tmp_path: Path) -> None:
    rows = [
        act("ada", "10:00:00", "view_item_list", "p1", item_list_name="Most bought"),
        act("ada", "10:01:00", "view_item_list", "p1", item_list_name="old", in_list="top"),
        act("ada", "10:02:00", "view_item_list", "p1", item_list_name="new", in_list="top"),
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "list_name", "impressions") == {"Most bought": ["Most bought", 1], "top": ["new", 2]}


def test_an_order_that_is_sent_again_counts_once(tmp_path: Path) -> None:
    item = {"item_id": "p1", "price": 10, "quantity": 2, "item_list_id": "top"}
    rows = [buy("ada", f"10:00:0{second}", "T1", item) for second in range(3)]
    with shop(tmp_path, [*rows, buy("bob", "10:00:00", "T1", item)]) as session:
        assert lists(session, "purchases", "revenue", "unique_users") == {"top": [2, Decimal(40), 2]}
        assert products(session, "purchases", "quantity", "revenue") == {"p1": [2, 4, Decimal(40)]}


def test_an_event_with_a_product_twice_is_one_view_and_one_order_of_it(tmp_path: Path) -> None:
    twice = ({"item_id": "p1", "price": 10}, {"item_id": "p1", "price": 20, "quantity": 3})
    rows = [
        act("ada", "10:00:00", "view_item", *twice),
        act("ada", "10:01:00", "add_to_cart", *twice),
        buy("ada", "10:02:00", "T1", *twice),
    ]
    with shop(tmp_path, rows) as session:
        assert products(session, "views", "add_to_carts", "purchases", "quantity", "revenue", "average_price") == {
            "p1": [1, 1, 1, 4, Decimal(70), 15.0]
        }


def test_bots_are_left_out(tmp_path: Path) -> None:
    rows = [
        act("crawler", "10:00:00", name, {"item_id": item, "price": 5}, in_list="top", agent=BOT)
        for name in ("view_item_list", "select_item", "view_item", "add_to_cart")
        for item in ("p1", "p9")
    ]
    with shop(tmp_path, [*SHELF, *rows]) as session:
        assert lists(session, "impressions", "unique_users", "purchases") == {"top": [5, 2, 1]}
        assert products(session, "views", "unique_users", "conversion_rate") == {
            "p1": [1, 2, 0.5],
            "p2": [1, 3, 0.0],
            "p3": [0, 1, 0.0],
            "p9": [0, 0, None],
        }


def test_an_event_of_a_program_takes_nothing_from_a_persons_visit(tmp_path: Path) -> None:
    rows = [
        act("ada", "10:00:00", "view_item", "p1", in_list="top"),
        act("ada", "10:01:00", "view_item", "p1", agent=BOT),
        buy("ada", "10:02:00", "T1", {"item_id": "p1", "price": 10}, in_list="top"),
    ]
    with shop(tmp_path, rows) as session:
        assert products(session, "views", "purchases", "revenue") == {"p1": [2, 1, Decimal(10)]}
        assert lists(session, "purchases", "revenue") == {"top": [1, Decimal(10)]}


def test_a_click_before_midnight_credits_what_follows_after_it(tmp_path: Path) -> None:
    rows = [
        act("ada", "2024-03-01T23:50:00Z", "select_item", "p1", in_list="top"),
        act("ada", "2024-03-02T00:10:00Z", "add_to_cart", "p1"),
        buy("ada", "2024-03-02T00:15:00Z", "T1", {"item_id": "p1", "price": 10}),
    ]
    with shop(tmp_path, rows) as session:
        assert lists(session, "clicks", "add_to_carts", "purchases", "revenue", "unique_users", "sessions") == {
            "top": [1, 1, 1, Decimal(10), 1, 1]
        }
        assert lists(session, "engagement_rate", "conversion_rate", "bounce_rate") == {"top": [1.0, 1.0, 0.0]}


def test_a_list_that_was_never_shown_has_no_click_through_rate(tmp_path: Path) -> None:
    with shop(tmp_path, [act("ada", "10:00:00", "select_item", "p1", in_list="top")]) as session:
        assert lists(session, "impressions", "click_through_rate", "engagement_rate") == {"top": [0, None, 1.0]}
        assert products(session, "click_through_rate", "view_to_purchase_rate") == {"p1": [None, None]}


def test_a_product_bought_without_a_view_has_a_rate_as_soon_as_it_is_viewed(tmp_path: Path) -> None:
    item: Item = {"item_id": "p1", "price": "9.99"}
    rows = [
        buy("ada", "10:00:00", "T1", item),
        buy("ada", "11:00:00", "T2", item),
        act("ada", "12:00:00", "view_item", item),
    ]
    with shop(tmp_path, rows) as session:
        assert products(session, "views", "purchases", "view_to_purchase_rate", "conversion_rate", "revenue") == {
            "p1": [1, 2, 2.0, 1.0, Decimal("19.98")]
        }


def test_prices_and_quantities_that_are_missing_or_absurd_stop_nothing(tmp_path: Path) -> None:
    rows = [
        buy("ada", "10:00:00", "T1", {"item_id": "p1"}, {"item_id": "p2", "quantity": -1}),
        buy("ada", "10:01:00", "T2", *[{"item_id": "p3", "price": 9_999_999_999, "quantity": 2_147_483_647}] * 9),
    ]
    with shop(tmp_path, rows) as session:
        assert products(session, "purchases", "quantity", "revenue", "average_price") == {
            "p1": [1, 1, Decimal("0.5"), None],
            "p2": [1, 0, Decimal("0.5"), None],
            "p3": [1, 9 * 2_147_483_647, 0, 9_999_999_999.0],
        }


def test_an_order_counts_once_though_its_product_came_from_two_lists(tmp_path: Path) -> None:
    lamp = {"item_id": "p1", "price": 10}
    rows = [buy("ada", "10:00:00", "T1", {**lamp, "item_list_id": "top"}, {**lamp, "item_list_id": "new"})]
    with shop(tmp_path, rows) as session:
        assert products(session, "purchases", "quantity", "revenue") == {"p1": [1, 2, 20]}
        assert lists(session, "purchases", "revenue") == {"new": [1, 10], "top": [1, 10]}


def test_what_is_called_unknown_is_not_taken_for_the_unknown_member(tmp_path: Path) -> None:
    item = {"item_id": "unknown", "item_category": "unknown", "price": 10}
    nameless = buy("ada", "11:00:00", "T2", {"item_id": "p2", "price": 5})
    with shop(tmp_path, [buy("unknown", "10:00:00", "unknown", item, in_list="unknown"), nameless]) as session:
        assert lists(session, "purchases") == {"unknown": 1}
        assert products(session, "purchases") == {"unknown": 1, "p2": 1}
        for dimension, key in (("list", "list_id"), ("product", "product_id"), ("customer", "client_id")):
            members = dict(session.rows(f"SELECT {key}, {dimension}_key = -1 FROM star.dim_{dimension}"))
            assert (members["unknown"], members["(not set)"]) == (False, True)
        categories = "SELECT category, product_id, rank FROM marts.category_sellers ORDER BY 1"
        assert session.rows(categories) == [("(not set)", "p2", 1), ("unknown", "unknown", 1)]
