"""The staging database: a DuckDB in memory in which the work of a step is done before PostgreSQL gets its result.

A model runs here over the windows of its inputs and is audited here. A batch is sorted into accepted, duplicate and
rejected here. It is the code of the DuckDB warehouse, so the rows are the same. Windows come out of PostgreSQL as CSV,
by COPY (see transfer.py).
"""

from __future__ import annotations

import datetime as dt
import io
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import Wait

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import create_statements, own_id
from analytics_platform.contracts.ops import BatchDays, PersonLinks, PipelineLogs, Quarantine
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.transform import Query
from analytics_platform.warehouse.duckdb import ROW_GROUP, DuckDBSession, in_memory
from analytics_platform.warehouse.ledger import TEXT_ID
from analytics_platform.warehouse.postgres.queries import reads, selected
from analytics_platform.warehouse.postgres.tables import JSON, key_of, typed_columns
from analytics_platform.warehouse.postgres.transfer import copy_frames
from analytics_platform.warehouse.session import BatchCard, QueryPlan, Span, of_batches, with_neighbours

BATCH_TABLES: tuple[ContractType, ...] = (PipelineLogs, Quarantine, BatchDays, PersonLinks)
"""The tables of the ledger that hold what became of a batch."""

_ROWS_AT_A_TIME = 1_000
"""Rows of the server that are written together."""

_FEW = 1_000
"""Rows up to which it is quicker to look at them one by one than to hand them to the server together."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of a table that are here: those of any of the `conditions` (None: all), in these columns (name → type)."""

    conditions: tuple[str | None, ...]
    columns: Mapping[str, str]

    def looks_into(self, table: str = "SELECT") -> bool:
        """Return whether a condition looks for keys in this table, or in any: it has other rows when that has."""
        return any(table in each.replace('"', "") for each in self.conditions if each)


