"""The whole platform on DuckDB and on PostgreSQL: every table equal, value by value."""

from __future__ import annotations

import datetime as dt
import random
import re
import shutil
import string
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.demo.simulator import simulate
from analytics_platform.reports.findings import read_facts
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.watchdog import watch
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, failed_checks, failure_words
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    Row,
    build,
    build_touched,
    click,
    contents,
    load_rows,
    open_platform,
    open_with_tables,
)
from analytics_platform_tests.models.test_incremental import HORIZON, Files, day_of, make_traffic
from analytics_platform_tests.models.test_versions import in_platform, incrementally, make_steps
from analytics_platform_tests.postgres import new_database

IN_FILES = ("clickstream", "exchange_rates", "web_logs")
"""Of the simulated sources those that come as files. Logs have no addresses, and lookups read only who has some."""

START, LAST = dt.date(2026, 3, 1), dt.date(2026, 3, 4)


def differing(one: Contents, other: Contents) -> list[str]:
    return [name for name in one if one[name] != other.get(name)]


def in_two_steps(platform: Platform, files: Files) -> Contents:
    """All days at once, then the last file late, and just what it touches."""
    *in_time, late = files
    with platform.session() as session:
        for number, rows in enumerate(in_time):
            load_rows(platform, session, rows, f"{number}.csv")
        build(session, HORIZON, platform.settings)
        load_rows(platform, session, late, "late.csv")
        build_touched(session, {day_of(row) for row in late}, HORIZON, platform.settings)
        return contents(session)


def long_texts() -> Files:
    """Purchases in two files, each with a text in one place that is longer than an entry of an index may be."""
    long = "".join(random.Random(1).choices(string.ascii_letters, k=9000))
    item = {"item_id": "p", "item_name": "Pillow", "item_list_name": "Sale", "price": 5}
    columns = [
        {"client_id": long},
        {"user_id": long},
        {"event_id": long},
        {"referrer": f"https://other.example/{long}"},
        {"user_agent": long},
        *({"page_url": f"https://shop.example/{end}"} for end in (long, f"?gclid={long}", f"?utm_source={long}")),
    ]
    fields = [{"transaction_id": long}, {"currency": long}, {"promotion_name": long}, {"search_term": long}]
    items = [{name: long} for name in ("item_id", "item_name", "item_list_name", "item_list_id", "item_variant")]
    items.append({"item_id": "", "item_name": long})
    start = dt.datetime.combine(HORIZON.first, dt.time(10), dt.UTC)

    def row(number: int, column: dict[str, str], field: dict[str, str], other: dict[str, str]) -> Row:
        data = {"transaction_id": f"t{number}", "value": 5, "items": [{**item, **other}], **field}
        named = {"client_id": f"c{number}", "user_id": "", "event_id": "", **column}
        client = named.pop("client_id")
        return click(client, start + dt.timedelta(minutes=number), "purchase", data=data, **named)

    cases = [*((x, {}, {}) for x in columns), *(({}, x, {}) for x in fields), *(({}, {}, x) for x in items)]
    return [[row(number + late, *case) for number, case in enumerate(cases)] for late in (0, 60)]


def test_random_traffic_with_late_files_and_texts_longer_than_an_index_takes_give_equal_tables(
    tmp_path: Path, url: str
) -> None:
    (*in_time, late), (long, long_late) = make_traffic(8), long_texts()
    files = [*in_time, long, [*late, *long_late]]
    on_duckdb = in_two_steps(open_with_tables(tmp_path / "duckdb"), files)
    on_postgres = in_two_steps(open_platform(tmp_path / "postgres", warehouse_url=url), files)
    assert differing(on_duckdb, on_postgres) == []
    orders = on_postgres["star.fact_orders"]
    client = [*column_types(CONTRACTS["star.fact_orders"])].index("client_id")
    of_texts = [row for row in orders if re.fullmatch(r"c\d+", str(row[client]))]
    assert len(orders) > len(of_texts) > len(long)


def test_versions_of_products_and_customers_that_arrive_in_any_order_give_equal_tables(tmp_path: Path) -> None:
    steps = make_steps(226)[:4]  # orders, customers, events, products
    on_duckdb = in_platform(tmp_path / "duckdb", incrementally, steps)
    on_postgres = in_platform(tmp_path / "postgres", incrementally, steps, kind="postgres")
    assert differing(on_duckdb, on_postgres) == []
    assert len(on_postgres["cleaned.product_history"]) > 2


class Seen:
    """What a warehouse holds and answers."""

    def __init__(self, platform: Platform) -> None:
        now = dt.datetime(2026, 3, 9, tzinfo=dt.UTC)
        with platform.session(read_only=True) as session:
            self.tables = contents(session)
            self.observed = {seen.name: (seen.passed, seen.seen) for seen in watch(session, platform.settings, now)}
            self.facts = read_facts(session, now, 0.05)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(4, 40, 11, folder, START)
    return folder


@pytest.fixture(scope="module")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory, simulated: Path) -> Seen:
    platform = open_with_tables(tmp_path_factory.mktemp("duckdb"), partition_start=START, shop_currency="EUR")
    with platform.session() as session:
        for name in IN_FILES:
            shutil.copytree(simulated / name, platform.settings.landing_dir / name, dirs_exist_ok=True)
            land_files(SOURCES[name], platform.settings, platform.lake)
            list(load_new_batches(SOURCES[name], session, platform.settings, platform.lake, "test"))
        build(session, DayRange(START, LAST), platform.settings)
    return Seen(platform)


@pytest.fixture(scope="module")
def materialized(
    tmp_path_factory: pytest.TempPathFactory, simulated: Path
) -> Iterator[tuple[dg.ExecuteInProcessResult, Seen]]:
    """The same files, materialized by Dagster on PostgreSQL."""
    folder = tmp_path_factory.mktemp("postgres")
    with new_database() as url:
        platform = DagsterPlatform(folder, partition_start=START, warehouse_url=url, shop_currency="EUR")
        for name in IN_FILES:
            shutil.copytree(simulated / name, platform.settings.landing_dir / name, dirs_exist_ok=True)
        result = platform.materialize(START.isoformat(), LAST.isoformat())
        yield result, Seen(open_platform(folder, partition_start=START, warehouse_url=url, shop_currency="EUR"))


def test_dagster_materializes_every_asset_on_postgresql(
    materialized: tuple[dg.ExecuteInProcessResult, Seen],
) -> None:
    result, _ = materialized
    assert result.success, failure_words(result)
    assert failed_checks(result) == set()


def test_every_table_of_every_layer_is_equal(
    on_duckdb: Seen, materialized: tuple[dg.ExecuteInProcessResult, Seen]
) -> None:
    tables = materialized[1].tables
    assert differing(on_duckdb.tables, tables) == []
    assert all(tables[name] for name in on_duckdb.tables if on_duckdb.tables[name])
    assert tables["star.fact_refunds"] and tables["cleaned.daily_rates"]


def test_the_watchdog_and_the_report_see_the_same(
    on_duckdb: Seen, materialized: tuple[dg.ExecuteInProcessResult, Seen]
) -> None:
    _, on_postgres = materialized
    for name in on_duckdb.observed.keys() - {"fresh"}:
        assert on_postgres.observed[name] == on_duckdb.observed[name]
    theirs, ours = on_postgres.facts, on_duckdb.facts
    named = {name: (theirs.frames[name], frame) for name, frame in ours.frames.items()}
    named |= {name: (getattr(theirs, name), getattr(ours, name)) for name in ("days", "quality", "reasons")}
    for name, (found, expected) in named.items():
        assert found.equals(expected) and found.schema == expected.schema, name
