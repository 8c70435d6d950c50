"""Servers of Spark Connect for tests, Sail and Apache Spark, and the tables of a warehouse in them."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pysail.spark import SparkConnectServer
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from analytics_platform.contracts.sql import quote_table
from analytics_platform.demo.servers import free_port
from analytics_platform.transform.spark import view_of
from analytics_platform.warehouse import DuckDBSession
from analytics_platform.warehouse.delta.spark import connect

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


SERVERS = ["sail", pytest.param("apache", marks=pytest.mark.spark)]
"""Parameters of the tests that both servers pass."""

_STARTED = stop_after_delay(120)


@contextmanager
def spark_remote(server: str = "sail") -> Iterator[str]:
    """The address of a server."""
    if server == "apache":
        with _apache_spark() as address:
            yield address
        return
    sail = SparkConnectServer(port=0)
    sail.start(background=True)
    try:
        yield "sc://127.0.0.1:{1}".format(*sail.listening_address)
    finally:
        sail.stop()


@contextmanager
def _apache_spark() -> Iterator[str]:
    """The address of a server of Apache Spark, from the folder that `make test-spark` names. It needs Java."""
    port = free_port()
    settings = {
        **{"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"},
        **{"spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": port},
        **{"spark.sql.shuffle.partitions": 2, "spark.log.level": "ERROR"},
    }
    command = [f"{os.environ['SPARK_HOME']}/bin/spark-submit", "--master", "local[2]", "--driver-memory", "2g"]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    with subprocess.Popen(command) as server:
        try:
            for attempt in Retrying(retry=retry_if_exception_type(OSError), wait=wait_fixed(0.5), stop=_STARTED):
                with attempt:
                    socket.create_connection(("127.0.0.1", port), 1).close()
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()


@contextmanager
def spark_session(server: str) -> Iterator[SparkSession]:
    """A session at a server of its own, in UTC."""
    with spark_remote(server) as url:
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
