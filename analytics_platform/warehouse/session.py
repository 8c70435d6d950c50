"""What the platform asks of a warehouse, whichever it is, and the values that go in and out.

Everything outside this folder works with a `Session` from `open_warehouse`, and does not know where the tables are.
"""

from __future__ import annotations

import datetime as dt
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.sql import literal, quote_table
from analytics_platform.errors import UserError
from analytics_platform.lake import Batch
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse.audit import RuleResult

if TYPE_CHECKING:
    from analytics_platform.warehouse.duckdb import DuckDBSession

Bound: TypeAlias = Mapping[str, object] | None
"""Values that are bound to the `$parameters` of a statement, by name."""

Span: TypeAlias = tuple[dt.date, dt.date] | None
"""First and last day of the events of a batch, if it has any."""


class WarehouseError(UserError):
    """The warehouse cannot do what it was asked; the message is one sentence that says why and what to do."""


class DamageError(WarehouseError):
    """What is stored of a table is damaged: `seen` says which and where, `remedy` what to do."""

    def __init__(self, seen: str, remedy: str) -> None:
        super().__init__(f"{seen}: {remedy}.")
        self.seen = seen
        self.remedy = remedy


class ConflictError(WarehouseError):
    """Another session changed the same rows meanwhile: nothing was stored, and doing it again goes well."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What came of publishing a table: `rows` in the published part, and how they did against each rule.

    Not `changed` is what is known to be as it was before; that is looked at within a transaction over several tables.
    """

    rows: int
    results: tuple[RuleResult, ...]
    changed: bool = True

    @property
    def breaches(self) -> tuple[RuleResult, ...]:
        """The rules that stopped the publication; empty if the rows were published."""
        return tuple(result for result in self.results if result.blocks_publication)

    def __add__(self, other: Publication) -> Publication:
        """Sum up the publications of two parts of a table."""
        both = zip(self.results, other.results, strict=True)
        results = tuple(one + another for one, another in both) if self.results else other.results
        return Publication(self.rows + other.rows, results, self.changed or other.changed)


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How one `step` of a query was carried out, with rows and times, as the database that did it puts it."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class BatchCard:
    """What the ledger says of a batch before its rows are read."""

    batch_id: str
    source: str
    input: str
    content_sha256: str
    arrived_at: dt.datetime
    run_id: str

    @classmethod
    def of(cls, batch: Batch, run_id: str) -> BatchCard:
        """Return the card of a batch of the lake that this run loads."""
        return cls(batch.batch_id, batch.source, batch.name, batch.content_sha256, batch.arrived_at, run_id)


def with_neighbours(days: Iterable[dt.date]) -> list[dt.date]:
    """Return days with those before and after each, in order."""
    return sorted({day + dt.timedelta(days=shift) for day in days for shift in (-1, 0, 1)})


