"""The warehouse in one DuckDB file: a session opens it, publishes or loads, and closes it.

DuckDB lets one process write a file. A session is therefore short (one asset's work), and says clearly when another
process has the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types, create_statements
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse.audit import audit
from analytics_platform.warehouse.migration import changes
from analytics_platform.warehouse.session import FETCH_ROWS, one
from analytics_platform.warehouse.types import BatchCard, Publication, QueryPlan, Span, WarehouseError

_EXACT_CASTS = frozenset({("HUGEINT", "BIGINT"), ("INTEGER", "BIGINT"), ("DATE", "DATE")})
"""Types a model may yield for a promised type: stored without loss, or with an error, never rounded."""

PATIENCE_S = 5.0
"""How long to wait for a file that another process has: sensors and people look at it for a moment."""

ROW_GROUP = 122_880
"""Rows that DuckDB compresses and stores together. Just so many in one Arrow batch are written once, as they
come; other pieces are gathered and written anew when the session ends,
which takes half as long as the load itself."""


LOAD_MEMORY = "512MB"
"""What DuckDB may use during a load: enough for its inserts, and it leaves room for the gate that works beside it."""


class DuckDBWarehouse:
    """A DuckDB file. `macros` are statements run in every session, `memory` what DuckDB may use before it spills."""

    def __init__(self, path: Path, memory: str = "1GB", macros: Sequence[str] = ()) -> None:
        self.path = path
        self.memory = memory
        self.macros = tuple(macros)

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[DuckDBSession]:
        """A connection for the length of a `with` block. Raises `WarehouseError` if the file cannot be opened."""
        connection = self._connect(read_only)
        try:
            for macro in self.macros:
                connection.execute(macro)
            yield DuckDBSession(connection)
        finally:
            connection.close()

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self.path)

    def exists(self) -> bool:
        """Whether anything was ever stored."""
        return self.path.exists()

    def _connect(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        patient = Retrying(
            retry=retry_if_exception(_is_taken),
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_random(0.02, 0.2),
            reraise=True,
        )
        config = {"memory_limit": self.memory, "preserve_insertion_order": "false"}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = patient(duckdb.connect, str(self.path), read_only=read_only, config=config)
        except OSError as error:
            raise WarehouseError(f"The folder of the warehouse {self.path} cannot be made: {error}.") from error
        except duckdb.Error as error:
            raise WarehouseError(self._explain(error)) from error
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _explain(self, error: duckdb.Error) -> str:
        text = str(error)
        if _is_taken(error):
            return f"The warehouse {self.path} is in use by another process: wait until its run has ended, or stop it."
        if not self.path.exists():
            return f"There is no warehouse at {self.path} yet: materialize the assets first."
        return f"The warehouse {self.path} cannot be opened as a DuckDB file: {text.splitlines()[0]}"


def _is_taken(error: BaseException) -> bool:
    """Whether a file could not be opened because another process has it."""
    return isinstance(error, duckdb.IOException) and "lock" in str(error).lower()


def _in_bytes(connection: duckdb.DuckDBPyConnection, size: str | None = None) -> int:
    """A size like `512MB` in bytes; without one, the memory limit of the connection."""
    sql = "SELECT parse_formatted_bytes(coalesce($size, current_setting('memory_limit')))"
    (row,) = connection.execute(sql, {"size": size}).fetchall()  # a result not read to its end blocks the connection
    return int(row[0])


class DuckDBSession:
    """One open connection to the warehouse. Everything that changes a table does so in one transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._memory = _in_bytes(connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the `with` block, roll back if it raises."""
        self.connection.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextmanager
    def memory_at_most(self, limit: str) -> Iterator[None]:
        """Let DuckDB use no more than `limit` (`512MB`) for the length of a `with` block; a lower limit stays."""
        if self._memory <= _in_bytes(self.connection, limit):
            yield
            return
        self.connection.execute(f"SET memory_limit = {literal(limit)}")
        try:
            yield
        finally:
            self.connection.execute(f"SET memory_limit = '{self._memory}B'")

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(sql, dict(parameters or {})).fetchall()

    def stream(self, sql: str, parameters: Mapping[str, object] | None = None) -> Iterator[list[tuple[Any, ...]]]:
        """All rows of a query, some at a time."""
        cursor = self.connection.execute(sql, dict(parameters or {}))
        while rows := cursor.fetchmany(FETCH_ROWS):
            yield rows

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run a statement that changes rows."""
        self.connection.execute(sql, dict(parameters or {}))

    def count(self, table: str) -> int:
        """Number of rows of a table."""
        return int(one(self, f"SELECT count(*) FROM {quote_table(table)}")[0])

    def frame(self, sql: str | Query, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        """The result of a query as a frame."""
        sql, parameters = (sql.sql, sql.parameters) if isinstance(sql, Query) else (sql, parameters)
        relation = self.connection.sql(sql, params=dict(parameters) if parameters else None)
        return pl.DataFrame(pl.from_arrow(relation.to_arrow_table()))

    def explain(self, query: Query) -> list[QueryPlan]:
        """How DuckDB carries out a query."""
        found = self.rows(f"EXPLAIN ANALYZE {query.sql}", query.parameters)
        return [QueryPlan("DuckDB runs the model", "\n".join(text for *_, text in found))]

    def tables(self) -> set[str]:
        """Names (`schema.table`) of the tables that exist."""
        return {
            name for (name,) in self.rows("SELECT table_schema || '.' || table_name FROM information_schema.tables")
        }

    def ensure(self, *contracts: ContractType) -> None:
        """Make sure the tables exist as promised: create them, add columns that are new, widen types.

        Raises `WarehouseError` for a stored column that the contract lacks, and for a type that would lose values.
        """
        existing = self.tables()
        for contract in contracts:
            if contract.table.name in existing:
                self._migrate(contract)
            else:
                with self.transaction():
                    for statement in create_statements(contract):
                        self.connection.execute(statement)

    def _migrate(self, contract: ContractType) -> None:
        name = contract.table.name
        stored = {row[0]: row[1] for row in self.rows(f"DESCRIBE {quote_table(name)}")}
        needed = changes(name, stored, column_types(contract))
        for column, kind in needed.added.items():
            self.connection.execute(f"ALTER TABLE {quote_table(name)} ADD COLUMN {quote(column)} {kind}")
        for column, kind in needed.widened.items():
            self.connection.execute(f"ALTER TABLE {quote_table(name)} ALTER COLUMN {quote(column)} TYPE {kind}")

    def insert(self, table: str, frame: pl.DataFrame, defaults: Mapping[str, str] = MappingProxyType({})) -> None:
        """Append the rows of a frame, columns matched by name; `defaults` (SQL) stand in for nulls."""
        whole = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
        # DuckDB finds the variable by its name. A registered table it would keep until the transaction ends.
        incoming = pa.Table.from_batches(whole.to_batches(ROW_GROUP), whole.schema)  # noqa: F841
        filled = [f"coalesce({quote(name)}, {sql}) AS {quote(name)}" for name, sql in defaults.items()]
        columns = f"* REPLACE ({', '.join(filled)})" if filled else "*"
        self.connection.execute(f"INSERT INTO {quote_table(table)} BY NAME SELECT {columns} FROM incoming")

    @contextmanager
    def batch(self, contract: ContractType, card: BatchCard) -> Iterator[DuckDBSession]:
        """This session, in one transaction, with the memory of a load."""
        with self.memory_at_most(LOAD_MEMORY), self.transaction():
            yield self

    def recall(self, contract: ContractType, card: BatchCard, span: Span) -> None:
        """Nothing to bring: the stored rows that may be duplicates of the batch's are here."""

    def know_members(self, contract: ContractType, part: str) -> None:
        """Nothing to bring: the members of dimensions that the rows of `part` refer to are here."""

    def publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        """Replace the published part of a table by `rows`, audited before anyone can see them.

        The part is the `days` of a table with days, the changed keys of an `upsert` table, else the whole table.
        A broken rule rolls everything back; the returned `Publication` says which. Raises `WarehouseError` if
        `rows` do not have the contract's columns.
        """
        self.ensure(contract)
        if isinstance(rows, pl.DataFrame):
            self.connection.register("made", rows.to_arrow(compat_level=pl.CompatLevel.newest()))
            rows = Query("SELECT * FROM made", {})
        self._check_columns(contract, rows)
        self.connection.execute("BEGIN TRANSACTION")
        try:
            publication = self._replace(contract, rows, days)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("ROLLBACK" if publication.breaches else "COMMIT")
        return publication

    def _check_columns(self, contract: ContractType, query: Query) -> None:
        found = {row[0]: row[1] for row in self.rows(f"DESCRIBE {query.sql}", query.parameters)}
        promised = column_types(contract)
        for column in [*promised, *found]:
            got, want = found.get(column), promised.get(column)
            if got != want and (got, want) not in _EXACT_CASTS:
                name = contract.table.name
                raise WarehouseError(f"{name}: column {column} is {got or 'absent'}, its contract says {want or 'no'}.")

    def _replace(self, contract: ContractType, query: Query, days: DayRange | None) -> Publication:
        table = contract.table
        if table.write == "upsert":
            return self._upsert(contract, query)
        name = quote_table(table.name)
        part, where = name, ""
        if days is not None and table.partition is not None:
            where = f" WHERE {quote(table.partition)} BETWEEN {literal(days.first)} AND {literal(days.last)}"
            part = f"(SELECT * FROM {name}{where})"
        self.connection.execute(f"DELETE FROM {name}{where}")
        self.connection.execute(f"INSERT INTO {name} BY NAME {query.sql}", dict(query.parameters))
        self.know_members(contract, part)
        results = audit(self.connection, contract, part)
        return Publication(results[0].checked, results)

    def _upsert(self, contract: ContractType, query: Query) -> Publication:
        """Rows whose key is new are added, changed ones replaced, unchanged ones not touched."""
        table = contract.table
        name = quote_table(table.name)
        columns = [quote(column) for column in column_types(contract)]
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {query.sql}", dict(query.parameters))
        self.know_members(contract, "staged")
        results = audit(self.connection, contract, "staged")
        same_key = " AND ".join(f"kept.{quote(key)} = staged.{quote(key)}" for key in table.key)
        changed = " OR ".join(f"kept.{column} IS DISTINCT FROM staged.{column}" for column in columns)
        self.connection.execute(f"DELETE FROM {name} AS kept USING staged WHERE {same_key} AND ({changed})")
        self.connection.execute(
            f"INSERT INTO {name} BY NAME SELECT {', '.join(columns)} FROM staged "
            f"WHERE NOT EXISTS (SELECT 1 FROM {name} AS kept WHERE {same_key})"
        )
        return Publication(results[0].checked, results)
