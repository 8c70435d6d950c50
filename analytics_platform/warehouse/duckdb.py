"""The warehouse in one DuckDB file: a session opens it, publishes or loads, and closes it.

DuckDB lets one process write a file. A session is therefore short (one asset's work), and says clearly when another
process has the file.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types, create_statements
from analytics_platform.contracts.functions import macros, macros_in
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse.audit import RuleResult, audit
from analytics_platform.warehouse.migration import changes
from analytics_platform.warehouse.parts import in_sizes
from analytics_platform.warehouse.session import BatchCard, Bound, Publication, QueryPlan, Session, Span, WarehouseError
from analytics_platform.warehouse.stopping import stopped_by_signals
from analytics_platform.warehouse.versions import explaining_version

_EXACT_CASTS = frozenset({("HUGEINT", "BIGINT"), ("INTEGER", "BIGINT"), ("DATE", "DATE")})
"""Types a model may yield for a promised type: stored without loss, or with an error, never rounded."""

DISK_ERROR = re.compile("No space left on device|[Cc]orrupt|Could not read enough bytes|has been invalidated")
"""What DuckDB says within a session when the disk is full or the file is damaged."""

UNKNOWN_NAMES = (duckdb.BinderException, duckdb.CatalogException)
"""What DuckDB raises for a column or a table that is missing."""

PATIENCE_S = 5.0
"""How long to wait for a file that another process has: sensors and people look at it for a moment."""

ROW_GROUP = 122_880
"""Rows that DuckDB compresses and stores together. An Arrow batch of exactly this size is written once, as it comes.
Other pieces are gathered and written again when the session ends, which takes half as long as the load itself."""

LOAD_MEMORY = 512_000_000
"""Bytes that DuckDB may use during a load, or half of a larger limit: the gate that works beside it has room too."""


def connect(path: Path | str, **options: Any) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database in UTC. Raises `duckdb.Error`."""
    # DuckDB would download what reads another kind of file, such as SQLite's in place of a warehouse.
    fixed = {"preserve_insertion_order": "false", "autoinstall_known_extensions": "false"}
    options["config"] = {**fixed, **options["config"]}
    connection = duckdb.connect(str(path), **options)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextmanager
