"""Tables in PostgreSQL: from a contract to types, keys, comments, monthly partitions and indexes.

Changes of tables wait for each other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType

import psycopg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_docs, column_types, comment_statements, json_columns, own_id
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.contracts.table import Table
from analytics_platform.sources.registry import EVENTS
from analytics_platform.warehouse.ledger import TEXT_ID
from analytics_platform.warehouse.migration import changes

JSON = "JSON"
"""The type of text that is a JSON document."""

_TYPES: Mapping[str, str] = MappingProxyType({"VARCHAR": "text", "DOUBLE": "double precision", JSON: "jsonb"})
"""DuckDB type → PostgreSQL type, where the name is another in more than its case."""

_NAMES: Mapping[str, str] = MappingProxyType({postgres: duckdb for duckdb, postgres in _TYPES.items()})

_PARTITIONED_LAYERS = ("cleaned", "sessionized", "star")
"""Layers whose tables with days grow with the events. Marts and the ledger have a few rows a day."""

_STAR = [
    "event_at",
    "started_at",
    "ordered_at",
    "person_key",
    "customer_key",
    "product_key",
    "product_id",
    "list_key",
    "session_id",
    "client_id",
]
"""What analysts filter the star by, and the fast lane narrows it to."""

_INDEXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ops.quarantine": ("input", f"source, {TEXT_ID}"),
        "ops.batch_days": ("event_date",),
        "ops.person_links": ("client_id", "user_id"),
        "cleaned.events": ("batch_id", "client_id", "page_path"),
        **{f"sessionized.{name}": ("client_id",) for name in ("session_events", "sessions", "purchases", "buyers")},
        **{
            f"sessionized.{name}": ("product_id", "list_id", "client_id")
            for name in ("credited_items", "product_interactions")
        },
    }
)
"""What the platform itself looks for: rejected records by their file and text, keys over all days and of few events."""

_FEW = MappingProxyType({"cleaned.events": ("event_name = 'purchase'", "is_refund OR transaction_id IS NOT NULL")})
"""Conditions of models that few rows of a day fulfil: without an index each batch of the fast lane read the day."""

_MADE = frozenset(
    {"event_id", "order_id", "session_id", "interaction_id", "pair_id", "version_id", "batch_id", "run_id"}
    | {"table_name", "right_table", "rule", "name", "kind", "reason", "model", "device_type"}
)
"""Texts that the platform makes. All others people may have written, and a B-tree takes no more than 2,704 bytes."""

_LOOKED_FOR = frozenset({"client_id", "user_id", "person_id", "product_id", "product_name", "list_id"})
"""Parts of keys by which rows are asked for, over all days."""

_LOCK = 7_301_405_331
"""The advisory lock on the definitions of tables, an arbitrary number above those of the locks on tables."""

_MAY_DECLARE = 180000
"""PostgreSQL 18, as `server_version` counts: from then on a foreign key may be declared and not enforced."""

_TABLES = """
SELECT c.oid, n.nspname || '.' || c.relname AS name
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

_COLUMNS = f"""
SELECT t.name, a.attname, format_type(a.atttypid, a.atttypmod)
FROM ({_TABLES}) AS t
LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY t.oid, a.attnum
"""


def typed_columns(contract: ContractType) -> dict[str, str]:
    """Return column → DuckDB type, with documents told apart from text."""
    documents = json_columns(contract)
    return {name: JSON if name in documents else kind for name, kind in column_types(contract).items()}


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Mapping[str, str]]:
    """Return table → column → DuckDB type, for every contract."""
    return MappingProxyType({name: typed_columns(contract) for name, contract in CONTRACTS.items()})


def is_partitioned(table: Table) -> bool:
    """Return whether the table is cut into months by its day."""
    return table.partition is not None and table.layer in _PARTITIONED_LAYERS


