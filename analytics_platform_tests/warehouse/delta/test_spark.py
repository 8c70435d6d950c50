"""A warehouse of Delta tables whose models a server of Spark Connect computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.warehouse import WarehouseError
from analytics_platform_tests.kit import build, load_rows, open_platform, open_with_tables
from analytics_platform_tests.models.test_incremental import HORIZON, make_traffic
from analytics_platform_tests.spark import spark_remote
from analytics_platform_tests.warehouse.postgres.test_parity import in_two_steps


def test_tables_computed_by_spark_equal_those_of_a_duckdb_file(tmp_path: Path) -> None:
    files = make_traffic(8)
    on_duckdb = in_two_steps(open_with_tables(tmp_path / "duckdb"), files)
    with spark_remote() as url:
        address = f"lake://{tmp_path}/tables"
        on_spark = in_two_steps(open_platform(tmp_path / "spark", warehouse_url=address, spark_remote=url), files)
    assert [name for name in on_duckdb if on_duckdb[name] != on_spark.get(name)] == []
    assert on_spark["star.fact_orders"]


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
