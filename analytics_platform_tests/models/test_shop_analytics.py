"""The shop's analytics, each worked out by hand: revenue, growth, RFM, cohorts, carts, categories, pairs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.reports.customers import read_persons
from analytics_platform.transform import all_models, plan
from analytics_platform.warehouse import DuckDBSession, Session
from analytics_platform_tests.kit import (
    Row,
    both_warehouses,
    build,
    built_platform,
    click,
    load_rows,
    loaded_days,
    needed,
    opened,
)

BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"


def order(client: str, day: str, revenue: object, products: Sequence[str] = (), **columns: object) -> Row:
    """A purchase at noon; each client has at most one a day."""
    items = [{"item_id": product, "item_price": 1} for product in products]
    data = {"transaction_id": f"{client}-{day}", "revenue": revenue, "items": items}
    return click(client, f"{day}T12:00:00Z", "checkout_completed", data=data, **columns)


ORDERS = (
    order("ada", "2024-01-10", "100.10"),
    order("bob", "2024-01-20", 50),
    order("ada", "2024-02-05", 30),
    order("cat", "2024-02-29", "19.90"),
    order("ada", "2024-04-01", 20),
    order("dan", "2024-04-30", 50),
    click("eve", "2024-05-02T08:00:00Z"),
)
"""Ada orders in January, February and April, Bob in January, Cat in February, Dan in April, nobody in March."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with built_platform(tmp_path_factory.mktemp("shop"), ORDERS) as session:
        yield session


def test_revenue_per_customer_adds_up_from_the_best_down(shop: Session) -> None:
    """Of equals the smaller client id comes first: Bob before Dan."""
    rows = shop.rows("SELECT person_id, rank, orders, revenue, running_total FROM marts.customer_revenue ORDER BY rank")
    assert rows == [
        ("ada", 1, 3, Decimal("150.1000"), Decimal("150.1000")),
        ("bob", 2, 1, Decimal("50.0000"), Decimal("200.1000")),
        ("dan", 3, 1, Decimal("50.0000"), Decimal("250.1000")),
        ("cat", 4, 1, Decimal("19.9000"), Decimal("270.0000")),
    ]


def test_shares_are_of_the_revenue_of_all_customers(shop: Session) -> None:
    rows = shop.rows("SELECT share, running_share FROM marts.customer_revenue ORDER BY rank")
    assert rows[0] == (150.1 / 270, 150.1 / 270)
    assert rows[3] == (19.9 / 270, 1.0)


def test_growth_compares_with_the_calendar_month_before(shop: Session) -> None:
    """March had no order: it is there with zeros, and April has nothing to grow from."""
    rows = shop.rows(
        "SELECT month, customers, new_customers, orders, revenue, customers_growth, orders_growth, revenue_growth "
        "FROM marts.monthly_growth ORDER BY month"
    )
    assert rows == [
        (dt.date(2024, 1, 1), 2, 2, 2, Decimal("150.1000"), None, None, None),
        (dt.date(2024, 2, 1), 2, 1, 2, Decimal("49.9000"), 0.0, 0.0, float(Decimal("49.9") - Decimal("150.1")) / 150.1),
        (dt.date(2024, 3, 1), 0, 0, 0, Decimal("0.0000"), -1.0, -1.0, -1.0),
        (dt.date(2024, 4, 1), 2, 1, 2, Decimal("70.0000"), None, None, None),
    ]


def test_rfm_scores_are_the_fifths_of_customers_who_are_worse(shop: Session) -> None:
    """Of four customers, n strictly worse give 1 + ⌊5n / 4⌋: 0 → 1, 1 → 2, 2 → 3, 3 → 4.

    Recency from 2 May, the last day with an event: Dan (2 days) beats Ada (31), Cat (63) and Bob (103).
    Frequency: Ada has three orders, the others one each and so the same score.
    Monetary: Ada 150.10; Bob and Dan 50 each, one worse; Cat 19.90.
    """
    rows = shop.rows("SELECT person_id, recency_days, rfm FROM marts.customer_rfm ORDER BY person_id")
    assert rows == [("ada", 31, "344"), ("bob", 103, "112"), ("cat", 63, "211"), ("dan", 2, "412")]
    assert shop.rows("SELECT DISTINCT as_of_date FROM marts.customer_rfm") == [(dt.date(2024, 5, 2),)]


