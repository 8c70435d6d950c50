"""Currencies: amounts are in the shop's, by its exchange rates; what is unknown is in no sum."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from pathlib import Path

from analytics_platform.transform import DayRange
from analytics_platform.warehouse.touched import days_after
from analytics_platform.warehouse.watchdog import has_known_currencies
from analytics_platform_tests.kit import build, load_rows, needed
from analytics_platform_tests.models.sales import DAY, DAYS, RATES, TABLES, buy, give_back, load_rates, orders, sold


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


def test_a_second_currency_that_arrives_late_changes_all_later_days(tmp_path: Path) -> None:
    rows = [buy("a", 1, value=16, currency="EUR"), buy("b", 2, "2024-03-03T09:00:00", value=16)]
    with sold(tmp_path, rows, shop_currency="") as (platform, session):
        before = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
        for name, late, known in (
            ("euro.csv", buy("c", 3, value=1, currency="EUR"), 33),
            ("yen.csv", buy("d", 4, items=[{"item_id": "x", "price": "¥1600"}]), 0),
        ):
            load_rows(platform, session, [late], name)
            batches = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
            touched = days_after(session, sorted({*batches} - {*before}), platform.settings)
            before = batches
            build(session, DayRange(min(touched), max(touched)), platform.settings, TABLES)
            assert session.rows("SELECT sum(revenue) FROM marts.daily_trends") == [(known,)]
        assert set(orders(session, "revenue").values()) == {(None,)}


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


def test_every_sum_of_amounts_stands_beside_the_number_that_it_lacks(tmp_path: Path) -> None:
    def item(price: object = None, **more: object) -> dict[str, object]:
        return {"item_id": "bed", "item_list_name": "sale", "price": price, **more}

    rows = [
        buy("a", "known", items=[item(5)]),
        buy("b", "unknown", items=[item()]),
        buy("c", "partly", items=[item(3), item(item_variant="oak")]),
        buy("d", "francs", value=7, currency="CHF"),
    ]
    figures = {  # orders without an amount, and their revenue
        "star.fact_sessions": (2, 8),
        "marts.daily_trends": (2, 8),
        "marts.device_daily": (2, 8),
        "marts.attribution WHERE model = 'last_touch'": (2, 8),
        "marts.product_daily": (2, 8),  # what the order in parts has is known, and what it lacks is not
        "marts.top_sellers": (2, 8),
        "marts.category_sellers": (2, 8),
        "marts.product_performance": (2, 8),
        "marts.list_performance": (2, 8),
    }
    marts = needed(*(name.split()[0] for name in figures))
    with sold(tmp_path, rows) as (platform, session):
        build(session, DAYS, platform.settings, [name for name in marts if name not in TABLES])
        found = {name: session.one(f"SELECT sum(unknown_amounts), sum(revenue) FROM {name}") for name in figures}
        assert found == figures


def test_every_net_of_refunds_stands_beside_the_number_that_it_lacks(tmp_path: Path) -> None:
    """Of an order of 100 a refund of 10 is known, and two in a currency without a rate are not."""
    bed = {"item_id": "bed", "price": 100}
    rows = [
        buy("a", "T1", value=100, items=[bed]),
        give_back("a", "T1", value=10, items=[bed | {"price": 10}]),
        give_back("a", "T1", "2024-03-02T11:00:00", value=20, currency="CHF"),
        give_back("a", "T1", "2024-03-02T12:00:00", value=20, currency="CHF", items=[bed | {"price": 20}]),
    ]
    by_order = ("star.fact_orders", "marts.daily_trends", "marts.customer_revenue")
    by_product = ("marts.product_daily", "marts.top_sellers", "marts.category_sellers", "marts.product_performance")
    with sold(tmp_path, rows) as (platform, session):
        build(session, DAYS, platform.settings, [name for name in needed(*by_order, *by_product) if name not in TABLES])
        for tables, number in ((by_order, 2), (by_product, 1)):
            found = {name: session.one(f"SELECT sum(unknown_refunds), sum(net_revenue) FROM {name}") for name in tables}
            assert found == dict.fromkeys(tables, (number, 90))
