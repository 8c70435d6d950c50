"""Every rule exists twice, for frames and for tables. Both must say the same of any row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import duckdb
import polars as pl
import pytest
from pandera.errors import SchemaErrors

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.rules import NOT_NULL, schema_of
from analytics_platform_tests.contracts.frames import random_frame
from analytics_platform_tests.slow import spread

Verdicts: TypeAlias = dict[str, set[int]]
"""Rule → rows that break it."""


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _rule_names(contract: ContractType) -> dict[tuple[str, str], str]:
    """(column, what Pandera calls the check) → rule."""
    schema = schema_of(contract)
    names = {(column, NOT_NULL): f"{column}__not_null" for column in schema.columns}
    for name, column in schema.columns.items():
        names |= {(name, str(check.error)): f"{name}__{check.name}" for check in column.checks}
    return names


def by_pandera(contract: ContractType, frame: pl.DataFrame) -> Verdicts:
    names, broken = _rule_names(contract), {rule.name: set[int]() for rule in contract.rules}
    try:
        schema_of(contract).validate(frame, lazy=True)
    except SchemaErrors as errors:
        for column, check, row in errors.failure_cases.select("column", "check", "index").iter_rows():
            broken[names.get((column, check), check)].add(row)
    return broken


def by_sql(connection: duckdb.DuckDBPyConnection, contract: ContractType, frame: pl.DataFrame) -> Verdicts:
    connection.register("frame", frame.with_row_index("row_number").to_arrow())
    broken = {rule.name: f"list(row_number) FILTER (WHERE NOT ({rule.sql}))" for rule in contract.rules}
    found = connection.execute(f"SELECT {', '.join(['1', *broken.values()])} FROM frame").fetchall()[0][1:]
    return {name: set(rows or ()) for name, rows in zip(broken, found, strict=True)}


@pytest.mark.parametrize("seed", spread(10, 1))
@pytest.mark.parametrize("name", CONTRACTS)
def test_pandera_and_sql_reject_the_same_rows(name: str, seed: int, connection: duckdb.DuckDBPyConnection) -> None:
    contract = CONTRACTS[name]

    frame = random_frame(contract, 100, seed)  # Pandera takes 30 ms a frame, however few its rows

    assert by_pandera(contract, frame) == by_sql(connection, contract, frame)
