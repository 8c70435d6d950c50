"""Has a server of Spark Connect compute the rows of a model and check them, from the Delta tables where they lie."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.errors import PySparkException

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.sql import quote
from analytics_platform.settings import masked
from analytics_platform.transform import Query
from analytics_platform.transform.spark import spark_question, spark_sql, view_of
from analytics_platform.warehouse.audit import RuleResult, audit
from analytics_platform.warehouse.delta.place import FILE_ROWS, DeltaPlace
from analytics_platform.warehouse.session import WarehouseError

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_REACHED_WITHIN_S = 5.0


_ONE_AT_A_TIME = threading.Lock()

_MADE = "made"
"""The view of the rows that a server has computed, in its session."""


@dataclass(frozen=True, slots=True)
class Spark:
    """The server at SPARK_REMOTE. It reads tables and writes rows itself, in a bucket with its own credentials."""

    url: str = field(repr=False)  # it may hold a token
    place: DeltaPlace

    def rows(self, contract: ContractType, query: Query, tables: Mapping[str, DeltaTable]) -> pa.Table:
        """Compute the rows of a table from these versions of others. Raises `WarehouseError` if that fails."""
        with self._reading(contract.table.name, tables) as session:
            return session.sql(spark_sql(query, column_types(contract))).toArrow()

    def stage(
        self, contract: ContractType, query: Query, tables: Mapping[str, DeltaTable], folder: str, within: str
    ) -> tuple[tuple[RuleResult, ...], bool]:
        """Compute the rows of a table into Parquet files of a folder, and check them where they lie.

        Returns how they did against each rule, and whether they differ from the stored rows that `within` selects.
        Raises `WarehouseError` if that fails, or if this machine does not see the files.
        """
        name = contract.table.name
        with self._reading(name, tables) as session:
            computed = session.sql(spark_sql(query, column_types(contract)))
            # S3 copies no file of more than 5 GB.
            written = computed.write.mode("overwrite").option("maxRecordsPerFile", FILE_ROWS)
            written.parquet(f"{self.place.root}/{folder}")
            if files := [each for each in self.place.files(folder) if each.path.endswith(".parquet")]:
                rows = session.read.schema(computed.schema).parquet(f"{self.place.root}/{folder}")
                rows.createOrReplaceTempView(_MADE)
            else:  # of no rows Sail writes no file
                session.createDataFrame([], computed.schema).createOrReplaceTempView(_MADE)
                none = pa.RecordBatchReader.from_batches(computed.limit(0).toArrow().schema, [])
                self.place.write(folder, none)
            results = tuple(audit(partial(ask, session), contract, _MADE))
            here = self.place.count_rows(folder)
            there = results[0].checked if files else computed.count()
            if here != there:
                raise WarehouseError(_on_other_disk(name, there, "what it computed", here))
            before, after = (_digest(session, contract, *of) for of in ((view_of(name), within), (_MADE, "TRUE")))
            return results, before != after

    @contextmanager
    def _reading(self, name: str, tables: Mapping[str, DeltaTable]) -> Iterator[SparkSession]:
        """Open a session in which these versions of tables can be read."""
        with _ONE_AT_A_TIME, self._explained(name):  # threads share the session, and its views
            session = _session(self.url)
            for source, table in tables.items():
                reader = session.read.format("delta").option("versionAsOf", table.version())
                reader.load(table.table_uri).createOrReplaceTempView(view_of(source))
            self._check_inputs(name, session, tables)
            yield session

    def _check_inputs(self, name: str, session: SparkSession, tables: Mapping[str, DeltaTable]) -> None:
        """Compare how many rows the server and this machine see: a server with another disk would see none."""
        counts = ", ".join(f"(SELECT COUNT(1) FROM {view_of(source)}) AS {view_of(source)}" for source in tables)
        seen = session.sql(f"SELECT {counts}").toArrow().to_pylist()[0] if tables else {}
        for source, table in tables.items():
            there, here = seen[view_of(source)], table.count()
            if there != here:
                raise WarehouseError(_on_other_disk(name, there, source, here))

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except (PySparkException, OSError, OverflowError) as error:  # a port may be too large
            _session.cache_clear()  # of a server that was started again no session goes on
            found = re.search(r'details = "(.+?)"$', str(error), re.MULTILINE)  # of a call that a server did not end
            said = found[1] if found else str(error).strip().partition("\n")[0]
            words = masked(said)[:300].rstrip(".") or "no reason was given"
            raise WarehouseError(
                f"{name} cannot be computed at SPARK_REMOTE={masked(self.url)} ({words}): start the server or correct "
                "the setting; without it DuckDB computes on this machine."
            ) from error


def _on_other_disk(name: str, there: int, what: str, here: int) -> str:
    words = f"the server of SPARK_REMOTE sees {there:,} rows of {what}, and this machine {here:,}"
    return f"{name}: {words}: let both use the same folder or bucket."


def ask(session: SparkSession, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a query written for DuckDB; returns the names of its columns and its rows."""
    rows = session.sql(spark_question(sql)).toArrow()
    return rows.column_names, list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _digest(session: SparkSession, contract: ContractType, view: str, condition: str) -> tuple[Any, ...]:
    """Sum up what rows say: equal for equal rows in any order."""
    # Spark's hash passes over nulls: a value that moved to the column beside it would count as the same row.
    values = ", ".join(f"{column}, {column} IS NULL" for column in map(quote, column_types(contract)))
    digest = f"SELECT count(*), sum(CAST(hash({values}) AS DECIMAL(38, 0))) FROM {view} WHERE {condition}"
    return ask(session, digest)[1][0]


@contextmanager
def _main_file() -> Iterator[None]:
    """Give the main module a file, if it has none."""
    # pyspark takes a process without one for a doctest, and ends it: runs that Dagster starts have none. Afterwards it
    # is taken away, for multiprocessing would have its children run that file.
    main = sys.modules["__main__"]
    lacks_file = not hasattr(main, "__file__")
    if lacks_file:
        main.__file__ = sys.executable
    try:
        yield
    finally:
        if lacks_file:
            del main.__file__


@lru_cache(maxsize=1)
def _session(url: str) -> SparkSession:
    return connect(url)


def connect(url: str) -> SparkSession:
    """Open a session, in UTC. Raises `OSError` if nothing answers at the address."""
    with _main_file():
        from pyspark.sql.connect.client.core import DefaultChannelBuilder
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession

    host, _, port = DefaultChannelBuilder(url).endpoint.rpartition(":")
    # The client itself would try for ten minutes.
    socket.create_connection((host.strip("[]"), int(port)), _REACHED_WITHIN_S).close()
    session: SparkSession = SparkSession.builder.remote(url).create()
    session.client.set_retry_policies([DefaultPolicy(max_retries=4)])
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")  # Delta has no times of another type
    return session
