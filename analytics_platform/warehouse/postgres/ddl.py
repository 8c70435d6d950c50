"""From a contract to its table in PostgreSQL: types, keys, comments, monthly partitions, indexes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import INSTANT, column_docs, column_types, json_columns, table_doc
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.contracts.table import Table

JSON = "JSON"
"""The type of text that is a JSON document."""

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "VARCHAR": "text",
        "INTEGER": "integer",
        "BIGINT": "bigint",
        "BOOLEAN": "boolean",
        "DATE": "date",
        "DOUBLE": "double precision",
        INSTANT: "timestamp with time zone",
        JSON: "jsonb",
    }
)
_NAMES: Mapping[str, str] = MappingProxyType({postgres: duckdb for duckdb, postgres in _TYPES.items()})

_PARTITIONED_LAYERS = ("cleaned", "sessionized", "star")
"""Layers whose tables with days grow with the events. Marts and the ledger have a few rows a day."""

_LOOKED_UP = (
    ("event_at",),
    ("started_at",),
    ("ordered_at",),
    ("customer_key",),
    ("product_key",),
    ("product_id",),
    ("list_key",),
    ("session_id",),
)
"""What analysts filter the star by."""

_INDEXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ops.quarantine": ("input", "source, md5(raw)"),
        "ops.batch_days": ("event_date",),
        "sessionized.product_interactions": ("product_id", "list_id"),
    }
)
"""What the platform itself looks for: rejected records by their file and text, keys over all days."""


def typed_columns(contract: ContractType) -> dict[str, str]:
    """Column → DuckDB type, with documents told apart from text."""
    documents = json_columns(contract)
    return {name: JSON if name in documents else kind for name, kind in column_types(contract).items()}


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Mapping[str, str]]:
    """Table → column → DuckDB type, for every contract."""
    return MappingProxyType({name: typed_columns(contract) for name, contract in CONTRACTS.items()})


def postgres_type(kind: str) -> str:
    """The PostgreSQL type of a DuckDB type."""
    return _TYPES.get(kind) or kind.lower().replace("decimal", "numeric")


def duckdb_type(kind: str) -> str:
    """The DuckDB type of a PostgreSQL type, as `format_type` writes it."""
    return _NAMES.get(kind) or kind.upper().replace("NUMERIC", "DECIMAL")


def is_partitioned(table: Table) -> bool:
    """Whether the table is cut into months by its day."""
    return table.partition is not None and table.layer in _PARTITIONED_LAYERS


def key_of(table: Table) -> tuple[str, ...]:
    """The columns of the primary key. Of a table cut by day the day is one: the same row is always of the same day."""
    if is_partitioned(table) and table.partition not in table.key:
        return (*table.key, str(table.partition))
    return table.key


def create_statements(contract: ContractType) -> Iterator[str]:
    """The statements that create the table, empty and without partitions. Its schema must exist."""
    table = contract.table
    name = quote_table(table.name)
    parts = [_column(contract, column, kind) for column, kind in typed_columns(contract).items()]
    parts.append(f"PRIMARY KEY ({_list(key_of(table))})")
    parts += [_reference(column, dimension) for column, dimension in table.foreign_keys.items()]
    cut = f" PARTITION BY RANGE ({quote(str(table.partition))})" if is_partitioned(table) else ""
    yield f"CREATE TABLE {name} ({', '.join(parts)}){cut}"
    yield from _comments(contract)
    for columns in _indexes(contract):
        yield f"CREATE INDEX ON {name} ({columns})"


def _column(contract: ContractType, name: str, kind: str) -> str:
    nullable = contract.columns[name].nullable
    return f"{quote(name)} {postgres_type(kind)}{'' if nullable else ' NOT NULL'}"


def _reference(column: str, dimension: str) -> str:
    key = CONTRACTS[dimension].table.key[0]
    return f"FOREIGN KEY ({quote(column)}) REFERENCES {quote_table(dimension)} ({quote(key)})"


def _comments(contract: ContractType) -> Iterator[str]:
    name = quote_table(contract.table.name)
    yield f"COMMENT ON TABLE {name} IS {literal(table_doc(contract))}"
    for column, description in column_docs(contract).items():
        yield f"COMMENT ON COLUMN {name}.{quote(column)} IS {literal(description)}"


def _indexes(contract: ContractType) -> Iterator[str]:
    table = contract.table
    yield from _INDEXES.get(table.name, ())
    if table.layer == "star" and table.partition is not None:
        for columns in _LOOKED_UP:
            if set(columns) <= set(column_types(contract)) and columns != table.key:
                yield _list(columns)


def add_column(table: str, column: str, kind: str, description: str) -> Iterator[str]:
    """The statements that add a column; rows that are there have no value in it."""
    yield f"ALTER TABLE {quote_table(table)} ADD COLUMN {quote(column)} {postgres_type(kind)}"
    yield f"COMMENT ON COLUMN {quote_table(table)}.{quote(column)} IS {literal(description)}"


def widen_column(table: str, column: str, kind: str) -> str:
    """The statement that gives a column a wider type."""
    return f"ALTER TABLE {quote_table(table)} ALTER COLUMN {quote(column)} TYPE {postgres_type(kind)}"


def partition_name(table: Table, month: dt.date) -> str:
    """`star.fact_events_2024_03`."""
    return f"{table.name}_{month:%Y_%m}"


def partition_statements(table: Table, month: dt.date) -> Iterator[str]:
    """The statements that add the partition of a month, given by its first day.

    Made apart and then attached: that waits for nobody who reads the table.
    """
    part, following = quote_table(partition_name(table, month)), next_month(month)
    yield f"CREATE TABLE {part} (LIKE {quote_table(table.name)} INCLUDING ALL)"
    yield (
        f"ALTER TABLE {quote_table(table.name)} ATTACH PARTITION {part} "
        f"FOR VALUES FROM ({literal(month)}) TO ({literal(following)})"
    )


def next_month(month: dt.date) -> dt.date:
    """The first day of the month after a month's first day."""
    return (month + dt.timedelta(days=31)).replace(day=1)


def _list(columns: tuple[str, ...]) -> str:
    return ", ".join(map(quote, columns))
