"""The whole house on DuckDB and on PostgreSQL: every table equal, value by value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import pytest

from analytics_platform.checks.watchdog import watch
from analytics_platform.contracts import CONTRACTS
from analytics_platform.reports.queries import READS, read_facts
from analytics_platform.simulator import simulate
from analytics_platform_tests.end_to_end.platform_run import Platform, failed_checks, failure_words
from analytics_platform_tests.kit import VOLATILE, Contents, contents, open_house
from analytics_platform_tests.models.test_incremental import incrementally_in, make_traffic
from analytics_platform_tests.postgres import new_database

START = dt.date(2026, 3, 1)


def differing(one: Contents, other: Contents) -> list[str]:
    return [name for name in one if one[name] != other.get(name)]


@pytest.mark.parametrize("seed", [3, 8])
def test_random_traffic_built_day_by_day_in_any_order_gives_equal_tables(tmp_path: Path, url: str, seed: int) -> None:
    files = make_traffic(seed)
    on_duckdb = incrementally_in(open_house(tmp_path / "duckdb"), files)
    on_postgres = incrementally_in(open_house(tmp_path / "postgres", warehouse_url=url), files)
    assert differing(on_duckdb, on_postgres) == []
    assert on_postgres["star.fact_orders"]


class Run:
    """The same simulated shop, materialized by Dagster on one warehouse: all files, then late ones."""

    def __init__(self, folder: Path, simulated: Path, **settings: object) -> None:
        self.platform = Platform(folder, partition_start=START, **settings)
        self.results = []
        for part in ("clickstream", "late/clickstream"):
            for path in sorted((simulated / part).iterdir()):
                self.platform.drop(path.name, path.read_bytes())
            self.results.append(self.platform.materialize("2026-03-01", "2026-03-04"))
        house = open_house(folder, partition_start=START, **settings)
        with house.session(read_only=True) as session:
            self.tables = contents(session)
            now = dt.datetime(2026, 3, 9, tzinfo=dt.UTC)
            self.observed = {seen.name: (seen.passed, seen.seen) for seen in watch(session, house.settings, now)}
            self.facts = read_facts(session, now)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    root = tmp_path_factory.mktemp("parity")
    simulate(4, 40, 11, root / "simulated", START)
    with new_database() as url:
        return {
            "duckdb": Run(root / "duckdb", root / "simulated"),
            "postgres": Run(root / "postgres", root / "simulated", warehouse_url=url),
        }


def test_dagster_materializes_every_asset_on_postgresql(runs: Mapping[str, Run]) -> None:
    for result in runs["postgres"].results:
        assert result.success, failure_words(result)
        assert failed_checks(result) == set()


def test_every_table_of_every_layer_is_equal(runs: Mapping[str, Run]) -> None:
    one, other = runs["duckdb"].tables, runs["postgres"].tables
    assert differing(one, other) == []
    assert one.keys() == other.keys()
    assert set(VOLATILE) <= set(CONTRACTS)


def test_the_watchdog_and_the_report_see_the_same(runs: Mapping[str, Run]) -> None:
    one, other = runs["duckdb"], runs["postgres"]
    assert {name: seen for name, seen in one.observed.items() if name != "fresh"} == {
        name: seen for name, seen in other.observed.items() if name != "fresh"
    }
    for name in ("days", "funnel", "credits", "devices", "products", "quality", "reasons"):
        found, expected = getattr(other.facts, name), getattr(one.facts, name)
        assert found.equals(expected) and found.schema == expected.schema, name
    assert set(READS) <= other.tables.keys()
