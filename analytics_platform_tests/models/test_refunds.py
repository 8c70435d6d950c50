"""Refunds: what is given back of an order and of products, and never more than was paid."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

from analytics_platform.reports.queries import read_lone_refunds
from analytics_platform_tests.kit import Row, click
from analytics_platform_tests.models.sales import buy, give_back, orders, sold


def test_a_refund_is_no_order_and_changes_the_net(tmp_path: Path) -> None:
    rows = [
        buy("a", "part", value=100, items=[{"item_id": "x", "price": 50, "quantity": 2}]),
        give_back("a", "part", value=30, items=[{"item_id": "x", "price": 30}]),
        buy("b", "whole", value=20),
        give_back("b", "whole"),
        buy("c", "minus", value=10),
        buy("c", "minus", "2024-03-02T10:00:00", value=-4),
        give_back("d", "unknown", value=3),
        buy("e", "dollars", value=25, currency="USD"),
        give_back("e", "dollars", value=5, currency="USD"),
        give_back("f", "nothing"),
        give_back("a", "of no event", value=2),
        buy("g", "worth unknown"),
        give_back("g", "worth unknown", value=5, items=[{"item_id": "x", "price": 5}]),
        click("h", "2024-03-01T10:00:00", "purchase", user_id="u", data={"transaction_id": "told twice", "value": 9}),
        click("i", "2024-03-01T11:00:00", "purchase", user_id="u", data={"transaction_id": "told twice", "value": 9}),
        give_back("i", "told twice", value=1),
        buy("j", "exchanged", value=10, items=[{"item_id": "x", "price": 10}]),
        buy("j", "exchanged", "2024-03-02T10:00:00", value=12, items=[{"item_id": "y", "price": 12}]),
    ]
    with sold(tmp_path, rows) as (_, session):
        assert orders(session, "revenue", "refunded", "net_revenue") == {
            "part": (100, 30, 70),
            "whole": (20, 20, 0),
            "minus": (10, 4, 6),
            "dollars": (20, 4, 16),
            "worth unknown": (None, 5, None),
            "told twice": (9, 1, 8),
            "exchanged": (10, 0, 10),
        }
        refunds = session.rows("SELECT transaction_id, amount, order_id IS NOT NULL FROM star.fact_refunds ORDER BY 1")
        assert refunds == [
            ("dollars", 4, True),
            ("minus", 4, True),
            ("nothing", None, False),
            ("of no event", 2, False),
            ("part", 30, True),
            ("told twice", 1, True),
            ("unknown", 3, False),
            ("whole", 20, True),
            ("worth unknown", None, True),
        ]
        assert [row[1:] for row in read_lone_refunds(session).rows()] == [(2, 2 + 3)]
        days = session.rows("SELECT orders, revenue, refunds, net_revenue FROM marts.daily_trends ORDER BY date")
        assert days == [(7, 169, 0, 169), (0, 0, 64, -64)]
        assert session.rows(
            "SELECT revenue, refunds, net_revenue FROM marts.customer_revenue WHERE person_id = 'a'"
        ) == [(100, 32, 68)]
        assert session.rows("SELECT sum(refunds) FROM marts.customer_revenue") == [(64 - 3,)]
        products = session.rows("SELECT sum(revenue), sum(refunds), sum(net_revenue) FROM marts.product_daily")
        assert products == [(110, 30, 80)]
        assert session.rows("SELECT count(*) FROM star.fact_sessions WHERE purchased") == [(9,)]
        assert session.rows("SELECT kind, reason, events, excess FROM marts.unknown_amounts ORDER BY reason") == [
            ("order", "another amount in a repeat", 1, 0),
            ("refund", "no order with a known amount", 1, 0),
            ("order", "no value", 1, 0),
            ("refund", "order of unknown amount", 1, 5),
        ]
        assert session.rows("SELECT transaction_id FROM star.fact_orders WHERE has_other_amounts") == [("exchanged",)]
        for mart in ("cohort_retention", "monthly_growth"):
            assert session.rows(f"SELECT sum(revenue), sum(refunds) FROM marts.{mart}")[0][0] == 169, mart


ORDER = {"value": 50, "items": [{"item_id": "x", "price": 10, "quantity": 3}, {"item_id": "y", "price": 20}]}
SOLD = {"x": 30, "y": 20}
REFUNDS: dict[str, tuple[Row, list[Row], object, object, dict[str, object]]] = {
    # the order, what comes later, what counts, the excess, and what products are given back
    "items by their price in the order": (ORDER, [{"items": [{"item_id": "x", "quantity": 2}]}], 20, 0, {"x": 20}),
    "a discount is one on each line": (
        *(ORDER | {"value": 40}, [{"items": [{"item_id": "x", "quantity": 2}, {"item_id": "y"}]}], 32, 0),
        {"x": 16, "y": 16},
    ),
    "more pieces than ordered": (ORDER, [{"items": [{"item_id": "x", "quantity": 9}]}], 30, 0, {"x": 30}),
    "another price than in the order": (
        ORDER,
        [{"items": [{"item_id": "x", "price": 8}, {"item_id": "y"}]}],
        28,
        0,
        {"x": 8, "y": 20},
    ),
    "lines that share the order": (
        *(
            {"value": 9, "items": [{"item_id": "x"}, {"item_id": "y"}]},
            [{"items": [{"item_id": "y"}]}],
            Decimal("4.5"),
            0,
        ),
        {"y": Decimal("4.5")},
    ),
    "an item that was not ordered": (ORDER, [{"items": [{"item_id": "x"}, {"item_id": "z"}]}], None, None, {}),
    "the whole order": (ORDER, [{}], 50, 0, SOLD),
    "no items are the whole order": (ORDER, [{"items": []}], 50, 0, SOLD),
    "the whole order twice": (ORDER, [{}, {}], 50, 50, SOLD),
    "the same item twice": (
        *(
            {"value": 10, "items": [{"item_id": "x", "price": 10}]},
            [{"items": [{"item_id": "x"}]}] * 2,
            10,
            10,
            {"x": 10},
        ),
    ),
    "a part and then the whole": (ORDER, [{"value": 20}, {}], 50, 0, {"x": 18, "y": 12}),
    "an item and then the whole": (ORDER, [{"items": [{"item_id": "y"}]}, {}], 50, 0, SOLD),
    "pieces of an item and then the whole": (ORDER, [{"items": [{"item_id": "x", "quantity": 2}]}, {}], 50, 0, SOLD),
    "an item, a part and then the whole": (
        *(ORDER, [{"items": [{"item_id": "y"}]}, {"value": 10}, {}], 50, 0, {"x": 20, "y": 20}),
    ),
    "a part of an order with shipping, and then the whole": (
        *(ORDER | {"value": 52}, [{"items": [{"item_id": "y"}]}, {}], 52, 0, SOLD),
    ),
    "items worth more than the value": (
        *(ORDER, [{"value": 10, "items": [{"item_id": "x", "price": 10}, {"item_id": "y", "price": 20}]}], 10, 0),
        {"x": Decimal("3.3333"), "y": Decimal("6.6667")},
    ),
    "items worth less than the value": (
        ORDER,
        [{"value": 25, "items": [{"item_id": "y", "price": 20}]}],
        25,
        0,
        {"y": 20},
    ),
    "items that are cut, and then the whole": (
        *(ORDER, [{"value": 10, "items": [{"item_id": "y", "price": 20}]}, {}], 50, 0, SOLD),
    ),
    "more than the order": (ORDER, [{"value": 30}, {"value": 30}], 50, 10, {}),
    "an item twice with its price": (
        *(ORDER, [{"items": [{"item_id": "x", "price": 10, "quantity": 3}]}] * 2, 30, 30, {"x": 30}),
    ),
    "an item twice with its price, and then the whole": (
        *(ORDER, [{"items": [{"item_id": "y", "price": 20}]}] * 2 + [{}], 50, 20, SOLD),
    ),
    "an item for more than it cost": (ORDER, [{"items": [{"item_id": "y", "price": 45}]}], 20, 25, {"y": 20}),
    "an item twice, with values": (
        *(ORDER, [{"value": 20, "items": [{"item_id": "y", "price": 20}]}] * 2, 40, 0, {"y": 20}),
    ),
    "an item twice, with parts of its value": (
        *(ORDER, [{"value": 10, "items": [{"item_id": "y", "price": 20}]}] * 2, 20, 0, {"y": 20}),
    ),
    "an item of an order with a discount at its price": (
        *(ORDER | {"value": 40}, [{"items": [{"item_id": "y", "price": 20}]}, {}], 40, 4, {"x": 24, "y": 16}),
    ),
    "a negative value": (ORDER, [{"name": "purchase", "value": -4}], 4, 0, {}),
    "a negative quantity": (
        *(ORDER, [{"name": "purchase", "items": [{"item_id": "x", "price": 10, "quantity": -2}]}], 20, 0, {"x": 20}),
    ),
    "a negative quantity without price": (
        *(ORDER, [{"name": "purchase", "items": [{"item_id": "x", "quantity": -2}]}], 20, 0, {"x": 20}),
    ),
    "a negative quantity with a value": (
        *(ORDER, [{"name": "purchase", "value": 7, "items": [{"item_id": "x", "quantity": -1}]}], 7, 0, {"x": 7}),
    ),
    "a negative price": (ORDER, [{"name": "purchase", "items": [{"item_id": "x", "price": -6}]}], 6, 0, {"x": 6}),
}


def test_a_refund_gives_back_what_it_names_and_never_more_than_the_order(tmp_path: Path) -> None:
    rows = []
    for place, (order, (bought, later, *_)) in enumerate(REFUNDS.items()):
        rows.append(buy(f"c{place}", order, **bought))
        for number, data in enumerate(later):
            at = f"2024-03-02T1{number}:00:00"
            rows.append(buy(f"c{place}", order, at, **{"name": "refund", **data}))  # type: ignore[arg-type]
    with sold(tmp_path, rows) as (_, session):
        assert len(orders(session, "revenue")) == len(REFUNDS)
        found = session.rows("SELECT transaction_id, sum(amount), sum(excess) FROM star.fact_refunds GROUP BY 1")
        assert {order: (amount, excess) for order, amount, excess in found} == {
            order: (amount, excess) for order, (_, _, amount, excess, _) in REFUNDS.items()
        }
        assert (
            session.rows("SELECT * FROM star.fact_orders WHERE net_revenue < 0 OR net_revenue <> revenue - refunded")
            == []
        )
        expected = sum((Counter(given) for *_, given in REFUNDS.values()), Counter[str]())
        products = session.rows(
            "SELECT product_id, sum(refunds) FROM marts.product_daily GROUP BY 1 HAVING sum(refunds) > 0"
        )
        assert dict(products) == expected
        unknown = session.rows("SELECT kind, reason, events, excess FROM marts.unknown_amounts ORDER BY reason")
        assert unknown == [("refund", "items of unknown amount", 1, 0), ("refund", "more than the order", 7, 149)]


def test_a_refund_whose_items_cannot_be_read_is_unknown_and_not_the_whole_order(tmp_path: Path) -> None:
    lines = [{"item_id": "x", "price": 5}, {"item_id": "y", "price": 2}]
    unreadable: tuple[object, ...] = ("x, one piece", {"bad": 1}, 3)
    rows = [buy("k", n, value=7, items=lines) for n in range(1, 5)]
    rows += [give_back("k", n, items=items) for n, items in enumerate(unreadable, 1)]
    rows.append(give_back("k", 4, items=[], products=[{"product_id": "x", "price": 5}]))
    with sold(tmp_path, rows) as (_, session):
        assert orders(session, "refunded") == {"1": (0,), "2": (0,), "3": (0,), "4": (5,)}
        unknown = session.rows("SELECT kind, events FROM marts.unknown_amounts")
        assert unknown == [("refund", len(unreadable))]
