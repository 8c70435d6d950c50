"""Has a server of Spark Connect compute the rows of a model, from the Delta tables where they lie."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.errors import PySparkException

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types
from analytics_platform.settings import masked
from analytics_platform.transform import Query
from analytics_platform.transform.spark import spark_sql, view_of
from analytics_platform.warehouse.session import WarehouseError

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_REACHED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Spark:
    """The server at SPARK_REMOTE. It reads the tables itself, and a bucket with its own credentials."""

    url: str = field(repr=False)  # it may hold a token

    def rows(self, contract: ContractType, query: Query, tables: Mapping[str, DeltaTable]) -> pa.Table:
        """Compute the rows of a table from these versions of its inputs. Raises `WarehouseError` if that fails."""
        name = contract.table.name
        with self._explained(name):
            session = _session(self.url)
            for source, table in tables.items():
                reader = session.read.format("delta").option("versionAsOf", table.version())
                reader.load(table.table_uri).createOrReplaceTempView(view_of(source))
            self._check_inputs(name, session, tables)
            return session.sql(spark_sql(query, column_types(contract))).toArrow()

    def _check_inputs(self, name: str, session: SparkSession, tables: Mapping[str, DeltaTable]) -> None:
        """Compare how many rows the server and this machine see: a server with another disk would see none."""
        counts = ", ".join(f"(SELECT COUNT(1) FROM {view_of(source)}) AS {view_of(source)}" for source in tables)
        seen = session.sql(f"SELECT {counts}").toArrow().to_pylist()[0] if tables else {}
        for source, table in tables.items():
            there, here = seen[view_of(source)], table.to_pyarrow_dataset().count_rows()
            if there != here:
                words = f"the server of SPARK_REMOTE sees {there:,} rows of {source}, and this machine {here:,}"
                raise WarehouseError(f"{name}: {words}: let both read the same folder or bucket.")

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except (PySparkException, OSError) as error:
            _session.cache_clear()  # of a server that was started again no session goes on
            words = masked(str(error).strip().partition("\n")[0])[:300].rstrip(".") or "no reason was given"
            raise WarehouseError(
                f"{name} cannot be computed at SPARK_REMOTE={masked(self.url)} ({words}): start the server or correct "
                "the setting; without it DuckDB computes on this machine."
            ) from error


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
    socket.create_connection((host, int(port)), _REACHED_WITHIN_S).close()
    session: SparkSession = SparkSession.builder.remote(url).create()
    session.client.set_retry_policies([DefaultPolicy(max_retries=4)])
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session
