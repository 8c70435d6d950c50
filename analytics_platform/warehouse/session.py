"""What the platform asks of a warehouse, whichever it is: the two protocols, and the words they are spoken in.

Everything outside this room works with a `Session` from `open_warehouse`, and never learns where the tables live.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.errors import UserError
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse.audit import RuleResult

if TYPE_CHECKING:
    from analytics_platform.warehouse.duckdb import DuckDBSession

FETCH_ROWS = 10_000
"""Rows that `Session.stream` hands over at a time."""


class WarehouseError(UserError):
    """The warehouse cannot do what it was asked; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What came of publishing a table: `rows` in the published part, and how they did against each rule."""

    rows: int
    results: tuple[RuleResult, ...]

    @property
    def breaches(self) -> tuple[RuleResult, ...]:
        """The rules that stopped the line; empty if the rows were published."""
        return tuple(result for result in self.results if result.stops_the_line)


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How one `step` of a query was carried out, with rows and times, as the database that did it puts it."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class BatchCard:
    """What the books say of a batch before its rows are read."""

    batch_id: str
    source: str
    input: str
    content_sha256: str
    arrived_at: dt.datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many records of a batch ended where."""

    rows_accepted: int
    rows_duplicate: int
    rows_quarantined: int

    @property
    def rows_read(self) -> int:
        """All records of the batch."""
        return self.rows_accepted + self.rows_duplicate + self.rows_quarantined

    @property
    def error_rate(self) -> float:
        """Share of refused records; 0 for an empty batch."""
        return self.rows_quarantined / self.rows_read if self.rows_read else 0.0


class Session(Protocol):
    """An open warehouse. SQL is DuckDB's, tables are `schema.table`, values are bound to its `$parameters`.

    Everything that changes a table does so in one transaction, and readers never see half of it.
    """

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[object, ...]]:
        """The rows of a question that the warehouse answers itself. For counts and small answers over any table.

        Keep to SQL that other databases have too: the warehouse may have to translate it.
        """
        ...

    def stream(self, sql: str, parameters: Mapping[str, object] | None = None) -> Iterator[list[tuple[object, ...]]]:
        """The rows of such a question, `FETCH_ROWS` at a time, for answers that are not small."""
        ...

    def frame(self, sql: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        """The result of any query, computed where models are. Of each table it reads no more than it names."""
        ...

    def explain(self, query: Query) -> list[QueryPlan]:
        """Run a query, throw its rows away, and tell how each step of it was carried out (EXPLAIN ANALYZE)."""
        ...

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run a statement that changes rows."""
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

    def batch(self, contract: ContractType, card: BatchCard) -> AbstractContextManager[DuckDBSession]:
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
