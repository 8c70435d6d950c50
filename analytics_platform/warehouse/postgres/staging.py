"""The staging database: a DuckDB in memory in which the work of a step is done before PostgreSQL gets its result.

A model runs here over the windows of its inputs and is audited here; a batch is sorted into accepted, duplicate and
rejected here. It is the very code that works on the DuckDB warehouse, so the rows are the same.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
from sqlglot import exp

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import create_statements
from analytics_platform.contracts.ops import BatchDays, PipelineLogs, Quarantine
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.transform import Query
from analytics_platform.warehouse.duckdb import DuckDBSession
from analytics_platform.warehouse.postgres.ddl import schema, typed_columns
from analytics_platform.warehouse.postgres.transfer import copy_in, fetch_rows, part_query
from analytics_platform.warehouse.postgres.windows import columns_of, condition_of
from analytics_platform.warehouse.types import BatchCard, QueryPlan, Span

BATCH_TABLES: tuple[ContractType, ...] = (PipelineLogs, Quarantine, BatchDays)
"""The tables of the ledger that hold what became of a batch."""


class StagingSession(DuckDBSession):
    """A DuckDB that can fetch what it needs over `server`, which its session sets. Use `open_staging`."""

    server: psycopg.Connection

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        super().__init__(connection)
        self._folder = folder

    def clear(self) -> None:
        """Put away what was worked on before."""
        for (layer,) in self.rows("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal"):
            self.connection.execute(f"DROP SCHEMA {quote(layer)} CASCADE")

    def ensure(self, *contracts: ContractType) -> None:
        """Create the tables that are not here. Nobody reads comments there."""
        for contract in contracts:
            make_schema, make_table, *_ = create_statements(contract)
            self.connection.execute(make_schema)
            self.connection.execute(make_table.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))

    def bring(self, query: Query) -> None:
        """Fetch the windows of a query, all as they were at one moment."""
        with self.server.transaction():
            self.server.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for table, columns, statement in _reads(query):
                fetch_rows(self.server, self, table, columns, statement, self._folder)

    def explain_reads(self, query: Query) -> Iterator[QueryPlan]:
        """How the server reads each window of a query."""
        for table, _, statement in _reads(query):
            lines = self.server.execute(f"EXPLAIN (ANALYZE) {statement}").fetchall()
            yield QueryPlan(f"PostgreSQL reads {table}", "\n".join(line for (line,) in lines))

    def bring_ledger(self, card: BatchCard) -> None:
        """Fetch what the ledger says of a batch that was loaded before, but for its rejected records."""
        self.ensure(*BATCH_TABLES)
        for contract in (PipelineLogs, BatchDays):
            name = contract.table.name
            query = exp.select("*").from_(name).where(exp.column("batch_id").eq(card.batch_id)).sql("postgres")
            fetch_rows(self.server, self, name, typed_columns(contract), query, self._folder)

    def know_members(self, contract: ContractType, part: str) -> None:
        """Fetch the members of dimensions that the rows of `part` refer to. What was brought of a dimension goes."""
        for column, dimension in contract.table.foreign_keys.items():
            key = CONTRACTS[dimension].table.key[0]
            self._ask_for(
                f"SELECT DISTINCT {quote(column)} AS id FROM {part} WHERE {quote(column)} IS NOT NULL", "bigint"
            )
            query = f"SELECT {quote(key)} FROM {quote_table(dimension)} WHERE {quote(key)} IN (SELECT id FROM asked)"
            fetch_rows(self.server, self, dimension, {key: "BIGINT"}, query, self._folder)

    def recall(self, contract: ContractType, card: BatchCard, span: Span) -> None:
        """Fetch the stored rows that the batch's may duplicate, and the rows of the batch that are stored already.

        Key, day and place of each; noted in `recalled`, so that they are not stored again.
        """
        table, key = contract.table, contract.table.key[0]
        self.execute("CREATE OR REPLACE TEMP TABLE recalled (batch_id VARCHAR, position BIGINT)")
        if span is not None:
            columns = {name: typed_columns(contract)[name] for name in (key, "event_date", "batch_id", "position")}
            self._recall_rows(table.name, key, columns, card, span)
        if table.redelivers:
            self._recall_rejected(card)

    def _recall_rows(
        self, table: str, key: str, columns: dict[str, str], card: BatchCard, span: tuple[dt.date, dt.date]
    ) -> None:
        name, mine = quote_table(table), f"batch_id = {_text(card.batch_id)}"
        selected = f"SELECT {', '.join(map(quote, columns))} FROM {name}"
        queries = list(self._find_others(name, key, selected, mine))
        # Nothing of a batch that is not in the ledger is stored, and to look for it would take a scan of its days.
        if self.count("ops.pipeline_logs"):
            queries.append(f"{selected} WHERE {mine} AND event_date BETWEEN {literal(span[0])} AND {literal(span[1])}")
        query = " UNION ALL ".join(queries) or f"{selected} WHERE false"
        fetch_rows(self.server, self, "recall.rows", columns, query, self._folder)
        self.execute(f"INSERT INTO {name} BY NAME SELECT * FROM recall.rows")
        self.execute("INSERT INTO recalled SELECT batch_id, position FROM recall.rows")

    def _find_others(self, name: str, key: str, selected: str, mine: str) -> Iterator[str]:
        """The query for rows of other batches with a key of this one, on its days; none where nothing is stored yet."""
        days = self.rows(f"SELECT DISTINCT event_date FROM {name} WHERE {mine} ORDER BY 1")
        listed = ", ".join(literal(day) for (day,) in days) or "NULL"
        within = f"event_date IN ({listed})"
        if self.server.execute(f"SELECT EXISTS (SELECT FROM {name} WHERE {within})").fetchone() == (True,):
            self._ask_for(f"SELECT {quote(key)} AS id FROM {name}", "text")
            others = mine.replace("=", "<>", 1)
            yield f"{selected} WHERE {within} AND {others} AND {quote(key)} IN (SELECT id FROM asked)"

    def _recall_rejected(self, card: BatchCard) -> None:
        """Fetch the rejected records of other batches of the source with the text of one in this batch."""
        self._ask_for("SELECT DISTINCT md5(raw) AS id FROM ops.quarantine", "text")
        columns = typed_columns(Quarantine)
        query = f"""
            SELECT {", ".join(map(quote, columns))} FROM ops.quarantine
            WHERE source = {_text(card.source)} AND batch_id <> {_text(card.batch_id)}
            AND md5(raw) IN (SELECT id FROM asked)
        """
        fetch_rows(self.server, self, "recall.rejected", columns, query, self._folder)
        self.execute("INSERT INTO ops.quarantine BY NAME SELECT * FROM recall.rejected")

    def _ask_for(self, ids: str, kind: str) -> None:
        """Put the ids of a query where the server can join them: in its temporary table `asked`."""
        self.server.execute("DROP TABLE IF EXISTS asked")
        self.server.execute(f"CREATE TEMP TABLE asked (id {kind})")
        copy_in(self.server, self, ids, "asked", {"id": "VARCHAR" if kind == "text" else "BIGINT"})
        self.server.execute("ANALYZE asked")


def _reads(query: Query) -> Iterator[tuple[str, dict[str, str], str]]:
    """For each input of a query: its name, the columns to fetch, and the statement that selects them on the server."""
    for table in query.inputs:
        types = schema()[table]
        columns = {name: types[name] for name in columns_of(query, table, types)}
        yield table, columns, part_query(table, columns, condition_of(query, table, types), query.parameters)


def _text(value: str) -> str:
    return exp.Literal.string(value).sql("postgres")


@contextmanager
def open_staging(memory: str, macros: Sequence[str]) -> Iterator[StagingSession]:
    """An empty staging database for the length of a `with` block; what `memory` does not hold spills to a folder."""
    with tempfile.TemporaryDirectory(prefix="staging-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "preserve_insertion_order": "false",
            "temp_directory": folder,
        }
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for macro in macros:
                connection.execute(macro)
            yield StagingSession(connection, Path(folder))