def test_a_cohort_is_followed_from_the_month_of_its_first_order(shop: Session) -> None:
    """January's cohort is Ada and Bob; Ada comes back in February and in April, and nobody in March."""
    rows = shop.rows(
        "SELECT cohort_month, months_since_first, cohort_size, customers, retention_rate, orders, revenue "
        "FROM marts.cohort_retention ORDER BY cohort_month, month"
    )
    january, february, april = (dt.date(2024, month, 1) for month in (1, 2, 4))
    assert rows == [
        (january, 0, 2, 2, 1.0, 2, Decimal("150.1000")),
        (january, 1, 2, 1, 0.5, 1, Decimal("30.0000")),
        (january, 3, 2, 1, 0.5, 1, Decimal("20.0000")),
        (february, 0, 1, 1, 1.0, 1, Decimal("19.9000")),
        (april, 0, 1, 1, 1.0, 1, Decimal("50.0000")),
    ]


@both_warehouses
def test_who_has_only_orders_of_unknown_amount_brought_an_unknown_amount(tmp_path: Path, kind: str) -> None:
    """Bob's one order and one of Ada's name no value: his revenue is unknown, hers is that of the other order.

    Cat gives back one without a value in March, a month with nothing else.
    """
    rows = [order("ada", "2024-01-10", 20), order("ada", "2024-01-11", None), order("bob", "2024-01-20", None)]
    rows += [order("cat", "2024-01-20", 5), order("cat", "2024-02-20", None)]
    rows += [click("cat", "2024-03-05T12:00:00Z", "refund", data={"transaction_id": "cat-2024-02-20"})]
    tables = {f"marts.{name}" for name in ("customer_revenue", "customer_rfm", "monthly_growth", "daily_trends")}
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, rows)
        build(session, loaded_days(session), platform.settings, needed(*tables, "marts.cohort_retention"))
        assert session.rows(
            "SELECT person_id, rank, orders, revenue, net_revenue, running_total, share, unknown_amounts, refunds, "
            "unknown_refunds "
            "FROM marts.customer_revenue ORDER BY rank"
        ) == [
            ("ada", 1, 2, 20, 20, 20, 0.8, 1, 0, 0),
            ("cat", 2, 2, 5, 5, 25, 0.2, 1, 0, 1),
            ("bob", 3, 1, None, None, 25, None, 1, 0, 0),
        ]
        assert session.rows("SELECT person_id, revenue, monetary_score, rfm FROM marts.customer_rfm ORDER BY 1") == [
            ("ada", 20, 3, "123"),
            ("bob", None, None, None),
            ("cat", 5, 1, "421"),
        ]
        columns = "revenue, unknown_amounts, unknown_refunds, revenue_growth"
        growth = f"SELECT {columns} FROM marts.monthly_growth ORDER BY month"
        assert session.rows(growth) == [(25, 2, 0, None), (0, 1, 0, None), (0, 0, 1, None)]
        for table in ("daily_trends", "cohort_retention"):
            sums = "sum(orders), sum(unknown_amounts), sum(unknown_refunds)"
            assert session.rows(f"SELECT {sums} FROM marts.{table}") == [(5, 3, 1)]
        assert session.rows("SELECT sum(unknown_refunds) FROM marts.customer_rfm") == [(1,)]
        best = read_persons(session, 3).select("person_id", "revenue", "unknown").rows()
        assert best == [("ada", 20, 1), ("cat", 5, 1), ("bob", None, 1)]


def test_months_are_counted_over_the_turn_of_the_year(tmp_path: Path) -> None:
    rows = [order("ada", "2023-11-30", 1), order("ada", "2024-02-01", 1)]
    with built_platform(tmp_path, rows, {"marts.cohort_retention"}, partition_start=dt.date(2023, 1, 1)) as session:
        months = session.rows("SELECT months_since_first FROM marts.cohort_retention ORDER BY 1")
    assert months == [(0,), (3,)]