def in_memory(memory: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open an empty database for the length of a `with` block; what exceeds `memory` spills to the folder."""
    with tempfile.TemporaryDirectory(prefix="staging-") as folder:
        config = {"memory_limit": memory, "temp_directory": folder}
        with connect(":memory:", config=config) as connection:
            yield connection, Path(folder)


@dataclass(frozen=True, slots=True)
class DuckDBWarehouse:
    """A DuckDB file; `memory` is what DuckDB may use before it spills."""

    path: Path
    memory: str = "1GB"

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self.path)

    def exists(self) -> bool:
        """Return whether anything was ever stored."""
        return self.path.exists()

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[DuckDBSession]:
        """Open the file for the length of a `with` block. Raises `WarehouseError` if it cannot be opened."""
        patient = Retrying(
            retry=retry_if_exception(is_taken),
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_random(0.02, 0.2),
            reraise=True,
        )
        for path in (self.path, self.path.with_name(f"{self.path.name}.wal")):
            if path.exists() and not path.is_file():  # to open a named pipe would wait for ever
                words = f"is a {'folder' if path.is_dir() else 'named pipe or the like'}, not a file"
                raise WarehouseError(f"The warehouse {path} {words}: move it away, or correct WAREHOUSE_URL.")
        try:
            if not read_only:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = patient(connect, self.path, read_only=read_only, config={"memory_limit": self.memory})
        except OSError as error:
            raise WarehouseError(f"The folder of the warehouse {self.path} cannot be made: {error}.") from error
        except duckdb.Error as error:
            raise WarehouseError(self._explain(error)) from error
        try:
            if _is_foreign(connection):
                words = "is no warehouse of this platform, though it has tables of the same names"
                raise WarehouseError(f"The file {self.path} {words}: correct WAREHOUSE_URL, or move the file away.")
            session = DuckDBSession(connection)
            with stopped_by_signals(connection.interrupt), explaining_version(session, *UNKNOWN_NAMES):
                yield session
        except duckdb.Error as error:
            if not DISK_ERROR.search(str(error)):
                raise
            raise WarehouseError(self._explain(error)) from error
        finally:
            connection.close()

    def _explain(self, error: duckdb.Error) -> str:
        if is_taken(error):
            return f"The warehouse {self.path} is in use by another process: wait until its run has ended, or stop it."
        if self.path.is_symlink() and not self.path.exists():
            remedy = "bring that back, or delete the link"
            return f"The warehouse {self.path} is a link to {self.path.readlink()}, which is not there: {remedy}."
        if not self.path.exists():
            remedy = "correct DATA_DIR or WAREHOUSE_URL, or run `analytics-platform materialize`"
            return f"There is no warehouse at {self.path} yet: {remedy}."
        words = str(error).splitlines()[0]
        if "No space left" in words:
            return f"The disk of the warehouse {self.path} is full: make room and run again; nothing is half written."
        if re.search("Permission denied|Read-only file system", words):
            return f"The warehouse {self.path} cannot be opened: correct its rights, DATA_DIR or WAREHOUSE_URL."
        return (
            f"The warehouse {self.path} is damaged or no DuckDB file ({words}): move it and its .wal away, then "
            "`analytics-platform materialize` builds it again from the lake."
        )


@lru_cache(maxsize=1)
def _agreed() -> set[tuple[ContractType, str]]:
    """Hold the models whose columns were compared with their contracts, for all sessions of the process."""
    return set()


def _is_foreign(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether somebody else made what is called as the platform's tables are."""
    try:
        # To plan a query is enough. To look the names up in DuckDB's lists took half of the time to open a session.
        connection.execute("SELECT batch_id FROM ops.pipeline_logs LIMIT 0")
    except duckdb.BinderException:
        return True
    except duckdb.CatalogException:
        views = "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal"
        return any(view in CONTRACTS for (view,) in connection.execute(views).fetchall())
    return False


class _RolledBackError(Exception):
    """Rows break their contract: what was written is rolled back."""


def is_taken(error: BaseException) -> bool:
    """Return whether a file could not be opened because another process has it."""
    return isinstance(error, duckdb.IOException) and "lock" in str(error).lower()


class DuckDBSession(Session):
    """One open connection to a DuckDB database. The functions that models share are known in all of its SQL."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._defined = set[str]()
        self._listed = dict[str, str]()
        self._ensured = set[ContractType]()
        self._in_transaction = False
        (self._memory,) = self.one("SELECT parse_formatted_bytes(current_setting('memory_limit'))")

    @contextmanager
    def transaction(self, loading: str = "", publishing: Sequence[tuple[str, DayRange | None]] = ()) -> Iterator[None]:
        """Commit at the end of the `with` block, roll back if it raises. No other process has the file."""
        if self._in_transaction:
            yield
            return
        self.connection.execute("BEGIN TRANSACTION")
        self._in_transaction = True
        try:
            yield
        except BaseException:
            with suppress(duckdb.ConnectionException):  # a stop closed the file already: nothing of it stays
                self.connection.execute("ROLLBACK")
            for made in (self._ensured, self._defined, self._listed):
                made.clear()  # a column that was added in it is gone, and so are functions and lists
            raise
        finally:
            self._in_transaction = False
        self.connection.execute("COMMIT")

    def rows(self, sql: str, parameters: Bound = None) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        self._define(sql)
        return self.connection.execute(sql, dict(parameters or {})).fetchall()

    def stream(self, sql: str, parameters: Bound = None) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows of a query, some at a time."""
        self._define(sql)
        cursor = self.connection.execute(sql, dict(parameters or {}))
        while rows := cursor.fetchmany(self.FETCH_ROWS):
            yield rows

    def execute(self, sql: str, parameters: Bound = None) -> None:
        """Run a statement that changes rows."""
        self._define(sql)
        self.connection.execute(sql, dict(parameters or {}))

    def _define(self, *texts: str) -> None:
        """Define the functions that SQL calls, unless the session has them: all 42 take longer than a small table."""
        needed = frozenset[str]().union(*map(macros_in, texts)) - self._defined
        for name in (name for name in macros() if name in needed):
            self.connection.execute(macros()[name])
            self._defined.add(name)

    def frame(self, sql: str | Query, parameters: Bound = None) -> pl.DataFrame:
        """Return the result of a query as a frame."""
        sql, parameters = (sql.sql, sql.parameters) if isinstance(sql, Query) else (sql, parameters)
        self._define(sql)
        relation = self.connection.sql(sql, params=dict(parameters) if parameters else None)
        return pl.DataFrame(pl.from_arrow(relation.to_arrow_table()))

    def explain(self, query: Query) -> list[QueryPlan]:
        """Tell how DuckDB carries out a query."""
        found = self.rows(f"EXPLAIN ANALYZE {query.sql}", query.parameters)
        return [QueryPlan("DuckDB runs the model", "\n".join(text for *_, text in found))]

    def tables(self) -> set[str]:
        """Return the names (`schema.table`) of the tables that exist."""
        return {name for (name,) in self.rows("SELECT schema_name || '.' || table_name FROM duckdb_tables()")}

    def ensure(self, *contracts: ContractType) -> None:
        """Make the tables what the contracts promise. Raises `WarehouseError` where values would be lost."""
        # A session is short: to look again at what it has made took longer than to publish a small table.
        unknown = [contract for contract in contracts if contract not in self._ensured]
        existing = self.tables() if unknown else set()
        for contract in unknown:
            if contract.table.name in existing:
                self._migrate(contract)
            else:
                with self.transaction():
                    self.connection.execute("; ".join(create_statements(contract)))
            self._ensured.add(contract)

    def columns(self, *contracts: ContractType) -> dict[str, tuple[Mapping[str, str], Mapping[str, str]]]:
        """Return of each table the columns that are stored and those that are promised."""
        names = {contract: contract.table.name for contract in contracts}
        return {
            name: (self._types(f"DESCRIBE {quote_table(name)}"), column_types(each)) for each, name in names.items()
        }

    def replace(self, *contracts: ContractType) -> None:
        """Replace tables by empty ones."""
        for contract in contracts:
            self.connection.execute(f"DROP TABLE {quote_table(contract.table.name)}")
            self._ensured.discard(contract)
        self.ensure(*contracts)

    def _migrate(self, contract: ContractType) -> None:
        name = quote_table(contract.table.name)
        needed = changes(contract.table.name, *self.columns(contract)[contract.table.name])
        for column, kind in needed.added.items():
            self.connection.execute(f"ALTER TABLE {name} ADD COLUMN {quote(column)} {kind}")
        for column, kind in needed.widened.items():
            self.connection.execute(f"ALTER TABLE {name} ALTER COLUMN {quote(column)} TYPE {kind}")

    def _types(self, describe: str, parameters: Bound = None) -> dict[str, str]:
        """Return column → type, as a DESCRIBE statement tells them."""
        return {row[0]: row[1] for row in self.rows(describe, parameters)}

    def insert(self, table: str, frame: pl.DataFrame, defaults: Mapping[str, str] = MappingProxyType({})) -> None:
        """Append the rows of a frame, columns matched by name; `defaults` (SQL) stand in for nulls."""
        filled = [f"coalesce({quote(name)}, {sql}) AS {quote(name)}" for name, sql in defaults.items()]
        columns = f"* REPLACE ({', '.join(filled)})" if filled else "*"
        sql = f"INSERT INTO {quote_table(table)} BY NAME SELECT {columns} FROM incoming"
        for parts in in_sizes(frame):
            whole = pa.concat_tables(part.rechunk().to_arrow(compat_level=pl.CompatLevel.newest()) for part in parts)
            # DuckDB finds the variable by its name. It would keep a registered table until the transaction ends.
            incoming = pa.Table.from_batches(whole.to_batches(ROW_GROUP), whole.schema)  # noqa: F841
            self.connection.execute(sql)

    @contextmanager
    def batch(self, contract: ContractType, cards: Sequence[BatchCard]) -> Iterator[DuckDBSession]:
        """Yield this session, in one transaction, with the memory of a load; a lower limit stays."""
        memory = min(self._memory, max(LOAD_MEMORY, self._memory // 2))
        self.connection.execute(f"SET memory_limit = '{memory}B'")
        try:
            with self.transaction():
                yield self
        finally:
            self.connection.execute(f"SET memory_limit = '{self._memory}B'")

    def recall(self, contract: ContractType, cards: Sequence[BatchCard], span: Span) -> None:
        """Fetch the stored rows that the batches' may duplicate: in a DuckDB file they are here."""

    def know_members(self, contract: ContractType, part: str) -> None:
        """Fetch the members of dimensions that the rows of `part` refer to: in a DuckDB file they are here."""

    def publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        """Replace the published part of a table by `rows`, audited in the transaction that stores them.

        Raises `WarehouseError` if `rows` do not have the contract's columns.
        """
        self.ensure(contract)
        if isinstance(rows, pl.DataFrame):
            self.connection.register("made", rows.to_arrow(compat_level=pl.CompatLevel.newest()))
            rows = Query("SELECT * FROM made", {})
        rows = replace(rows, sql=self.shortened(rows.sql, rows.listed), part=self.shortened(rows.part, rows.listed))
        self._define(rows.model or rows.sql, *(rule.sql for rule in contract.rules))
        self._check_columns(contract, rows)
        put = self._upsert if contract.table.write == "upsert" else self._replace
        publication, compared = Publication(0, ()), self._in_transaction
        with suppress(_RolledBackError), self.transaction():
            results, changed = put(contract, rows, days, compared)
            publication = Publication(results[0].checked, results, changed)
            if publication.breaches:
                raise _RolledBackError
        return publication

    def shortened(self, sql: str, listed: Iterable[str]) -> str:
        """Write SQL with a table in place of each long list of values in it."""
        # A batch of the fast lane had hundreds of such lists, and to plan one of 600 values takes 5 ms.
        for values in (each for each in listed if len(each) > 1_000 and each in sql):
            if values not in self._listed:
                self._listed[values] = name = f"listed_{len(self._listed)}"
                self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT unnest([{values}]) AS id")
            sql = sql.replace(f"IN ({values})", f"IN (SELECT id FROM temp.{self._listed[values]})")
        return sql

    def _check_columns(self, contract: ContractType, query: Query) -> None:
        if (contract, query.model) in _agreed():  # to plan a model takes as long as to run it for a small day
            return
        found, promised = self._types(f"DESCRIBE {query.sql}", query.parameters), column_types(contract)
        for column in [*promised, *found]:
            got, want = found.get(column), promised.get(column)
            if got != want and (got, want) not in _EXACT_CASTS:
                name = contract.table.name
                raise WarehouseError(f"{name}: column {column} is {got or 'absent'}, its contract says {want or 'no'}.")
        if query.model:
            _agreed().add((contract, query.model))

    def _replace(
        self, contract: ContractType, query: Query, days: DayRange | None, compared: bool
    ) -> tuple[tuple[RuleResult, ...], bool]:
        """Replace the part of the days, or all rows. Returns whether they changed, if that is to be `compared`."""
        name, where = quote_table(contract.table.name), "" if query.part == "TRUE" else f"WHERE {query.part}"
        if days is not None and contract.table.partition is not None:
            where = f"WHERE {days.holds(contract.table.partition)} AND {query.part}"
        part = f"(SELECT * FROM {name} {where})" if where else name
        hashes = f"SELECT count(*), sum(hash(part)) FROM {part} AS part"
        before = self.rows(hashes) if compared else None
        self.connection.execute(f"DELETE FROM {name} {where}")
        self.connection.execute(f"INSERT INTO {name} BY NAME {query.sql}", dict(query.parameters))
        return self._audit(contract, part), before is None or before != self.rows(hashes)

    def _upsert(
        self, contract: ContractType, query: Query, days: DayRange | None, compared: bool
    ) -> tuple[tuple[RuleResult, ...], bool]:
        """Add rows whose key is new, replace those that changed, and leave the others unless the query covers all."""
        name = quote_table(contract.table.name)
        columns = [quote(column) for column in column_types(contract)]
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {query.sql}", dict(query.parameters))
        results = self._audit(contract, "staged")
        same_key = " AND ".join(f"kept.{quote(key)} = staged.{quote(key)}" for key in contract.table.key)
        changed = " OR ".join(f"kept.{column} IS DISTINCT FROM staged.{column}" for column in columns)
        counts = (
            self.one(f"DELETE FROM {name} AS kept USING staged WHERE {same_key} AND ({changed})"),
            self.one(
                f"INSERT INTO {name} BY NAME SELECT {', '.join(columns)} FROM staged "
                f"WHERE NOT EXISTS (SELECT 1 FROM {name} AS kept WHERE {same_key})"
            ),
            self.one(
                f"DELETE FROM {name} AS kept "
                f"WHERE {query.covers} AND NOT EXISTS (SELECT 1 FROM staged WHERE {same_key})"
            ),
        )
        return results, not compared or any(count for (count,) in counts)

    def _audit(self, contract: ContractType, part: str) -> tuple[RuleResult, ...]:
        self.know_members(contract, part)
        return tuple(audit(self.ask, contract, part))

    def ask(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a query; returns the names of its columns and its rows."""
        result = self.connection.execute(sql)
        return [name for name, *_ in result.description], result.fetchall()
