"""A warehouse that another version of the platform built: its tables get today's columns, and no record is lost."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from deltalake import DeltaTable

from analytics_platform.catalog import CONTRACTS
from analytics_platform.orchestration.assets.tables import table_asset
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.warehouse import WarehouseError
from analytics_platform.warehouse.upgrade import find_outdated, upgrade
from analytics_platform.warehouse.versions import OTHER_VERSION
from analytics_platform_tests.kit import (
    Platform,
    build,
    click,
    contents,
    load_rows,
    loaded_days,
    needed,
    open_platform,
)
from analytics_platform_tests.models.sales import buy, give_back
from analytics_platform_tests.postgres import new_database

TABLES = needed("star.fact_orders", "star.fact_refunds", "marts.product_daily")
ROWS = [
    click("a", "2024-03-01T09:00:00", user_id="u"),
    buy("a", "1", value=9, items=[{"item_id": "x", "price": 9}]),
    give_back("a", "1", "2024-03-04", value=2),
]
OF_ANOTHER_VERSION = (
    "ALTER TABLE marts.product_daily DROP COLUMN lowest_stock",
    "ALTER TABLE star.dim_channel ADD COLUMN colour VARCHAR",
    "DROP TABLE ops.person_links",
    "ALTER TABLE cleaned.web_logs DROP COLUMN event_data",
)
STRICTER = "UPDATE marts.product_daily SET stock = 1; ALTER TABLE marts.product_daily ALTER stock SET NOT NULL"
"""Once it was never missing; no shop's database is read here."""


def _says_the_version(platform: Platform, table: str, column: str) -> None:
    """Ask for a column that is not there, of the warehouse itself and where models are computed."""
    sql = f"SELECT {column} FROM {table}"
    with pytest.raises(WarehouseError) as of_rows, platform.session() as session:
        session.rows(sql)
    with pytest.raises(WarehouseError) as of_frame, platform.session() as session:
        session.frame(sql)
    assert (str(of_rows.value), str(of_frame.value)) == (OTHER_VERSION, OTHER_VERSION)


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_tables_of_another_version_are_extended_or_replaced_and_built_again_as_if_they_were_new(
    tmp_path: Path, kind: str
) -> None:
    with new_database() if kind == "postgres" else nullcontext("") as url:
        platform = open_platform(tmp_path, **({"warehouse_url": url} if url else {}))
        with platform.session() as session:
            session.ensure(*CONTRACTS.values())
            load_rows(platform, session, ROWS)
            build(session, loaded_days(session), platform.settings, TABLES)
            assert not find_outdated(session)
            before = contents(session)
            assert len(before["ops.person_links"]) == 1
            for statement in OF_ANOTHER_VERSION:
                session.execute(statement)
        _says_the_version(platform, "cleaned.web_logs", "event_data")
        if kind == "postgres":
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(STRICTER)
        with platform.session() as session:
            outdated = find_outdated(session)
            assert outdated.extended == ("marts.product_daily",) and outdated.lacks_links
            assert {"star.dim_channel", "star.fact_orders"} <= {*outdated.replaced}  # facts refer to it
            upgrade(session, outdated)
            assert not find_outdated(session)
            assert session.count("cleaned.clickstream") == len(ROWS) and session.count("star.dim_channel") == 0
            build(session, loaded_days(session), platform.settings, TABLES)
            assert contents(session) == before


def test_a_run_of_dagster_does_not_extend_a_table_of_another_version(tmp_path: Path) -> None:
    """The days that it does not build would lack values, and nothing would say so any more."""
    platform, name = open_platform(tmp_path), "star.dim_date"
    table = table_asset(name, (), platform.settings)

    def run() -> str:
        with dg.DagsterInstance.ephemeral() as instance:
            ran = dg.materialize(
                [table],
                instance=instance,
                resources=dict(build_resources(platform.settings)),
                partition_key=platform.settings.partition_start.isoformat(),
                raise_on_error=False,
            )
            return "\n".join(str(event.step_failure_data.error) for event in ran.get_step_failure_events())

    assert run() == ""
    with platform.session() as session:
        session.execute(f"ALTER TABLE {name} DROP COLUMN weekday_name")
    assert OTHER_VERSION in run()
    with platform.session() as session:
        assert find_outdated(session).extended == (name,)


def test_a_delta_table_of_another_version_is_replaced_too(tmp_path: Path) -> None:
    platform, contract = open_platform(tmp_path, warehouse_url=f"lake://{tmp_path}/tables"), CONTRACTS["star.dim_list"]
    with platform.session() as session:
        session.ensure(contract)
    (log,) = tmp_path.joinpath("tables").rglob("dim_list/_delta_log/*.json")
    log.write_text(log.read_text().replace("list_name", "list_label"))
    _says_the_version(platform, "star.dim_list", "list_name")
    with platform.session() as session:
        outdated = find_outdated(session)
        assert outdated.replaced == ("star.dim_list",)
        upgrade(session, outdated)
        assert not find_outdated(session)
    (table,) = {each.parent.parent for each in tmp_path.joinpath("tables").rglob("dim_list/_delta_log/*.json")}
    assert "list_name" in {json.loads(field.to_json())["name"] for field in DeltaTable(table).schema().fields}
