"""From a contract to the table it describes: SQL types and the `CREATE TABLE` statements."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import pandera.polars as pa
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


_FRACTION = r'("(?:[^"\\]|\\.)*")|(?:(-?[1-9][0-9]*)|-?(0))\.0([,}\]]|$)'
"""A text of JSON, which is kept, or a whole number with a fraction, as `json_normalize` writes it: 5.0, 1000.0."""

EVENT = ("client_id", "event_name", "event_at")
"""What tells two events with the same own id apart."""


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


def own_id(contract: ContractType) -> str | None:
    """Return the column with the id that the source gives an event; None if the contract has none."""
    return next((name for name, column in contract.columns.items() if column.metadata["own_id"]), None)


def identity_sql(contract: ContractType) -> dict[str, str]:
    """Return the key of a source's table, and the SQL that makes it; nothing for other tables.

    It is an MD5 of the source and the own id of the event with its client, name and time: an id that is used again for
    another event is another row. A row without an own id is identified by all that it says, unknown columns included.
    """
    if not contract.table.source:
        return {}
    own, columns = own_id(contract), contract.columns.items()
    content = [name for name, column in columns if name == "extra" or _tells_apart(column)]
    says = _text_sql(contract, content)
    if own is not None:
        # Two branches of a CASE would take a third longer where no row has an id.
        by_id = f"CASE WHEN {quote(own)} IS NOT NULL THEN {_text_sql(contract, (own, *EVENT))} END"
        says = f"coalesce({by_id}, {says})"
    return {contract.table.key[0]: f"md5({says})"}


def _tells_apart(column: pa.Column) -> bool:
    has = column.metadata
    return bool(has["source"]) and not has["delivery"] and not has["own_id"]


def _text_sql(contract: ContractType, names: Iterable[str]) -> str:
    """Return SQL for the text of columns: times in µs, JSON in one form, an empty object as missing.

    That form has no nulls, sorted keys, and whole numbers without a fraction.
    """
    types, documents, parts = column_types(contract), json_columns(contract), [literal(contract.table.source)]
    for name in names:
        value = quote(name)
        if name in documents:
            text = f"nfc_normalize(json_normalize(json_strip_nulls({value})))"
            whole = f"regexp_replace({text}, {literal(_FRACTION)}, '\\1\\2\\3\\4', 'g')"
            value = f"nullif(CASE WHEN contains({text}, '.0') THEN {whole} ELSE {text} END, '{{}}')"
        parts.append(f"epoch_us({value})" if types[name] == INSTANT else value)
    return f"concat({', chr(31), '.join(parts)})"  # concat writes nothing for a null


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
