"""The frames hold every day, count what they say, and call a day complete only when it is."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from analytics_platform.reports import queries, records
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.watchdog import has_known_currencies, has_revenue, shop_currency
from analytics_platform_tests.reports.examples import AS_OF, FRAMES, LIMIT, NOV_1, add, fill, frame, read, warehouse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def test_empty_tables_give_empty_frames_of_the_promised_types(path: Path) -> None:
    with warehouse(path):
        pass
    facts = read(path)
    assert facts.is_empty and facts.visitors == 0 and facts.loaded_at is None
    for name in FRAMES:
        assert (
            {"days": facts.days, "unknown": facts.unknown, "quality": facts.quality, "reasons": facts.reasons}
            | facts.frames
        )[name].schema == frame(name).schema


def test_a_day_without_traffic_is_there_with_zeros(path: Path) -> None:
    with warehouse(path) as session:
        fill(session)
    found = read(path).days
    assert found["date"].to_list() == [NOV_1 + dt.timedelta(n) for n in range(16)]
    assert found.row(7, named=True) == {
        "date": dt.date(2026, 11, 8), "sessions": 0, "visitors": 0, "converted": 0, "orders": 0,
        "unknown": 0, "unknown_refunds": 0,
        "revenue": Decimal(0), "refunds": Decimal(0), "net_revenue": Decimal(0), "is_complete": True,
    }  # fmt: skip
    assert found["converted"].to_list() == [9] * 7 + [0] + [9] * 8


@pytest.mark.parametrize(
    ("last_event", "others", "as_of", "complete"),
    [
        (17, {}, AS_OF, 16),
        (16, {}, AS_OF, 15),
        (17, {}, dt.datetime(2026, 11, 16, 12, tzinfo=dt.UTC), 15),
        (17, {"web_logs": 14}, AS_OF, 13),
        (16, {"web_logs": 17, "ecommerce_events": None}, AS_OF, 15),
        (17, {"web_logs": 1}, AS_OF, 16),
        (16, {"exchange_rates": 28}, AS_OF, 15),
        (17, {"users": 14}, AS_OF, 16),
    ],
)
def test_a_day_is_complete_once_every_source_has_events_of_a_later_one(
    path: Path, last_event: int, others: dict[str, int | None], as_of: dt.datetime, complete: int
) -> None:
    with warehouse(path) as session:
        fill(session, dt.date(2026, 11, last_event))
        for source, last in others.items():
            add(session, "ops.pipeline_logs", source=source, max_event_date=last and dt.date(2026, 11, last))
    assert read(path, as_of).days["is_complete"].sum() == complete


@pytest.mark.parametrize(
    ("setting", "currencies", "known", "unconverted"),
    [
        ("", {}, "", []),
        ("EUR", {}, "EUR", []),
        ("", {"USD": ("USD", 1)}, "USD", []),
        ("", {"USD": (None, None), "EUR": (None, None)}, "", ["EUR", "USD"]),
        ("", {"USD": ("EUR", 1), "EUR": ("USD", 1)}, "", []),
        ("EUR", {"EUR": ("EUR", 1), "CHF": ("EUR", None)}, "EUR", ["CHF"]),
    ],
)
def test_the_currency_is_the_setting_else_the_only_one_of_the_events(
    path: Path, setting: str, currencies: dict[str, tuple[str, int]], known: str, unconverted: list[str]
) -> None:
    with warehouse(path) as session:
        for currency, (shop, rate) in currencies.items():
            add(session, "cleaned.daily_rates", currency=currency, shop_currency=shop, rate=rate)
        assert (shop_currency(session, setting), queries.unconverted(session)) == (known, unconverted)


@pytest.mark.parametrize("setting", ["", "EUR"])
def test_currencies_are_named_cut_and_not_all_of_them(path: Path, setting: str) -> None:
    settings = load_settings(data_dir=path.parent, shop_currency=setting)
    with warehouse(path) as session:
        for each in range(12):
            add(
                session,
                "cleaned.daily_rates",
                currency=f"{each:02}{'E' * 100_000}",
                shop_currency=setting or None,
                rate=None,
            )
        seen = has_known_currencies(session, settings, dt.datetime.now(dt.UTC)).seen
        assert len(seen) < 1_000 and f"09{'E' * 38}…" in seen and ", others" in seen
        assert queries.unconverted(session)[9:] == [f"09{'E' * 38}…", "others"]
    with warehouse(path.with_name("one.duckdb")) as session:
        add(session, "cleaned.daily_rates", currency="E" * 100, shop_currency="E" * 100, rate=1)
        assert shop_currency(session, "") == f"{'E' * 40}…"


def test_unknown_amounts_are_counted_by_reason_and_unreadable_records_with_them(path: Path) -> None:
    with warehouse(path) as session:
        for day, kind, reason, excess in (
            (1, "order", "no value", 0),
            (2, "order", "no value", 0),
            (2, "refund", "more than the order", 9),
        ):
            figures = {"date": dt.date(2026, 11, day), "kind": kind, "reason": reason, "events": 2, "excess": excess}
            add(session, "marts.unknown_amounts", **figures)
        for reason in ("event_data: items[].price is no amount", "revenue: not an amount", "client_id: missing"):
            add(session, "ops.quarantine", error_reason=reason)
        assert queries.read_unknown(session, LIMIT).rows() == [
            ("order", "no value", 4, 0),
            ("record", "unreadable", 2, 0),
            ("refund", "more than the order", 2, 9),
        ]


def test_rejected_purchases_are_counted_by_day_whatever_their_source_calls_them(path: Path) -> None:
    with warehouse(path) as session:
        for name in ("purchase", "Order Completed", "bought", "view_item", None):
            add(session, "ops.quarantine", event_name=name, event_date=NOV_1)
        assert records.read_rejected_purchases(session, LIMIT, queries.ALL_DAYS).rows() == [(NOV_1, 3)]


@pytest.mark.parametrize(
    ("name", "error_rate", "accepted", "missing"),
    [
        ("shop.csv", 0.01, False, 0),  # it came again, corrected
        ("shop.csv", 0.06, False, 1),
        ("other.csv", 0.01, False, 1),
        ("other.csv", 0.01, True, 1),  # a person goes on without it: it is missing all the same
    ],
)
def test_what_came_again_under_the_same_name_with_few_rejections_is_not_missing(
    path: Path, name: str, error_rate: float, accepted: bool, missing: int
) -> None:
    with warehouse(path) as session:
        log = {"source": "clickstream", "rows_read": 100}
        add(session, "ops.pipeline_logs", **log, batch_id="b1", input="shop.csv", rows_quarantined=9, error_rate=0.09)
        later = {"arrived_at": AS_OF + dt.timedelta(1), "input": name, "error_rate": error_rate}
        add(session, "ops.pipeline_logs", **log, batch_id="b2", **later)
        if accepted:
            add(session, "ops.acceptances", batch_id="b1")
        lost = {"batch_id": "b1", "event_name": "purchase", "error_reason": "revenue: not an amount"}
        add(session, "ops.quarantine", **lost, event_date=NOV_1)
        day = {"source": "clickstream", "rows_quarantined": 9}
        add(session, "ops.batch_days", **day, batch_id="b1", event_date=NOV_1)
        add(session, "marts.data_quality_daily", **day, rows_accepted=91, date=NOV_1)

        assert records.read_rejected_purchases(session, LIMIT, queries.ALL_DAYS)["purchases"].sum() == missing
        assert queries.read_unknown(session, LIMIT)["events"].sum() == missing
        quality = records.read_quality(session, LIMIT, queries.ALL_DAYS)
        assert quality[["rows_quarantined", "rows_superseded"]].row(0) == (9, 9 - 9 * missing)


def test_orders_without_a_known_revenue_are_counted(path: Path) -> None:
    with warehouse(path) as session:
        for place, (orders, unknown, revenue) in enumerate([(3, 1, 20), (4, 4, 0), (5, 0, 0), (0, 0, 0)]):
            date = NOV_1 + dt.timedelta(place)
            figures = {"orders": orders, "revenue": revenue, "unknown_amounts": unknown}
            add(session, "marts.daily_trends", date=date, **figures)
    assert read(path).days["unknown"].to_list() == [1, 4, 0, 0]


@pytest.mark.parametrize(
    ("unknown", "seen"),
    [(0, "EUR 54.00 from 9 orders in"), (4, "EUR 54.00 from 9 orders, 4 of them of unknown amount, in")],
)
def test_the_watchdog_says_how_many_orders_are_in_no_sum(path: Path, unknown: int, seen: str) -> None:
    settings = load_settings(shop_currency="EUR")
    with warehouse(path) as session:
        add(session, "marts.daily_trends", date=NOV_1, orders=9, revenue=54, unknown_amounts=unknown)
        assert has_revenue(session, settings, AS_OF).seen.startswith(seen)
        session.connection.execute("UPDATE marts.daily_trends SET revenue = 0, unknown_amounts = orders")
        assert has_revenue(session, settings, AS_OF).seen.startswith(
            "EUR 0.00 from 9 orders, all of unknown amount, in"
        )


def test_sums_are_exact_and_visitors_are_counted_once_without_bots(path: Path) -> None:
    with warehouse(path) as session:
        fill(session)
    facts = read(path)
    assert facts.visitors == 2
    assert facts.days["revenue"].sum() == Decimal("18517.5000")
    assert facts.frames["attribution"].rows() == frame("attribution", [
        ("Direct", 0, 90, 0, 0, 15000, 0),
        ("Paid Search", 60, 60, 60, "3517.5", "3517.5", "3517.5"),
        ("Email", 90, 0, 90, 15000, 0, 15000),
    ]).rows()  # fmt: skip
    assert facts.frames["funnel"]["sessions"].to_list() == [1613, 600, 300, 150]


def test_products_carry_the_sums_of_all_products(path: Path) -> None:
    with warehouse(path) as session:
        for number in range(12):
            add(session, "marts.product_daily", product_id=f"p{number:02}", orders=1, revenue=Decimal(number))
    products = read(path).frames["products"]
    assert products["product_id"].to_list() == [f"p{number:02}" for number in range(11, 1, -1)]
    assert products.select("products_sold", "total_revenue").unique().row(0) == (12, Decimal(66))


def test_every_broken_rule_of_a_record_counts_as_a_reason(path: Path) -> None:
    with warehouse(path) as session:
        fill(session)
    assert read(path).reasons.rows() == [
        ("client_id: missing", 2),
        ("record: | <b>", 1),
        ("timestamp: not a time", 1),
    ]


def test_the_ten_lists_with_the_highest_engagement_rate_are_read(path: Path) -> None:
    with warehouse(path) as session:
        for number in range(12):
            add(session, "marts.list_performance", list_id=f"l{number:02}", engagement_rate=min(number, 10) / 10)
        add(session, "marts.list_performance", list_id="busy", sessions=9, engagement_rate=1.0)
        add(session, "marts.list_performance", list_id="seen by bots only", engagement_rate=None)
    lists = read(path).frames["lists"]
    assert lists["list_id"].to_list() == ["busy", "l10", "l11", *(f"l{n:02}" for n in range(9, 2, -1))]
    assert lists["lists"].unique().to_list() == [13]


def test_products_with_fewer_views_than_the_average_are_left_out(path: Path) -> None:
    """Views 1, 4 and 7 are 4 on average: the product with 4 is in, the one with 1 is not, however good its rate."""
    rates = {"rare": (1, 1.0), "average": (4, 0.25), "often": (7, 0.5)}
    with warehouse(path) as session:
        for name, (views, rate) in rates.items():
            add(session, "marts.product_performance", product_id=name, views=views, view_to_purchase_rate=rate)
    bought = read(path).frames["bought"]
    assert bought["product_id"].to_list() == ["often", "average"]
    assert bought["average_views"].to_list() == [4.0, 4.0]


def test_at_most_twenty_products_are_read_and_none_without_a_view(path: Path) -> None:
    with warehouse(path) as session:
        for number in range(22):
            columns = {"views": 30, "purchases": number, "view_to_purchase_rate": number / 30}
            add(session, "marts.product_performance", product_id=f"p{number:02}", **columns)
    assert read(path).frames["bought"]["product_id"].to_list() == [f"p{number:02}" for number in range(21, 1, -1)]


def test_products_that_were_bought_more_often_than_viewed_are_counted_and_left_out(path: Path) -> None:
    with warehouse(path) as session:
        for name, purchases in (("seen", 1), ("unseen", 5)):
            columns = {"views": 2, "purchases": purchases, "view_to_purchase_rate": purchases / 2}
            add(session, "marts.product_performance", product_id=name, **columns)
    assert read(path).frames["bought"].select("product_id", "unviewed").rows() == [("seen", 1)]


def test_products_without_views_have_no_rate(path: Path) -> None:
    with warehouse(path) as session:
        add(session, "marts.product_performance", product_id="p1", views=0, view_to_purchase_rate=None)
    assert read(path).frames["bought"].is_empty()


def test_customers_are_read_by_what_they_did_and_those_who_did_nothing_are_not(path: Path) -> None:
    with warehouse(path) as session:
        for name, interactions in (("idle", 0), ("some", 3), ("most", 5)):
            add(session, "marts.user_metrics", user_id=name, interactions=interactions)
    customers = read(path).frames["customers"]
    assert customers["user_id"].to_list() == ["most", "some"]
    assert customers.select("customers", "all_interactions").unique().row(0) == (2, 8)


def test_orphans_are_counted_by_source_without_bots(path: Path) -> None:
    with warehouse(path) as session:
        add(session, "cleaned.users", user_id="ann")
        events = [("web_logs", "ann"), ("web_logs", "eve"), ("web_logs", "eve"), ("app", "ann"), ("app", None)]
        for number, (source, user) in enumerate(events):
            add(session, "cleaned.events", event_id=str(number), source=source, user_id=user)
        add(session, "cleaned.events", event_id="bot", source="app", user_id="eve", is_bot=True)
    assert read(path).frames["orphans"].rows() == [("app", 1, 0, 1, 0), ("web_logs", 2, 1, 3, 2)]


def test_a_list_named_without_its_id_is_known_by_the_name_of_another(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.duckdb") as session:
        for list_id, name in (("l1", "Top"), ("Top", "Top"), ("l2", "Sale"), ("New", "New")):
            add(session, "marts.list_performance", list_id=list_id, list_name=name, sessions=9, engagement_rate=0.5)
        found = queries.read_lists(session)
    assert dict(found.select("list_id", "namesakes").rows()) == {"l1": 0, "Top": 1, "l2": 0, "New": 0}


def test_orders_that_only_the_shops_database_has_are_counted_by_day(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.duckdb") as session:
        for number, (outcome, status) in enumerate(
            [("only in shop", "placed"), ("not tracked", "cancelled"), ("equal", "placed"), ("only in events", None)]
        ):
            found = {"outcome": outcome, "status": status, "order_date": NOV_1 + dt.timedelta(number)}
            add(session, "marts.order_reconciliation", pair_id=str(number), **found)
        assert queries.read_untold(session) == (2, 1)
        assert queries.read_untold(session, DayRange(NOV_1, NOV_1)) == (1, 0)
