"""The frames hold every day, count what they say, and call a day complete only when it is."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from analytics_platform_tests.reports.examples import AS_OF, NOV_1, add, days, fill, frame, read, warehouse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def test_empty_tables_give_empty_frames_of_the_promised_types(path: Path) -> None:
    with warehouse(path):
        pass
    facts = read(path)
    assert facts.is_empty and facts.visitors == 0 and facts.loaded_at is None
    for name in ("funnel", "credits", "devices", "products", "quality", "reasons"):
        assert getattr(facts, name).schema == frame(name).schema
    assert facts.days.schema == days().schema


def test_a_day_without_traffic_is_there_with_zeros(path: Path) -> None:
    with warehouse(path) as session:
        fill(session)
    found = read(path).days
    assert found["date"].to_list() == [NOV_1 + dt.timedelta(n) for n in range(16)]
    assert found.row(7, named=True) == {
        "date": dt.date(2026, 11, 8), "is_complete": True, "sessions": 0, "visitors": 0, "converted": 0,
        "orders": 0, "revenue": Decimal("0.0000"),
    }  # fmt: skip
    assert found["converted"].to_list() == [9] * 7 + [0] + [9] * 8


@pytest.mark.parametrize(
    ("last_arrival", "as_of", "complete"),
    [
        (AS_OF, AS_OF, 16),
        (dt.datetime(2026, 11, 16, 23, 59, tzinfo=dt.UTC), AS_OF, 15),
        (dt.datetime(2026, 11, 17, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))), AS_OF, 15),
        (dt.datetime(2026, 11, 17, 0, 0, tzinfo=dt.UTC), AS_OF, 16),
        (AS_OF, dt.datetime(2026, 11, 16, 12, tzinfo=dt.UTC), 15),
    ],
)
def test_a_day_is_complete_once_data_arrived_after_it(
    path: Path, last_arrival: dt.datetime, as_of: dt.datetime, complete: int
) -> None:
    with warehouse(path) as session:
        fill(session, last_arrival)
    assert read(path, as_of).days["is_complete"].sum() == complete


def test_sums_are_exact_and_visitors_are_counted_once_without_bots(path: Path) -> None:
    with warehouse(path) as session:
        fill(session)
    facts = read(path)
    assert facts.visitors == 2
    assert facts.days["revenue"].sum() == Decimal("18517.5000")
    assert facts.credits.rows() == frame("credits", [
        ("Direct", 0, 90, 0, 0, 15000, 0),
        ("Paid Search", 60, 60, 60, "3517.5", "3517.5", "3517.5"),
        ("Email", 90, 0, 90, 15000, 0, 15000),
    ]).rows()  # fmt: skip
    assert facts.funnel["sessions"].to_list() == [1613, 600, 300, 150]


def test_products_carry_the_sums_of_all_products(path: Path) -> None:
    with warehouse(path) as session:
        for number in range(12):
            add(session, "marts.product_daily", product_id=f"p{number:02}", orders=1, revenue=Decimal(number))
    products = read(path).products
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
