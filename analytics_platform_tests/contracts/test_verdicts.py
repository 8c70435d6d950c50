"""Every rule exists twice, for frames and for tables. Both must say the same of any row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pandera.errors import SchemaErrors

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.rules import NOT_NULL, schema_of
from analytics_platform_tests.contracts.frames import frames

Verdicts: TypeAlias = dict[str, set[int]]
"""Rule → rows that break it."""

RANDOM_FRAMES = settings(
    deadline=None,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # a frame is small as it is; shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)


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
    broken = {}
    for rule in contract.rules:
        found = connection.execute(f"SELECT row_number FROM frame WHERE NOT ({rule.sql})").fetchall()
        broken[rule.name] = {row for (row,) in found}
    return broken


@pytest.mark.parametrize("name", CONTRACTS)
def test_pandera_and_sql_reject_the_same_rows(name: str, connection: duckdb.DuckDBPyConnection) -> None:
    contract = CONTRACTS[name]

    @settings(RANDOM_FRAMES, max_examples=4)
    @given(frames(contract, 20, 30))  # Pandera takes 30 ms a frame, however few its rows
    def verdicts_agree(frame: pl.DataFrame) -> None:
        assert by_pandera(contract, frame) == by_sql(connection, contract, frame)

    verdicts_agree()