def of_batches(cards: Iterable[BatchCard]) -> str:
    """Return the SQL condition that a row is of one of these batches."""
    return f"batch_id IN ({', '.join(literal(card.batch_id) for card in cards)})"


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many records of a batch ended where, and how many of the accepted ones have the own id of another event."""

    rows_accepted: int
    rows_duplicate: int
    rows_quarantined: int
    id_reused: int = 0

    @property
    def rows_read(self) -> int:
        """All records of the batch."""
        return self.rows_accepted + self.rows_duplicate + self.rows_quarantined

    @property
    def error_rate(self) -> float:
        """Share of rejected records; 0 for an empty batch."""
        return self.rows_quarantined / self.rows_read if self.rows_read else 0.0


NOTHING = Loaded(0, 0, 0)


class Session(ABC):
    """An open warehouse. SQL is DuckDB's, tables are `schema.table`, values are bound to its `$parameters`.

    Everything that changes a table does so in one transaction, and readers never see half of it.
    """

    FETCH_ROWS = 10_000
    """Rows that `stream` yields at a time."""

    # Not what a disk, a file system or a server does: that would set good batches aside, and passes by itself.
    FAULTS: ClassVar[tuple[type[Exception], ...]] = (
        *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError),
        *(TypeError, ValueError, UserError, zlib.error, pa.ArrowException, pl.exceptions.PolarsError),
        *(duckdb.DataError, duckdb.IntegrityError, duckdb.InternalError, duckdb.NotSupportedError),
        *(duckdb.OutOfMemoryException, duckdb.ProgrammingError, duckdb.TransactionException),
    )
    """What the content of a single batch can lead to: the batch is set aside, and others are loaded."""

    @abstractmethod
    def rows(self, sql: str, parameters: Bound = None) -> list[tuple[Any, ...]]:
        """Return the rows of a question that the warehouse answers itself: counts and small answers over any table.

        Keep to SQL that other databases have too: the warehouse may have to translate it.
        """

    def one(self, sql: str, parameters: Bound = None) -> tuple[Any, ...]:
        """Return the only row of a question that has exactly one."""
        (row,) = self.rows(sql, parameters)
        return row

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        return int(self.one(f"SELECT count(*) FROM {quote_table(table)}")[0])

    @abstractmethod
    def stream(self, sql: str, parameters: Bound = None) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of such a question, `FETCH_ROWS` at a time: for answers that are not small."""

    @abstractmethod
    def frame(self, sql: str | Query, parameters: Bound = None) -> pl.DataFrame:
        """Return the result of any query, computed where models are. A `Query` has its parameters with it.

        Of each table no columns are read that the SQL does not name, and of a `Query` no rows but those of its inputs.
        """

    @abstractmethod
    def explain(self, query: Query) -> list[QueryPlan]:
        """Run a query, throw its rows away, and tell how each step of it was carried out (EXPLAIN ANALYZE)."""

    @abstractmethod
    def execute(self, sql: str, parameters: Bound = None) -> None:
        """Run a statement that changes rows."""

    @abstractmethod
    def transaction(
        self, loading: str = "", publishing: Sequence[tuple[str, DayRange | None]] = ()
    ) -> AbstractContextManager[None]:
        """Commit at the end of the `with` block, roll back if it raises.

        No other session loads batches into the table `loading` meanwhile, nor publishes the parts `publishing` of
        tables. What is published in the block is published together: leave it by an error if a `Publication` has
        breaches.
        """

    @abstractmethod
    def tables(self) -> set[str]:
        """Return the names (`schema.table`) of the tables that exist."""

    @abstractmethod
    def ensure(self, *contracts: ContractType) -> None:
        """Make the tables what the contracts promise: create them, add columns that are new, widen types.

        Raises `WarehouseError` for a stored column that the contract lacks, and for a type that would lose values.
        """

    @abstractmethod
    def columns(self, *contracts: ContractType) -> dict[str, tuple[Mapping[str, str], Mapping[str, str]]]:
        """Return of each of these tables, which exist, the columns that are stored and those that are promised.

        Both are name → type, as `migration.changes` compares them.
        """

    @abstractmethod
    def replace(self, *contracts: ContractType) -> None:
        """Replace tables by empty ones with the columns that the contracts promise."""

    @abstractmethod
    def insert(self, table: str, frame: pl.DataFrame) -> None:
        """Append the rows of a frame, columns matched by name."""

    @abstractmethod
    def publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        """Replace the published part of a table by `rows`, audited before anyone can see them.

        The part is the `days` of a table with days, the changed keys of an `upsert` table, else the whole table.
        If a rule is broken nothing changes; the returned `Publication` says which. Raises `WarehouseError` if
        `rows` do not have the contract's columns.
        """

    def forget_history(self) -> None:  # noqa: B027 (a database keeps none)
        """Delete what tables were before, where the warehouse keeps that: after an erasure."""

    @abstractmethod
    def batch(self, contract: ContractType, cards: Sequence[BatchCard]) -> AbstractContextManager[DuckDBSession]:
        """Open a DuckDB in which batches' records are put and counted; at the end of the `with` block they are stored.

        In one transaction, and not at all if the block raises.
        """


class Warehouse(Protocol):
    """Where tables are."""

    @property
    def name(self) -> str:
        """The warehouse in words people know, without a password."""

    def session(self, read_only: bool = False) -> AbstractContextManager[Session]:
        """Open the warehouse for the length of a `with` block. Raises `WarehouseError` if it cannot be opened."""

    def exists(self) -> bool:
        """Return whether there is a warehouse that could be opened."""
