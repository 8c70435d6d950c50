"""A server of Spark Connect for tests (Sail), and the tables of a warehouse in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pysail.spark import SparkConnectServer

from analytics_platform.contracts.sql import quote_table
from analytics_platform.transform.spark import view_of
from analytics_platform.warehouse import DuckDBSession
from analytics_platform.warehouse.delta.spark import connect

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


@contextmanager
def spark_remote() -> Iterator[str]:
    """The address of a server."""
    server = SparkConnectServer(port=0)
    server.start(background=True)
    try:
        yield "sc://127.0.0.1:{1}".format(*server.listening_address)
    finally:
        server.stop()


@contextmanager
def spark_session() -> Iterator[SparkSession]:
    """A session at a server of its own, in UTC."""
    with spark_remote() as url:
        session = connect(url)
        yield session
        session.stop()


def share_tables(session: DuckDBSession, spark: SparkSession, folder: Path) -> None:
    """Write every table of the warehouse as Parquet, and make it a view of the server."""
    for name in sorted(session.tables()):
        schema, _, table = name.partition(".")
        place = folder / schema / table
        place.mkdir(parents=True)
        session.execute(f"COPY {quote_table(name)} TO '{place}/rows.parquet' (FORMAT parquet)")
        spark.read.parquet(str(place)).createOrReplaceTempView(view_of(name))