def test_repeats_of_an_order_change_no_figure_of_a_customer(tmp_path: Path) -> None:
    data = {"transaction_id": "T1", "revenue": 10, "items": [{"item_id": "p1"}, {"item_id": "p2"}]}
    rows = [click("ada", f"2024-0{month}T12:00:00Z", "checkout_completed", data=data) for month in ("1-25", "2-03")]
    with built_platform(
        tmp_path,
        rows,
        {"marts.bought_together", "marts.cohort_retention", "marts.customer_revenue", "marts.monthly_growth"},
    ) as session:
        assert session.rows("SELECT orders, revenue FROM marts.customer_revenue") == [(1, Decimal(10))]
        assert session.rows("SELECT month, orders FROM marts.monthly_growth") == [(dt.date(2024, 1, 1), 1)]
        assert session.rows("SELECT month, customers FROM marts.cohort_retention") == [(dt.date(2024, 1, 1), 1)]
        pairs = session.rows("SELECT product_id, other_product_id, orders FROM marts.bought_together ORDER BY 1")
    assert pairs == [("p1", "p2", 1), ("p2", "p1", 1)]


def test_a_shop_without_orders_has_no_customers(tmp_path: Path) -> None:
    with built_platform(tmp_path, [click("eve", "2024-05-02T08:00:00Z")]) as session:
        for name in ("customer_revenue", "monthly_growth", "customer_rfm", "cohort_retention", "bought_together"):
            assert session.rows(f"SELECT * FROM marts.{name}") == [], name


def test_free_orders_make_a_customer_without_a_share(tmp_path: Path) -> None:
    with built_platform(tmp_path, [order("ada", "2024-01-10", 0)], {"marts.customer_revenue"}) as session:
        rows = session.rows("SELECT orders, revenue, share, running_share FROM marts.customer_revenue")
    assert rows == [(1, Decimal(0), None, None)]


def test_a_cart_is_abandoned_if_its_session_has_no_purchase(tmp_path: Path) -> None:
    """Ada buys; Bob leaves at the checkout; Cat leaves with a cart and buys an hour later, in another session.

    So three carts, two abandoned, one of them at the checkout. Dan only looks, and has no cart.
    """

    def visit(client: str, *names: str, hour: int = 10) -> list[Row]:
        return [click(client, f"2024-01-10T{hour}:0{n}:00Z", name) for n, name in enumerate(names)]

    rows = [
        *visit("ada", "product_added_to_cart", "checkout_started", "checkout_completed"),
        *visit("bob", "product_added_to_cart", "checkout_started"),
        *visit("cat", "product_added_to_cart"),
        *visit("cat", "checkout_completed", hour=11),
        *visit("dan", "page_viewed"),
        click("crawler", "2024-01-10T10:00:00Z", "product_added_to_cart", user_agent=BOT),
    ]
    with built_platform(tmp_path, rows, {"marts.cart_abandonment"}) as session:
        assert session.rows("SELECT * FROM marts.cart_abandonment") == [(dt.date(2024, 1, 10), 3, 2, 1, 2 / 3)]


def test_products_are_ranked_within_their_category(tmp_path: Path) -> None:
    """Of equal revenue the one with more pieces comes first, then the smaller id."""

    def sold(product: str, category: str | None, price: int, quantity: int) -> dict[str, object]:
        return {"item_id": product, "item_category": category, "price": price, "quantity": quantity}

    items = [sold("b1", "beds", 60, 1), sold("b2", "beds", 10, 2), sold("b3", "beds", 20, 1), sold("b4", "beds", 20, 1)]
    items += [sold("x", None, 5, 1)]
    data = {"transaction_id": "T1", "revenue": 120, "items": items}
    with built_platform(
        tmp_path, [click("ada", "2024-01-10T10:00:00Z", "checkout_completed", data=data)], {"marts.category_sellers"}
    ) as session:
        rows = session.rows(
            "SELECT category, rank, product_id, revenue, share_of_category FROM marts.category_sellers ORDER BY 1, 2"
        )
    assert rows == [
        ("(not set)", 1, "x", Decimal(5), 1.0),
        ("beds", 1, "b1", Decimal(60), 0.5),
        ("beds", 2, "b2", Decimal(20), 20 / 120),
        ("beds", 3, "b3", Decimal(20), 20 / 120),
        ("beds", 4, "b4", Decimal(20), 20 / 120),
    ]


