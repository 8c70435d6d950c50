"""What every SQL model must be: one portable SELECT that yields exactly what its contract promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.settings import load_settings
from analytics_platform.transform import (
    DayRange,
    ModelError,
    all_models,
    build_order,
    column_lineage,
    plan,
)
from analytics_platform.transform.model import read_model
from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.kit import memory_warehouse

DAYS = DayRange(dt.date(2024, 3, 1), dt.date(2024, 3, 2))
EXACT = {"INTEGER": "BIGINT", "HUGEINT": "BIGINT"}
"""Types that are stored as the promised one without loss."""

every_model = pytest.mark.parametrize("name", all_models())


@pytest.fixture(scope="module")
def empty_warehouse() -> Iterator[DuckDBSession]:
    """All tables, none with a row."""
    with memory_warehouse() as session:
        yield session


@every_model
def test_model_says_its_grain_and_is_one_select(name: str) -> None:
    sql = all_models()[name].path.read_text("utf-8")
    assert sql.startswith("-- Grain: one row per ")
    (statement,) = sqlglot.parse(sql, dialect="duckdb")
    assert isinstance(statement, exp.Query)


@every_model
@pytest.mark.parametrize("days", [DAYS, None], ids=["days", "whole"])
def test_model_yields_the_columns_of_its_contract(
    name: str, days: DayRange | None, empty_warehouse: DuckDBSession
) -> None:
    if days is None and "first_day" in all_models()[name].parameters:
        days = DAYS  # a calendar reads no rows
    query = plan(all_models()[name], days, load_settings().model_values)
    described = empty_warehouse.rows(f"DESCRIBE {query.sql}", query.parameters)
    found = {str(column): EXACT.get(str(kind), str(kind)) for column, kind, *_ in described}
    assert found == column_types(CONTRACTS[name])


@every_model
def test_model_can_be_said_in_spark_sql(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="sqlglot"):
        spark = all_models()[name].expression().sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(sqlglot.parse_one(spark, dialect="spark"), exp.Query)
    assert caplog.messages == []


@every_model
def test_lineage_names_every_column_and_only_columns_that_exist(name: str) -> None:
    lineage = column_lineage(name)
    assert lineage.keys() == column_types(CONTRACTS[name]).keys()
    sources = {pair for pairs in lineage.values() for pair in pairs}
    assert {table for table, _ in sources} <= set(all_models()[name].inputs)
    assert [pair for pair in sources if pair[1] not in column_types(CONTRACTS[pair[0]])] == []


@every_model
def test_model_is_built_after_what_it_reads_and_points_to(name: str) -> None:
    order = build_order()
    needed = {*all_models()[name].inputs, *CONTRACTS[name].table.foreign_keys.values()}
    assert [source for source in needed if order.index(source) > order.index(name)] == []


def test_inputs_are_the_tables_the_sql_names(tmp_path: Path) -> None:
    path = tmp_path / "star" / "fact_events.sql"
    path.parent.mkdir()
    path.write_text(
        "WITH star AS (SELECT * FROM cleaned.events) SELECT * FROM star JOIN sessionized.sessions USING (client_id)"
    )
    assert read_model(path).inputs == ("cleaned.events", "sessionized.sessions")


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("DELETE FROM cleaned.events", "a model is one SELECT, not DELETE"),
        ("SELECT 1; SELECT 2", "a model is one SELECT, not"),
        ("SELEC 1 FROM (", "not one SQL statement"),
        ("SELECT 'a FROM cleaned.events", "not one SQL statement: Error tokenizing"),
        ("", "not one SQL statement"),
        ("SELECT * FROM cleaned.evnets", "there is no contract for cleaned.evnets"),
    ],
)
def test_a_file_that_is_not_a_model_is_rejected_with_its_name(tmp_path: Path, sql: str, complaint: str) -> None:
    path = tmp_path / "star" / "fact_events.sql"
    path.parent.mkdir()
    path.write_text(sql)
    with pytest.raises(ModelError, match=complaint) as error:
        read_model(path)
    assert str(path) in str(error.value)
