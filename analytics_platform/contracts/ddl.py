"""From a contract to the table it describes: SQL types and the `CREATE TABLE` statements."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.sql import literal, quote, quote_table

INSTANT = "TIMESTAMP WITH TIME ZONE"
"""The SQL type of a moment."""

_TYPES: Mapping[object, str] = MappingProxyType(
    {
        pl.String(): "VARCHAR",
        pl.Int64(): "BIGINT",
        pl.Boolean(): "BOOLEAN",
        pl.Date(): "DATE",
        pl.Float64(): "DOUBLE",
        pl.Datetime("us", "UTC"): INSTANT,
    }
)


def sql_type(dtype: pl.DataType) -> str:
    """Return the DuckDB type of a Polars type. Raises `TypeError` for types that contracts do not use."""
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    if dtype in _TYPES:
        return _TYPES[dtype]
    raise TypeError(f"no SQL type for {dtype}")


def column_types(contract: ContractType) -> dict[str, str]:
    """Return column → SQL type, in column order."""
    return {name: sql_type(column.dtype.type) for name, column in contract.columns.items()}


def polars_schema(contract: ContractType) -> dict[str, pl.DataType]:
    """Return column → Polars type, in column order."""
    return {name: column.dtype.type for name, column in contract.columns.items()}


def json_columns(contract: ContractType) -> frozenset[str]:
    """Return the columns that hold JSON documents, which to Polars are text."""
    return frozenset(name for name, column in contract.columns.items() if column.metadata["json"])


def column_docs(contract: ContractType) -> dict[str, str]:
    """Return column → description, in column order."""
    return {name: column.description or "" for name, column in contract.columns.items()}


def table_doc(contract: ContractType) -> str:
    """Return the description of the table: the contract's docstring, unindented."""
    return inspect.cleandoc(contract.__doc__ or "")


def identity_sql(contract: ContractType) -> dict[str, str]:
    """Return the key, and the SQL of what rows without get: the MD5 of what identifies them (times in µs)."""
    types = column_types(contract)
    parts = [f"epoch_us({quote(name)})" if types[name] == INSTANT else quote(name) for name in contract.table.identity]
    # Concat writes nothing for a null.
    return {contract.table.key[0]: f"md5(concat({', chr(31), '.join(parts)}))"} if parts else {}


def create_statements(contract: ContractType) -> Iterator[str]:
    """Yield the statements that create the table and document it.

    No key constraint: uniqueness is asserted in the publishing transaction.
    """
    table, parts = quote_table(contract.table.name), []
    for name, kind in column_types(contract).items():
        # DuckDB looks for repetition in text to compress it. In random text there is none: the search takes a tenth of
        # the time of a load, and every search for duplicates has to undo it.
        is_random = contract.columns[name].metadata["random"]
        parts.append(f"{quote(name)} {kind}{' USING COMPRESSION uncompressed' if is_random else ''}")
    yield f"CREATE SCHEMA IF NOT EXISTS {quote(contract.table.layer)}"
    yield f"CREATE TABLE {table} ({', '.join(parts)})"
    yield from comment_statements(contract)


def comment_statements(contract: ContractType) -> Iterator[str]:
    """Yield the statements that document the table and its columns, for DuckDB and PostgreSQL."""
    table = quote_table(contract.table.name)
    yield f"COMMENT ON TABLE {table} IS {literal(table_doc(contract))}"
    for name, description in column_docs(contract).items():
        yield f"COMMENT ON COLUMN {table}.{quote(name)} IS {literal(description)}"
