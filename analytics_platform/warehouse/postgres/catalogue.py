"""What tables there are, and making them what their contracts say. Changes of tables wait for each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_docs
from analytics_platform.contracts.sql import quote
from analytics_platform.contracts.table import Table
from analytics_platform.warehouse.migration import changes
from analytics_platform.warehouse.postgres.ddl import (
    add_column,
    create_statements,
    duckdb_type,
    is_partitioned,
    next_month,
    partition_name,
    partition_statements,
    typed_columns,
    widen_column,
)

_LOCK = 7_301_405_331
"""The advisory lock on the catalogue, an arbitrary number above those of the locks on tables."""

_COLUMNS = """
SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY c.oid, a.attnum
"""


def stored_columns(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    """Table → column → DuckDB type, of every table of the database."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(_COLUMNS):
        columns = found.setdefault(table, {})
        if column is not None:
            columns[column] = duckdb_type(kind)
    return found


def ensure(connection: psycopg.Connection, contracts: Iterable[ContractType]) -> None:
    """Create the tables that are missing, dimensions before the facts that refer to them, and migrate the others."""
    wanted = list(dict.fromkeys(_with_dimensions(contracts)))
    stored = stored_columns(connection)
    if all(stored.get(contract.table.name) == typed_columns(contract) for contract in wanted):
        return
    with _changing(connection):
        stored = stored_columns(connection)
        for contract in wanted:
            name = contract.table.name
            statements = _migrate(contract, stored[name]) if name in stored else _create(contract)
            for statement in statements:
                connection.execute(statement)


def _with_dimensions(contracts: Iterable[ContractType]) -> Iterator[ContractType]:
    for contract in contracts:
        for dimension in contract.table.foreign_keys.values():
            yield CONTRACTS[dimension]
        yield contract


def _create(contract: ContractType) -> Iterator[str]:
    yield f"CREATE SCHEMA IF NOT EXISTS {quote(contract.table.layer)}"
    yield from create_statements(contract)


def _migrate(contract: ContractType, stored: dict[str, str]) -> Iterator[str]:
    name = contract.table.name
    needed = changes(name, stored, typed_columns(contract))
    for column, kind in needed.added.items():
        yield from add_column(name, column, kind, column_docs(contract)[column])
    for column, kind in needed.widened.items():
        yield widen_column(name, column, kind)


def ensure_partitions(connection: psycopg.Connection, table: Table, months: Iterable[dt.date]) -> None:
    """Make the partitions of these months (given by their first days) that are missing."""
    if not is_partitioned(table):
        return
    missing = [month for month in months if not _exists(connection, partition_name(table, month))]
    if missing:
        with _changing(connection):
            for month in missing:
                if not _exists(connection, partition_name(table, month)):
                    for statement in partition_statements(table, month):
                        connection.execute(statement)


def months_ahead(today: dt.date) -> list[dt.date]:
    """This month and the next, by their first days."""
    this = today.replace(day=1)
    return [this, next_month(this)]


def _exists(connection: psycopg.Connection, name: str) -> bool:
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    assert found is not None
    return bool(found[0])


@contextmanager
def _changing(connection: psycopg.Connection) -> Iterator[None]:
    """One transaction, in which no other session changes tables."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield
