"""From a contract to its table: types that keep every value, documentation that the database shows."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import (
    column_docs,
    column_types,
    create_statements,
    polars_schema,
    sql_type,
)
from analytics_platform.contracts.sql import quote_table
from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.contracts.frames import random_frame

COLUMNS = "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"

every_contract = pytest.mark.parametrize("name", CONTRACTS)


@every_contract
def test_rows_come_back_from_the_table_as_they_went_in(name: str) -> None:
    contract = CONTRACTS[name]
    frame = random_frame(contract, 40, seed=1)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        session = DuckDBSession(connection)
        session.ensure(contract)
        session.insert(name, frame)
        stored = session.frame(f"SELECT * FROM {quote_table(name)}")
    assert stored.schema == pl.Schema(polars_schema(contract))
    assert_frame_equal(stored, frame)


@every_contract
def test_the_database_shows_types_and_descriptions(name: str) -> None:
    contract = CONTRACTS[name]
    with duckdb.connect() as connection:
        connection.execute("; ".join(create_statements(contract)))
        columns = connection.execute(COLUMNS).fetchall()
        tables = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
    assert tables == [(name,)]
    assert {column: kind for column, kind, _ in columns} == column_types(contract)
    assert {column: comment for column, _, comment in columns} == column_docs(contract)


def test_a_type_without_a_sql_form_is_rejected() -> None:
    with pytest.raises(TypeError, match="no SQL type"):
        sql_type(pl.Datetime("ms", "UTC"))