def test_products_bought_together_are_counted_per_order(tmp_path: Path) -> None:
    """Three orders have the bed: two with the lamp, one of them with the rug too. All with the lamp have the bed."""
    rows = [
        order("ada", "2024-01-10", 1, ["bed", "lamp", "lamp"]),
        order("bob", "2024-01-10", 1, ["bed", "lamp", "rug"]),
        order("ada", "2024-01-11", 1, ["bed"]),
    ]
    with built_platform(tmp_path, rows, {"marts.bought_together"}) as session:
        pairs = session.rows(
            "SELECT product_id, rank, other_product_id, orders, product_orders, confidence "
            "FROM marts.bought_together WHERE orders > 0 ORDER BY 1, 2"
        )
    assert pairs == [
        ("bed", 1, "lamp", 2, 3, 2 / 3),
        ("bed", 2, "rug", 1, 3, 1 / 3),
        ("lamp", 1, "bed", 2, 2, 1.0),
        ("lamp", 2, "rug", 1, 2, 0.5),
        ("rug", 1, "bed", 1, 1, 1.0),
        ("rug", 2, "lamp", 1, 1, 1.0),
    ]


def test_an_order_of_very_many_products_makes_no_pairs(tmp_path: Path) -> None:
    rows = [
        order("ada", "2024-01-10", 1, [f"p{n}" for n in range(101)]),
        order("bob", "2024-01-10", 1, [f"q{n}" for n in range(100)]),
    ]
    with built_platform(tmp_path, rows, {"marts.bought_together"}) as session:
        assert session.rows("SELECT count(*) FROM marts.bought_together") == [(100 * 99,)]


def test_the_column_docs_say_what_is_counted_and_whose_definition_it_is() -> None:
    for name, words in {
        "customer_rfm": ("Hughes", "1994", "Equal customers have equal scores"),
        "cohort_retention": ("first order is in the same month", "Lean Analytics"),
        "cart_abandonment": ("add_to_cart event and no purchase event", "Kukar-Kinney"),
        "bought_together": ("confidence of an association rule", "1993"),
    }.items():
        contract = CONTRACTS[f"marts.{name}"]
        docs = [column.description for column in contract.columns.values()]
        text = " ".join(" ".join([str(contract.__doc__), *map(str, docs)]).split())
        assert all(word in text for word in words), name


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(0, 3)), max_size=30))
def test_rfm_scores_are_what_a_plain_count_gives(warehouse: DuckDBSession, months: list[tuple[int, int, int]]) -> None:
    """Against a count of worse customers in Python, for any customers, ties and all."""
    first = dt.date(2024, 1, 1)
    customers = {
        f"c{n}": (first + dt.timedelta(days=30 * late), orders, Decimal(revenue))
        for n, (late, orders, revenue) in enumerate(months)
    }
    warehouse.connection.execute("DELETE FROM sessionized.customer_months; DELETE FROM marts.device_daily")
    for client, (day, orders, revenue) in customers.items():
        row = [client, day.replace(day=1), orders, revenue + 1, 1, day, day, 0, 0]
        warehouse.connection.execute("INSERT INTO sessionized.customer_months VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    warehouse.connection.execute("INSERT INTO marts.device_daily (date) VALUES (DATE '2025-01-01')")
    query = plan(all_models()["marts.customer_rfm"], None, {})
    found = warehouse.frame(query.sql, query.parameters).select("person_id", "rfm").rows()
    expected = {
        client: "".join(
            str(1 + 5 * sum(other[place] < mine[place] for other in customers.values()) // len(customers))  # type: ignore[operator]
            for place in range(3)
        )
        for client, mine in customers.items()
    }
    assert dict(found) == expected
