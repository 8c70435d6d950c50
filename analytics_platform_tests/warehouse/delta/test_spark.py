"""A warehouse of Delta tables whose models a server of Spark Connect computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.transform import Query
from analytics_platform.warehouse import Session, WarehouseError
from analytics_platform.warehouse.delta.place import DeltaPlace
from analytics_platform_tests.kit import build, load_rows, needed, open_platform, open_with_tables
from analytics_platform_tests.models.test_incremental import HORIZON, make_traffic
from analytics_platform_tests.spark import spark_remote
from analytics_platform_tests.warehouse.postgres.test_parity import in_two_steps

DEVICES = CONTRACTS["marts.device_daily"]
ALL_DEVICES = "SELECT * FROM marts.device_daily ORDER BY ALL"


def test_tables_computed_by_spark_equal_those_of_a_duckdb_file(tmp_path: Path) -> None:
    files = make_traffic(8)
    on_duckdb = in_two_steps(open_with_tables(tmp_path / "duckdb"), files)
    with spark_remote() as url:
        address = f"lake://{tmp_path}/tables"
        on_spark = in_two_steps(open_platform(tmp_path / "spark", warehouse_url=address, spark_remote=url), files)
    assert [name for name in on_duckdb if on_duckdb[name] != on_spark.get(name)] == []
    assert on_spark["star.fact_orders"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("devices") / "tables"


@pytest.fixture(scope="module")
def session(tables: Path) -> Iterator[Session]:
    """A warehouse of which Spark has computed the devices by day."""
    with spark_remote() as url:
        platform = open_platform(tables.parent, warehouse_url=f"lake://{tables}", spark_remote=url)
        with platform.session() as opened:
            load_rows(platform, opened, make_traffic(8)[0], "rows.csv")
            build(opened, HORIZON, platform.settings, needed("marts.device_daily"))
            yield opened


def test_rows_that_break_a_rule_are_not_published_and_the_rule_is_named(tables: Path, session: Session) -> None:
    published = session.rows(ALL_DEVICES)
    assert published
    query = replace_column("orders", "-1")
    publication = session.publish(DEVICES, query, HORIZON)
    assert [(each.rule, each.failing) for each in publication.breaches] == [
        ("orders__greater_than_or_equal_to", len(published))
    ]
    assert publication.breaches[0].sample[0]["orders"] == "-1"
    assert session.rows(ALL_DEVICES) == published
    assert not list((tables / "_staged").rglob("*.parquet"))


def test_rows_that_are_as_before_make_no_version_and_others_one(tables: Path, session: Session) -> None:
    log = tables / "marts" / "device_daily" / "_delta_log"
    versions = len(list(log.iterdir()))
    session.publish(DEVICES, replace_column("orders", "orders"), HORIZON)
    assert len(list(log.iterdir())) == versions
    session.publish(DEVICES, replace_column("bounces", "bounces + 1"), HORIZON)
    assert len(list(log.iterdir())) == versions + 1


def test_a_server_that_writes_to_another_disk_is_one_sentence(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = session.rows(ALL_DEVICES)
    monkeypatch.setattr(DeltaPlace, "parquet_files", lambda place, folder: {})
    with pytest.raises(WarehouseError, match="rows of what it computed, and this machine 0: let both use the same"):
        session.publish(DEVICES, replace_column("bounces", "bounces + 1"), HORIZON)
    assert session.rows(ALL_DEVICES) == before


def test_a_day_without_rows_is_published_as_one(tables: Path, session: Session) -> None:
    none = Query(f"{replace_column('orders', 'orders').sql} WHERE orders < 0", {})
    assert session.publish(DEVICES, none, HORIZON).rows == 0
    assert session.count("marts.device_daily") == 0


def replace_column(name: str, sql: str) -> Query:
    columns = (f"{sql} AS {column}" if column == name else column for column in column_types(DEVICES))
    return Query(f"SELECT {', '.join(columns)} FROM marts.device_daily", {})


def test_a_server_that_is_away_is_one_sentence_and_nothing_is_published(tmp_path: Path) -> None:
    away = "sc://127.0.0.1:1/;token=s3cret"
    platform = open_platform(tmp_path, warehouse_url=f"lake://{tmp_path}/tables", spark_remote=away)
    with platform.session() as session:
        for number, rows in enumerate(make_traffic(8)):
            load_rows(platform, session, rows, f"{number}.csv")
        with pytest.raises(WarehouseError) as error:
            build(session, HORIZON, platform.settings)
        assert " cannot be computed at SPARK_REMOTE=sc://127.0.0.1:1/;token=*** (" in str(error.value)
        assert "start the server" in str(error.value)
        assert session.count("star.fact_events") == 0


def test_spark_without_delta_tables_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"SPARK_REMOTE=\*\*\*: Spark reads Delta tables only, set WAREHOUSE_URL to"
    ):
        load_settings(data_dir=tmp_path, spark_remote="sc://127.0.0.1:15002")


@pytest.mark.parametrize("address", ["sc://spark:abc", "spark:15002", "sc://"])
def test_an_address_that_is_none_is_refused_at_start(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"SPARK_REMOTE=\*\*\*: not an address, write sc://host:15002 or"):
        load_settings(data_dir=tmp_path, warehouse_url=f"lake://{tmp_path}", spark_remote=address)
