"""What the platform asks of a warehouse, whichever it is: the protocols of warehouses and their sessions.

Everything outside this room works with a `Session` from `open_warehouse`, and never learns where the tables live.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse.types import BatchCard, Publication, QueryPlan, Span

FETCH_ROWS = 10_000
"""Rows that `Session.stream` hands over at a time."""


class Queryable(Protocol):
    """What answers questions in SQL."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a question that the warehouse answers itself. For counts and small answers over any table.

        Keep to SQL that other databases have too: the warehouse may have to translate it.
        """
        ...

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run a statement that changes rows."""
        ...


def one(session: Queryable, sql: str, parameters: Mapping[str, object] | None = None) -> tuple[Any, ...]:
    """The only row of a question that has exactly one."""
    (row,) = session.rows(sql, parameters)
    return row


class BatchSession(Queryable, Protocol):
    """Where the records of one batch are put and counted before they are stored: a DuckDB, whatever the warehouse."""

    def insert(self, table: str, frame: pl.DataFrame, defaults: Mapping[str, str] = ...) -> None:
        """Append the rows of a frame, columns matched by name; `defaults` (SQL) stand in for nulls."""
        ...

    def recall(self, contract: ContractType, card: BatchCard, span: Span) -> None:
        """Bring here the stored rows that the batch's may duplicate."""
        ...


class Session(Queryable, Protocol):
    """An open warehouse. SQL is DuckDB's, tables are `schema.table`, values are bound to its `$parameters`.

    Everything that changes a table does so in one transaction, and readers never see half of it.
    """

    def stream(self, sql: str, parameters: Mapping[str, object] | None = None) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of such a question, `FETCH_ROWS` at a time, for answers that are not small."""
        ...

    def frame(self, sql: str | Query, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        """The result of any query, computed where models are. A `Query` has its parameters with it.

        Of each table no columns are read that the SQL does not name, and of a `Query` no rows but those of its inputs.
        """
        ...

    def explain(self, query: Query) -> list[QueryPlan]:
        """Run a query, throw its rows away, and tell how each step of it was carried out (EXPLAIN ANALYZE)."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the `with` block, roll back if it raises."""
        ...

    def count(self, table: str) -> int:
        """Number of rows of a table."""
        ...

    def tables(self) -> set[str]:
        """Names (`schema.table`) of the tables that exist."""
        ...

    def ensure(self, *contracts: ContractType) -> None:
        """Make sure the tables exist as promised: create them, add columns that are new, widen types.

        Raises `WarehouseError` for a stored column that the contract lacks, and for a type that would lose values.
        """
        ...

    def insert(self, table: str, frame: pl.DataFrame) -> None:
        """Append the rows of a frame, columns matched by name."""
        ...

    def publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        """Replace the published part of a table by `rows`, audited before anyone can see them.

        The part is the `days` of a table with days, the changed keys of an `upsert` table, else the whole table.
        If a rule is broken nothing changes; the returned `Publication` says which. Raises `WarehouseError` if
        `rows` do not have the contract's columns.
        """
        ...

    def batch(self, contract: ContractType, card: BatchCard) -> AbstractContextManager[BatchSession]:
        """Where a batch's records are put and counted; what is there at the end of the `with` block is stored.

        In one transaction, and not at all if the block raises.
        """
        ...


class Warehouse(Protocol):
    """Where tables live."""

    @property
    def name(self) -> str:
        """The warehouse in words people know, without a password."""
        ...

    def session(self, read_only: bool = False) -> AbstractContextManager[Session]:
        """An open warehouse for the length of a `with` block. Raises `WarehouseError` if it cannot be opened."""
        ...

    def exists(self) -> bool:
        """Whether there is a warehouse that could be opened."""
        ...
