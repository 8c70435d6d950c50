"""Money: currencies, refunds, missing amounts and lines; what is unknown is in no sum."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange, day_ranges
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.touched import days_after
from analytics_platform.warehouse.watchdog import has_known_currencies
from analytics_platform_tests.kit import Platform, Row, build, click, contents, load_rows, needed, open_house_of_tables

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
    platform = open_house_of_tables(root, shop_currency=shop_currency)
    with platform.session() as session:
        load_rates(platform, session, rates)
        load_rows(platform, session, rows)
        build(session, DAYS, platform.settings, TABLES)
        yield platform, session


def orders(session: Session, *columns: str) -> dict[object, tuple[object, ...]]:
    rows = session.rows(f"SELECT transaction_id, {', '.join(columns)} FROM star.fact_orders")
    return {order: tuple(values) for order, *values in rows}


def test_amounts_are_in_the_shops_currency_by_the_latest_rate(tmp_path: Path) -> None:
    rows = [
        buy("a", "eur", value=100, currency="EUR"),
        buy("b", "jpy", value="15,000", currency="jpy"),
        buy("c", "usd", value="$10.00", currency="USD"),
        buy("d", "later", "2024-03-03T09:00:00", value="16 USD"),
        buy("e", "item", value=5, items=[{"item_id": "x", "price": 5, "currency": "USD"}]),
        buy("f", "bare", value=7),
        buy("g", "chf", value=7, currency="CHF"),
    ]
    with sold(tmp_path, rows) as (platform, session):
        assert orders(session, "revenue") == {
            "eur": (100,),
            "jpy": (Decimal("93.75"),),
            "usd": (8,),
            "later": (10,),
            "item": (4,),
            "bare": (7,),
            "chf": (None,),
        }
        assert session.rows("SELECT orders, revenue FROM marts.daily_trends ORDER BY date") == [
            (6, Decimal("212.75")),
            (1, 10),
        ]
        seen = has_known_currencies(session, platform.settings, dt.datetime.now(dt.UTC))
        assert (seen.passed, "CHF" in seen.seen, "JPY" in seen.seen) == (False, True, False)


def test_euros_and_yen_are_never_added(tmp_path: Path) -> None:
    rows = [buy("a", 1, value=100, currency="EUR"), buy("b", 2, value=15000, currency="JPY"), buy("c", 3, value=1)]
    with sold(tmp_path, rows, shop_currency="") as (platform, session):
        assert set(orders(session, "revenue").values()) == {(None,)}
        assert session.rows("SELECT orders, revenue FROM marts.daily_trends") == [(3, 0)]
        seen = has_known_currencies(session, platform.settings, dt.datetime.now(dt.UTC))
        assert "EUR, JPY" in seen.seen
        assert "Set SHOP_CURRENCY" in seen.remedy


def test_a_shop_that_names_one_currency_needs_no_setting(tmp_path: Path) -> None:
    with sold(tmp_path, [buy("a", 1, value=5, currency="SEK"), buy("b", 2, value=6)], shop_currency="") as (_, session):
        assert session.rows("SELECT revenue FROM marts.daily_trends") == [(11,)]


def test_late_rates_make_amounts_known_on_the_days_that_are_named(tmp_path: Path) -> None:
    rows = [buy("a", 1, value=16, currency="USD"), buy("b", 2, "2024-03-03T09:00:00", value=16, currency="USD")]
    with sold(tmp_path, rows, rates="date,currency,rate\n") as (platform, session):
        assert set(orders(session, "revenue").values()) == {(None,)}
        touched = days_after(session, load_rates(platform, session, RATES, "late.csv"), platform.settings)
        assert touched >= {DAY, DAY + dt.timedelta(days=2)}
        build(session, DayRange(min(touched), max(touched)), platform.settings, TABLES)
        assert orders(session, "revenue") == {"1": (Decimal("12.8"),), "2": (10,)}


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
    ]
    with sold(tmp_path, rows) as (_, session):
        assert orders(session, "revenue", "refunded", "net_revenue") == {
            "part": (100, 30, 70),
            "whole": (20, 20, 0),
            "minus": (10, 4, 6),
            "dollars": (20, 4, 16),
        }
        refunds = session.rows("SELECT transaction_id, amount, order_id IS NOT NULL FROM star.fact_refunds ORDER BY 1")
        assert refunds == [
            ("dollars", 4, True),
            ("minus", 4, True),
            ("nothing", None, False),
            ("of no event", 2, False),
            ("part", 30, True),
            ("unknown", 3, False),
            ("whole", 20, True),
        ]
        days = session.rows("SELECT orders, revenue, refunds, net_revenue FROM marts.daily_trends ORDER BY date")
        assert days == [(4, 150, 0, 150), (0, 0, 63, -63)]
        assert session.rows(
            "SELECT revenue, refunds, net_revenue FROM marts.customer_revenue WHERE client_id = 'a'"
        ) == [(100, 32, 68)]
        assert session.rows("SELECT sum(refunds) FROM marts.customer_revenue") == [(63 - 3,)]
        products = session.rows("SELECT sum(revenue), sum(refunds), sum(net_revenue) FROM marts.product_daily")
        assert products == [(100, 30, 70)]
        assert session.rows("SELECT count(*) FROM star.fact_sessions WHERE purchased") == [(4,)]
        assert session.rows("SELECT reason, events FROM marts.unknown_amounts") == [("no order with a known amount", 1)]
        for mart in ("cohort_retention", "monthly_growth"):
            assert session.rows(f"SELECT sum(revenue), sum(refunds) FROM marts.{mart}")[0][0] == 150, mart


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
    "a part and then the whole": (ORDER, [{"value": 20}, {}], 50, 20, {"x": 18, "y": 12}),
    "more than the order": (ORDER, [{"value": 30}, {"value": 30}], 50, 10, {}),
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
        assert unknown == [("refund", "items of unknown amount", 1, 0), ("refund", "more than the order", 4, 90)]


def test_each_item_is_in_its_own_currency(tmp_path: Path) -> None:
    def items(*prices: object, **fields: object) -> dict[str, object]:
        return {
            "items": [{"item_id": "x", **(each if isinstance(each, dict) else {"price": each})} for each in prices],
            **fields,
        }

    usd, chf = {"price": 10, "currency": "USD"}, {"price": 10, "currency": "CHF"}
    cases: dict[str, tuple[dict[str, object], object, str | None]] = {
        "by field": (items(usd), 8, None),
        "by sign": (items("€5"), 5, None),
        "dollars": (items("$10"), 8, None),
        "yen": (items("¥1600"), 10, None),
        "two": (items(usd, "€5"), 13, None),
        "two and none": (items(usd, 4, currency="EUR"), 12, None),
        "one and the event's": (items("€12", 5, currency="USD"), 16, None),
        "one without rate": (items(usd, chf), None, "no exchange rate"),
        "a value beside them": (items(usd, "€5", value=13, currency="EUR"), 13, None),
        "a value of either": (items(usd, "€5", value=13), None, "items in several currencies"),
        "crowns of some country": (items(value="10 kr"), None, "no exchange rate"),
        "pounds": (items(value="£8.50"), None, "no exchange rate"),
        # Another event of the day names the currency that here only an item names.
        "francs": (items({"price": 1, "currency": "CHF"}, 5, currency="EUR"), None, "no exchange rate"),
        "francs of value": (items(value="7 CHF"), None, "no exchange rate"),
        "dollars of value": (items(value="$10"), 8, None),
        "nothing": (items({}), None, "no value"),
        "a part is priced": (items({"price": 5, "quantity": 2}, {}), 10, None),
    }
    rows = [buy(f"c{place}", order, **data) for place, (order, (data, *_)) in enumerate(cases.items())]
    with sold(tmp_path, rows) as (_, session):
        assert orders(session, "revenue") == {order: (revenue,) for order, (_, revenue, _) in cases.items()}
        assert dict(session.rows("SELECT reason, events FROM marts.unknown_amounts")) == Counter(
            reason for *_, reason in cases.values() if reason
        )
        lines = session.rows(
            "SELECT transaction_id, amount FROM star.fact_order_items INNER JOIN star.fact_orders USING (order_id) "
            "WHERE transaction_id IN ('two', 'a value beside them', 'a part is priced', 'one and the event''s') "
            "ORDER BY 1, item_index"
        )
        assert lines == [
            *(("a part is priced", 10), ("a part is priced", None), ("a value beside them", 8)),
            *(("a value beside them", 5), ("one and the event's", 12), ("one and the event's", 4)),
            *(("two", 8), ("two", 5)),
        ]


def test_a_late_event_changes_the_earlier_order_of_its_transaction(tmp_path: Path) -> None:
    """What arrives in four files, each built by the days it touches, is as if built at once."""
    night = "2024-03-01T23:59:00"
    files = [
        [buy("a", "night", night), buy("b", "two", night, value=20), buy("c", "cap", value=10)],
        [give_back("c", "cap", "2024-03-03T12:00:00", value=8), click("z", "2024-03-02T01:00:00")],
        [buy("a", "night", "2024-03-02T00:01:00", value=30), give_back("c", "cap", value=6)],
        [
            click("d", "2024-03-02T00:30:00", "purchase", user_id="u", data={"transaction_id": "two", "value": 20}),
            click("b", night[:-2] + "30", "purchase", user_id="u", data={"transaction_id": "two"}),
        ],
    ]
    platform = open_house_of_tables(tmp_path / "late", shop_currency="EUR", partition_start=DAY)
    known: set[str] = set()
    with platform.session() as session:
        for number, rows in enumerate(files):
            load_rows(platform, session, rows, f"{number}.csv")
            new = {batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")} - known
            touched, known = days_after(session, sorted(new), platform.settings), known | new
            for day in day_ranges(touched):
                build(session, day, platform.settings, TABLES)
        assert orders(session, "revenue", "refunded") == {"night": (30, 0), "two": (20, 0), "cap": (10, 10)}
        amounts = session.rows("SELECT amount, excess FROM star.fact_refunds ORDER BY refunded_at")
        assert amounts == [(6, 0), (4, 4)]
        late = contents(session, TABLES - {"cleaned.clickstream"})
        build(session, DayRange(DAY, DAY + dt.timedelta(days=2)), platform.settings, TABLES)
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


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS, st.sampled_from(["EUR", ""]))
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
            """
            )
            == []
        )
        gross, refunds, net = session.rows(
            "SELECT sum(revenue), sum(refunds), sum(net_revenue) FROM marts.daily_trends"
        )[0]
        assert gross - refunds == net
        assert session.rows("SELECT coalesce(sum(amount), 0) FROM star.fact_refunds") == [(refunds,)]
        assert session.rows("SELECT coalesce(sum(revenue), 0) FROM star.fact_orders") == [(gross,)]
        assert session.rows("SELECT coalesce(sum(revenue), 0) FROM marts.customer_revenue") == [(gross,)]
        for offset in range(4):
            day = DAY + dt.timedelta(days=offset)
            build(session, DayRange(day, day), platform.settings, TABLES)
        assert contents(session, TABLES) == whole
