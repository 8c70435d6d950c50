"""From a contract to the table it describes: SQL types and the `CREATE TABLE` statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.sql import literal, quote, quote_table

_TYPES: Mapping[object, str] = MappingProxyType(
    {
        pl.String: "VARCHAR",
        pl.Int64: "BIGINT",
        pl.Boolean: "BOOLEAN",
        pl.Date: "DATE",
        pl.Float64: "DOUBLE",
    }
)


INSTANT = "TIMESTAMP WITH TIME ZONE"
"""The SQL type of a moment."""


def sql_type(dtype: pl.DataType) -> str:
    """The DuckDB type of a Polars type. Raises `TypeError` for types that contracts do not use."""
    if isinstance(dtype, pl.Datetime) and (dtype.time_unit, dtype.time_zone) == ("us", "UTC"):
        return INSTANT
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    for polars_type, name in _TYPES.items():
        if dtype == polars_type:
            return name
    raise TypeError(f"no SQL type for {dtype}")


def column_types(contract: ContractType) -> dict[str, str]:
    """Column → SQL type, in column order."""
    return {name: sql_type(column.dtype.type) for name, column in contract.columns.items()}


def polars_schema(contract: ContractType) -> dict[str, pl.DataType]:
    """Column → Polars type, in column order."""
    return {name: column.dtype.type for name, column in contract.columns.items()}


def json_columns(contract: ContractType) -> frozenset[str]:
    """The columns that hold JSON documents, which to Polars are text."""
    return frozenset(name for name, column in contract.columns.items() if column.metadata["json"])


def column_docs(contract: ContractType) -> dict[str, str]:
    """Column → description, in column order."""
    return {name: column.description or "" for name, column in contract.columns.items()}


def table_doc(contract: ContractType) -> str:
    """The description of the table: the contract's docstring, unindented."""
    lines = (contract.__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines)


def _column(contract: ContractType, name: str, kind: str) -> str:
    """A column in `CREATE TABLE`. Random text is stored as it is.

    To look for repetition in it takes a tenth of the time of a load, and every search for duplicates has to undo it.
    """
    is_random = contract.columns[name].metadata["random"]
    return f"{quote(name)} {kind}{' USING COMPRESSION uncompressed' if is_random else ''}"


def create_statements(contract: ContractType) -> Iterator[str]:
    """The statements that create the table and document it.

    No key constraint: uniqueness is asserted in the publishing transaction.
    """
    table = quote_table(contract.table.name)
    columns = ", ".join(_column(contract, name, kind) for name, kind in column_types(contract).items())
    yield f"CREATE SCHEMA IF NOT EXISTS {quote(contract.table.layer)}"
    yield f"CREATE TABLE {table} ({columns})"
    yield f"COMMENT ON TABLE {table} IS {literal(table_doc(contract))}"
    for name, description in column_docs(contract).items():
        yield f"COMMENT ON COLUMN {table}.{quote(name)} IS {literal(description)}"