def key_of(table: Table) -> tuple[str, ...]:
    """Return the columns of the primary key. The day is one of a table cut by day: a row is always of the same day."""
    if is_partitioned(table) and table.partition not in table.key:
        return (*table.key, str(table.partition))
    return table.key


def unique_on(contract: ContractType) -> list[str]:
    """Return what no two rows have the same of: the columns of the key, a hash of those that may be long."""
    long = _long_texts(contract)
    return [f"md5({quote(column)})" if column in long else quote(column) for column in key_of(contract.table)]


def _long_texts(contract: ContractType) -> set[str]:
    return {column for column, kind in typed_columns(contract).items() if kind == "VARCHAR"} - _MADE


def stored_tables(connection: psycopg.Connection) -> set[str]:
    """Return the names of the tables of the database; partitions are part of theirs."""
    return {name for _, name in connection.execute(_TABLES)}


def stored_columns(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    """Return table → column → DuckDB type, of every table of the database; partitions are part of theirs."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(_COLUMNS):
        columns = found.setdefault(table, {})
        if column is not None:
            columns[column] = _NAMES.get(kind) or kind.upper().replace("NUMERIC", "DECIMAL")
    return found


def ensure(connection: psycopg.Connection, contracts: Iterable[ContractType]) -> None:
    """Create the tables that are missing, dimensions before the facts that refer to them, and migrate the others.

    This month's partitions and the next's are there afterwards. Raises `WarehouseError` where values would be lost.
    """
    wanted: dict[str, ContractType] = {}
    for contract in contracts:
        wanted |= {dimension: CONTRACTS[dimension] for dimension in contract.table.foreign_keys.values()}
        wanted[contract.table.name] = contract
    stored = stored_columns(connection)
    if any(stored.get(name) != typed_columns(contract) for name, contract in wanted.items()):
        with _changing(connection):
            stored, version = stored_columns(connection), connection.info.server_version
            for name, contract in wanted.items():
                statements = _migrate(contract, stored[name]) if name in stored else create(contract, version)
                for statement in statements:
                    connection.execute(statement)
    this = dt.datetime.now(dt.UTC).date().replace(day=1)
    for contract in contracts:
        ensure_partitions(connection, contract.table, [this, _next_month(this)])


def create(contract: ContractType, version: int) -> Iterator[str]:
    """Yield the statements that create the table, empty and without partitions, on this version of the server."""
    table, types = contract.table, typed_columns(contract)
    name = quote_table(table.name)
    key, long = key_of(table), _long_texts(contract)
    parts = [
        f"{quote(column)} {_postgres_type(kind)}"
        f"{' NOT NULL' if column in key or not contract.columns[column].nullable else ''}"
        for column, kind in types.items()
    ]
    if long.isdisjoint(key):
        parts.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
    # The audit has looked for each key before. To have the server look too took half the time to store a fact, and its
    # locks on the members made each batch of the fast lane slower than the one before. It is declared for BI tools.
    declared = " NOT ENFORCED" if version >= _MAY_DECLARE else ""
    for column, dimension in table.foreign_keys.items():
        if not declared and CONTRACTS[dimension].table.write == "whole" and CONTRACTS[dimension].table.reads:
            continue  # persons who are one since a login are so before the facts of earlier days are built again
        referred = quote(CONTRACTS[dimension].table.key[0])
        parts.append(f"FOREIGN KEY ({quote(column)}) REFERENCES {quote_table(dimension)} ({referred}){declared}")
    cut = f" PARTITION BY RANGE ({quote(str(table.partition))})" if is_partitioned(table) else ""
    yield f"CREATE SCHEMA IF NOT EXISTS {quote(table.layer)}"
    yield f"CREATE TABLE {name} ({', '.join(parts)}){cut}"
    yield from comment_statements(contract)
    if not long.isdisjoint(key):
        yield f"CREATE UNIQUE INDEX ON {name} ({', '.join(unique_on(contract))})"
    indexes = [*_INDEXES.get(table.name, ()), *(["batch_id"] if table.source in EVENTS else [])]
    if table.layer == "star" and table.partition is not None:
        indexes += [column for column in _STAR if column in types and (column,) != table.key]
    indexes += [column for column in key if column in long & _LOOKED_FOR]
    if is_partitioned(table):
        # A day of a month of 30 million rows: each batch of the fast lane read them all.
        yield f"CREATE INDEX ON {name} USING brin ({quote(str(table.partition))}) WITH (autosummarize = on)"
    for columns in dict.fromkeys(indexes):
        # A B-tree takes no long text. A hash index walks past all rows of a value for each new one: with a list that
        # has a third of a million rows, the third hundred thousand took 19 s instead of 3.
        how = f"USING spgist ({columns}) WHERE {columns} IS NOT NULL" if columns in long else f"({columns})"
        yield f"CREATE INDEX ON {name} {how}"
    for condition in _FEW.get(table.name, ()):
        yield f"CREATE INDEX ON {name} ({quote(str(table.partition))}) WHERE {condition}"
    yield from _own_id_index(contract)


def _own_id_index(contract: ContractType) -> Iterator[str]:
    """Yield the statement that indexes the own ids of events, which every load looks for."""
    if own := own_id(contract):
        column = quote(own)
        yield f"CREATE INDEX ON {quote_table(contract.table.name)} USING hash ({column}) WHERE {column} IS NOT NULL"


def _migrate(contract: ContractType, stored: dict[str, str]) -> Iterator[str]:
    """Yield the statements that add columns, without values in rows that are there, and widen types."""
    name = quote_table(contract.table.name)
    needed = changes(contract.table.name, stored, typed_columns(contract))
    for column, kind in needed.added.items():
        yield f"ALTER TABLE {name} ADD COLUMN {quote(column)} {_postgres_type(kind)}"
        yield f"COMMENT ON COLUMN {name}.{quote(column)} IS {literal(column_docs(contract)[column])}"
    for column, kind in needed.widened.items():
        yield f"ALTER TABLE {name} ALTER COLUMN {quote(column)} TYPE {_postgres_type(kind)}"
    # What every row once had may be missing today.
    optional = [one for one in stored if contract.columns[one].nullable and one not in key_of(contract.table)]
    if optional and (needed.added or needed.widened):
        yield f"ALTER TABLE {name} {', '.join(f'ALTER {quote(column)} DROP NOT NULL' for column in optional)}"
    if own_id(contract) in needed.added:
        yield from _own_id_index(contract)


def _postgres_type(kind: str) -> str:
    return _TYPES.get(kind) or kind.lower().replace("decimal", "numeric")


def ensure_partitions(connection: psycopg.Connection, table: Table, months: Iterable[dt.date]) -> None:
    """Make the partitions of these months (given by their first days) that are missing."""
    named = {f"{table.name}_{month:%Y_%m}": month for month in months}
    missing = "SELECT part FROM unnest(%s::text[]) AS part WHERE to_regclass(part) IS NULL"
    if not is_partitioned(table) or not connection.execute(missing, [list(named)]).fetchall():
        return
    with _changing(connection):
        for (part,) in connection.execute(missing, [list(named)]).fetchall():
            name, whole, month = quote_table(part), quote_table(table.name), named[part]
            within = f"FROM ({literal(month)}) TO ({literal(_next_month(month))})"
            # Made apart and then attached: that does not wait for readers of the table.
            connection.execute(f"CREATE TABLE {name} (LIKE {whole} INCLUDING ALL)")
            connection.execute(f"ALTER TABLE {whole} ATTACH PARTITION {name} FOR VALUES {within}")


def _next_month(month: dt.date) -> dt.date:
    return (month + dt.timedelta(days=31)).replace(day=1)


@contextmanager
def _changing(connection: psycopg.Connection) -> Iterator[None]:
    """Open a transaction in which no other session changes tables."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield
