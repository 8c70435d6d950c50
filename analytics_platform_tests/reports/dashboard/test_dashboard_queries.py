"""Both warehouses give the same answers, filters are values, and nothing that comes from outside becomes SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics_platform.catalog import CONTRACTS
from analytics_platform.reports import customers, queries, records
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session, open_warehouse
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.reports.dashboard.shop import FIRST, HOSTILE, LAST, LOADED, QUIET, fill, insert

ALL = DayRange(FIRST, LAST)
LATEST = DayRange(LAST, LAST)


@pytest.fixture(scope="module")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    yield from _filled(f"duckdb:///{tmp_path_factory.mktemp('duck')}/warehouse.duckdb", Path())


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with new_database() as url:
        yield from _filled(url, tmp_path_factory.mktemp("postgres"))


def _filled(url: str, folder: Path) -> Iterator[Session]:
    warehouse = open_warehouse(load_settings(data_dir=folder, warehouse_url=url))
    with warehouse.session() as session:
        fill(session)
    with warehouse.session(read_only=True) as session:
        yield session


FRAMES: dict[str, Callable[[Session], pl.DataFrame]] = {
    "days": lambda session: queries.read_days(session, ALL, LAST),
    "funnel": lambda session: queries.read_funnel(session, ALL),
    "devices": lambda session: queries.read_devices(session, ALL),
    "credits": lambda session: queries.read_credits(session, ALL),
    "credits of a source": lambda session: queries.read_credits(session, ALL, ["newsletter"]),
    "products": lambda session: queries.read_products(session, ALL, 10),
    "lists": lambda session: queries.read_lists(session, 10),
    "products of some ids": lambda session: queries.read_products(session, ALL, 10, only=["p-2"]),
    "places": lambda session: customers.read_places(session, 10),
    "cities": lambda session: customers.read_cities(session, 10),
    "best customers": lambda session: customers.read_customers(session, "revenue"),
    "quality": lambda session: records.read_quality(session, 0.05, ALL, ["web_logs"]),
    "reasons": lambda session: records.read_reasons(session, ALL),
    "rejected": lambda session: records.read_rejected(session, ALL, 10, ["clickstream"], "client_id: missing"),
    "batches": lambda session: records.read_batches(session, 10),
}


@pytest.mark.parametrize("name", FRAMES)
def test_postgres_answers_as_duckdb_does(name: str, duck: Session, postgres: Session) -> None:
    expected, found = FRAMES[name](duck), FRAMES[name](postgres)

    assert not expected.is_empty()
    assert_frame_equal(found, expected)


@pytest.mark.parametrize("name", FRAMES)
def test_without_rows_the_columns_are_the_same(name: str, duck: Session, tmp_path: Path) -> None:
    warehouse = open_warehouse(load_settings(data_dir=tmp_path))
    with warehouse.session() as session:
        session.ensure(*(CONTRACTS[table] for table in queries.DASHBOARD))
        assert FRAMES[name](session).schema == FRAMES[name](duck).schema


def test_every_day_is_there_and_the_last_is_not_complete(duck: Session) -> None:
    days = queries.read_days(duck, ALL, LAST)

    assert days["date"].to_list() == [FIRST + dt.timedelta(n) for n in range(16)]
    assert days.filter(pl.col("date") == QUIET)["sessions"].item() == 0
    assert days["revenue"].sum() == Decimal("1000.5") * (7 + 2 * 8)
    assert days["converted"][0] == 10
    assert days["is_complete"].to_list() == [True] * 15 + [False]


def test_the_days_with_data_are_known(duck: Session, postgres: Session) -> None:
    for session in (duck, postgres):
        assert queries.days_with_data(session, LOADED + dt.timedelta(days=9)) == (ALL, LOADED.date())
        assert records.loaded_at(session) == LOADED
        assert records.days_of_last_load(session) == (LAST, LOADED.date())
        assert queries.traffic_sources(session, ALL, 1) == ["newsletter"]
        assert records.data_sources(session) == ["clickstream", "web_logs"]
        assert records.read_rejected_purchases(session, 0.05, ALL).is_empty()
        assert queries.read_unknown(session, 0.05, ALL).is_empty()


def test_a_search_keeps_the_totals_of_all_products(duck: Session, postgres: Session) -> None:
    for session in (duck, postgres):
        found = queries.read_products(session, ALL, 10, "DROP table")
        assert found["product_id"].to_list() == ["p-1"]
        assert found["products_sold"].to_list() == [2]
        assert found["total_revenue"].item() == 2 * found["revenue"].item()


def test_reasons_are_counted_each_and_without_their_place(duck: Session) -> None:
    assert records.read_reasons(duck, ALL).rows() == [
        ("body: not JSON", 2), ("client_id: missing", 2), ("timestamp: not a time", 1),
    ]  # fmt: skip
    assert records.read_reasons(duck, LATEST, ["web_logs"]).rows() == [("body: not JSON", 1)]


@pytest.mark.parametrize(
    ("reason", "positions"),
    [("", [1, 2, 3, 4]), ("client_id: missing", [1, 2]), ("timestamp: not a time", [1]), ("body: not JSON", [3, 4]),
     ("body: not", []), ("missing", [])],
)  # fmt: skip
def test_a_reason_finds_its_records(duck: Session, postgres: Session, reason: str, positions: list[int]) -> None:
    for session in (duck, postgres):
        assert sorted(records.read_rejected(session, ALL, 10, (), reason)["position"]) == positions


def test_hostile_filters_are_text(duck: Session, postgres: Session) -> None:
    for session in (duck, postgres):
        assert records.read_rejected(session, ALL, 10, [HOSTILE], HOSTILE).is_empty()
        assert queries.read_credits(session, ALL, [HOSTILE, "'); DELETE FROM marts.attribution; --"]).is_empty()
        assert queries.read_products(session, ALL, 10, "%' OR 1=1 --").is_empty()
        assert len(records.read_rejected(session, ALL, 10)) == 4


def test_tables_that_were_never_made_are_named(tmp_path: Path) -> None:
    with open_warehouse(load_settings(data_dir=tmp_path)).session() as session:
        assert queries.missing_tables(session, queries.CHANNELS) == ["marts.attribution"]


def test_names_of_unknown_events_that_are_not_listed_are_pointed_to(tmp_path: Path) -> None:
    with open_warehouse(load_settings(data_dir=tmp_path)).session() as session:
        session.ensure(*(CONTRACTS[table] for table in queries.DASHBOARD))
        for number, (source, names) in enumerate((("kiosk", 9), ("app", 10))):
            named = ", ".join(f"n{place}" for place in range(names))
            insert(session, "marts.data_quality_daily", [{"date": FIRST, "source": source, "unknown_events": named}])
            found = records.read_unknown_events(session, ALL)
            assert any("cleaned.events has all" in text for text in found) == bool(number)