class StagingSession(DuckDBSession):
    """A DuckDB that fetches what it needs over `server`, which its session sets. Use `open_staging`."""

    server: psycopg.Connection

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        super().__init__(connection)
        self._folder = folder
        self._kept = dict[str, Window]()

    def clear(self) -> None:
        """Drop the tables of the work before."""
        for (layer,) in self.rows("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal"):
            self.connection.execute(f"DROP SCHEMA {quote(layer)} CASCADE")
        self._kept.clear()

    def drop(self, table: str) -> None:
        """Drop a table whose rows will be others, and keep no window whose condition looks into it."""
        self.connection.execute(f"DROP TABLE IF EXISTS {quote_table(table)}")
        self._kept = {name: each for name, each in self._kept.items() if name != table and not each.looks_into(table)}

    def keep(self, contract: ContractType, within: str) -> None:
        """Take the rows here for those of a condition, in all columns: they were just published."""
        self._kept[contract.table.name] = Window((within,), typed_columns(contract))

    def ensure(self, *contracts: ContractType) -> None:
        """Create the tables that are not here, without comments, which nobody reads here."""
        for contract in contracts:
            make_schema, make_table, *_ = create_statements(contract)
            self.connection.execute(make_schema)
            self.connection.execute(make_table.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))

    def fetch(self, table: str, columns: Mapping[str, str], query: str, more: bool = False) -> bool:
        """Make `table` from the result of a query in PostgreSQL's own SQL; `columns` is name → DuckDB type.

        With `more` the rows are added to those of the table. Returns whether any came.
        """
        path = self._folder / f"{table}.csv"
        statement = sql.SQL(f"COPY ({query}) TO STDOUT (FORMAT csv)")
        with path.open("wb") as file, self.server.cursor().copy(statement):
            # DuckDB takes one away: it was that of the first text, and a client `\ufeffc1` was read as `c1`.
            start = file.write(BOM_UTF8)
            one_line_each = self.server.wait(_arriving(self.server.pgconn, file))
            is_empty = file.tell() == start
        kinds = {name: "VARCHAR" if kind == JSON else kind for name, kind in columns.items()}
        if not more:
            self._kept.pop(table, None)
            typed = ", ".join(f"{quote(name)} {kind}" for name, kind in kinds.items())
            self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.partition('.')[0])}")
            self.connection.execute(f"CREATE OR REPLACE TABLE {quote_table(table)} ({typed})")
        if not is_empty:  # to read a file without rows takes four times as long
            self.connection.execute(
                f"""
                INSERT INTO {quote_table(table)} BY NAME SELECT * FROM read_csv(
                    $path, columns = $columns, parallel = $parallel, header = false, auto_detect = false, delim = ',',
                    quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,
                    max_line_size = 1000000000
                )
                """,
                {"path": str(path), "columns": kinds, "parallel": one_line_each},
            )
        path.unlink()
        return not is_empty

    def send(self, query: str, table: str, columns: Mapping[str, str], key: Sequence[str] = ()) -> None:
        """Append the result of a query here to a table of the server, whose name is quoted.

        Many rows with a random key go in faster in the order of that `key`: its index is then filled page by page.
        """
        order = f" ORDER BY {', '.join(map(quote, key))}" if key else ""
        result = self.connection.sql(f"SELECT {', '.join(map(quote, columns))} FROM ({query}){order}")
        copy_frames(self.server, map(pl.DataFrame, result.to_arrow_reader(ROW_GROUP)), table, columns)

    def bring(self, query: Query) -> None:
        """Fetch the windows of a query, all as they were at one moment; within a transaction, as they are in it."""
        is_own = self.server.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self.server.transaction():
            if is_own:
                self.server.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for table, columns, condition in reads(query):
                self._bring(table, columns, condition, query.inputs[table])

    def _bring(self, table: str, columns: Mapping[str, str], condition: str | None, given: str | None) -> None:
        """Fetch the rows of a condition that are not here; those of `given` are all of them, and more."""
        held = self._kept.get(table, Window((), {}))
        has_columns = held.columns.keys() >= columns.keys()
        if has_columns and {condition, given, None} & {*held.conditions}:
            return
        if not has_columns or not held.conditions or held.looks_into():
            # With the columns of before: it is asked for these again.
            columns = {**held.columns, **columns}
            self.fetch(table, columns, selected(table, columns, condition))
            self._kept[table] = Window((condition,), columns)
            return
        here = " OR ".join(f"({each})" for each in held.conditions)
        missing = f"({condition or 'TRUE'}) AND ({here}) IS NOT TRUE"
        came = self.fetch(table, held.columns, selected(table, held.columns, missing), more=True)
        both = Window((*held.conditions, condition), held.columns)
        if came or not both.looks_into():
            self._kept[table] = both

    def explain_reads(self, query: Query) -> Iterator[QueryPlan]:
        """Tell how the server reads each window of a query."""
        for table, columns, condition in reads(query):
            lines = self.server.execute(f"EXPLAIN (ANALYZE) {selected(table, columns, condition)}").fetchall()
            yield QueryPlan(f"PostgreSQL reads {table}", "\n".join(line for (line,) in lines))

    def bring_ledger(self, cards: Sequence[BatchCard]) -> None:
        """Fetch what the ledger says of batches that were loaded before, but for its rejected records."""
        self.ensure(*BATCH_TABLES)
        for contract in (PipelineLogs, BatchDays, PersonLinks):
            name = contract.table.name
            columns = typed_columns(contract)
            named = ", ".join(map(quote, columns))  # in this order: a column that was added later is the last there
            self.fetch(name, columns, f"SELECT {named} FROM {name} WHERE {of_batches(cards)}")

    def know_members(self, contract: ContractType, part: str) -> None:
        """Fetch the members of dimensions that the rows of `part` refer to, in place of what was fetched of them."""
        pointing = contract.table.foreign_keys
        for dimension in dict.fromkeys(
            pointing.values()
        ):  # once for several columns: the pages a visit begins and ends on
            names = [quote(column) for column, other in pointing.items() if other == dimension]
            asked = " UNION ".join(
                f"SELECT DISTINCT {name} AS id FROM {part} WHERE {name} IS NOT NULL" for name in names
            )
            self._know(dimension, asked)

    def _know(self, dimension: str, asked: str) -> None:
        key = CONTRACTS[dimension].table.key[0]
        query = f"SELECT {quote(key)} FROM {quote_table(dimension)} WHERE {quote(key)} IN"
        ids = self.connection.execute(f"{asked} LIMIT {_FEW + 1}").fetchall()
        if len(ids) > _FEW:
            self._ask_for(asked, "bigint")
            self.fetch(dimension, {key: "BIGINT"}, f"{query} (SELECT id FROM asked)")
            return
        # A table for the server to join, and a file to read, would take several times as long for a few.
        known = self.server.execute(f"{query} ({', '.join(str(id) for (id,) in ids) or 'NULL'})").fetchall()
        self._kept.pop(dimension, None)
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(dimension.partition('.')[0])}")
        self.connection.execute(
            f"CREATE OR REPLACE TABLE {quote_table(dimension)} AS SELECT unnest($known::BIGINT[]) AS {quote(key)}",
            {"known": [number for (number,) in known]},
        )

    def find_changes(self, contract: ContractType, within: str, listed: Sequence[str]) -> bool:
        """Compare the rows of a condition with the server's. Returns whether there are others.

        `stored.new` has the rows that it lacks, `stored.gone` the keys of those that it has and that are not here.
        """
        name, columns = quote_table(contract.table.name), typed_columns(contract)
        named, key = (", ".join(map(quote, each)) for each in (columns, key_of(contract.table)))
        new, gone = self.shortened(f"FROM {name} WHERE {within}", listed), f"SELECT {key} FROM stored.rows"
        if self.fetch("stored.rows", columns, f"SELECT {named} FROM {name} WHERE {within}"):
            # By a hash of the row: to compare the rows themselves takes the memory of all of them once more.
            here, there = (f"SELECT {key}, hash({named}) AS row {rows}" for rows in (new, "FROM stored.rows"))
            new = f"FROM {name} SEMI JOIN ({here} EXCEPT {there}) AS other USING ({key})"
            gone = f"SELECT {key} FROM ({there} EXCEPT {here})"
        (added,) = self.one(f"CREATE OR REPLACE TABLE stored.new AS {new}")
        (removed,) = self.one(f"CREATE OR REPLACE TABLE stored.gone AS {gone}")
        self.connection.execute("DROP TABLE stored.rows")
        return bool(added + removed)

    def store_changes(self, contract: ContractType, within: str) -> None:
        """Make the server's rows of a condition those that are here, by what `find_changes` found."""
        name, columns, keys = quote_table(contract.table.name), typed_columns(contract), key_of(contract.table)
        if self.count("stored.gone"):
            named = ", ".join(map(quote, keys))
            self.server.execute("DROP TABLE IF EXISTS pg_temp.gone")  # of a table in the same transaction
            self.server.execute(f"CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT {named} FROM {name} LIMIT 0")
            self.send("FROM stored.gone", "gone", {column: columns[column] for column in keys})
            self.server.execute(f"DELETE FROM {name} WHERE {within} AND ({named}) IN (SELECT {named} FROM gone)")
        self.send("FROM stored.new", name, columns)

    def recall(self, contract: ContractType, cards: Sequence[BatchCard], span: Span) -> None:
        """Fetch the stored rows that the batches' may duplicate, and the rows of the batches that are stored already.

        Key, day and position of each; noted in `recalled`, so that they are not stored again.
        """
        self.execute("CREATE OR REPLACE TEMP TABLE recalled (batch_id VARCHAR, position BIGINT)")
        if span is not None:
            self._recall_rows(contract, cards, span)
        if contract.table.redelivers:
            self._recall_rejected(contract, cards)

    def _recall_rows(self, contract: ContractType, cards: Sequence[BatchCard], span: tuple[dt.date, dt.date]) -> None:
        name, key, own = quote_table(contract.table.name), contract.table.key[0], own_id(contract)
        ids = [column for column in (key, own) if column is not None]
        columns = {column: typed_columns(contract)[column] for column in (*ids, "event_date", "batch_id", "position")}
        selected, mine = f"SELECT {', '.join(map(quote, columns))} FROM {name}", of_batches(cards)
        # Nothing of a batch that is not in the ledger is stored, and to look for it would take a scan of its days.
        known = self.count("ops.pipeline_logs") > 0
        between = f"event_date BETWEEN {literal(span[0])} AND {literal(span[1])}"
        self._recall("rows", columns, f"{selected} WHERE {mine} AND {between} AND {known}", name)
        # Rows of other batches with a key of these on their days, or with an own id of these on their days and beside.
        found = [day for (day,) in self.rows(f"SELECT DISTINCT event_date FROM {name} WHERE {mine} ORDER BY 1")]
        on, near = (", ".join(map(literal, each)) or "NULL" for each in (found, with_neighbours(found)))
        exists = f"SELECT EXISTS (SELECT FROM {name} WHERE event_date IN ({near}))"
        if self.server.execute(exists).fetchone() == (True,):
            each = (f"SELECT {quote(column)} AS id FROM {name} WHERE {quote(column)} IS NOT NULL" for column in ids)
            self._ask_for(" UNION ALL ".join(each), "text")
            others = (
                f"{selected} WHERE NOT {mine} AND event_date IN ({days}) AND {quote(column)} IN (SELECT id FROM asked)"
                for column, days in zip(ids, (on, near), strict=False)
            )
            self._recall("others", columns, " UNION ".join(others), name)

    def _recall(self, what: str, columns: Mapping[str, str], query: str, name: str) -> None:
        """Put stored rows into the table `name` here, noted in `recalled`."""
        self.fetch(f"recall.{what}", columns, query)
        self.execute(f"INSERT INTO {name} BY NAME SELECT * FROM recall.{what}")
        self.execute(f"INSERT INTO recalled SELECT batch_id, position FROM recall.{what}")

    def _recall_rejected(self, contract: ContractType, cards: Sequence[BatchCard]) -> None:
        """Fetch the rejected records of other batches of the source with the text of one in these."""
        self._ask_for(f"SELECT DISTINCT {TEXT_ID} AS id FROM ops.quarantine", "text")
        columns = typed_columns(Quarantine)
        query = f"""
            SELECT {", ".join(map(quote, columns))} FROM ops.quarantine
            WHERE source = {literal(contract.table.source)} AND NOT {of_batches(cards)}
            AND {TEXT_ID} IN (SELECT id FROM asked)
        """
        self.fetch("recall.rejected", columns, query)
        self.execute("INSERT INTO ops.quarantine BY NAME SELECT * FROM recall.rejected")

    def _ask_for(self, ids: str, kind: str) -> None:
        """Put the ids of a query where the server can join them: in its temporary table `asked`."""
        self.server.execute("DROP TABLE IF EXISTS asked")
        self.server.execute(f"CREATE TEMP TABLE asked (id {kind})")
        self.send(ids, "asked", {"id": "VARCHAR" if kind == "text" else "BIGINT"})
        self.server.execute("ANALYZE asked")


def _arriving(server: PGconn, file: io.BufferedWriter) -> PQGen[bool]:
    """Write the rows of a COPY, and return whether each is one line: only then may the file be cut at line breaks."""
    rows, one_line_each, size = list[memoryview](), True, 0
    while size >= 0:
        # psycopg itself asks the socket before each row, also for those that are here: that takes three times as long.
        size, row = server.get_copy_data(1)
        if size > 0:
            rows.append(row)
        if size <= 0 or len(rows) == _ROWS_AT_A_TIME:
            data = b"".join(rows)
            one_line_each &= data.count(b"\n") == len(rows) and b"\r" not in data
            file.write(data)
            rows.clear()
        if size == 0:
            while not (yield Wait.R):
                continue
            server.consume_input()
    *_, result = yield from fetch_many(server)
    if result.status != ExecStatus.COMMAND_OK:
        raise error_from_result(result)
    return one_line_each


@contextmanager
def open_staging(memory: str) -> Iterator[StagingSession]:
    """Open an empty staging database for the length of a `with` block."""
    with in_memory(memory) as (connection, folder):
        yield StagingSession(connection, folder)
