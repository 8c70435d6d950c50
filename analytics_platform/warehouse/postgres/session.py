"""The warehouse in PostgreSQL: a session reads windows of its tables, and writes days of them, in one transaction each.

Models, and the sorting of a batch, run in a staging database (staging.py). PostgreSQL stores the rows and their keys,
and serves the readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

import polars as pl
import psycopg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.contracts.table import Table
from analytics_platform.settings import masked
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse.duckdb import UNKNOWN_NAMES, DuckDBSession
from analytics_platform.warehouse.postgres import tables
from analytics_platform.warehouse.postgres.connections import Pool, pool_of, take, unlocked_after, writing
from analytics_platform.warehouse.postgres.queries import question, translate
from analytics_platform.warehouse.postgres.staging import BATCH_TABLES, StagingSession, open_staging
from analytics_platform.warehouse.postgres.transfer import copy_frames
from analytics_platform.warehouse.session import (
    BatchCard,
    Bound,
    Publication,
    QueryPlan,
    Session,
    WarehouseError,
    of_batches,
)
from analytics_platform.warehouse.stopping import stopped_by_signals
from analytics_platform.warehouse.versions import explaining_version

T = TypeVar("T")

_LOST = ("08", "57P")
"""Classes of errors (PostgreSQL, appendix A) after which there is no connection: it failed, or the server ended it."""

_REMEDIES: Mapping[type[psycopg.Error], str] = MappingProxyType(
    {
        psycopg.errors.InsufficientPrivilege: "let its user CREATE in the database and own the tables there",
        psycopg.errors.ReadOnlySqlTransaction: "it may only be read: name a server and a user that write",
        psycopg.errors.DuplicateTable: "another program made a table or view of this name: use another database",
        psycopg.errors.ProgramLimitExceeded: "if another version of the platform made the table, drop it while no run "
        "works, then build all days by `analytics-platform materialize --days all`",
    }
)
"""What to do about what a server rejects."""

_UNKNOWN_NAMES = (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable, *UNKNOWN_NAMES)


@dataclass(frozen=True, slots=True)
class PostgresWarehouse:
    """A PostgreSQL database. `memory` is the limit of a staging database."""

    url: str = field(repr=False)  # it may hold a password
    memory: str
    statement_timeout_s: float

    @property
    def name(self) -> str:
        """The address without its password."""
        return masked(self.url)

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[PostgresSession]:
        """Take a connection of the pool for the length of a `with` block. Raises `WarehouseError` if there is none.

        What the server rejects or breaks off within the block is a `WarehouseError` too.
        """
        try:
            session = PostgresSession(self, pool_of(self.url, self.statement_timeout_s), read_only)
            try:
                with stopped_by_signals(session.interrupt), explaining_version(session, *_UNKNOWN_NAMES):
                    yield session
            finally:
                session.close()
        except psycopg.Error as error:
            raise WarehouseError(_explain(self.name, error)) from error

    def exists(self) -> bool:
        """Return True: there is a database to ask, or opening it raises the reason."""
        return True


def _explain(name: str, error: psycopg.Error) -> str:
    what = str(error).strip().splitlines()[0] if str(error).strip() else "no reason was given"
    if isinstance(error, psycopg.errors.QueryCanceled):
        return f"The warehouse {name} took longer than STATEMENT_TIMEOUT: raise it, or look for what holds it up."
    if "No space left" in what or isinstance(error, psycopg.errors.DiskFull):
        return f"The disk of the warehouse {name} is full: make room and run again; nothing is half written."
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(_LOST):
        # Also true of a COMMIT without an answer: days are replaced by the same rows, a batch is known by the ledger.
        return f"The connection to the warehouse {name} was lost, nothing is half stored: run it again ({what})."
    what = what.rstrip(".")
    for kind, remedy in _REMEDIES.items():
        if isinstance(error, kind):
            return f"The warehouse {name} rejected a statement ({what}): {remedy}."
    return f"The warehouse {name} rejected a statement: {what}."


def _part(published: tuple[str, DayRange | None]) -> tuple[str, DayRange | None]:
    """Return what is locked to publish days of a table: the days, or the table where other days change too."""
    name, days = published
    return name, days if CONTRACTS[name].table.write == "days" else None


class PostgresSession(Session):
    """One connection to the server, and a staging database when one is needed."""

    FAULTS = (
        *Session.FAULTS,
        *(psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError, psycopg.NotSupportedError),
        *(psycopg.errors.ProgramLimitExceeded, psycopg.errors.QueryCanceled),
    )

    def __init__(self, warehouse: PostgresWarehouse, pool: Pool, read_only: bool) -> None:
        self._warehouse = warehouse
        self.pool = pool
        self._read_only = read_only
        self._in_transaction = False
        self._locked = frozenset[tuple[str, DayRange | None]]()
        self._ensured = set[ContractType]()
        self._stack = ExitStack()
        self._opened_staging: StagingSession | None = None
        self.connection = self._connect()

    def _connect(self) -> psycopg.Connection:
        connection = take(self.pool, self._warehouse.url)
        if self._read_only:
            connection.execute("SET default_transaction_read_only = on")
        return connection

    def close(self) -> None:
        """Give the connection back; one that is broken or in the middle of something is not used again."""
        self._stack.close()
        if self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self.connection.close()
        elif self._read_only:
            with suppress(psycopg.OperationalError):  # then it is broken, and the pool drops it
                self.connection.execute("RESET default_transaction_read_only")
        self.pool.putconn(self.connection)

    def interrupt(self) -> None:
        """Break off what the staging database does. What the server does psycopg breaks off itself."""
        if self._opened_staging is not None:
            self._opened_staging.connection.interrupt()

    def _retrying(self, read: Callable[[], T]) -> T:
        """Return what `read` gives; once more over a new connection if this one was lost. `read` changes nothing."""
        try:
            return read()
        except psycopg.OperationalError:
            if not self.connection.closed or self._in_transaction:
                raise
        self.pool.putconn(self.connection)
        self.connection = self._connect()
        return read()

    def _staging(self) -> StagingSession:
        """Return the session's staging database, empty; of the parts that a transaction has locked it keeps windows."""
        if self._opened_staging is None:  # opened when first needed: that takes longer than many a model
            opening = open_staging(self._warehouse.memory)
            self._opened_staging = self._stack.enter_context(opening)
        if not self._locked:
            self._opened_staging.clear()
        self._opened_staging.server = self.connection
        return self._opened_staging

    @contextmanager
    def transaction(self, loading: str = "", publishing: Sequence[tuple[str, DayRange | None]] = ()) -> Iterator[None]:
        """Commit at the end of the `with` block, roll back if it raises; with the locks on what it changes.

        Of tables that a transaction has locked, and of what they are made from, windows are fetched once: who changes
        an input meanwhile publishes the tables made from it after this.
        """
        if self._in_transaction:
            yield
            return
        self._in_transaction = True
        parts = [*([(loading, None)] if loading else []), *map(_part, publishing)]
        # What is published in it stays locked up to its end: others would not see the rows yet that they replace.
        lock = writing(self.connection, parts) if parts else unlocked_after(self.connection)
        try:
            with lock:
                if publishing:
                    self._staging()
                    self._locked = frozenset(parts)
                with self.connection.transaction():
                    yield
        except BaseException:
            self._ensured.clear()  # a table that was made in it is gone
            raise
        finally:
            self._in_transaction, self._locked = False, frozenset()

    def rows(self, sql: str, parameters: Bound = None) -> list[tuple[Any, ...]]:
        """Return the rows of a question, answered by PostgreSQL."""
        statement, values = translate(sql, parameters or {})
        return self._retrying(lambda: psycopg.RawCursor(self.connection).execute(statement, values).fetchall())

    def stream(self, sql: str, parameters: Bound = None) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a question, some at a time."""
        statement, values = translate(sql, parameters or {})
        with self.connection.transaction(), psycopg.RawServerCursor(self.connection, "stream") as cursor:
            cursor.execute(statement, values)
            while rows := cursor.fetchmany(self.FETCH_ROWS):
                yield rows

    def execute(self, sql: str, parameters: Bound = None) -> None:
        """Run a statement that changes rows."""
        statement, values = translate(sql, parameters or {})
        psycopg.RawCursor(self.connection).execute(statement, values)
        self._forget(question(sql, {}).inputs)

    def _forget(self, names: Iterable[str]) -> None:
        """Keep no window of tables that may have other rows now."""
        if self._locked and self._opened_staging is not None:
            for name in names:
                self._opened_staging.drop(name)

    def frame(self, sql: str | Query, parameters: Bound = None) -> pl.DataFrame:
        """Return the result of a query, computed in a staging database."""
        query = sql if isinstance(sql, Query) else question(sql, parameters or {})

        def read() -> pl.DataFrame:
            staging = self._staging()
            staging.bring(query)
            return staging.frame(query)

        return self._retrying(read)

    def explain(self, query: Query) -> list[QueryPlan]:
        """Tell how PostgreSQL reads each window of the tables, and how the model runs over them."""
        staging = self._staging()
        windows = list(staging.explain_reads(query))
        staging.bring(query)
        return [*windows, *staging.explain(query)]

    def tables(self) -> set[str]:
        """Return the names (`schema.table`) of the tables that exist; partitions are part of theirs."""
        return self._retrying(lambda: tables.stored_tables(self.connection))

    def ensure(self, *contracts: ContractType) -> None:
        """Make the tables what the contracts promise, with this month's partitions and the next's."""
        # A session is short: to look again at what it has made took longer than to publish a small table.
        unknown = [contract for contract in contracts if contract not in self._ensured]
        if unknown:
            tables.ensure(self.connection, unknown)
            self._ensured.update(unknown)

    def columns(self, *contracts: ContractType) -> dict[str, tuple[Mapping[str, str], Mapping[str, str]]]:
        """Return of each table the columns that are stored and those that are promised."""
        stored = tables.stored_columns(self.connection)
        return {each.table.name: (stored[each.table.name], tables.typed_columns(each)) for each in contracts}

    def replace(self, *contracts: ContractType) -> None:
        """Replace tables by empty ones."""
        with self.connection.transaction():
            for contract in contracts:
                self.connection.execute(f"DROP TABLE {quote_table(contract.table.name)} CASCADE")
                self._ensured.discard(contract)
            self.ensure(*contracts)
        self._forget([contract.table.name for contract in contracts])

    def insert(self, table: str, frame: pl.DataFrame) -> None:
        """Append the rows of a frame."""
        contract = CONTRACTS[table].table
        if tables.is_partitioned(contract):
            days = frame[str(contract.partition)].unique().drop_nulls()
            tables.ensure_partitions(self.connection, contract, sorted({day.replace(day=1) for day in days}))
        types = {name: kind for name, kind in tables.schema()[table].items() if name in frame.columns}
        copy_frames(self.connection, [frame.select(list(types))], quote_table(table), types)
        self._forget([table])

    def publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        """Build and audit in a staging database, then replace the days, or merge the keys, in one transaction."""
        self.ensure(contract)
        table = contract.table
        with self._writing(table, days):
            staging = self._staging()
            if isinstance(rows, Query):
                staging.bring(rows)
            staging.drop(table.name)
            publication = staging.publish(contract, rows, days)
            if not publication.breaches:
                self._make_partitions(staging, contract)
                with self.connection.transaction():
                    changed = self._store(staging, contract, rows, days)
                publication = replace(publication, changed=changed or not self._in_transaction)
        return publication

    def _writing(self, table: Table, days: DayRange | None) -> AbstractContextManager[None]:
        part = table.name, days if table.write == "days" else None
        return nullcontext() if part in self._locked else writing(self.connection, [part], self._in_transaction)

    def _store(
        self, staging: StagingSession, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None
    ) -> bool:
        """Put what was published in the staging database into the table. Returns whether that changed a row."""
        query = rows if isinstance(rows, Query) else Query("", {})
        table = contract.table
        conditions = [days.holds(str(table.partition))] if table.write == "days" and days else []
        within = " AND ".join([*conditions, *([query.part] if query.part != "TRUE" else [])])
        if table.write == "upsert" or not within:
            return self._merge(staging, contract, query.covers)
        is_other = staging.find_changes(contract, within, query.listed)
        if is_other:
            staging.store_changes(contract, within)
        if self._locked:
            staging.keep(contract, within)
        return is_other

    def _make_partitions(self, staging: StagingSession, contract: ContractType, where: str = "") -> None:
        """Make the partitions that a table's rows in the staging database belong to."""
        table = contract.table
        if tables.is_partitioned(table):
            month = f"date_trunc('month', {quote(str(table.partition))})::DATE"
            found = staging.rows(f"SELECT DISTINCT {month} FROM {quote_table(table.name)} {where} ORDER BY 1")
            tables.ensure_partitions(self.connection, table, [month for (month,) in found if month is not None])

    def _merge(self, staging: StagingSession, contract: ContractType, covers: str) -> bool:
        """Add rows whose key is new, change those that differ; all other keys go if the rows are all there are.

        Returns whether that changed a row.
        """
        table, types = contract.table, tables.typed_columns(contract)
        name, keys = quote_table(table.name), ", ".join(tables.unique_on(contract))
        columns = ", ".join(map(quote, types))
        self.connection.execute("DROP TABLE IF EXISTS pg_temp.staged")  # of a table in the same transaction
        self.connection.execute(f"CREATE TEMP TABLE staged (LIKE {name}) ON COMMIT DROP")
        staging.send(f"FROM {name}", "staged", types)
        same = " AND ".join(f"kept.{quote(key)} = staged.{quote(key)}" for key in tables.key_of(table))
        others = f"{covers if table.write == 'upsert' else 'TRUE'} AND NOT EXISTS (SELECT 1 FROM staged WHERE {same})"
        gone = self.connection.execute(f"DELETE FROM {name} AS kept WHERE {others}")
        new = ", ".join(f"excluded.{quote(column)}" for column in types)
        old = ", ".join(f"kept.{quote(column)}" for column in types)
        put = self.connection.execute(
            f"INSERT INTO {name} AS kept ({columns}) SELECT {columns} FROM staged ON CONFLICT ({keys}) "
            f"DO UPDATE SET ({columns}) = ROW ({new}) WHERE ({old}) IS DISTINCT FROM ({new})"
        )
        return gone.rowcount + put.rowcount > 0

    @contextmanager
    def batch(self, contract: ContractType, cards: Sequence[BatchCard]) -> Iterator[DuckDBSession]:
        """Yield a staging database with the batches' entries of the ledger, and store what it holds at the end."""
        staging = self._staging()
        with writing(self.connection, [(contract.table.name, None)]):
            staging.ensure(contract)
            staging.bring_ledger(cards)
            yield staging
            self._store_batches(staging, contract, cards)

    def _store_batches(self, staging: StagingSession, contract: ContractType, cards: Sequence[BatchCard]) -> None:
        table, mine = contract.table, of_batches(cards)
        name = quote_table(table.name)
        self._make_partitions(staging, contract, f"WHERE {mine}")
        with self.connection.transaction():
            self._remove_lost(staging, contract, mine)
            new = f"FROM {name} WHERE {mine} AND (batch_id, position) NOT IN (FROM recalled)"
            staging.send(new, name, tables.typed_columns(contract), tables.key_of(table))
            for recorded in BATCH_TABLES:
                ledger = quote_table(recorded.table.name)
                self.connection.execute(f"DELETE FROM {ledger} WHERE {mine}")
                staging.send(f"FROM {ledger} WHERE {mine}", ledger, tables.typed_columns(recorded))

    def _remove_lost(self, staging: StagingSession, contract: ContractType, mine: str) -> None:
        """Remove the rows of the batch that turned out to be duplicates of others in it, found by a replay."""
        name, key = quote_table(contract.table.name), quote(contract.table.key[0])
        if "recall.rows" in staging.tables():
            kept = f"SELECT batch_id, position FROM {name} WHERE {mine}"
            lost = f"SELECT {key}, event_date FROM recall.rows WHERE {mine} AND (batch_id, position) NOT IN ({kept})"
            for row in staging.rows(lost):
                self.connection.execute(f"DELETE FROM {name} WHERE {key} = %s AND event_date = %s AND {mine}", row)
