"""Amounts of orders and their lines; any mix of orders, refunds and currencies adds up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.transform import DayRange
from analytics_platform.warehouse.touched import days_after
from analytics_platform_tests.kit import Row, build, click, contents, load_rows, open_with_tables
from analytics_platform_tests.models.sales import DAY, TABLES, buy, give_back, orders, sold


def test_a_purchase_without_amount_is_worth_its_items_in_every_source(tmp_path: Path) -> None:
    rows = [
        buy("a", "items", items=[{"item_id": "x", "item_price": "1,5", "quantity": 2}, {"item_id": "y", "price": 4}]),
        buy("b", "later"),
        buy("b", "later", "2024-03-01T10:01:00", value=49.90),
        buy("c", "never"),
    ]
    with sold(tmp_path, rows) as (_, session):
        assert orders(session, "revenue", "not_itemized") == {
            "items": (7, 0),
            "later": (Decimal("49.9"), Decimal("49.9")),
            "never": (None, None),
        }


def test_a_late_event_changes_the_earlier_order_of_its_transaction(tmp_path: Path) -> None:
    """What arrives in files, each built by the days it touches, is as if built at once."""
    night = "2024-03-01T23:59:00"
    files = [
        [
            *(buy("a", "night", night), buy("b", "two", night, value=20), buy("c", "cap", value=10)),
            *(buy("e", "named", night), buy("f", "spelled", night)),
        ],
        [give_back("c", "cap", "2024-03-03T12:00:00", value=8), click("z", "2024-03-02T01:00:00")],
        [buy("a", "night", "2024-03-02T00:01:00", value=30), give_back("c", "cap", value=6)],
        [
            click("d", "2024-03-02T00:30:00", "purchase", user_id="u", data={"transaction_id": "two", "value": 20}),
            click("b", night[:-2] + "30", "purchase", user_id="u", data={"transaction_id": "two"}),
        ],
        # By the client of the repeat, later than what may be one order.
        [give_back("d", "two", "2024-04-05T10:00:00", value=3)],
        # Names as trackers spell them, days after an event without amount.
        [
            buy("e", "named", "2024-03-12T10:00:00", "checkout_completed", value=5),
            buy("f", "spelled", "2024-03-12T10:00:00", "Order Completed", value=6),
        ],
    ]
    platform = open_with_tables(tmp_path / "late", shop_currency="EUR", partition_start=DAY)
    known: set[str] = set()
    with platform.session() as session:
        for number, rows in enumerate(files):
            load_rows(platform, session, rows, f"{number}.csv")
            new = {batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")} - known
            touched, known = days_after(session, sorted(new), platform.settings), known | new
            build(session, DayRange(min(touched), max(touched)), platform.settings, TABLES)
        assert orders(session, "revenue", "refunded") == {
            **{"night": (30, 0), "two": (20, 3), "cap": (10, 10)},
            **{"named": (5, 0), "spelled": (6, 0)},
        }
        amounts = session.rows("SELECT amount, excess FROM star.fact_refunds ORDER BY refunded_at")
        assert amounts == [(6, 0), (4, 4), (3, 0)]
        late = contents(session, TABLES - {"cleaned.clickstream"})
        build(session, DayRange(DAY, DAY + dt.timedelta(days=35)), platform.settings, TABLES)
        assert contents(session, TABLES - {"cleaned.clickstream"}) == late


LINES: dict[str, tuple[object, list[dict[str, object]], list[tuple[object, str]], object]] = {
    "price times quantity": (20, [{"price": 5, "quantity": 4}], [(20, "unit price")], 0),
    "the price is the line's total": (
        *(20, [{"price": 5, "quantity": 4}, {"price": 15, "quantity": 2}]),
        *([(5, "line total"), (15, "line total")], 0),
    ),
    "shipping": (25, [{"price": 5, "quantity": 4}], [(20, "unit price")], 5),
    "a discount": (18, [{"price": 5, "quantity": 4}], [(20, "unit price")], -2),
    "lines without a price share what is left": (
        *(20, [{"price": 5, "quantity": 2}, {"quantity": 3}, {}, {}]),
        *([(10, "unit price"), *zip(map(Decimal, ("3.3333", "3.3333", "3.3334")), ["shared"] * 3, strict=True)], 0),
    ),
    "nothing is left": (10, [{"price": 5, "quantity": 2}, {}], [(10, "unit price"), (0, "shared")], 0),
    "the lines' totals and shipping": (
        *(25, [{"price": 5, "quantity": 4}, {"price": 15, "quantity": 2}]),
        *([(5, "line total"), (15, "line total")], 5),
    ),
    "the lines' totals, a cent off": (
        *("19.99", [{"price": 5, "quantity": 4}, {"price": 15, "quantity": 2}]),
        *([(5, "line total"), (15, "line total")], Decimal("-0.01")),
    ),
    "a small discount on several lines": (
        *(120, [{"price": 60}, {"price": 10, "quantity": 2}, {"price": 45}]),
        *([(60, "unit price"), (20, "unit price"), (45, "unit price")], -5),
    ),
    "half the price": (10, [{"price": 5, "quantity": 4}], [(20, "unit price")], -10),
    "half a kilo": (5, [{"price": 10, "quantity": "0,5"}], [(5, "unit price")], 0),
    "an exchange": (
        *(15, [{"price": 5, "quantity": 5}, {"price": 10, "quantity": -1}]),
        *([(25, "unit price"), (-10, "unit price")], 0),
    ),
    "no price at all": (9, [{}, {}], [(Decimal("4.5"), "shared")] * 2, 0),
}


def test_lines_and_what_is_not_itemized_make_the_order(tmp_path: Path) -> None:
    rows = [
        buy(f"c{place}", order, value=value, items=[{"item_id": f"p{n}", **item} for n, item in enumerate(items)])
        for place, (order, (value, items, _, _)) in enumerate(LINES.items())
    ]
    with sold(tmp_path, rows) as (_, session):
        assert orders(session, "not_itemized") == {order: (rest,) for order, (*_, rest) in LINES.items()}
        for order, (_, _, lines, _) in LINES.items():
            found = session.rows(
                "SELECT amount, revenue_basis FROM star.fact_order_items INNER JOIN star.fact_orders USING (order_id) "
                "WHERE transaction_id = $order ORDER BY item_index",
                {"order": order},
            )
            assert found == lines, order


MONEY = st.one_of(st.none(), st.sampled_from(["1,299.00", "$19.99", "10 EUR", "N/A", -7, 0]), st.integers(1, 500))
ITEM = st.fixed_dictionaries(
    {"item_id": st.sampled_from("xyz")},
    optional={
        "price": st.one_of(st.none(), st.sampled_from(["€5", "$10", "£3"]), st.integers(0, 90)),
        "quantity": st.sampled_from([1, 2, 3, -1, "0,5"]),
        "currency": st.sampled_from(["EUR", "USD", "CHF"]),
    },
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["purchase", "purchase", "refund"]),
        st.sampled_from(["1", "2", None, "(not set)"]),
        st.integers(0, 3 * 24 * 60),
        MONEY,
        st.sampled_from(["EUR", "USD", "JPY", "CHF", None]),
        st.lists(ITEM, max_size=3),
    ),
    min_size=1,
    max_size=12,
)


def _rows(drawn: Sequence[tuple[str, str, str | None, int, object, str | None, list[dict[str, object]]]]) -> list[Row]:
    start = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
    return [
        buy(
            client, order, (start + dt.timedelta(minutes=at)).isoformat(), name, value=value, currency=code, items=items
        )
        for client, name, order, at, value, code, items in drawn
    ]


NEGATIVE_IN_ONE_CURRENCY_ONLY = [
    {"item_id": "x", "price": 26, "quantity": -1, "currency": "EUR"},
    {"item_id": "y", "price": 29},
]
"""Of a purchase in yen: 3 if its numbers were added, and less than nothing if they are converted first."""


@settings(max_examples=max(3, settings().max_examples // 20), deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS, st.sampled_from(["EUR", ""]))
@example([("b", "purchase", None, 0, None, "JPY", NEGATIVE_IN_ONE_CURRENCY_ONLY)], "EUR")
def test_any_mix_adds_up_and_is_the_same_day_by_day(drawn: list[tuple[object, ...]], shop_currency: str) -> None:
    with (
        TemporaryDirectory() as folder,
        sold(Path(folder), _rows(drawn), shop_currency=shop_currency) as (platform, session),
    ):  # type: ignore[arg-type]
        whole = contents(session, TABLES)
        assert (
            session.rows(
                """
            SELECT order_id FROM star.fact_orders AS orders
            LEFT JOIN (SELECT order_id, sum(amount) AS lines FROM star.fact_order_items GROUP BY order_id) AS lines
                USING (order_id)
            WHERE revenue <> coalesce(lines, 0) + not_itemized OR revenue - refunded <> net_revenue OR net_revenue < 0
                OR (revenue IS NULL) <> (net_revenue IS NULL)
            UNION ALL
            SELECT event_id FROM sessionized.refunds GROUP BY event_id
            HAVING sum(amount) FILTER (item_index >= 0) > sum(amount) FILTER (item_index = -1)
            """
            )
            == []
        )
        gross, refunds, net = session.rows(
            "SELECT sum(revenue), sum(refunds), sum(net_revenue) FROM marts.daily_trends"
        )[0]
        assert gross - refunds == net
        assert session.rows("SELECT coalesce(sum(revenue), 0) FROM marts.customer_revenue") == [(gross,)]
        assert session.rows("FROM ops.reconciliations WHERE left_value <> right_value AND reason IS NULL") == []
        for offset in range(4):
            day = DAY + dt.timedelta(days=offset)
            build(session, DayRange(day, day), platform.settings, TABLES)
        assert contents(session, TABLES) == whole
